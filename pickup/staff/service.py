"""What people do first at the counter: sign in, take an order on, set it ready."""

import uuid
from datetime import datetime

from pickup.core.db import db
from pickup.core.errors import InvalidFields
from pickup.core.types import new_id
from pickup.orders import service as orders
from pickup.orders.models import Order
from pickup.staff import audit, picking, pins, queries
from pickup.staff.errors import NameTaken, NotCounted, PinTaken
from pickup.staff.models import Role, StaffMember
from pickup.staff.people import Associate
from pickup.staff.steps import own_order_locked
from pickup.stores.queries import store_by_ref

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
    """Take an order on: a round of one.

    Raises:
        OrderNotFound: this store has no such order.
        MovedOn: it is not waiting to be picked.
    """
    with own_order_locked(member, order_id) as order:
        picking.take_on(member, order, new_id())
        orders.start_picking(order, actor=member.actor, now=now)
        audit.record(member, "start_picking", order_id=order.id, now=now)
        return order


def mark_ready(
    member: Associate, order_id: uuid.UUID, *, now: datetime, place: str | None = None, is_sure: bool = False
) -> Order:
    """Say that an order stands ready.

    Args:
        place: where the bag stands, if that is said now.
        is_sure: whether not all of it has to be counted, where somebody has begun to count.

    Raises:
        OrderNotFound: this store has no such order.
        MovedOn: it is not being picked.
        NotCounted: some of it is counted and some is not; nothing is changed.
    """
    with own_order_locked(member, order_id) as order:
        counted, units = queries.counted_units(order_id)
        if order.status == "picking" and 0 < counted < units and not is_sure:
            missing = units - counted
            raise NotCounted(f"{missing} of {units} are not counted.", order_id=order_id, missing=missing)
        order.staging_place = place or order.staging_place
        orders.mark_ready(order, actor=member.actor, now=now)
        audit.record(member, "mark_ready", order_id=order.id, now=now, place=place)
        return order
