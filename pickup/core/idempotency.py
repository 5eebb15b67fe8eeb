"""`Idempotency-Key`: the same request sent twice has one effect and one answer.

The claim on a key is a row of the transaction that has the effect, so there is never one without the other. The
answer is stored before it is sent. A claim whose owner died without an answer is handed to the next request with the
same key once `CLAIM_LEASE` has passed; it names the subject (the order) to go on with.

A request whose effect is one transaction needs no more than `once`: claim, effect and answer are one commit. One that
has to commit before it has an answer (a gateway is asked in between) takes the parts.
"""

import hashlib
import json
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from flask import Response, request
from sqlalchemy import LargeBinary, Uuid, bindparam, delete, select, text, update

from pickup.core.db import db, run
from pickup.core.errors import DomainError, InvalidFields, Kind
from pickup.core.models import IdempotencyKey

HEADER = "Idempotency-Key"
KEY_MAX_LENGTH = 255
CLAIM_LEASE = timedelta(seconds=30)


class IdempotencyKeyMissing(DomainError):
    """The operation needs an idempotency key."""

    kind = Kind.MALFORMED
    code = "idempotency_key_missing"
    title = "An Idempotency-Key header is needed"


class IdempotencyKeyReused(DomainError):
    """The key was used before, for something else."""

    kind = Kind.INVALID
    code = "idempotency_key_reused"
    title = "This Idempotency-Key was used with another body"


class RequestInProgress(DomainError):
    """The first request with this key has no answer yet."""

    kind = Kind.CONFLICT
    code = "request_in_progress"
    title = "The first request with this key is still running"


@dataclass(frozen=True, slots=True)
class Attempt:
    """One request that must have its effect once: whose, under which key, and what it says."""

    client_id: int
    key: str
    fingerprint: bytes


@dataclass(frozen=True, slots=True)
class Earlier:
    """What a former request with the same key left: its answer, or else the subject to go on with."""

    answer: Response | None
    subject_id: uuid.UUID


def attempt_of(client_id: int, body: Any) -> Attempt:
    """Read the key of the present request.

    Raises:
        IdempotencyKeyMissing: the header is absent or empty.
        InvalidFields: the key is longer than 255 characters or not printable ASCII.
    """
    attempt = attempt_if_keyed(client_id, body)
    if attempt is None:
        raise IdempotencyKeyMissing(
            f"Send a fresh `{HEADER}` with each new order, and the same one when you repeat it."
        )
    return attempt


def attempt_if_keyed(client_id: int, body: Any) -> Attempt | None:
    """Read the key of the present request, where it is free to have none.

    Raises:
        InvalidFields: as above.
    """
    key = request.headers.get(HEADER, "").strip()
    if not key:
        return None
    if len(key) > KEY_MAX_LENGTH or not key.isascii() or not key.isprintable():
        raise InvalidFields.at(f"/{HEADER}", f"must be at most {KEY_MAX_LENGTH} printable ASCII characters")
    canonical = json.dumps([request.method, request.path, body], sort_keys=True, separators=(",", ":"))
    return Attempt(client_id, key, hashlib.sha256(canonical.encode()).digest())


# Takes the key in the statement that has the effect; without a row somebody has it already. It waits while another
# transaction is about to take the same key, so the answer is sure.
CLAIM = """
    INSERT INTO idempotency_keys (client_id, key, fingerprint, subject_id, claimed_at)
    VALUES (:client_id, :key, :fingerprint, :subject_id, :now)
    ON CONFLICT DO NOTHING
    RETURNING subject_id
"""
CLAIM_PARAMETERS = (bindparam("fingerprint", type_=LargeBinary()), bindparam("subject_id", type_=Uuid()))


def claim(attempt: Attempt, subject_id: uuid.UUID, *, now: datetime) -> dict[str, Any]:
    """The parameters of `CLAIM`."""
    return {
        "client_id": attempt.client_id,
        "key": attempt.key,
        "fingerprint": attempt.fingerprint,
        "subject_id": subject_id,
        "now": now,
    }


_CLAIM = text(CLAIM).bindparams(*CLAIM_PARAMETERS)


def once(attempt: Attempt | None, work: Callable[[], Response], *, subject_id: uuid.UUID, now: datetime) -> Response:
    """The answer of `work`, which is done once for a key, however often and however many at a time ask for it.

    In the present transaction: a refusal of `work`, which rolls it back, gives the key back too. Who comes second waits
    for the first one's commit.

    Args:
        attempt: None for a request without a key, which is always done.
        subject_id: what the request is about.

    Raises:
        IdempotencyKeyReused: the former request said something else.
        RequestInProgress: its claim has gone in this moment.
    """
    if attempt is None:
        return work()
    if run(_CLAIM, claim(attempt, subject_id, now=now)).one_or_none() is None:
        found = earlier(attempt, now=now)
        if found is None or found.answer is None:
            raise RequestInProgress("Wait a moment and repeat the request.", retry_after_seconds=1)
        return found.answer
    response = work()
    finish(attempt, response, now=now)
    return response


def earlier(attempt: Attempt, *, now: datetime) -> Earlier | None:
    """What a former request with this key left, or None if there was none.

    A claim left without an answer for longer than `CLAIM_LEASE` is taken over here (commit it): the caller goes on
    with its subject.

    Raises:
        IdempotencyKeyReused: the former request said something else.
        RequestInProgress: it is still running.
    """
    row = db.session.execute(
        select(IdempotencyKey).where(IdempotencyKey.client_id == attempt.client_id, IdempotencyKey.key == attempt.key)
    ).scalar_one_or_none()
    if row is None:
        return None
    if row.fingerprint != attempt.fingerprint:
        raise IdempotencyKeyReused("Use a fresh key for each new request; repeat an old key only with the same body.")
    if row.finished_at is not None:
        return Earlier(Response(row.body, row.status, content_type=row.content_type), row.subject_id)
    if not _take_over(attempt, now):
        raise RequestInProgress("Wait a moment and repeat the request.", retry_after_seconds=1)
    return Earlier(None, row.subject_id)


def _take_over(attempt: Attempt, now: datetime) -> bool:
    taken = db.session.execute(
        update(IdempotencyKey)
        .where(
            IdempotencyKey.client_id == attempt.client_id,
            IdempotencyKey.key == attempt.key,
            IdempotencyKey.finished_at.is_(None),
            IdempotencyKey.claimed_at < now - CLAIM_LEASE,
        )
        .values(claimed_at=now)
        .returning(IdempotencyKey.key)
    )
    return taken.one_or_none() is not None


def finish(attempt: Attempt, response: Response, *, now: datetime) -> None:
    """Keep the answer. From now on every repetition gets these bytes.

    A request that was slow, and whose claim was taken over meanwhile, may come second: then its response becomes the
    first one.
    """
    mine = {"client_id": attempt.client_id, "key": attempt.key}
    answer = {"status": response.status_code, "content_type": response.content_type, "body": response.get_data()}
    if run(_FINISH, mine | answer | {"now": now}).one_or_none() is None:
        first = run(_FIRST_ANSWER, mine).one_or_none()
        if first is not None:
            response.status_code, response.content_type = first.status, first.content_type
            response.set_data(first.body)


_FINISH = text("""
    UPDATE idempotency_keys SET finished_at = :now, status = :status, content_type = :content_type, body = :body
    WHERE client_id = :client_id AND key = :key AND finished_at IS NULL
    RETURNING 1
""").bindparams(bindparam("body", type_=LargeBinary()))
_FIRST_ANSWER = text("""
    SELECT status, content_type, body FROM idempotency_keys WHERE client_id = :client_id AND key = :key
""")


def forget_older_than(limit: datetime) -> int:
    """Drop keys that were claimed before `limit`; returns how many."""
    gone = db.session.execute(
        delete(IdempotencyKey).where(IdempotencyKey.claimed_at < limit).returning(IdempotencyKey.key)
    )
    return len(gone.all())
