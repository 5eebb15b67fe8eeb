"""What shop, customer and store do with an order once it is placed: one function an action."""

import uuid
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

from pickup.core import outbox, signals
from pickup.core.languages import later
from pickup.core.types import Actor
from pickup.orders import collectors, pickup_code, queries, refused_items, shelf_price
from pickup.orders.errors import ActionNotAllowed, OrderNotFound, PickupCodeLocked
from pickup.orders.lifecycle import FINAL, TRANSITIONS, Reason
from pickup.orders.models import Order
from pickup.orders.promising import hold_until_at, messages_at
from pickup.orders.transitions import advance, board_topic
from pickup.stores.directory import fresh_directory


def cancel(order: Order, *, actor: Actor, reason: Reason, now: datetime, note: str | None = None) -> None:
    """Call the order off: goods free again, money given back."""
    advance([order], "cancel", actor=actor, now=now, reason=reason, note=note)


def arrive(order: Order, note: str | None, *, now: datetime, bay: str | None = None, car: str | None = None) -> None:
    """The customer is at the store; the first arrival's time counts.

    Args:
        note, bay, car: where to find them; a word given later replaces the earlier.

    Raises:
        ActionNotAllowed: the order is over.
    """
    _require_open(order)
    if order.arrived_at is None:
        order.arrived_at = now
        outbox.emit("order.arrived", {order.id: {"number": order.number, "store_id": order.store_id}}, at=now)
    order.arrival_note = note or order.arrival_note
    order.arrival_bay = bay or order.arrival_bay
    order.arrival_car = car or order.arrival_car
    signals.after_commit(signals.NEWS, [board_topic(order.store_id)])


def set_out(order: Order, within: timedelta | None, *, now: datetime) -> None:
    """The customer is on the way; the last word counts.

    Args:
        within: how long they think it takes, if they said so.

    Raises:
        ActionNotAllowed: the order is not ready, or they are there already.
    """
    if order.status != "ready" or order.arrived_at:
        raise ActionNotAllowed(f"The order is {order.status}.", status_of_order=order.status, allowed_actions=[])
    order.on_the_way_at = now
    order.expected_at = None if within is None else now + within
    signals.after_commit(signals.NEWS, [board_topic(order.store_id)])


def start_picking(order: Order, *, actor: Actor, now: datetime) -> None:
    """An associate takes the order on."""
    start_picking_together([order], actor=actor, now=now)


def start_picking_together(orders: Sequence[Order], *, actor: Actor, now: datetime) -> None:
    """An associate takes several orders on."""
    advance(orders, "start_picking", actor=actor, now=now)


def mark_ready(order: Order, *, actor: Actor, now: datetime) -> None:
    """The goods stand ready; from now on they are held for the customer."""
    store = fresh_directory().by_id[order.store_id]
    order.hold_until = hold_until_at(store, now, queries.keeps_days(order.id))
    order.remind_at, order.warn_at = messages_at(store, now, order.hold_until)
    advance([order], "mark_ready", actor=actor, now=now)
    collectors.tell(order, now=now)


def hand_over(
    order: Order,
    typed_code: str,
    *,
    actor: Actor,
    is_manager: bool,
    now: datetime,
    refused: Mapping[int, int] | None = None,
) -> bool:
    """Give the goods to whoever has the code, for what they cost when they were ordered, or now, if that is less.

    The customer's code counts at all times, the collector's as long as it has not been taken back. Where all of it is
    refused, there is nothing to hand over: the order is cancelled, as if the customer had done it before they came.

    Args:
        order: locked. Afterwards it has its lines, with their products, and its store.
        refused: units that they do not take, by product id.

    Returns:
        False for a wrong code: it has been counted, so the caller must commit and not roll back.

    Raises:
        PickupCodeLocked: five wrong codes were tried; only a manager can go on.
        ActionNotAllowed: the order is not ready.
        InvalidFields: more is refused than there is.
    """
    if order.wrong_codes >= pickup_code.WRONG_CODES_MAX and not is_manager:
        raise PickupCodeLocked(later("Five wrong codes were tried on this order. A manager has to hand it over."))
    is_customers = pickup_code.matches(typed_code, order.pickup_code)
    is_collectors = pickup_code.matches(typed_code, order.collector_code)
    if not (is_customers or is_collectors):
        order.wrong_codes += 1
        return False
    notes = [collectors.words_for_history(order, by_collector=is_collectors)]
    if order.status in TRANSITIONS["hand_over"].sources:  # with all others it is refused
        queries.load_for_handover(order)
        if refused and any(refused.values()):
            refused_items.check(order, refused)
            if refused_items.is_everything(order, refused):
                cancel(order, actor=actor, reason="customer", note=refused_items.ALL_REFUSED, now=now)
                return True
            notes.append(refused_items.leave_behind(order, refused, now=now))
        shelf_price.charge_the_lower(order, now=now)
        if is_collectors:
            order.collected_by_collector = True
    advance([order], "hand_over", actor=actor, now=now, note="; ".join(filter(None, notes)) or None)
    return True


def order_at_store(order_id: uuid.UUID, store_id: int, *, with_lines: bool = False) -> Order:
    """Lock an order of one's own store; another store's is as good as not there.

    Raises:
        OrderNotFound: this store has no such order.
    """
    order = queries.lock_order(order_id, with_lines=with_lines)
    if order.store_id != store_id:
        raise OrderNotFound(later("This store has no such order."))
    return order


def _require_open(order: Order) -> None:
    if order.status in FINAL:
        raise ActionNotAllowed(f"The order is {order.status}.", status_of_order=order.status, allowed_actions=[])
