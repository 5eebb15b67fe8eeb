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

MESSAGES = {
    "order.reserved": "confirmed",
    "order.ready": "ready",
    "order.collected": "collected",
    "order.cancelled": "cancelled",
    "order.expired": "expired",
}
# These show the code as a picture, too.
WITH_QR = frozenset({"ready"})
QR_CONTENT_ID = "pickup-code"


@dataclass(frozen=True, slots=True)
class Announcement:
    """A message that waits to be sent."""

    message: Message
    inline_images: dict[str, bytes]


def prepare(task: Task, now: datetime) -> Announcement | None:
    """Write the message about an event; None where there is nothing to say or it has been said."""
    order = queries.get_order(task.subject_id)
    if order.reason == "payment_failed":  # the shop has told the customer already, in the answer to the order
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
    return format_datetime(at.astimezone(zone), "EEEE d MMMM, HH:mm", locale=order.locale)


def money_text(money: Money, locale: str) -> str:
    """An amount as a customer reads it."""
    return format_currency(money.major(), money.currency, locale=locale)


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
        "lines": [(line.product.name, line.quantity) for line in order.lines],
        "qr": f"cid:{QR_CONTENT_ID}",
    }
