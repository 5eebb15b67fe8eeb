"""What the customer is told, and when: one message per event, by the table `MESSAGES`."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from babel.dates import format_datetime
from babel.numbers import format_currency

from pickup.core.outbox import Later, Task
from pickup.core.types import Money
from pickup.notifications import service as notifications
from pickup.orders import queries, telling
from pickup.orders.models import Order
from pickup.orders.presenting import page_url
from pickup.orders.telling import QR_CONTENT_ID, Announcement
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


def prepare(tasks: Sequence[Task], now: datetime) -> dict[int, Announcement | Later]:
    """Write the messages about events; by task, without those where there is nothing to say or it has been said."""
    orders = queries.get_orders(task.subject_id for task in tasks)
    about = [(task, order) for task in tasks if not _is_said(task, order := orders[task.subject_id])]
    return telling.write(
        [
            (task, draft := _draft(task, order), order.pickup_code if draft.kind in WITH_QR else None)
            for task, order in about
        ],
        now,
    )


def _is_said(task: Task, order: Order) -> bool:
    """Whether the customer knows it, or it is over."""
    return (
        order.reason == "payment_failed"  # in the shop's answer to the order
        or (task.event_type == "order.reserved" and task.data.get("from") == "in_transit")  # when it was sent for
        or (task.event_type == "order.withdrawn" and order.offer is None)  # chosen, or cancelled, meanwhile
    )


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
        addresses=telling.addresses(order.customer_email, order.customer_phone, order),
        locale=order.locale,
        timezone=order.store.timezone,
        customer=(order.client_id, order.customer_email),
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
