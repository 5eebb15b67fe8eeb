"""The one way an order changes its status: `advance`, by the table in `lifecycle.py`."""

import uuid
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any, Protocol

from sqlalchemy import ARRAY, BindParameter, Boolean, DateTime, Text, Uuid, bindparam, text
from sqlalchemy.orm.attributes import set_committed_value

from pickup.core import outbox, signals
from pickup.core.db import db, run
from pickup.core.types import Actor
from pickup.inventory import service as inventory
from pickup.orders import capacity
from pickup.orders.errors import ActionNotAllowed
from pickup.orders.lifecycle import (
    BAGGED,
    CALLED_OFF,
    HOLDING_GOODS,
    NOT_BEGUN,
    OPEN_AT_STORE,
    TRANSITIONS,
    Reason,
    StockEffect,
    Transition,
    actions_from,
)
from pickup.orders.models import Order


class Advancing(Protocol):
    """An order as far as a step needs it: the row of the ORM, or the few columns that a batch reads."""

    @property
    def id(self) -> uuid.UUID: ...
    @property
    def status(self) -> str: ...
    @property
    def store_id(self) -> int: ...
    @property
    def capacity_hour(self) -> datetime | None: ...
    @property
    def held_until(self) -> datetime | None: ...


# The step, its history and its event are one statement, for as many orders as there are. An offer ends with the step
# that follows it; a customer has been told a store when the goods are reserved there. The clock has nothing more to say
# of an order that is not ready any more; one that is called off while there is a bag of it leaves that to be put back.
_MOVED = f"""
    WITH given AS (
        SELECT orders.id, orders.status, position
        FROM unnest(:ids) WITH ORDINALITY AS given (id, position) JOIN orders USING (id)
    ), moved AS (
        UPDATE orders SET
            status = :target, reason = :reason, changed_at = :now, offer = NULL, offer_until = NULL,
            held_until = CASE WHEN given.status = 'awaiting_payment' AND :target = 'placed' THEN held_until END,
            told_at = CASE WHEN :tells THEN coalesce(told_at, :now) ELSE told_at END,
            remind_at = CASE WHEN :target = 'ready' THEN remind_at END,
            warn_at = CASE WHEN :target = 'ready' THEN warn_at END,
            put_back_since = CASE WHEN :leaves_bag AND given.status IN {BAGGED} THEN :now END
        FROM given WHERE orders.id = given.id
        RETURNING orders.id, orders.number, orders.store_id, orders.reduced_amount AS reduced, orders.currency,
                  given.status AS came_from, given.position
    ), noted AS (
        INSERT INTO order_history (order_id, at, action, from_status, to_status, actor_kind, actor_name, note)
        SELECT id, :now, :action, came_from, :target, :actor_kind, :actor_name, :note FROM moved ORDER BY position
    )
"""  # noqa: S608  put together from constants
_TOLD = """
    , told AS (
        SELECT id AS subject_id, position, jsonb_build_object(
            'number', number, 'status', :target, 'from', came_from, 'reason', :reason, 'store_id', store_id
        ) || CASE WHEN reduced > 0 THEN jsonb_build_object('reduced_amount', reduced, 'currency', currency)
                  ELSE '{}' END AS data
        FROM moved
    ),
"""
_PARAMETERS: tuple[BindParameter[Any], ...] = (
    bindparam("ids", type_=ARRAY(Uuid())),
    bindparam("now", type_=DateTime(timezone=True)),
    *(bindparam(name, type_=Boolean()) for name in ("tells", "leaves_bag")),
    *(bindparam(name, type_=Text()) for name in ("target", "reason", "action", "actor_kind", "actor_name", "note")),
)
_COUNT = "SELECT count(*) FROM moved"
_MOVE = text(_MOVED + _COUNT).bindparams(*_PARAMETERS)
_MOVE_AND_EMIT = text(_MOVED + _TOLD + outbox.EMISSION).bindparams(*_PARAMETERS, *outbox.EMISSION_PARAMETERS)


def _release(orders: Sequence[Advancing], now: datetime) -> None:
    """What has not been reserved, or taken on, is not given back."""
    holding = [order for order in orders if order.status in HOLDING_GOODS or order.held_until]
    if holding:
        inventory.release([order.id for order in holding], now=now)
    capacity.give_back(
        (order.store_id, order.capacity_hour)
        for order in holding
        if order.capacity_hour and (order.status in NOT_BEGUN or order.held_until)
    )


# `reserve` is not here: whether it succeeds decides whether the action is taken at all (see `reserving.py`).
# The money effects are not here either: a gateway is never asked inside a transaction. They follow from the event,
# by the handler `settle_payment`.
STOCK_EFFECTS: Mapping[StockEffect, Callable[[Sequence[Advancing], datetime], None]] = {
    "release": _release,
    "consume": lambda orders, now: inventory.consume([order.id for order in orders], now=now),
}


def advance(
    orders: Sequence[Advancing],
    action: str,
    *,
    actor: Actor,
    now: datetime,
    reason: Reason | None = None,
    note: str | None = None,
) -> None:
    """Take orders one step on: status, history and event, and the stock effect, in the present transaction.

    Args:
        orders: locked by the caller (`queries.lock_orders`).
        action: a row of the table.
        reason: why, for a cancellation.
        note: a word for the history.

    Raises:
        ActionNotAllowed: an order's status, or the actor, does not allow the action; then none is changed.
    """
    if not orders:
        return
    row = TRANSITIONS[action]
    for order in orders:
        _guard(order, row, actor)
    _tell_boards(orders, row)
    db.session.flush()  # what else was changed of these orders, before the statement that reads them
    if row.stock in STOCK_EFFECTS:
        STOCK_EFFECTS[row.stock](orders, now)
    values: dict[str, Any] = {
        "ids": [order.id for order in orders],
        "action": action,
        "target": row.target,
        "reason": reason,
        "actor_kind": actor.kind,
        "actor_name": actor.name,
        "note": note,
        "now": now,
        "tells": row.event == "order.reserved",
        "leaves_bag": row.target in CALLED_OFF,
    }
    if row.event:
        run(_MOVE_AND_EMIT, values | outbox.emission(row.event, now))
    else:
        run(_MOVE, values)
    _keep_up(orders, row, reason, now)


def board_topic(store_id: int) -> str:
    """The subject of `signals.NEWS` for what a store has to do."""
    return f"board:{store_id}"


def _tell_boards(orders: Sequence[Advancing], row: Transition) -> None:
    """Wake the tablets of the stores that have the orders on their boards, or get them there."""
    told = {order.store_id for order in orders if order.status in OPEN_AT_STORE or row.target in OPEN_AT_STORE}
    signals.after_commit(signals.NEWS, map(board_topic, told))


def _keep_up(orders: Sequence[Advancing], row: Transition, reason: Reason | None, now: datetime) -> None:
    """The objects in memory are what the statement has made of their rows."""
    changed = {"status": row.target, "reason": reason, "changed_at": now, "offer": None, "offer_until": None}
    if row.target != "ready":
        changed |= {"remind_at": None, "warn_at": None}
    for order in orders:
        if isinstance(order, Order):
            leaves_bag = row.target in CALLED_OFF and order.status in BAGGED
            set_committed_value(order, "put_back_since", now if leaves_bag else None)
            for name, value in changed.items():
                set_committed_value(order, name, value)
            if order.held_until and row.action != "pay":
                set_committed_value(order, "held_until", None)
            if row.event == "order.reserved" and order.told_at is None:
                set_committed_value(order, "told_at", now)


def _guard(order: Advancing, row: Transition, actor: Actor) -> None:
    if order.status not in row.sources or actor.kind not in row.actors:
        raise ActionNotAllowed(
            f"An order that is {order.status} cannot take the step {row.action!r}.",
            status_of_order=order.status,
            allowed_actions=actions_from(order.status, actor.kind),
        )
