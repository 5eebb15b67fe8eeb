"""What messages speak of: the variables of the templates, in the language that speaks at the moment. No database.

Times are those of the store, as the language writes them; amounts are words, too. `docs/messages.md` lists them all.
"""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from babel.dates import format_time
from flask import current_app

from pickup.config import Settings
from pickup.core.languages import _, later, spoken
from pickup.core.pages import local, money
from pickup.orders.models import Order, OrderLine
from pickup.orders.presenting import collector_url, directions_url, page_url
from pickup.stores.directory import StoreEntry
from pickup.stores.week import coming_days

QR_CONTENT_ID = "pickup-code"
DAY = later("EEEE, MMMM d")
SHORT_DAY = later("MMM d")
MOMENT = later("%(day)s, %(time)s")
# Where a language puts a space that does not break, or a narrow one: not every telephone has them.
ODD_SPACES = str.maketrans("\u202f\xa0", "  ")

Context = dict[str, Any]
Stores = Mapping[int, StoreEntry]


def customer_context(kind: str, order: Order, data: Mapping[str, Any], stores: Stores, *, now: datetime) -> Context:
    """What a message to the customer speaks of.

    Args:
        kind: a key of `MORE`.
        order: with its lines, their products, and its store.
        data: of the event.
        stores: all that there are, by id; only `NEEDING_STORES` look at them.
    """
    lines = [_line(line, order.currency) for line in order.lines if line.charged_units]
    common = {
        "number": order.number,
        "name": order.customer_name,
        "store": _place(order),
        "url": page_url(order),
        "lines": lines,
        "total": money(order.total_amount, order.currency),
    }
    return common | MORE[kind](order, data, stores, now)


def collector_context(order: Order, stores: Stores, *, now: datetime) -> Context:
    """What a message to the collector speaks of: no price, and nothing of the customer but their name."""
    return {
        "number": order.number,
        "name": order.collector_name,
        "customer": order.customer_name,
        "store": _place(order),
        "url": collector_url(order),
        "minimum_age": _minimum_age(order),
        **_to_collect(order, order.collector_code, stores, now),
    }


def store_context(order: Order) -> Context:
    """What a message to the store speaks of: no price, no code."""
    settings: Settings = current_app.extensions["settings"]
    wanted = [(line.product.name, line.quantity - line.short) for line in order.lines if line.quantity > line.short]
    return {
        "number": order.number,
        "customer": order.customer_name,
        "store": _place(order),
        "url": f"{settings.public_url}/staff",
        "lines": [{"name": name, "quantity": quantity, "total": ""} for name, quantity in wanted],
        "units": sum(quantity for _name, quantity in wanted),
        "ready_by": moment(order.ready_by, order),
        "ready_by_short": moment(order.ready_by, order, SHORT_DAY),
        "is_sent_for": order.status == "in_transit",
        "is_begun": order.status == "picking",
        "is_ready": order.status == "ready",
        "bag": order.staging_place or "",
        "since": clock(_there(order.arrived_at, order)) if order.arrived_at else "",
        "where": ", ".join(filter(None, (order.arrival_bay, order.arrival_car, order.arrival_note))),
    }


def moment(at: datetime, order: Order, day: str = DAY) -> str:
    """An instant by the clock of the order's store, as the language writes it.

    Args:
        day: how the date is written: a pattern of CLDR that the catalogues have.
    """
    return _moment(at, order.store.timezone, day)


def clock(at: datetime) -> str:
    """A time of day as the language writes it, on a clock of twelve or of twenty-four hours."""
    return str(format_time(at, "short", locale=spoken().formats)).translate(ODD_SPACES)


def _moment(at: datetime, timezone: str, day: str = DAY) -> str:
    return _(MOMENT, day=local(at, timezone, day), time=clock(at.astimezone(ZoneInfo(timezone))))


def _there(at: datetime, order: Order) -> datetime:
    return at.astimezone(ZoneInfo(order.store.timezone))


def _place(order: Order) -> Context:
    store = order.store
    return {"name": store.name, "address": store.address, "phone": store.phone, "directions": directions_url(order)}


def _line(line: OrderLine, currency: str) -> Context:
    total = money(line.charged_amount * line.charged_units, currency)
    return {"name": line.product.name, "quantity": line.charged_units, "total": total}


def _units(order: Order, column: str) -> list[Context]:
    """What was left out of an order, and how many of it."""
    found = ((line.product.name, getattr(line, column)) for line in order.lines)
    return [{"name": name, "quantity": quantity} for name, quantity in found if quantity]


def _minimum_age(order: Order) -> int:
    return max((line.product.minimum_age or 0 for line in order.lines if line.charged_units), default=0)


def _to_collect(order: Order, code: str | None, stores: Stores, now: datetime) -> Context:
    """What whoever collects has to know, until the goods are kept no longer."""
    store, special_days = order.store, stores[order.store_id].special_days
    days = coming_days(store.opening_hours, store.timezone, store.country, special_days, now=now, clock=clock)
    last = max(_there(order.hold_until, order).date(), days[0].date)
    return {
        "code": code,
        "qr": f"cid:{QR_CONTENT_ID}",
        "hold_until": moment(order.hold_until, order),
        "hold_until_short": moment(order.hold_until, order, SHORT_DAY),
        "hours": [{"name": day.name, "hours": day.hours} for day in days if day.date <= last],
    }


def _promise(order: Order, data: Mapping[str, Any], stores: Stores, now: datetime) -> Context:
    return {
        "ready_by": moment(order.ready_by, order),
        "ready_by_short": moment(order.ready_by, order, SHORT_DAY),
        "is_sent_for": bool(order.sourcing),
    }


def _choice(order: Order, data: Mapping[str, Any], stores: Stores, now: datetime) -> Context:
    offer, until = order.offer or {"why": "", "options": {}}, order.offer_until or now
    return {
        "why": offer["why"],
        "options": [_option(choice, each, stores) for choice, each in offer["options"].items()],
        "choose_by": moment(until, order),
        "choose_by_short": moment(until, order, SHORT_DAY),
    }


def _option(choice: str, option: Mapping[str, Any], stores: Stores) -> Context:
    """A store that could have it ready, and when, in that store's own time."""
    store = stores[option["store_id"]]
    ready_by = _moment(datetime.fromisoformat(option["ready_by"]), store.timezone)
    return {"choice": choice, "store": store.name, "address": store.address, "ready_by": ready_by}


def _ready(order: Order, data: Mapping[str, Any], stores: Stores, now: datetime) -> Context:
    return {
        **_to_collect(order, order.pickup_code, stores, now),
        "collector": order.collector_name if order.collector_code else None,
        "minimum_age": _minimum_age(order),
        "missing": _units(order, "short"),
    }


def _collected(order: Order, data: Mapping[str, Any], stores: Stores, now: datetime) -> Context:
    return {
        "missing": _units(order, "short"),
        "refused": _units(order, "refused"),
        "saved": money(order.reduced_amount, order.currency) if order.reduced_amount else "",
        "is_free": not order.total_amount,
    }


def _refunded(order: Order, data: Mapping[str, Any], stores: Stores, now: datetime) -> Context:
    paid = order.total_amount - order.returned_amount
    return {"amount": money(data["amount"], order.currency), "paid": money(paid, order.currency)}


# By kind, what there is beside what all messages to customers have.
MORE: Mapping[str, Callable[[Order, Mapping[str, Any], Stores, datetime], Context]] = {
    "confirmed": _promise,
    "moved": _promise,
    "choice": _choice,
    "ready": _ready,
    "reminder": lambda order, data, stores, now: _to_collect(order, order.pickup_code, stores, now),
    "expiring": lambda order, data, stores, now: _to_collect(order, order.pickup_code, stores, now),
    "cancelled": lambda order, data, stores, now: {
        "reason": order.reason,
        "was_held": data.get("from") != "awaiting_payment",
    },
    "collected": _collected,
    "expired": lambda order, data, stores, now: {"hold_until": moment(order.hold_until, order)},
    "refunded": _refunded,
}
NEEDING_STORES = frozenset({"choice", "ready", "reminder", "expiring"})
