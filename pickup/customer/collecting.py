"""Somebody else who collects: how the customer passes the code on, and the page of whoever gets it."""

from dataclasses import dataclass
from datetime import datetime
from urllib.parse import quote

import segno

from pickup.core.languages import _, later
from pickup.core.pages import local
from pickup.customer.arriving import Arrival, present_arrival
from pickup.customer.drawing import Drawing, present_way
from pickup.orders.lifecycle import FINAL
from pickup.orders.models import Order
from pickup.orders.presenting import collector_url, directions_url
from pickup.stores.directory import fresh_directory
from pickup.stores.week import Day, coming_days

SHARED = later(
    "Please collect my order %(number)s at %(store)s, %(address)s. Your code: %(code)s. "
    "Whether it is ready, until when, and the way there: %(url)s"
)
HEADLINES = {
    "ready": (later("Ready to collect"), later("Show this code at the counter of %(store)s.")),
    "collected": (later("Collected"), later("Thank you. There is nothing more to do.")),
    "cancelled": (
        later("Nothing to collect"),
        later("This order is cancelled. You need not go to the store."),
    ),
    "expired": (
        later("Nothing to collect"),
        later("The time to collect is over. You need not go to the store."),
    ),
}
NOT_YET = (
    later("Not ready yet"),
    later("Please do not set out yet: the code appears here when it is time."),
)


@dataclass(frozen=True, slots=True)
class Collector:
    """Whom the customer has named, and how to tell them."""

    first_name: str
    news: str
    """That they collect, or have."""
    code: str | None
    """Their own; None for who was named before there were such codes: then the customer's counts."""
    gets_mail: bool
    words: str
    mail_link: str
    message_link: str


@dataclass(frozen=True, slots=True)
class CollectorPage:
    """What whoever collects has to know: where, until when, the code; of the customer their first name."""

    number: int
    status: str
    headline: str
    explanation: str
    customer: str
    units: int
    minimum_age: int
    code: str | None
    code_picture: str | None
    hold_until: str | None
    ready_by: str | None
    arrival: Arrival
    hours: list[Day]
    directions_url: str
    way: Drawing
    is_changing: bool

    @property
    def is_over(self) -> bool:
        """Whether there is nothing to go for."""
        return self.status in FINAL


def present_collector(order: Order) -> Collector | None:
    """Who collects instead of the customer of an order that has its store."""
    if order.collector_name is None:
        return None
    name, is_collected = first_name(order.collector_name), order.status == "collected"
    if is_collected and order.collector_code and not order.collected_by_collector:
        return None
    subject = quote(_("Order %(number)s", number=order.number))
    words = _(
        SHARED,
        number=order.number,
        store=order.store.name,
        address=order.store.address,
        code=order.collector_code,
        url=collector_url(order),
    )
    return Collector(
        first_name=name,
        news=_("%(name)s has collected it", name=name) if is_collected else _("%(name)s collects", name=name),
        code=order.collector_code,
        gets_mail=bool(order.collector_email),
        words=words,
        mail_link=f"mailto:?subject={subject}&body={quote(words)}",
        message_link=f"sms:?&body={quote(words)}",
    )


def present_collector_page(order: Order, *, now: datetime) -> CollectorPage:
    """The page of whoever has the collector's token, of an order with its lines, products and store."""
    is_ready, zone = order.status == "ready", order.store.timezone
    headline, explanation = HEADLINES.get(order.status, NOT_YET)
    is_promised = order.status in ("in_transit", "reserved", "picking")
    found = [line for line in order.lines if line.charged_units]
    return CollectorPage(
        number=order.number,
        status=order.status,
        headline=_(headline),
        explanation=_(explanation, store=order.store.name),
        customer=first_name(order.customer_name),
        units=sum(line.charged_units for line in found),
        minimum_age=max((line.product.minimum_age or 0 for line in found), default=0),
        code=order.collector_code if is_ready else None,
        code_picture=code_picture(order.collector_code) if is_ready and order.collector_code else None,
        hold_until=local(order.hold_until, zone) if is_ready else None,
        ready_by=local(order.ready_by, zone) if is_promised else None,
        arrival=present_arrival(order, now=now),
        hours=hours_of(order, now=now),
        directions_url=directions_url(order),
        way=present_way(order, knows_place=False),
        is_changing=order.status not in FINAL,
    )


def hours_of(order: Order, *, now: datetime) -> list[Day]:
    """When the order's store is open in the coming week, special days included."""
    store = order.store
    special_days = fresh_directory().by_id[store.id].special_days
    return coming_days(store.opening_hours, store.timezone, store.country, special_days, now=now)


def first_name(name: str) -> str:
    """As much of a name as is needed to be spoken to."""
    return name.split()[0] if name.split() else ""


def code_picture(code: str) -> str:
    """The pickup code as a QR code: an SVG element without styles, so that the page's policy allows it."""
    picture = segno.make(code, micro=False, error="m")
    return str(picture.svg_inline(border=0, omitsize=True, svgclass="qr", lineclass=None))
