"""What a collector is told: their own code and page, once the order is ready."""

import uuid
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import ARRAY, BigInteger, Uuid, all_, any_, bindparam, func, select

from pickup.core import languages
from pickup.core.db import db
from pickup.core.outbox import NotNow, Task
from pickup.notifications import service as notifications
from pickup.notifications.models import Message
from pickup.orders import collectors, queries, telling
from pickup.orders.announcing import language_of
from pickup.orders.message_contexts import Stores, collector_context
from pickup.orders.models import Order
from pickup.orders.telling import Announcement
from pickup.stores.directory import fresh_directory

KIND = "collector"
# Whoever has the customer's link may have us write to anybody: not to everybody.
MAILS_MAX = 5


def prepare(tasks: Sequence[Task], now: datetime) -> dict[int, Announcement | NotNow]:
    """Write the messages to collectors who may still collect; by task."""
    orders = queries.get_orders(task.subject_id for task in tasks)
    written = _written(tasks)
    about = [
        (task, order)
        for task in tasks
        if collectors.is_still_named(order := orders[task.subject_id], task.data)
        and written.get(order.id, 0) < MAILS_MAX
    ]
    stores = fresh_directory().by_id if about else {}
    drafts = [_draft(task, order, stores, now) for task, order in about]
    return telling.write(
        [(task, draft, order.collector_code) for (task, order), draft in zip(about, drafts, strict=True)], now
    )


def _written(tasks: Sequence[Task]) -> dict[uuid.UUID, int]:
    """How often each order has had us write to collectors; what was written for these tasks does not count."""
    rows = db.session.execute(
        select(Message.order_id, func.count())
        .where(Message.order_id == any_(_array([task.subject_id for task in tasks], Uuid())), Message.kind == KIND)
        .where(Message.event_id != all_(_array([task.event_id for task in tasks], BigInteger())))
        .group_by(Message.order_id)
    )
    return dict(rows.all())


def _array(values: list[Any], kind: Any) -> Any:
    return bindparam(None, values, type_=ARRAY(kind), unique=True)


def _draft(task: Task, order: Order, stores: Stores, now: datetime) -> notifications.Draft:
    language = language_of(order)
    with languages.speaking(language):
        context = collector_context(order, stores, now=now)
    return notifications.Draft(
        event_id=task.event_id,
        order_id=order.id,
        kind=KIND,
        addresses=telling.addresses(order.collector_email, order.collector_phone, order),
        language=language,
        timezone=order.store.timezone,
        context=context,
    )
