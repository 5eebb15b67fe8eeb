"""The slip that lies in the bag: whose it is, what is in it, where it stands. Never the pickup code."""

from dataclasses import dataclass
from datetime import datetime

import segno

from pickup.core.pages import clock, local
from pickup.orders.models import Order
from pickup.staff.presenting import Line, present_line


@dataclass(frozen=True, slots=True)
class Slip:
    """Everything that is printed."""

    number: int
    picture: str
    """The number as a QR code, an SVG element: scanned, it opens the order."""
    name: str
    store: str
    place: str
    held_until: str
    printed: str
    departments: list[tuple[str, list[Line]]]
    units: int
    minimum_age: int


def present_slip(order: Order, *, now: datetime) -> Slip:
    """The slip of an order with its lines, products and store."""
    zone = order.store.timezone
    lines = [line for line in order.lines if line.charged_units]
    names = sorted({line.product.department for line in lines}, key=lambda name: (not name, name))
    return Slip(
        number=order.number,
        picture=str(
            segno.make(str(order.number), micro=False, error="m").svg_inline(
                border=0, omitsize=True, svgclass="qr", lineclass=None
            )
        ),
        name=order.collector_name or order.customer_name,
        store=order.store.name,
        place=order.staging_place or "",
        held_until=clock(order.hold_until, zone, now) if order.status == "ready" else "",
        printed=local(now, zone, "d MMMM y, HH:mm"),
        departments=[
            (name, [present_line(line) for line in lines if line.product.department == name]) for name in names
        ],
        units=sum(line.charged_units for line in lines),
        minimum_age=max((line.product.minimum_age or 0 for line in lines), default=0),
    )
