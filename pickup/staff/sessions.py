"""Who is signed in on this tablet: a signed cookie that names the person, checked against the database each time."""

import hashlib
from datetime import datetime

from flask import session

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
    if not claim or now.timestamp() - claim["at"] >= SESSION_LIFETIME.total_seconds():
        return None
    member = queries.member(claim["id"])
    return member if member and _fingerprint(member) == claim["as"] else None


def _fingerprint(member: StaffMember) -> str:
    """Changes with everything that a session rests on. The salt inside the hash keeps it from telling the PIN."""
    parts = (str(member.store_id), member.name, member.role, member.pin_hash)
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:32]
