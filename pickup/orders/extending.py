"""Goods that are kept longer because somebody asked for it.

A customer may ask as often as `PICKUP_HOLD_EXTENSIONS_MAX` says, themselves or through the shop or an associate; a
manager is bound by no number. Goods that keep for less than that are kept no longer by anybody.
"""

from datetime import datetime

from flask import current_app

from pickup.config import Settings
from pickup.core import signals
from pickup.core.types import Actor
from pickup.orders import queries
from pickup.orders.errors import ActionNotAllowed
from pickup.orders.lifecycle import actions_from
from pickup.orders.models import Order
from pickup.orders.promising import hold_days_of, kept_on, messages_at
from pickup.orders.transitions import advance, board_topic
from pickup.stores.directory import fresh_directory

DAYS, DAYS_MAX = 3, 7


def may_extend(order: Order, *, is_manager: bool = False) -> bool:
    """Whether an order, with its lines and their products, may be kept for `DAYS` longer."""
    return order.status == "ready" and _refusal(order, DAYS, is_manager=is_manager) is None


def extend_hold(order: Order, days: int = DAYS, *, actor: Actor, now: datetime, is_manager: bool = False) -> None:
    """Keep the goods so many days longer: to the end of the last opening that begins within them.

    Args:
        order: locked. Afterwards it has its lines, with their products, and its store.
        days: 1 to `DAYS_MAX`, counted from when the hold would have ended.

    Raises:
        ActionNotAllowed: it is not ready, was kept longer often enough, or has goods that do not keep.
    """
    queries.load_for_handover(order)
    why_not = _refusal(order, days, is_manager=is_manager) if order.status == "ready" else f"It is {order.status}."
    if why_not:
        allowed = [action for action in actions_from(order.status, actor.kind) if action != "extend_hold"]
        raise ActionNotAllowed(why_not, status_of_order=order.status, allowed_actions=allowed)
    store = fresh_directory().by_id[order.store_id]
    order.hold_until = kept_on(store, order.hold_until, days)
    order.hold_extensions += 1
    order.warn_at = messages_at(store, now, order.hold_until).warn_at
    advance([order], "extend_hold", actor=actor, now=now, note=f"+{days} d")
    signals.after_commit(signals.NEWS, [board_topic(order.store_id)])


def _refusal(order: Order, days: int, *, is_manager: bool) -> str | None:
    settings: Settings = current_app.extensions["settings"]
    if order.hold_extensions >= settings.hold_extensions_max and not is_manager:
        return "It was kept longer already." if order.hold_extensions else "Orders are not kept longer."
    longest = hold_days_of(fresh_directory().by_id[order.store_id]) + days
    if any(line.product.hold_days and line.product.hold_days < longest for line in order.lines if line.charged_units):
        return "It has goods that do not keep longer."
    return None
