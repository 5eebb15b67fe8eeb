"""What the customer is told, and when: one message per event, by the table `MESSAGES`."""

import io
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
    inline_images: dict[str, bytes]


def prepare(task: Task, now: datetime) -> Announcement | None:
    """Write the message about an event; None where there is nothing to say or it has been said."""
    order = queries.get_order(task.subject_id)
    if _is_said(task, order):
        return None
    kind = MESSAGES[task.event_type]
    draft = notifications.Draft(
        event_id=task.event_id,
        order_id=order.id,
        kind=kind,
        recipient=order.customer_email,
        locale=order.locale,
        context=_context(order),
    )
    message = notifications.write_message(draft, now=now)
    if message.sent_at is not None:
        return None
    return Announcement(message, {QR_CONTENT_ID: qr_png(order.pickup_code)} if kind in WITH_QR else {})


def _is_said(task: Task, order: Order) -> bool:
    """Whether the customer knows it, or it is over."""
    return (
        order.reason == "payment_failed"  # in the shop's answer to the order
        or (task.event_type == "order.reserved" and task.data.get("from") == "in_transit")  # when it was sent for
        or (task.event_type == "order.withdrawn" and order.offer is None)  # chosen, or cancelled, meanwhile
    )


def perform(announcement: Announcement) -> Announcement:
    """Send it."""
    notifications.send(announcement.message, announcement.inline_images)
    return announcement


def record(task: Task, announcement: Announcement, now: datetime) -> None:
    """It is sent."""
    notifications.record_sent(announcement.message.id, now=now)


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
        "lines": [
            (line.product.name, line.quantity - line.short) for line in order.lines if line.quantity > line.short
        ],
        "missing": [(line.product.name, line.short) for line in order.lines if line.short],
        "options": _options(order),
        "choose_by": local_time(order.offer_until, order) if order.offer_until else "",
        "qr": f"cid:{QR_CONTENT_ID}",
    }
