"""Picking: several orders in one round, counted unit by unit, and where the bag stands afterwards."""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from pickup.catalog.gtin import is_same
from pickup.catalog.models import Product
from pickup.core import signals
from pickup.core.errors import InvalidFields
from pickup.core.languages import later
from pickup.core.types import new_id
from pickup.orders import queries as orders
from pickup.orders import service as order_service
from pickup.orders.models import Order, OrderLine
from pickup.orders.transitions import board_topic
from pickup.staff import audit, queries
from pickup.staff.errors import MovedOn, RoundNotFound
from pickup.staff.people import Associate
from pickup.staff.steps import own_order_locked

# So many bags have a letter each, and more nobody carries.
ORDERS_MAX = 26
PLACE_MAX_CHARACTERS = 40

Outcome = Literal["counted", "taken_out", "wrong_item", "too_many", "changed", "over"]


@dataclass(frozen=True, slots=True)
class Started:
    """A round that has begun, and the orders that somebody else had begun with, or that have gone."""

    wave_id: uuid.UUID | None
    """None where all of them have moved on."""
    started: Sequence[Order]
    left_out: Sequence[Order]


@dataclass(frozen=True, slots=True)
class Count:
    """What came of counting something."""

    outcome: Outcome
    order: Order | None = None
    product_id: int | None = None


def start_round(member: Associate, order_ids: Sequence[uuid.UUID], *, now: datetime) -> Started:
    """Take several orders on together; those that have moved on meanwhile are left out.

    Raises:
        InvalidFields: none, or more than a round can have.
    """
    if not 1 <= len(set(order_ids)) <= ORDERS_MAX:
        raise InvalidFields.at("/orders", f"must be 1 to {ORDERS_MAX} orders")
    locked = [order for order in orders.lock_orders(order_ids) if order.store_id == member.store_id]
    waiting = [order for order in locked if order.status == "reserved"]
    wave_id = new_id()
    for order in waiting:
        take_on(member, order, wave_id)
    order_service.start_picking_together(waiting, actor=member.actor, now=now)
    for order in waiting:
        audit.record(member, "start_picking", order_id=order.id, now=now, round=str(wave_id))
    left_out = [order for order in locked if order not in waiting]
    return Started(wave_id if waiting else None, waiting, left_out)


def take_on(member: Associate, order: Order, wave_id: uuid.UUID) -> None:
    """Note on an order who picks it, and in which round."""
    order.wave_id, order.picker_id = wave_id, member.id


def orders_in_round(member: Associate, wave_id: uuid.UUID) -> Sequence[Order]:
    """The orders of a round, whatever has become of them, with all that is shown of them; by number.

    Raises:
        RoundNotFound: this person's store has no such round.
    """
    found = queries.orders_in_round(wave_id)
    if not any(order.store_id == member.store_id for order in found):
        raise RoundNotFound(later("This store has no such round."))
    return found


def open_round(member: Associate, open_orders: Sequence[Order]) -> uuid.UUID | None:
    """The round that somebody is on, by the open orders of their store: the last one that they began."""
    rounds = [
        order.wave_id
        for order in open_orders
        if order.status == "picking" and order.picker_id == member.id and order.wave_id
    ]
    return max(rounds, default=None)


def count(
    member: Associate, order_id: uuid.UUID, product_id: int, change: int, *, expected: int, now: datetime
) -> Count:
    """Put a unit into the bag of an order, or take one out.

    Args:
        change: 1 or -1.
        expected: the units that were in it. Where there are others by now, somebody has counted them already (a second
            tap on the same button), and nothing is changed.

    Raises:
        OrderNotFound: this store has no such order.
    """
    order = order_service.order_at_store(order_id, member.store_id, with_lines=True)
    line = next((line for line in order.lines if line.product_id == product_id), None)
    if line is None:
        return Count("wrong_item")
    if order.status != "picking":
        return Count("over", order, product_id)
    if line.picked != expected:
        return Count("changed", order, product_id)
    return _count(member, order, line, change, now)


def scan(member: Associate, wave_id: uuid.UUID, scanned: str, *, expected: int | None, now: datetime) -> Count:
    """A unit, by its barcode or SKU, into the bag that needs it next.

    Args:
        expected: the units of it that were in all bags together, as in `count`; None where nobody has looked.

    Raises:
        RoundNotFound: this store has no such round.
    """
    found = orders_in_round(member, wave_id)
    meant = {line.product_id for order in found for line in order.lines if is_called(line.product, scanned)}
    locked = orders.lock_orders([order.id for order in found], with_lines=True)
    lines = [
        (order, line)
        for order in sorted(locked, key=lambda order: order.number)
        if order.status == "picking" and order.store_id == member.store_id
        for line in order.lines
        if line.product_id in meant and line.charged_units
    ]
    if not lines:
        return Count("wrong_item")
    if expected is not None and sum(line.picked for _, line in lines) != expected:
        return Count("changed", *_first(lines))
    needed = next(((order, line) for order, line in lines if line.picked < line.charged_units), None)
    return _count(member, *needed, 1, now) if needed else Count("too_many", *_first(lines))


def set_place(member: Associate, order_id: uuid.UUID, place: str | None, *, now: datetime) -> Order:
    """Say where the bag of an order stands.

    Raises:
        OrderNotFound: this store has no such order.
        MovedOn: it has not been begun, or it is over.
    """
    with own_order_locked(member, order_id) as order:
        if order.status not in ("picking", "ready"):
            raise MovedOn("There is no bag.", order_id=order_id)
        order.staging_place = place
        audit.record(member, "place", order_id=order_id, now=now, place=place)
        signals.after_commit(signals.NEWS, [board_topic(order.store_id)])
        return order


def is_called(product: Product, scanned: str) -> bool:
    """Whether a product is what the barcode, or the label with its SKU, says."""
    return scanned == product.sku or bool(product.gtin and is_same(scanned, product.gtin))


def _count(member: Associate, order: Order, line: OrderLine, change: int, now: datetime) -> Count:
    if not 0 <= line.picked + change <= line.charged_units:
        return Count("too_many" if change > 0 else "changed", order, line.product_id)
    line.picked += change
    audit.record(member, "pick", order_id=order.id, now=now, product=line.product_id, change=change)
    return Count("counted" if change > 0 else "taken_out", order, line.product_id)


def _first(lines: Sequence[tuple[Order, OrderLine]]) -> tuple[Order, int]:
    order, line = lines[0]
    return order, line.product_id
