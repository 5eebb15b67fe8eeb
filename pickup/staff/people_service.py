"""Who works where: new PINs, and people who leave."""

from datetime import datetime

from sqlalchemy import select

from pickup.core.db import db
from pickup.core.errors import DomainError, InvalidFields, Kind, NotFound
from pickup.staff import audit, pins, queries
from pickup.staff.errors import PinTaken
from pickup.staff.models import StaffMember
from pickup.staff.people import Associate


class NotYourself(DomainError):
    """Somebody would lock themselves out."""

    kind = Kind.CONFLICT
    code = "not_yourself"
    title = "Somebody else has to do this"


def change_pin(who: Associate, member_id: int, pin: str, *, now: datetime) -> StaffMember:
    """Give somebody a new PIN; where they are signed in, they are not any more.

    Raises:
        NotFound: nobody of this id works here.
        InvalidFields: not the form of a PIN.
        PinTaken: somebody of the store has it already.
    """
    member = _lock_at_work(member_id)
    if not pins.is_well_formed(pin):
        raise InvalidFields.at("/pin", "must be 4 to 8 digits")
    colleagues = queries.members_at(member.store_id)
    if any(pins.matches(pin, each.pin_hash) for each in colleagues if each.id != member.id):
        raise PinTaken("Somebody at this store has this PIN already; choose another.")
    member.pin_hash = pins.hash_pin(pin)
    audit.record(who, "change_pin", now=now, store_id=member.store_id, of=member.name)
    return member


def end_member(who: Associate, member_id: int, *, now: datetime) -> StaffMember:
    """Let somebody sign in no more; what they did stays theirs.

    Raises:
        NotFound: nobody of this id works here.
        NotYourself: nobody ends themselves, so that somebody is left who can let people in.
    """
    member = _lock_at_work(member_id)
    if member.id == who.id:
        raise NotYourself("You cannot end yourself. Let another manager do it.")
    member.left_at = now
    audit.record(who, "end_member", now=now, store_id=member.store_id, of=member.name)
    return member


def _lock_at_work(member_id: int) -> StaffMember:
    """Somebody who has not left, with nobody else changing who works at their store."""
    store_id = db.session.scalars(select(StaffMember.store_id).where(StaffMember.id == member_id)).one_or_none()
    if store_id is not None:
        queries.lock_staff_of(store_id)
    member = queries.member(member_id)
    if member is None or member.left_at is not None:
        raise NotFound("Nobody of this kind works here any more.")
    return member
