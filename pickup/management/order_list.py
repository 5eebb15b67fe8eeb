"""The list of orders as plain values: rows of the page, and rows of its CSV."""

import uuid
from collections.abc import Sequence
from datetime import datetime
from typing import Any, NamedTuple

from pickup.core.pages import money
from pickup.core.types import Money
from pickup.management import orders_queries as queries
from pickup.management.orders_queries import Wanted
from pickup.orders.models import Order
from pickup.staff.presenting import BEING_ASKED, STATUS_WORDS

REASON_WORDS = {
    "customer": "By the customer",
    "staff": "By the store",
    "out_of_stock": "Out of stock",
    "payment_failed": "Payment failed",
}
# How a status looks: what went wrong is seen at once.
STATUS_LOOKS = {"ready": "good", "cancelled": "bad", "expired": "bad", "awaiting_payment": "warn"}
CSV_PAGE = 500
CSV_HEADER = (
    "number", "id", "status", "reason", "store", "placed_at", "ready_by", "hold_until", "arrived_at", "changed_at",
    "customer_name", "customer_email", "customer_phone", "collector_name",
    "lines", "units", "units_short", "units_returned", "total", "returned", "currency",
)  # fmt: skip


class OrderRow(NamedTuple):
    """An order in the list."""

    id: uuid.UUID
    number: int
    status: str
    look: str
    reason: str
    customer: str
    email: str
    store_ref: str
    store_name: str
    placed_at: datetime
    ready_by: datetime
    timezone: str
    is_late: bool
    units: int
    short: int
    total: str


def present_row(order: Order, *, now: datetime) -> OrderRow:
    """An order with its lines and its store loaded."""
    return OrderRow(
        id=order.id,
        number=order.number,
        status=status_words(order),
        look=STATUS_LOOKS.get(order.status, ""),
        reason=REASON_WORDS.get(order.reason or "", ""),
        customer=order.customer_name,
        email=order.customer_email,
        store_ref=order.store.ref,
        store_name=order.store.name,
        placed_at=order.placed_at,
        ready_by=order.ready_by,
        timezone=order.store.timezone,
        is_late=order.status in ("in_transit", "reserved", "picking") and order.ready_by < now,
        units=sum(line.quantity for line in order.lines),
        short=sum(line.short for line in order.lines),
        total=money(order.total_amount, order.currency),
    )


def status_words(order: Order) -> str:
    """How far an order is."""
    return BEING_ASKED if order.offer else STATUS_WORDS[order.status]


def csv_page(wanted: Wanted, position: uuid.UUID | None) -> tuple[Sequence[Sequence[object]], Any]:
    """A page of the CSV from behind an order, and where the next begins."""
    found = queries.find_orders(wanted, after=position, limit=CSV_PAGE)
    return [_cells(order) for order in found], found[-1].id if len(found) == CSV_PAGE else None


def _cells(order: Order) -> Sequence[object]:
    total, returned = (Money(amount, order.currency).major() for amount in (order.total_amount, order.returned_amount))
    lines = order.lines
    return (
        order.number, order.id, order.status, order.reason, order.store.ref,
        order.placed_at, order.ready_by, order.hold_until, order.arrived_at, order.changed_at,
        order.customer_name, order.customer_email, order.customer_phone, order.collector_name,
        len(lines), sum(line.quantity for line in lines), sum(line.short for line in lines),
        sum(line.returned for line in lines), total, returned, order.currency,
    )  # fmt: skip
