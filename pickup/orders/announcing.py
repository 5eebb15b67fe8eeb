"""What the customer is told, and when: one message per event, by the table `MESSAGES`."""

import io
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import segno
from babel.dates import format_datetime
from babel.numbers import format_currency

from pickup.core.outbox import Task
from pickup.core.types import Money
from pickup.notifications import service as notifications
from pickup.notifications.models import Message
from pickup.orders import queries
from pickup.orders.models import Order
from pickup.orders.presenting import page_url
from pickup.stores.directory import directory

MESSAGES = {
    "order.reserved": "confirmed",
    "order.withdrawn": "choice",
    "order.ready": "ready",
    "order.collected": "collected",
    "order.cancelled": "cancelled",
    "order.expired": "expired",
}
# These show the code as a picture, too.
WITH_QR = frozenset({"ready"})
TIME_FORMAT = "EEEE d MMMM, HH:mm"
QR_CONTENT_ID = "pickup-code"


@dataclass(frozen=True, slots=True)
class Announcement:
    """A message that waits to be sent."""

    message: Message
    code: str | None
    """What the picture in it says, if it has one."""


def prepare(tasks: Sequence[Task], now: datetime) -> dict[int, Announcement]:
    """Write the messages about events; by task, without those where there is nothing to say or it has been said."""
    orders = queries.get_orders(task.subject_id for task in tasks)
    about = [(task, order) for task in tasks if not _is_said(task, order := orders[task.subject_id])]
    messages = notifications.write_messages([_draft(task, order) for task, order in about], now=now)
    return {
        task.id: Announcement(message, order.pickup_code if message.kind in WITH_QR else None)
        for (task, order), message in zip(about, messages, strict=True)
        if message.sent_at is None
    }


def _is_said(task: Task, order: Order) -> bool:
    """Whether the customer knows it, or it is over."""
    return (
        order.reason == "payment_failed"  # in the shop's answer to the order
        or (task.event_type == "order.reserved" and task.data.get("from") == "in_transit")  # when it was sent for
        or (task.event_type == "order.withdrawn" and order.offer is None)  # chosen, or cancelled, meanwhile
    )


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


def local_time(at: datetime, order: Order) -> str:
    """An instant as a customer reads it: in the store's own time, in their language."""
    zone = ZoneInfo(order.store.timezone)
    return format_datetime(at.astimezone(zone), TIME_FORMAT, locale=order.locale)


def money_text(money: Money, locale: str) -> str:
    """An amount as a customer reads it."""
    return format_currency(money.major(), money.currency, locale=locale)


def _options(order: Order) -> list[dict[str, str]]:
    """What the customer may choose: the store, and when it is ready there, in that store's own time."""
    options = []
    for choice, each in (order.offer["options"] if order.offer else {}).items():
        store = directory().by_id[each["store_id"]]
        at = datetime.fromisoformat(each["ready_by"]).astimezone(ZoneInfo(store.timezone))
        ready_by = format_datetime(at, TIME_FORMAT, locale=order.locale)
        options.append({"choice": choice, "store": store.name, "address": store.address, "ready_by": ready_by})
    return options


def _draft(task: Task, order: Order) -> notifications.Draft:
    return notifications.Draft(
        event_id=task.event_id,
        order_id=order.id,
        kind=MESSAGES[task.event_type],
        recipient=order.customer_email,
        locale=order.locale,
        context=_context(order),
    )


def _context(order: Order) -> dict[str, Any]:
    return {
        "order": order,
        "store": order.store,
        "name": order.customer_name,
        "code": order.pickup_code,
        "url": page_url(order),
        "ready_by": local_time(order.ready_by, order),
        "hold_until": local_time(order.hold_until, order),
        "total": money_text(Money(order.total_amount, order.currency), order.locale),
        "saved": money_text(Money(order.reduced_amount, order.currency), order.locale) if order.reduced_amount else "",
        "lines": [(line.product.name, line.charged_units) for line in order.lines if line.charged_units],
        "refused": [(line.product.name, line.refused) for line in order.lines if line.refused],
        "missing": [(line.product.name, line.short) for line in order.lines if line.short],
        "options": _options(order),
        "choose_by": local_time(order.offer_until, order) if order.offer_until else "",
        "qr": f"cid:{QR_CONTENT_ID}",
    }
