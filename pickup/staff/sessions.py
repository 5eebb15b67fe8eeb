"""Who is signed in on this tablet: a signed cookie that names the person, checked against the database each time.

A tablet that nobody touches for five minutes is locked: the person stays signed in, and goes on with their PIN.
"""

import hashlib
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any

from flask import session

from pickup.core.clock import utcnow
from pickup.core.pages import SESSION_LIFETIME
from pickup.staff import queries
from pickup.staff.models import StaffMember
from pickup.staff.people import Associate, at_work

KEY = "staff"
IDLE_LOCK = timedelta(minutes=5)
# The cookie is written again only now and then: a page that is loaded asks several times a second.
TOUCH_EVERY_SECONDS = 20
LOCKED = 0


def sign_in(who: Associate, *, now: datetime) -> None:
    """Begin a session, with nothing left in it from before."""
    session.clear()
    session.permanent = True
    at = int(now.timestamp())
    session[KEY] = {"id": who.id, "on": who.device_id, "as": _fingerprint_of(who.id), "at": at, "seen": at}


def sign_out() -> None:
    """End the session."""
    session.clear()


def signed_in(*, now: datetime) -> Associate | None:
    """The person at the tablet, also while it is locked.

    Returns:
        None if nobody is, the shift is over, somebody changed or removed the person, or took the tablet back.
    """
    claim = session.get(KEY)
    return _believed(claim, now) if claim else None


def is_locked(*, now: datetime) -> bool:
    """Whether the person who is signed in has to give the PIN before anything else."""
    seen: int = session[KEY]["seen"]
    return now.timestamp() - seen >= IDLE_LOCK.total_seconds()


def touch(*, now: datetime) -> None:
    """Somebody does something: the tablet stays open for another while."""
    if now.timestamp() - session[KEY]["seen"] >= TOUCH_EVERY_SECONDS:
        _see(int(now.timestamp()))


def lock() -> None:
    """Ask for the PIN before anything else."""
    _see(LOCKED)


def unlock(*, now: datetime) -> None:
    """Go on, after the PIN was given."""
    _see(int(now.timestamp()))


def still_signed_in() -> Callable[[], bool]:
    """Whether the session of the present request goes on, to be asked when the request is over.

    Not whether it is locked meanwhile, which only the browser's next cookie would tell.
    """
    claim = session[KEY]
    return lambda: _believed(claim, utcnow()) is not None


def _see(at: int) -> None:
    session[KEY] = session[KEY] | {"seen": at}


def _believed(claim: Mapping[str, Any], now: datetime) -> Associate | None:
    if now.timestamp() - claim["at"] >= SESSION_LIFETIME.total_seconds():
        return None
    member, device = queries.member_and_device(claim["id"], claim.get("on"))
    if member is None or _fingerprint(member) != claim["as"]:
        return None
    if claim.get("on") is not None and (device is None or device.revoked_at is not None):
        return None
    return at_work(member, device)


def _fingerprint_of(member_id: int) -> str | None:
    member = queries.member(member_id)
    return _fingerprint(member) if member else None


def _fingerprint(member: StaffMember) -> str:
    """Changes with everything that a session rests on. The salt inside the hash keeps it from telling the PIN."""
    parts = (str(member.store_id), member.name, member.role, member.pin_hash, str(member.left_at))
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:32]
