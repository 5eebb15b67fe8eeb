"""What a store is told, by mail and by its tablets: a new order, an order that is overdue, a customer who is there.

In the language of the house, `PICKUP_STORE_LANGUAGE`: nobody knows who reads it.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import datetime

from flask import current_app

from pickup.config import Settings
from pickup.core import languages
from pickup.core.outbox import NotNow, Task
from pickup.notifications import push
from pickup.notifications import service as notifications
from pickup.orders import queries, telling
from pickup.orders.lifecycle import FINAL, NOT_BEGUN
from pickup.orders.message_contexts import store_context
from pickup.orders.models import Order
from pickup.orders.telling import Announcement

MESSAGES = {
    "order.reserved": "store_new_order",
    "order.arrived": "store_customer_here",
    "order.overdue": "store_overdue",
}
# Whether there is still something for the store to do about it.
IS_TRUE: Mapping[str, Callable[[Order], bool]] = {
    "store_new_order": lambda order: order.status in NOT_BEGUN,
    "store_customer_here": lambda order: order.status not in FINAL,
    "store_overdue": lambda order: order.status in NOT_BEGUN or order.status == "picking",
}


def prepare_mails(tasks: Sequence[Task], now: datetime) -> dict[int, Announcement | NotNow]:
    """Write the mails to stores that have an address, about orders that they still have; by task."""
    return _prepare(tasks, "email", lambda orders: {order.store_id: order.store.email for order in orders}, now)


def prepare_calls(tasks: Sequence[Task], now: datetime) -> dict[int, Announcement | NotNow]:
    """Write what wakes the tablets of stores, about orders that they still have; by task."""
    return _prepare(tasks, "push", lambda orders: push.addresses({order.store_id for order in orders}), now)


def _prepare(
    tasks: Sequence[Task], channel: str, addresses_of: Callable[[Collection[Order]], Mapping[int, str]], now: datetime
) -> dict[int, Announcement | NotNow]:
    orders = queries.get_orders(task.subject_id for task in tasks)
    about = [(task, order) for task in tasks if _is_true(task, order := orders[task.subject_id])]
    addresses = addresses_of([order for _, order in about])
    return telling.write(
        [(task, _draft(task, order, {channel: addresses.get(order.store_id, "")}), None) for task, order in about], now
    )


def _is_true(task: Task, order: Order) -> bool:
    is_there = task.data.get("store_id", order.store_id) == order.store_id
    return is_there and IS_TRUE[MESSAGES[task.event_type]](order)


def _draft(task: Task, order: Order, addresses: Mapping[str, str]) -> notifications.Draft:
    settings: Settings = current_app.extensions["settings"]
    with languages.speaking(settings.store_language):
        context = store_context(order)
    return notifications.Draft(
        event_id=task.event_id,
        order_id=order.id,
        kind=MESSAGES[task.event_type],
        addresses=addresses,
        language=settings.store_language,
        timezone=order.store.timezone,
        context=context,
    )
