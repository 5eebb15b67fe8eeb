"""API keys: who calls, and what it may do."""

import hashlib
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, get_args

from flask import g, request
from sqlalchemy import LargeBinary, bindparam, func, select, text, update
from sqlalchemy.dialects.postgresql import insert

from pickup.core.db import db, run
from pickup.core.errors import DomainError, Kind, NotFound
from pickup.core.models import ApiClient, ApiKey
from pickup.core.types import Actor

Scope = Literal["shop", "pos", "admin"]
SCOPES: tuple[Scope, ...] = get_args(Scope)

KEY_PREFIX = "pk_"
KEY_BYTES = 32


class Unauthenticated(DomainError):
    """The request names no key, or one that does not work (any more)."""

    kind = Kind.UNAUTHENTICATED
    code = "unauthenticated"
    title = "A valid API key is needed"


class ScopeMissing(DomainError):
    """The key works, but not for this."""

    kind = Kind.FORBIDDEN
    code = "scope_missing"
    title = "This key has not the scope that is needed"


@dataclass(frozen=True, slots=True)
class Caller:
    """The API client behind a request."""

    client_id: int
    name: str
    scopes: frozenset[str]

    @property
    def actor(self) -> Actor:
        """The caller as history shows it."""
        return Actor("shop", self.name)


def create_key(name: str, scopes: list[Scope]) -> str:
    """Make a key for a client, and the client itself the first time. The key is returned once and kept only hashed."""
    key = KEY_PREFIX + secrets.token_urlsafe(KEY_BYTES)
    db.session.execute(insert(ApiClient).values(name=name).on_conflict_do_nothing())
    client_id = db.session.scalars(select(ApiClient.id).where(ApiClient.name == name)).one()
    db.session.add(ApiKey(client_id=client_id, digest=_digest(key), scopes=list(scopes)))
    return key


def revoke_keys(name: str, *, now: datetime, keep_newest: bool = False) -> int:
    """Stop every key of a client; returns how many still worked until now.

    Args:
        keep_newest: all but the newest of those that work, which is in the place of the others by now.

    Raises:
        NotFound: there is no such client.
    """
    client_id = db.session.scalars(select(ApiClient.id).where(ApiClient.name == name)).one_or_none()
    if client_id is None:
        raise NotFound(f"There is no client named {name!r}.")
    works = (ApiKey.client_id == client_id) & ApiKey.revoked_at.is_(None)
    stopped = update(ApiKey).where(works)
    if keep_newest:
        stopped = stopped.where(ApiKey.id < select(func.max(ApiKey.id)).where(works).scalar_subquery())
    return len(db.session.execute(stopped.values(revoked_at=now).returning(ApiKey.id)).all())


_CALLER = text("""
    SELECT api_clients.id, name, scopes FROM api_keys JOIN api_clients ON api_clients.id = client_id
    WHERE digest = :digest AND revoked_at IS NULL
""").bindparams(bindparam("digest", type_=LargeBinary()))


def authenticate(needed: frozenset[str]) -> Caller:
    """The caller of the present request.

    Read from the database on each request: a revoked key must not work once more.

    Raises:
        Unauthenticated: no key, or not a working one.
        ScopeMissing: the key has none of the scopes needed.
    """
    row = run(_CALLER, {"digest": _digest(_key())}).one_or_none()
    if row is None:
        raise Unauthenticated("This key is not known, or it was revoked.")
    caller = Caller(row.id, row.name, frozenset(row.scopes))
    if not needed & caller.scopes:
        raise ScopeMissing(f"This needs a key with the scope {' or '.join(sorted(needed))}.")
    g.caller = caller
    return caller


def key_still_works() -> Callable[[], bool]:
    """A question to ask later, when the present request is over: whether its key has not been revoked since."""
    digest = _digest(_key())
    return lambda: run(_CALLER, {"digest": digest}).one_or_none() is not None


def _key() -> str:
    scheme, _, key = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not key:
        raise Unauthenticated("Send your key as `Authorization: Bearer KEY`.")
    return key.strip()


def current_caller() -> Caller:
    """The client that the view in progress was called by."""
    caller: Caller = g.caller
    return caller


def _digest(key: str) -> bytes:
    return hashlib.sha256(key.encode("utf-8", "replace")).digest()
