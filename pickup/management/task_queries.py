"""Named reads of the page about failed work."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import ColumnElement, Integer, Row, Select, func, or_, select

from pickup.core.db import db
from pickup.core.models import Event, OutboxTask
from pickup.orders.models import Order
from pickup.stores.models import Store

# A worker that died with it in hand counts as a failure, too.
_FAILED: ColumnElement[bool] = or_(OutboxTask.attempts > 0, OutboxTask.deaths > 0, OutboxTask.dead_at.is_not(None))
# Of a task about an order, its store; of others, the one that the event names.
_STORE_ID: ColumnElement[int] = func.coalesce(Order.store_id, Event.data["store_id"].astext.cast(Integer))


def find_failed(*, handler: str = "", store_id: int | None, after: int, limit: int) -> Sequence[Row[Any]]:
    """Tasks that have failed and are not done yet, oldest first, from behind one."""
    wanted = _failed(
        handler,
        store_id,
        OutboxTask.id,
        OutboxTask.handler,
        OutboxTask.attempts,
        OutboxTask.deaths,
        OutboxTask.leased,
        OutboxTask.due_at,
        OutboxTask.dead_at,
        OutboxTask.last_error,
        Event.type.label("event_type"),
        Event.at.label("since"),
        Order.id.label("order_id"),
        Order.number.label("order_number"),
        Order.pickup_code,
        Order.page_token,
        Order.collector_code,
        Order.collector_token,
        Order.customer_email,
        Order.collector_email,
        Store.ref.label("store_ref"),
        Store.name.label("store_name"),
    )
    wanted = wanted.outerjoin(Store, Store.id == _STORE_ID).where(OutboxTask.id > after)
    return db.session.execute(wanted.order_by(OutboxTask.id).limit(limit)).all()


def count_failed(*, store_id: int | None) -> Sequence[Row[str, int, int]]:
    """Per kind how many tasks have failed, and how many of them are given up."""
    given_up = func.count().filter(OutboxTask.dead_at.is_not(None))
    counted = _failed("", store_id, OutboxTask.handler, func.count().label("failed"), given_up.label("given_up"))
    return db.session.execute(counted.group_by(OutboxTask.handler).order_by(OutboxTask.handler)).all()


def failed_ids(*, handler: str, store_id: int | None) -> Sequence[int]:
    """The ids of all tasks of a kind that have failed."""
    return db.session.scalars(_failed(handler, store_id, OutboxTask.id)).all()


def failed_task(task_id: int, *, store_id: int | None) -> Row[Any] | None:
    """One of them; None where it is done meanwhile, or another store's."""
    wanted = _failed("", store_id, OutboxTask.id, OutboxTask.handler, Order.id.label("order_id"))
    return db.session.execute(wanted.where(OutboxTask.id == task_id)).one_or_none()


def _failed(handler: str, store_id: int | None, *columns: Any) -> Select[Any]:
    wanted: Select[Any] = (
        select(*columns)
        .select_from(OutboxTask)
        .join(Event, Event.id == OutboxTask.event_id)
        .outerjoin(Order, Order.id == OutboxTask.subject_id)
        .where(_FAILED)
    )
    if handler:
        wanted = wanted.where(OutboxTask.handler == handler)
    if store_id is not None:
        wanted = wanted.where(_STORE_ID.in_((store_id,)))
    return wanted
