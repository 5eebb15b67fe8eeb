"""Who is signed in on this tablet: a signed cookie that names the person, checked against the database each time."""

import hashlib
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from flask import session

from pickup.core.clock import utcnow
from pickup.core.pages import SESSION_LIFETIME
from pickup.staff import queries
from pickup.staff.models import StaffMember

KEY = "staff"


def sign_in(member: StaffMember, *, now: datetime) -> None:
    """Begin a session, with nothing left in it from before."""
    session.clear()
    session.permanent = True
    session[KEY] = {"id": member.id, "as": _fingerprint(member), "at": int(now.timestamp())}


def sign_out() -> None:
    """End the session."""
    session.clear()


def signed_in(*, now: datetime) -> StaffMember | None:
    """The person at the tablet; None if nobody is, the shift is over, or somebody changed or removed the person."""
    claim = session.get(KEY)
    return _believed(claim, now) if claim else None


def still_signed_in() -> Callable[[], bool]:
    """Whether the session of the present request goes on, to be asked when the request is over."""
    claim = session[KEY]
    return lambda: _believed(claim, utcnow()) is not None


def _believed(claim: Mapping[str, Any], now: datetime) -> StaffMember | None:
    if now.timestamp() - claim["at"] >= SESSION_LIFETIME.total_seconds():
        return None
    member = queries.member(claim["id"])
    return member if member and _fingerprint(member) == claim["as"] else None


def _fingerprint(member: StaffMember) -> str:
    """Changes with everything that a session rests on. The salt inside the hash keeps it from telling the PIN."""
    parts = (str(member.store_id), member.name, member.role, member.pin_hash)
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:32]
