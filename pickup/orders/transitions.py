"""The one way an order changes its status: `advance`, by the table in `lifecycle.py`."""

import uuid
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime

from sqlalchemy.dialects.postgresql import insert

from pickup.core import outbox
from pickup.core.db import db, table_of
from pickup.core.types import Actor
from pickup.inventory import service as inventory
from pickup.orders.errors import ActionNotAllowed
from pickup.orders.lifecycle import TRANSITIONS, Reason, StockEffect, Transition, actions_from
from pickup.orders.models import Order, OrderHistory

# `reserve` is not here: whether it succeeds decides whether the action is taken at all (see `reserving.py`).
# The money effects are not here either: a gateway is never asked inside a transaction. They follow from the event,
# by the handler `settle_payment`.
STOCK_EFFECTS: Mapping[StockEffect, Callable[[Iterable[uuid.UUID], datetime], None]] = {
    "release": lambda orders, now: inventory.release(orders, now=now),
    "consume": lambda orders, now: inventory.consume(orders, now=now),
}


def advance(
    orders: Sequence[Order],
    action: str,
    *,
    actor: Actor,
    now: datetime,
    reason: Reason | None = None,
    note: str | None = None,
) -> None:
    """Take orders one step on: status, stock, history and event, in the present transaction.

    Args:
        orders: locked by the caller (`queries.lock_orders`).
        action: a row of the table.
        reason: why, for a cancellation.
        note: a word for the history.

    Raises:
        ActionNotAllowed: an order's status, or the actor, does not allow the action; then none is changed.
    """
    row = TRANSITIONS[action]
    for order in orders:
        _guard(order, row, actor)
    _write_history(orders, row, actor, now, note)
    for order in orders:
        order.status = row.target
        order.reason = reason
        order.changed_at = now
    db.session.flush()
    if row.stock in STOCK_EFFECTS:
        STOCK_EFFECTS[row.stock]([order.id for order in orders], now)
    if row.event:
        outbox.emit(row.event, {order.id: _event_data(order) for order in orders}, at=now)


def _guard(order: Order, row: Transition, actor: Actor) -> None:
    if order.status not in row.sources or actor.kind not in row.actors:
        raise ActionNotAllowed(
            f"An order that is {order.status} cannot take the step {row.action!r}.",
            status_of_order=order.status,
            allowed_actions=actions_from(order.status, actor.kind),
        )


def _write_history(orders: Sequence[Order], row: Transition, actor: Actor, now: datetime, note: str | None) -> None:
    steps = [
        {
            "order_id": order.id,
            "at": now,
            "action": row.action,
            "from_status": order.status,
            "to_status": row.target,
            "actor_kind": actor.kind,
            "actor_name": actor.name,
            "note": note,
        }
        for order in orders
    ]
    if steps:
        db.session.execute(insert(table_of(OrderHistory)), steps)


def _event_data(order: Order) -> dict[str, str | int | None]:
    return {"number": order.number, "status": order.status, "reason": order.reason, "store_id": order.store_id}
