"""What people do at the counter: sign in, take an order on, set it ready, hand it over."""

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta

from pickup.core.db import db
from pickup.core.errors import InvalidFields
from pickup.orders import service as orders
from pickup.orders.errors import ActionNotAllowed
from pickup.orders.models import Order
from pickup.orders.pickup_code import normalise
from pickup.staff import audit, pins, queries
from pickup.staff.errors import AgeNotChecked, CodeEntryLocked, MovedOn, NameTaken, PinTaken
from pickup.staff.lockout import is_locked
from pickup.staff.models import Role, StaffMember
from pickup.staff.people import Associate
from pickup.stores.queries import store_by_ref

CODE_WINDOW = timedelta(minutes=10)
NAME_MAX_CHARACTERS = 60


def create_member(*, store_ref: str, name: str, role: Role, pin: str) -> StaffMember:
    """Let somebody sign in at a store.

    Raises:
        InvalidFields: there is no such store, or the name or the PIN has not the right form.
        NameTaken, PinTaken: somebody of the store has it already.
    """
    store = store_by_ref(store_ref)
    if store is None:
        raise InvalidFields.at("/store", f"there is no store {store_ref!r}")
    name = name.strip()
    if not name or len(name) > NAME_MAX_CHARACTERS or not name.isprintable():
        raise InvalidFields.at("/name", f"must be 1 to {NAME_MAX_CHARACTERS} printable characters")
    if not pins.is_well_formed(pin):
        raise InvalidFields.at("/pin", "must be 4 to 8 digits")
    queries.lock_staff_of(store.id)
    colleagues = queries.members_at(store.id)
    if any(colleague.name == name for colleague in colleagues):
        raise NameTaken(f"{store.name} ({store.ref}) has somebody named {name!r} already.")
    if any(pins.matches(pin, colleague.pin_hash) for colleague in colleagues):
        raise PinTaken(f"Somebody at {store.name} ({store.ref}) has this PIN already; choose another.")
    member = StaffMember(store_id=store.id, name=name, role=role, pin_hash=pins.hash_pin(pin))
    db.session.add(member)
    db.session.flush()
    return member


def start_picking(member: Associate, order_id: uuid.UUID, *, now: datetime) -> Order:
    """Take an order on.

    Raises:
        OrderNotFound: this store has no such order.
        MovedOn: it is not waiting to be picked.
    """
    with _own_order(member, order_id) as order:
        orders.start_picking(order, actor=member.actor, now=now)
        audit.record(member, "start_picking", order_id=order.id, now=now)
        return order


def mark_ready(member: Associate, order_id: uuid.UUID, *, now: datetime) -> Order:
    """Say that an order stands ready.

    Raises:
        OrderNotFound: this store has no such order.
        MovedOn: it is not being picked.
    """
    with _own_order(member, order_id) as order:
        orders.mark_ready(order, actor=member.actor, now=now)
        audit.record(member, "mark_ready", order_id=order.id, now=now)
        return order


def hand_over(member: Associate, order_id: uuid.UUID, typed_code: str, *, age_checked: bool, now: datetime) -> bool:
    """Give a certain order to whoever has its code.

    Returns:
        False for a wrong code, which has been counted on the order: the caller must commit.

    Raises:
        AgeNotChecked: the code is right and the age is to be asked first; nothing is handed over, so roll back.
        PickupCodeLocked: five wrong codes were tried on it; a manager can go on.
        OrderNotFound: this store has no such order.
        MovedOn: it is not ready.
    """
    with _own_order(member, order_id) as order:
        if not orders.hand_over(order, typed_code, actor=member.actor, is_manager=member.is_manager, now=now):
            audit.record(member, "wrong_code", order_id=order_id, now=now)
            return False
    minimum_age = minimum_age_of(order)
    if minimum_age and not age_checked:
        raise AgeNotChecked("Check the age before you hand it over.", order_id=order_id, minimum_age=minimum_age)
    # Of an age check the outcome is kept, and no document.
    checked = {"age_checked": minimum_age} if minimum_age else {}
    audit.record(member, "hand_over", order_id=order_id, now=now, **checked)
    return True


def hand_over_by_code(member: Associate, typed_code: str, *, age_checked: bool, now: datetime) -> uuid.UUID | None:
    """Give the goods to whoever has a code of this store.

    Returns:
        The order, or None where no order has the code, which has been counted on the person: the caller must commit.

    Raises:
        CodeEntryLocked: this person typed five unknown codes in ten minutes; a manager can go on.
        AgeNotChecked, PickupCodeLocked, MovedOn: see `hand_over`.
    """
    queries.lock_member(member.id)
    guesses = queries.latest_unknown_codes(member.id)
    if not member.is_manager and is_locked(guesses, CODE_WINDOW, now=now):
        raise CodeEntryLocked("Five wrong codes in ten minutes. A manager has to sign in to hand orders over.")
    code = normalise(typed_code)
    order_id = queries.order_id_by_code(member.store_id, code)
    if order_id is None:
        queries.record_unknown_code(member.id, now=now, forget_before=now - 2 * CODE_WINDOW)
        audit.record(member, "unknown_code", now=now)
        return None
    return order_id if hand_over(member, order_id, typed_code, age_checked=age_checked, now=now) else None


def minimum_age_of(order: Order) -> int:
    """The age that somebody must have to be given what was found of an order with its lines; 0: anybody may have it."""
    return max((line.product.minimum_age or 0 for line in order.lines if line.quantity > line.short), default=0)


@contextmanager
def _own_order(member: Associate, order_id: uuid.UUID) -> Iterator[Order]:
    """The order, locked; a refusal of the step tells which order it was."""
    try:
        yield orders.order_at_store(order_id, member.store_id)
    except ActionNotAllowed as refusal:
        raise MovedOn(refusal.detail, order_id=order_id) from refusal
