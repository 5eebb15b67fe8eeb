"""What shop, customer and store do with an order once it is placed: one function an action."""

import uuid
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from pickup.core import signals
from pickup.core.types import Actor
from pickup.orders import pickup_code, queries, shelf_price
from pickup.orders.errors import ActionNotAllowed, OrderNotFound, PickupCodeLocked
from pickup.orders.lifecycle import FINAL, TRANSITIONS, Reason
from pickup.orders.models import Order
from pickup.orders.promising import hold_until_at
from pickup.orders.transitions import advance, board_topic
from pickup.stores.directory import fresh_directory


def cancel(order: Order, *, actor: Actor, reason: Reason, now: datetime, note: str | None = None) -> None:
    """Call the order off: goods free again, money given back."""
    advance([order], "cancel", actor=actor, now=now, reason=reason, note=note)


def name_collector(order: Order, collector: Mapping[str, Any] | None) -> None:
    """Say who collects, instead of the customer.

    Raises:
        ActionNotAllowed: the order is over.
    """
    _require_open(order)
    order.collector_name = collector["name"] if collector else None
    order.collector_email = collector.get("email") if collector else None
    order.collector_phone = collector.get("phone") if collector else None


def arrive(order: Order, note: str | None, *, now: datetime) -> None:
    """The customer is at the store; the first arrival's time counts.

    Raises:
        ActionNotAllowed: the order is over.
    """
    _require_open(order)
    order.arrived_at = order.arrived_at or now
    order.arrival_note = note or order.arrival_note
    signals.after_commit(signals.NEWS, [board_topic(order.store_id)])


def start_picking(order: Order, *, actor: Actor, now: datetime) -> None:
    """An associate takes the order on."""
    advance([order], "start_picking", actor=actor, now=now)


def mark_ready(order: Order, *, actor: Actor, now: datetime) -> None:
    """The goods stand ready; from now on they are held for the customer."""
    order.hold_until = hold_until_at(fresh_directory().by_id[order.store_id], now)
    advance([order], "mark_ready", actor=actor, now=now)


def hand_over(order: Order, typed_code: str, *, actor: Actor, is_manager: bool, now: datetime) -> bool:
    """Give the goods to whoever has the code, for what they cost when they were ordered, or now, if that is less.

    Args:
        order: locked. Afterwards it has its lines, with their products, and its store.

    Returns:
        False for a wrong code: it has been counted, so the caller must commit and not roll back.

    Raises:
        PickupCodeLocked: five wrong codes were tried; only a manager can go on.
        ActionNotAllowed: the order is not ready.
    """
    if order.wrong_codes >= pickup_code.WRONG_CODES_MAX and not is_manager:
        raise PickupCodeLocked("Five wrong codes were tried on this order. A manager has to hand it over.")
    if not pickup_code.matches(typed_code, order.pickup_code):
        order.wrong_codes += 1
        return False
    if order.status in TRANSITIONS["hand_over"].sources:  # with all others it is refused
        queries.load_for_handover(order)
        shelf_price.charge_the_lower(order, now=now)
    advance([order], "hand_over", actor=actor, now=now)
    return True


def order_at_store(order_id: uuid.UUID, store_id: int) -> Order:
    """Lock an order of one's own store; another store's is as good as not there.

    Raises:
        OrderNotFound: this store has no such order.
    """
    order = queries.lock_order(order_id)
    if order.store_id != store_id:
        raise OrderNotFound("This store has no such order.")
    return order


def _require_open(order: Order) -> None:
    if order.status in FINAL:
        raise ActionNotAllowed(f"The order is {order.status}.", status_of_order=order.status, allowed_actions=[])
