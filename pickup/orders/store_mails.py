"""What a store that has an address is told: a new order, an order that is overdue, a customer who is there.

In the language of the house, `PICKUP_STORE_LANGUAGE`: nobody knows who reads a store's mail.
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime

from flask import current_app

from pickup.config import Settings
from pickup.core import languages
from pickup.core.outbox import Task
from pickup.notifications import service as notifications
from pickup.orders import queries
from pickup.orders.announcing import Announcement, announcements
from pickup.orders.lifecycle import FINAL, NOT_BEGUN
from pickup.orders.message_contexts import store_context
from pickup.orders.models import Order

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


def prepare(tasks: Sequence[Task], now: datetime) -> dict[int, Announcement]:
    """Write the messages to stores that have an address, about orders that they still have; by task."""
    orders = queries.get_orders(task.subject_id for task in tasks)
    about = [(task, order) for task in tasks if _is_wanted(task, order := orders[task.subject_id])]
    return announcements(about, [_draft(task, order) for task, order in about], now, codes={})


def _is_wanted(task: Task, order: Order) -> bool:
    is_there = task.data.get("store_id", order.store_id) == order.store_id
    return bool(order.store.email) and is_there and IS_TRUE[MESSAGES[task.event_type]](order)


def _draft(task: Task, order: Order) -> notifications.Draft:
    settings: Settings = current_app.extensions["settings"]
    with languages.speaking(settings.store_language):
        context = store_context(order)
    return notifications.Draft(
        event_id=task.event_id,
        order_id=order.id,
        kind=MESSAGES[task.event_type],
        recipient=order.store.email,
        language=settings.store_language,
        context=context,
    )
