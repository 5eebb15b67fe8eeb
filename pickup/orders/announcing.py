"""What the customer is told, and when: one message per event, by the table `MESSAGES`."""

from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import datetime, timedelta

from pickup.core import languages, outbox
from pickup.core.outbox import NotNow, Task
from pickup.notifications import push
from pickup.notifications import service as notifications
from pickup.orders import queries, telling
from pickup.orders.lifecycle import FINAL
from pickup.orders.message_contexts import NEEDING_STORES, Stores, customer_context
from pickup.orders.models import Order
from pickup.orders.telling import Announcement
from pickup.stores.directory import fresh_directory

MESSAGES = {
    "order.reserved": "confirmed",
    "order.withdrawn": "choice",
    "order.ready": "ready",
    "order.reminded": "reminder",
    "order.expiring": "expiring",
    "order.collected": "collected",
    "order.cancelled": "cancelled",
    "order.expired": "expired",
    "payment.refunded": "refunded",
}
# The same event, after the customer has been told another promise.
MOVED = "moved"
# These show the code as a picture, too.
WITH_QR = frozenset({"ready", "reminder", "expiring", "collector"})
# The receipt says what a handover costs, and money that goes back with it is no news. What goes back later is.
WITH_THE_RECEIPT = timedelta(minutes=10)
# A store hears of its new orders by mail, if it has an address, and by its tablets, if some can be woken.
STORE_HANDLERS: Mapping[str, Callable[[Collection[Order]], Collection[int]]] = {
    "notify_store": lambda orders: {order.store_id for order in orders if order.store.email},
    "wake_store": lambda orders: push.stores_with_tablets({order.store_id for order in orders}),
}


def prepare(tasks: Sequence[Task], now: datetime) -> dict[int, Announcement | NotNow]:
    """Write the messages about events; by task, without those where there is nothing to say or it has been said.

    A store hears of its new orders by tasks of their own: whoever refuses a message, it is not sent to the others once
    more.
    """
    orders = queries.get_orders(task.subject_id for task in tasks)
    _tell_stores([(task, orders[task.subject_id]) for task in tasks if is_new(task)], now)
    about = [(task, order) for task in tasks if not _is_said(task, order := orders[task.subject_id], now)]
    kinds = {kind_of(task, order) for task, order in about}
    stores = fresh_directory().by_id if kinds & NEEDING_STORES else {}
    drafts = [_draft(task, order, stores, now) for task, order in about]
    return telling.write(
        [
            (task, draft, order.pickup_code if draft.kind in WITH_QR else None)
            for (task, order), draft in zip(about, drafts, strict=True)
        ],
        now,
    )


def kind_of(task: Task, order: Order) -> str:
    """What an event is told as: goods that are reserved once more take the place of a promise that was given before.

    `told_at` is the time of the first such event, written by the same statement.
    """
    kind = MESSAGES[task.event_type]
    was_told = order.told_at is not None and order.told_at < task.at
    return MOVED if kind == "confirmed" and was_told else kind


def is_new(task: Task) -> bool:
    """Whether an event brings its store an order that it has to hear of: at the counter, what was sent is known."""
    return task.event_type == "order.reserved" and task.data.get("from") != "in_transit"


def _tell_stores(new: Sequence[tuple[Task, Order]], now: datetime) -> None:
    for handler, who_hears in STORE_HANDLERS.items():
        stores = who_hears([order for _, order in new]) if new else ()
        if told := [task for task, order in new if order.store_id in stores]:
            outbox.pass_on(told, handler, now=now)


def _is_said(task: Task, order: Order, now: datetime) -> bool:
    """Whether the customer knows it, or it is not true any more."""
    is_out_of_date = OUT_OF_DATE.get(MESSAGES[task.event_type])
    return (
        order.reason == "payment_failed"  # in the shop's answer to the order
        or (task.event_type == "order.reserved" and task.data.get("from") == "in_transit")  # when it was sent for
        or (is_out_of_date is not None and is_out_of_date(task, order, now))
    )


# When a message is not worth writing any more: somebody was faster than the mail.
OUT_OF_DATE: Mapping[str, Callable[[Task, Order, datetime], bool]] = {
    "confirmed": lambda task, order, now: order.status in FINAL,
    "choice": lambda task, order, now: order.offer is None,  # chosen, or cancelled, meanwhile
    "ready": lambda task, order, now: order.status != "ready",
    "reminder": lambda task, order, now: order.status != "ready" or order.hold_until <= now,
    # Where it is kept longer, there is another warning to come.
    "expiring": lambda task, order, now: (
        order.status != "ready" or order.hold_until <= now or (order.warn_at is not None and order.warn_at > now)
    ),
    # Of an order that came to nothing, the message about its end speaks of the money, too.
    "refunded": lambda task, order, now: (
        order.status != "collected" or not (order.returned_amount or task.at - order.changed_at > WITH_THE_RECEIPT)
    ),
}


def language_of(order: Order) -> str:
    """The language in which to write to the people of an order."""
    return languages.match(order.locale) or languages.DEFAULT


def _draft(task: Task, order: Order, stores: Stores, now: datetime) -> notifications.Draft:
    kind, language = kind_of(task, order), language_of(order)
    with languages.speaking(language):
        context = customer_context(kind, order, task.data, stores, now=now)
    return notifications.Draft(
        event_id=task.event_id,
        order_id=order.id,
        kind=kind,
        addresses=telling.addresses(order.customer_email, order.customer_phone, order),
        language=language,
        timezone=order.store.timezone,
        customer=(order.client_id, order.customer_email),
        context=context,
    )
