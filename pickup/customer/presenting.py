"""An order as its customer sees it: what is going on in plain words, and no more about a person than is needed."""

from dataclasses import dataclass
from datetime import datetime

import segno

from pickup.core.pages import local, money
from pickup.customer.hours import Day, coming_days
from pickup.orders.lifecycle import FINAL, OPEN_AT_STORE, actions_from
from pickup.orders.models import Order
from pickup.stores.directory import fresh_directory

NO_CHARGE = "You pay nothing. If money was already set aside or taken, it goes back to you."

HEADLINES = {
    "awaiting_payment": ("Waiting for your payment", "As soon as it is confirmed, we look for your items."),
    "placed": ("We are checking the shelves", "You get a message as soon as a store has your items."),
    "in_transit": ("Your items are on their way to the store", "You get a message when they are ready."),
    "reserved": ("The store has your items", "They are set aside for you. You get a message when they are ready."),
    "picking": ("We are packing your items", "It will not be long. You get a message when they are ready."),
    "ready": ("Ready for you", "Show this code at the counter."),
    "collected": ("Collected", "Thank you, and enjoy."),
    "expired": ("The time to collect is over", f"The items are back on the shelf. {NO_CHARGE}"),
}
CANCELLATIONS = {
    "customer": ("This order is cancelled", f"As you wished. {NO_CHARGE}"),
    "staff": ("The store had to cancel this order", f"We are sorry. {NO_CHARGE}"),
    "out_of_stock": ("We could not find your items", f"We are sorry: no store near you has them all. {NO_CHARGE}"),
    "payment_failed": ("The payment did not go through", "The order is cancelled, and you pay nothing."),
}

# The way of an order, as a customer counts the steps; in_transit is a part of the second.
PROGRESS = (
    ("Ordered", ("awaiting_payment", "placed")),
    ("At the store", ("in_transit", "reserved")),
    ("Packing", ("picking",)),
    ("Ready", ("ready",)),
    ("Collected", ("collected",)),
)


@dataclass(frozen=True, slots=True)
class Step:
    """One step of the way, and where the order is."""

    name: str
    is_done: bool
    is_current: bool


@dataclass(frozen=True, slots=True)
class Line:
    """So many of one product, and what they cost together."""

    quantity: int
    name: str
    total: str


@dataclass(frozen=True, slots=True)
class Page:
    """Everything that the page shows."""

    number: int
    status: str
    headline: str
    explanation: str
    first_name: str
    collector: str | None
    progress: list[Step]
    ready_by: str | None
    hold_until: str | None
    code: str | None
    code_picture: str | None
    is_changing: bool
    can_arrive: bool
    can_cancel: bool
    arrived_at: str | None
    arrival_note: str | None
    hours: list[Day]
    directions_url: str
    lines: list[Line]
    total: str


def present_page(order: Order, *, now: datetime) -> Page:
    """The page of an order that has its lines, products and store loaded."""
    headline, explanation = HEADLINES.get(order.status) or CANCELLATIONS[order.reason or "customer"]
    store, is_ready = order.store, order.status == "ready"
    special_days = fresh_directory().by_id[store.id].special_days
    return Page(
        number=order.number,
        status=order.status,
        headline=headline,
        explanation=explanation,
        first_name=first_name(order.customer_name),
        collector=first_name(order.collector_name) if order.collector_name else None,
        progress=_progress(order.status),
        ready_by=local(order.ready_by, store.timezone) if order.status in ("placed", "reserved", "picking") else None,
        hold_until=local(order.hold_until, store.timezone) if is_ready else None,
        code=order.pickup_code if is_ready else None,
        code_picture=code_picture(order.pickup_code) if is_ready else None,
        is_changing=order.status not in FINAL,
        can_arrive=order.status in OPEN_AT_STORE,
        can_cancel="cancel" in actions_from(order.status, "customer"),
        arrived_at=local(order.arrived_at, store.timezone, "HH:mm") if order.arrived_at else None,
        arrival_note=order.arrival_note,
        hours=coming_days(store.opening_hours, store.timezone, store.country, special_days, now=now),
        directions_url=f"https://www.openstreetmap.org/directions?to={store.lat},{store.lon}",
        lines=[
            Line(line.quantity, line.product.name, money(line.unit_amount * line.quantity, order.currency))
            for line in order.lines
        ],
        total=money(order.total_amount, order.currency),
    )


def first_name(name: str) -> str:
    """As much of a name as is needed to be spoken to."""
    return name.split()[0] if name.split() else ""


def code_picture(code: str) -> str:
    """The pickup code as a QR code: an SVG element without styles, so that the page's policy allows it."""
    picture = segno.make(code, micro=False, error="m")
    return str(picture.svg_inline(border=0, omitsize=True, svgclass="qr", lineclass=None))


def _progress(status: str) -> list[Step]:
    positions = [position for position, (_, statuses) in enumerate(PROGRESS) if status in statuses]
    if not positions:  # cancelled, expired: no way leads on
        return []
    at = positions[0]
    return [
        Step(name, is_done=position < at or status == "collected", is_current=position == at)
        for position, (name, _) in enumerate(PROGRESS)
    ]
