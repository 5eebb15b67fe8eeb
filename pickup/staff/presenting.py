"""Orders as the tablet shows them: plain values for the templates, in the store's own time."""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from pickup.catalog.models import Product
from pickup.core.languages import _, later, ngettext
from pickup.core.pages import clock, money
from pickup.orders.lifecycle import NOT_BEGUN
from pickup.orders.models import Order, OrderLine, Return
from pickup.orders.pickup_code import WRONG_CODES_MAX

STATUS_WORDS = {
    "awaiting_payment": later("Not paid yet"),
    "placed": later("Looking for a store"),
    "in_transit": later("On its way here"),
    "reserved": later("To pick"),
    "picking": later("Picking"),
    "ready": later("Ready"),
    "collected": later("Collected"),
    "cancelled": later("Cancelled"),
    "expired": later("Not collected in time"),
}
BEING_ASKED = later("The customer is choosing")
ACTION_WORDS = {
    "place": later("Ordered"),
    "pay": later("Paid"),
    "reserve": later("Set aside for this store"),
    "send_for": later("Goods asked for from elsewhere"),
    "receive": later("All goods are here"),
    "reroute": later("Looking for another store"),
    "withdraw": later("Taken off this store"),
    "start_picking": later("Picking started"),
    "short_pick": later("Not everything found"),
    "mark_ready": later("Ready"),
    "extend_hold": later("Kept longer"),
    "hand_over": later("Handed over"),
    "cancel": later("Cancelled"),
    "expire": later("Not collected in time"),
}
# The words that the history keeps for why an order was taken off a store.
NOTE_WORDS = {
    "short_pick": later("not everything was found"),
    "short_at_source": later("goods that were to be sent were not found"),
    "sold_at_till": later("a till sold the goods"),
    "store_paused": later("the store takes no orders"),
    "reservation_lost": later("the goods went to another order"),
}

# Until when something is to be done.
READY_BY = later("ready by %(time)s")
HELD_UNTIL = later("held until %(time)s")


@dataclass(frozen=True, slots=True)
class Line:
    """So many of one product."""

    product_id: int
    quantity: int
    """Units that are there, as far as is known."""
    short: int
    """Units that were looked for and not found."""
    refused: int
    """Units that were there, and were not taken."""
    returned: int
    """Units that came back after the handover."""
    name: str
    sku: str
    department: str
    minimum_age: int | None

    @property
    def ordered(self) -> int:
        """Units that the customer ordered."""
        return self.quantity + self.short + self.refused

    @property
    def left(self) -> int:
        """Units that the customer has, once it is handed over."""
        return self.quantity - self.returned


@dataclass(frozen=True, slots=True)
class Card:
    """One order on the board."""

    id: uuid.UUID
    number: int
    status: str
    status_words: str
    customer: str
    collector: str | None
    promise: str
    """Until when something is to be done: ready by, or held until."""
    due_at: datetime
    urgency: str
    age: str
    """How long ago it was ordered."""
    is_late: bool
    is_at_risk: bool
    """Whether nobody has begun to pick it, and the promise is near."""
    coming: str | None
    """That the customer is on the way, in words."""
    arrived: str | None
    waited_seconds: int
    """Since then."""
    arrival_notes: list[str]
    """Where to find them."""
    total: str
    reduced: str
    """By so much the total went down at the handover, since the shelf had become cheaper; nothing where it did not."""
    returned: str
    """What was paid for goods that came back; nothing where none did."""
    place: str
    """Where the bag stands, if that was said."""
    put_back_since: str
    """Since when the bag of an order that is over waits to be put back; nothing where none does."""
    hold_extensions: int
    wave_id: uuid.UUID | None
    """The round in which it is being picked."""
    lines: list[Line]

    @property
    def waits(self) -> str:
        """How long somebody who has arrived has been waiting, in words."""
        minutes, seconds = divmod(self.waited_seconds, 60)
        # Translators: the script of the page counts on, minutes before seconds.
        return _("waits %(minutes)s min %(seconds)s s", minutes=minutes, seconds=seconds)

    @property
    def to_put_back(self) -> list[Line]:
        """What was not taken, and goes to the shelf again."""
        return [line for line in self.lines if line.refused]

    @property
    def units(self) -> int:
        """How many things are in the bag."""
        return sum(line.quantity for line in self.lines)

    @property
    def left(self) -> int:
        """How many of them the customer has, once it is handed over."""
        return sum(line.left for line in self.lines)

    @property
    def minimum_age(self) -> int | None:
        """The age that has to be checked, if any."""
        return max((line.minimum_age or 0 for line in self.lines if line.quantity), default=0) or None


@dataclass(frozen=True, slots=True)
class Step:
    """A line of an order's history."""

    at: datetime
    time: str
    what: str
    who: str
    note: str | None


@dataclass(frozen=True, slots=True)
class CameBack:
    """Goods of an order that came back together."""

    at: datetime
    time: str
    goods: str
    amount: str
    who: str
    where: str
    reason: str | None


def present_card(order: Order, *, now: datetime) -> Card:
    """An order with its lines, products and store loaded."""
    zone = order.store.timezone
    to_do = order.status in ("in_transit", "reserved", "picking")
    due_at = order.ready_by if to_do else order.hold_until
    return Card(
        id=order.id,
        number=order.number,
        status=order.status,
        status_words=_(BEING_ASKED if order.offer else STATUS_WORDS[order.status]),
        customer=order.customer_name,
        collector=_collector(order),
        promise=_(READY_BY if to_do else HELD_UNTIL, time=clock(due_at, zone, now)),
        due_at=due_at,
        urgency=urgency(due_at - now) if to_do else "",
        age=age(now - order.placed_at),
        is_late=to_do and due_at < now,
        is_at_risk=order.status in NOT_BEGUN and order.at_risk_told_at is not None and due_at >= now,
        coming=_coming(order, now) if order.status == "ready" and not order.arrived_at else None,
        arrived=clock(order.arrived_at, zone, now) if order.arrived_at else None,
        waited_seconds=max(int((now - order.arrived_at).total_seconds()), 0) if order.arrived_at else 0,
        arrival_notes=_arrival_notes(order),
        total=money(order.total_amount, order.currency),
        reduced=money(order.reduced_amount, order.currency) if order.reduced_amount else "",
        returned=money(order.returned_amount, order.currency) if order.returned_amount else "",
        place=order.staging_place or "",
        put_back_since=clock(order.put_back_since, zone, now) if order.put_back_since else "",
        hold_extensions=order.hold_extensions,
        wave_id=order.wave_id if order.status == "picking" else None,
        lines=[present_line(line) for line in order.lines],
    )


def _collector(order: Order) -> str | None:
    """Who collects instead of the customer; nobody, if the customer's own code was what it was handed over by."""
    customer_was_here = order.status == "collected" and order.collector_code and not order.collected_by_collector
    return None if customer_was_here else order.collector_name


def _coming(order: Order, now: datetime) -> str | None:
    if order.on_the_way_at is None:
        return None
    if order.expected_at is None:
        return _("On the way since %(time)s", time=clock(order.on_the_way_at, order.store.timezone, now))
    return _("On the way, about %(time)s", time=clock(order.expected_at, order.store.timezone, now))


def _arrival_notes(order: Order) -> list[str]:
    bay = _("Bay %(bay)s", bay=order.arrival_bay) if order.arrival_bay else None
    return [words for words in (bay, order.arrival_car, order.arrival_note) if words]


def present_history(order: Order, *, now: datetime) -> list[Step]:
    """What has happened to an order, in words."""
    return [
        Step(
            at=step.at,
            time=clock(step.at, order.store.timezone, now),
            what=_(ACTION_WORDS[step.action]) if step.action in ACTION_WORDS else step.action.replace("_", " "),
            who=step.actor_name if step.actor_kind == "staff" else "",
            note=_(NOTE_WORDS[step.note]) if step.note in NOTE_WORDS else step.note,
        )
        for step in order.history
    ]


def present_returns(order: Order, returns: Sequence[Return], *, now: datetime) -> list[CameBack]:
    """What came back of an order, in words, oldest first."""
    names = {line.product_id: line.product.name for line in order.lines}
    return [
        CameBack(
            at=each.at,
            time=clock(each.at, order.store.timezone, now),
            goods=", ".join(f"{line.quantity} × {names[line.product_id]}" for line in each.lines),
            amount=money(each.amount, order.currency),
            who=each.actor_name if each.actor_kind == "staff" else _("the shop"),
            where=_("on the shelf again") if each.is_restocked else _("not put on the shelf"),
            reason=each.reason,
        )
        for each in returns
    ]


def wrong_code_words(order: Order) -> str:
    """What to say about a wrong code on an order's own page."""
    left = WRONG_CODES_MAX - order.wrong_codes
    if left <= 0:
        return _("That is not the code of this order. Now only a manager can hand it over.")
    words = ngettext(
        "That is not the code of this order. %(count)s try left.",
        "That is not the code of this order. %(count)s tries left.",
        left,
    )
    return words % {"count": left}


def urgency(left: timedelta) -> str:
    """How much time is left, in words; nothing where there is enough."""
    minutes = int(left.total_seconds() // 60)
    if minutes >= 0:
        return _("%(count)s min left", count=minutes) if minutes < 60 else ""
    late = -minutes
    if late < 60:
        return _("%(count)s min late", count=late)
    if late < 48 * 60:
        return _("%(count)s h late", count=late // 60)
    return _("%(count)s days late", count=late // (24 * 60))


def age(passed: timedelta) -> str:
    """How long ago an order was placed, in words."""
    minutes = int(passed.total_seconds() // 60)
    if minutes < 60:
        return _("ordered %(count)s min ago", count=max(minutes, 0))
    if minutes < 48 * 60:
        return _("ordered %(count)s h ago", count=minutes // 60)
    return _("ordered %(count)s days ago", count=minutes // (24 * 60))


def present_units(product: Product, quantity: int, *, short: int = 0, refused: int = 0, returned: int = 0) -> Line:
    """So many of a product."""
    return Line(
        product_id=product.id,
        quantity=quantity,
        short=short,
        refused=refused,
        returned=returned,
        name=product.name,
        sku=product.sku,
        department=product.department,
        minimum_age=product.minimum_age,
    )


def present_line(line: OrderLine) -> Line:
    """A line of an order that has its product."""
    return present_units(
        line.product, line.charged_units, short=line.short, refused=line.refused, returned=line.returned
    )
