"""An order as its customer sees it: what is going on in plain words, and no more about a person than is needed."""

from dataclasses import dataclass
from datetime import datetime

from flask import current_app

from pickup.config import Settings
from pickup.core.languages import _, later, ngettext
from pickup.core.pages import local, money
from pickup.customer.arriving import Arrival, present_arrival
from pickup.customer.collecting import (
    Collector,
    code_picture,
    first_name,
    hours_of,
    present_collector,
)
from pickup.customer.drawing import Drawing, present_way
from pickup.customer.offering import CHOOSE, Offer, present_offer
from pickup.customer.planning import is_for_calendar
from pickup.customer.service import can_say_if_short
from pickup.customer.timeline import Step, present_timeline
from pickup.orders.extending import may_extend
from pickup.orders.lifecycle import FINAL, actions_from
from pickup.orders.models import Order, OrderLine
from pickup.orders.presenting import directions_url
from pickup.orders.returns import left_of
from pickup.payments.models import Payment
from pickup.stores.week import Day

HEADLINES = {
    "awaiting_payment": (
        later("Waiting for your payment"),
        later("As soon as it is confirmed, we look for your items."),
    ),
    "placed": (
        later("We are checking the shelves"),
        later("You get a message as soon as a store has your items."),
    ),
    "in_transit": (
        later("On its way to %(store)s"),
        later("What the store did not have is being sent there. You get a message when everything is ready."),
    ),
    "reserved": (
        later("The store has your items"),
        later("They are set aside for you. You get a message when they are ready."),
    ),
    "picking": (
        later("We are packing your items"),
        later("It will not be long. You get a message when they are ready."),
    ),
    "ready": (later("Ready for you"), later("Show this code at the counter of %(store)s.")),
    "collected": (later("Collected"), later("Thank you, and enjoy.")),
    "expired": (
        later("The time to collect is over"),
        later(
            "The items are back on the shelf. "
            "You pay nothing. If money was already set aside or taken, it goes back to you."
        ),
    ),
}
CANCELLATIONS = {
    "customer": (
        later("This order is cancelled"),
        later("As you wished. You pay nothing. If money was already set aside or taken, it goes back to you."),
    ),
    "staff": (
        later("The store had to cancel this order"),
        later("We are sorry. You pay nothing. If money was already set aside or taken, it goes back to you."),
    ),
    "out_of_stock": (
        later("We could not find your items"),
        later(
            "We are sorry: no store near you has them all. "
            "You pay nothing. If money was already set aside or taken, it goes back to you."
        ),
    ),
    "payment_failed": (
        later("The payment did not go through"),
        later("The order is cancelled, and you pay nothing."),
    ),
}

# Where the promise is still to be kept.
PROMISING = frozenset({"placed", "in_transit", "reserved", "picking"})

REFUND_ON_ITS_WAY = later("The money goes back the way you paid. That can take a few days.")
REFUNDED = later("We have sent %(refunded)s back the way you paid. Your bank may take a few days.")
IF_SHORT_WORDS = {
    "part": (later("Give me the rest"), later("I only pay for what I get.")),
    "move": (later("Ask me"), later("I choose between another store and a later time.")),
    "cancel": (later("Cancel the order"), later("All of it or nothing. I pay nothing then.")),
}


@dataclass(frozen=True, slots=True)
class Line:
    """So many of one product, and what they cost together."""

    quantity: int
    """Units that there are, as far as is known."""
    ordered: int
    name: str
    total: str
    price_now: str
    """What one costs since the handover, where the shelf had become cheaper."""
    price_before: str
    refused: int
    """Units that were there, and were not taken."""
    returned: int
    """Units that came back."""

    @property
    def missing(self) -> str:
        """What could not be found, in words."""
        short = self.ordered - self.quantity - self.refused
        words = ngettext(
            "One could not be found, you don't pay for it.",
            "%(short)s could not be found, you don't pay for them.",
            short,
        )
        return words % {"short": short} if short else ""


@dataclass(frozen=True, slots=True)
class CameBack:
    """What was paid for goods that came back, and how far it is on its way to the customer."""

    amount: str
    paid: str
    """What the rest costs."""
    words: str


@dataclass(frozen=True, slots=True)
class Page:
    """Everything that the page shows."""

    number: int
    status: str
    headline: str
    explanation: str
    first_name: str
    collector: Collector | None
    can_name_collector: bool
    steps: list[Step]
    ready_by: str | None
    hold_until: str | None
    code: str | None
    code_picture: str | None
    is_changing: bool
    can_cancel: bool
    can_extend: bool
    hold_extensions: int
    has_receipt: bool
    is_for_calendar: bool
    arrival: Arrival
    hours: list[Day]
    directions_url: str
    way: Drawing
    lines: list[Line]
    total: str
    saved: str
    """By so much the total went down at the handover, where it did."""
    came_back: CameBack | None
    return_code: str | None
    """What to show where something is brought back."""
    offer: Offer | None
    if_short: str | None
    """What is wanted if something is missing, while it can be said."""


def present_page(order: Order, payment: Payment, *, now: datetime) -> Page:
    """The page of an order that has its lines, products, history and store loaded."""
    store, is_ready, offer = order.store, order.status == "ready", present_offer(order)
    headline, explanation = _headline(order, offer)
    return Page(
        number=order.number,
        status=order.status,
        headline=headline,
        explanation=explanation,
        first_name=first_name(order.customer_name),
        collector=present_collector(order),
        can_name_collector=order.status not in FINAL and not offer,
        steps=[] if offer else present_timeline(order, now=now),
        ready_by=local(order.ready_by, store.timezone) if order.status in PROMISING and not offer else None,
        hold_until=local(order.hold_until, store.timezone) if is_ready else None,
        code=order.pickup_code if is_ready else None,
        code_picture=code_picture(order.pickup_code) if is_ready else None,
        is_changing=order.status not in FINAL,
        can_cancel="cancel" in actions_from(order.status, "customer") and not offer,
        can_extend=may_extend(order),
        hold_extensions=order.hold_extensions,
        has_receipt=order.status == "collected",
        is_for_calendar=is_for_calendar(order),
        arrival=present_arrival(order, now=now),
        hours=hours_of(order, now=now),
        directions_url=directions_url(order),
        way=present_way(order, knows_place=True),
        lines=[_present_line(line, order.currency) for line in order.lines],
        total=money(order.total_amount, order.currency),
        saved=money(order.reduced_amount, order.currency) if order.reduced_amount else "",
        came_back=_came_back(order, payment) if order.returned_amount else None,
        return_code=order.pickup_code if order.status == "collected" and any(map(left_of, order.lines)) else None,
        offer=offer,
        if_short=(order.if_short or _settings().if_short) if can_say_if_short(order) else None,
    )


def _headline(order: Order, offer: Offer | None) -> tuple[str, str]:
    if offer:
        return _(CHOOSE), offer.why
    headline, explanation = HEADLINES.get(order.status) or CANCELLATIONS[order.reason or "customer"]
    return _(headline, store=order.store.name), _(explanation, store=order.store.name)


def _present_line(line: OrderLine, currency: str) -> Line:
    left = line.charged_units
    return Line(
        quantity=left,
        ordered=line.quantity,
        name=line.product.name,
        total=money(line.charged_amount * left, currency),
        price_now="" if line.reduced_to is None else money(line.reduced_to, currency),
        price_before=money(line.unit_amount, currency),
        refused=line.refused,
        returned=line.returned,
    )


def _came_back(order: Order, payment: Payment) -> CameBack:
    refunded = money(payment.refunded, order.currency)
    is_on_its_way = payment.captured - payment.refunded > order.total_amount - order.returned_amount
    if payment.status == "written_off":
        words = ""  # what was settled by hand, the store knows and we do not
    elif is_on_its_way:
        words = _(REFUND_ON_ITS_WAY)
    else:
        words = _(REFUNDED, refunded=refunded) if payment.refunded else ""
    return CameBack(
        amount=money(order.returned_amount, order.currency),
        paid=money(order.total_amount - order.returned_amount, order.currency),
        words=words,
    )


def _settings() -> Settings:
    settings: Settings = current_app.extensions["settings"]
    return settings
