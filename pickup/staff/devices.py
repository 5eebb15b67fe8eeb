"""Tablets that are a store's: made so by a manager who holds them, until somebody takes it back."""

import hashlib
import secrets
from datetime import datetime

from pickup.core.db import db
from pickup.core.errors import InvalidFields
from pickup.core.languages import _, later
from pickup.notifications import push
from pickup.staff import audit, queries
from pickup.staff.errors import DeviceNotFound, ManagerNeeded
from pickup.staff.models import Device
from pickup.staff.people import Associate

TOKEN_BYTES = 32
NAME_MAX_CHARACTERS = 60


def enrol(who: Associate, name: str, *, now: datetime) -> tuple[Device, str]:
    """Make the tablet in a manager's hands one of their store's.

    Returns:
        The device, and the token that only its browser keeps.

    Raises:
        ManagerNeeded: this person is none.
        InvalidFields: the name has not the right form.
    """
    if not who.is_manager:
        raise ManagerNeeded(later("A manager has to sign in to make this one of the store's tablets."))
    name = " ".join(name.split())
    if not name or len(name) > NAME_MAX_CHARACTERS or not name.isprintable():
        raise InvalidFields.at("/name", _("must be 1 to %(most)s printable characters", most=NAME_MAX_CHARACTERS))
    token = secrets.token_urlsafe(TOKEN_BYTES)
    device = Device(
        store_id=who.store_id,
        name=name,
        token_digest=_digest(token),
        enrolled_at=now,
        enrolled_by=who.name,
        seen_at=now,
    )
    db.session.add(device)
    db.session.flush()
    audit.record(who, "enrol_device", now=now, enrolled=device.id, name=name)
    return device, token


def revoke(who: Associate, device_id: int, *, now: datetime) -> Device:
    """End what a tablet may do, and whoever is signed in on it. A second time changes nothing.

    Raises:
        ManagerNeeded: this person is none.
        DeviceNotFound: their store has none of this id.
    """
    if not who.is_manager:
        raise ManagerNeeded("A manager has to sign in to take a tablet away from the store.")
    device = queries.lock_device(device_id)
    if device is None or not (who.is_head_office or device.store_id == who.store_id):
        raise DeviceNotFound("This store has no such tablet.")
    if device.revoked_at is None:
        device.revoked_at, device.revoked_by = now, who.name
        push.forget_device(device.id)
        audit.record(who, "revoke_device", now=now, store_id=device.store_id, revoked=device.id, name=device.name)
    return device


def device_of(token: str) -> Device | None:
    """The tablet that keeps this token, as long as it has not been taken back."""
    return queries.device_by_digest(_digest(token)) if token else None


def _digest(token: str) -> bytes:
    """A token has 256 random bits, so that a slow hash would add nothing."""
    return hashlib.sha256(token.encode()).digest()
