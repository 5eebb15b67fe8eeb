"""What the customer is told, and when: one message per event, by the table `MESSAGES`."""

import io
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta

import segno

from pickup.core import languages, outbox
from pickup.core.outbox import Task
from pickup.notifications import service as notifications
from pickup.notifications.models import Message
from pickup.orders import queries
from pickup.orders.lifecycle import FINAL
from pickup.orders.message_contexts import NEEDING_STORES, QR_CONTENT_ID, Stores, customer_context
from pickup.orders.models import Order
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
STORE_HANDLER = "notify_store"


@dataclass(frozen=True, slots=True)
class Announcement:
    """A message that waits to be sent."""

    message: Message
    code: str | None
    """What the picture in it says, if it has one."""


def prepare(tasks: Sequence[Task], now: datetime) -> dict[int, Announcement]:
    """Write the messages about events; by task, without those where there is nothing to say or it has been said.

    A store that has an address hears of its new orders by a task of its own: whoever refuses a mail, it is not sent
    to the other once more.
    """
    orders = queries.get_orders(task.subject_id for task in tasks)
    _tell_stores([task for task in tasks if is_new_at(orders[task.subject_id], task)], now)
    about = [(task, order) for task in tasks if not _is_said(task, order := orders[task.subject_id], now)]
    kinds = {kind_of(task, order) for task, order in about}
    stores = fresh_directory().by_id if kinds & NEEDING_STORES else {}
    drafts = [_draft(task, order, stores, now) for task, order in about]
    return announcements(about, drafts, now, codes={order.id: order.pickup_code for _, order in about})


def announcements(
    about: Sequence[tuple[Task, Order]],
    drafts: Sequence[notifications.Draft],
    now: datetime,
    *,
    codes: Mapping[uuid.UUID, str | None],
) -> dict[int, Announcement]:
    """Write drafts down; by task, without those that have been sent.

    Args:
        codes: what pictures say, by the order's id; of kinds without a picture it is not looked at.
    """
    messages = notifications.write_messages(drafts, now=now)
    return {
        task.id: Announcement(message, codes[order.id] if message.kind in WITH_QR else None)
        for (task, order), message in zip(about, messages, strict=True)
        if message.sent_at is None
    }


def kind_of(task: Task, order: Order) -> str:
    """What an event is told as: goods that are reserved once more take the place of a promise that was given before.

    `told_at` is the time of the first such event, written by the same statement.
    """
    kind = MESSAGES[task.event_type]
    was_told = order.told_at is not None and order.told_at < task.at
    return MOVED if kind == "confirmed" and was_told else kind


def is_new_at(order: Order, task: Task) -> bool:
    """Whether an event brings its store an order that it has to hear of: at the counter, what was sent is known."""
    is_new = task.event_type == "order.reserved" and task.data.get("from") != "in_transit"
    return is_new and bool(order.store.email)


def _tell_stores(tasks: Sequence[Task], now: datetime) -> None:
    if tasks:
        outbox.pass_on(tasks, STORE_HANDLER, now=now)


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


@contextmanager
def performing() -> Iterator[Callable[[Announcement], uuid.UUID]]:
    """What sends an announcement, and answers with the id of its message; many go over one connection."""
    with notifications.delivery() as send:

        def perform(announcement: Announcement) -> uuid.UUID:
            code = announcement.code
            send(announcement.message, {QR_CONTENT_ID: qr_png(code)} if code else {})
            return announcement.message.id

        yield perform


def record(sent: Sequence[tuple[Task, uuid.UUID]], now: datetime) -> None:
    """They are sent."""
    notifications.record_sent((message_id for _, message_id in sent), now=now)


def qr_png(code: str) -> bytes:
    """A pickup code as a picture that a scanner reads from a telephone."""
    picture = io.BytesIO()
    segno.make(code, micro=False, error="m").save(picture, kind="png", scale=6, border=3)
    return picture.getvalue()


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
        recipient=order.customer_email,
        language=language,
        context=context,
    )
