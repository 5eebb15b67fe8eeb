"""What the clock says about orders: to the store that a promise is near or broken, to the customer that goods wait.

Each row says itself when it is due, and is told once: `docs/clock.md` has them all. Nobody is written to at night:
where the clock was stopped for a while, or the store has other hours by now, it waits for the next decent moment.
"""

from collections.abc import Sequence
from datetime import datetime
from functools import partial
from typing import Any

from flask import current_app
from sqlalchemy import func, select

from pickup.config import Settings
from pickup.core import outbox, signals
from pickup.core.db import db, in_transaction
from pickup.orders import promising
from pickup.orders.due import work_off
from pickup.orders.lifecycle import NOT_BEGUN, PROMISED
from pickup.orders.models import Order
from pickup.orders.transitions import board_topic
from pickup.stores.directory import StoreEntry, fresh_directory

# `promising` looks no further ahead either.
NEAR = promising.HORIZON


def see_risks(now: datetime) -> int:
    """Show stores the orders that nobody has begun to pick, and that are promised for within the next open minutes."""
    settings: Settings = current_app.extensions["settings"]
    if not settings.risk_minutes:
        return 0
    first, stores = in_transaction(lambda: (_first_promises(now), fresh_directory()))
    done = 0
    for store_id, promise in first.items():
        until = promising.open_minutes_ahead(stores.by_id[store_id], settings.risk_minutes, now=now)
        if promise <= until:
            is_near = (*_untold(now), Order.store_id == store_id, Order.ready_by <= until)
            done += work_off(partial(_say_at_risk, now), *is_near, by=Order.ready_by)
    return done


def see_overdue(now: datetime) -> int:
    """Say of orders that they are not ready, though they should be."""
    is_broken = (Order.status.in_(PROMISED), Order.overdue_told_at.is_(None), Order.ready_by < now)
    return work_off(partial(_say_overdue, now), *is_broken, by=Order.ready_by)


def remind(now: datetime) -> int:
    """Say once more that goods stand ready."""
    is_due = (Order.remind_at <= now, Order.status == "ready")
    return work_off(partial(_write, "remind_at", "order.reminded", now), *is_due, by=Order.remind_at)


def warn(now: datetime) -> int:
    """Say that goods are not kept much longer."""
    is_due = (Order.warn_at <= now, Order.status == "ready")
    return work_off(partial(_write, "warn_at", "order.expiring", now), *is_due, by=Order.warn_at)


def _untold(now: datetime) -> tuple[Any, ...]:
    # Of one that is overdue there is nothing more to fear; the index has those that are not.
    is_waiting = (Order.status.in_(NOT_BEGUN), Order.at_risk_told_at.is_(None), Order.overdue_told_at.is_(None))
    return (*is_waiting, Order.ready_by < now + NEAR)


def _first_promises(now: datetime) -> dict[int, datetime]:
    """By store the first promise that nobody has begun to keep, and nobody was told of."""
    first = select(Order.store_id, func.min(Order.ready_by)).where(*_untold(now)).group_by(Order.store_id)
    return dict(db.session.execute(first).all())


def _say_at_risk(now: datetime, orders: Sequence[Order]) -> None:
    for order in orders:
        order.at_risk_told_at = now
    _wake_boards(orders)


def _say_overdue(now: datetime, orders: Sequence[Order]) -> None:
    for order in orders:
        order.overdue_told_at = now
    outbox.emit("order.overdue", {order.id: _said_of(order, ready_by=order.ready_by) for order in orders}, at=now)
    _wake_boards(orders)


def _write(column: str, event: str, now: datetime, orders: Sequence[Order]) -> None:
    """Say it to those who may be written to now; for the others there is another time, or none."""
    stores = fresh_directory()
    told = {}
    for order in orders:
        moment = _moment(stores.by_id[order.store_id], order, now)
        if moment is not None and moment <= now:
            told[order.id] = _said_of(order, hold_until=order.hold_until)
            moment = None
        setattr(order, column, moment)
    outbox.emit(event, told, at=now)


def _moment(store: StoreEntry, order: Order, now: datetime) -> datetime | None:
    return promising.next_decent_time(store, order.hold_until, now=now)


def _said_of(order: Order, **times: datetime) -> dict[str, Any]:
    said = {"number": order.number, "status": order.status, "store_id": order.store_id}
    return said | {name: at.isoformat() for name, at in times.items()}


def _wake_boards(orders: Sequence[Order]) -> None:
    signals.after_commit(signals.NEWS, {board_topic(order.store_id) for order in orders})
