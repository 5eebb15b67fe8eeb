"""What the shop's pages show: the API's answers in words."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby
from typing import Any

from pickup.core import map as plans
from pickup.core import pages

Json = dict[str, Any]

TINTS = 6
DAYS = {"Mo": "Mon", "Tu": "Tue", "We": "Wed", "Th": "Thu", "Fr": "Fri", "Sa": "Sat", "Su": "Sun", "PH": "Holidays"}

VERDICTS = {
    "chosen": "has everything",
    "passed_over": "could have it, too",
    "not_enough_stock": "does not have all of it",
    "closed": "is closed for too long",
    "at_capacity": "has no time left to pick it",
    "paused": "takes no orders at present",
    "too_far": "is too far away",
    "reservation_lost": "has just sold it",
}

# Status, or what goes before it: the headline, and what it means for the customer.
STATUS_WORDS = {
    "requires_action": ("Please confirm with your bank", "It wants to be sure that it is you who pays."),
    "offer": ("Please choose", "The store cannot keep its word. Your pickup page has what there is instead."),
    "awaiting_payment": ("We are waiting for your bank", "It has not answered yet. You need not do anything."),
    "placed": ("We are checking the shelves", "This takes a moment."),
    "in_transit": ("On its way to the store", "Other stores send what is missing there. We write when it is ready."),
    "reserved": ("The store has your items", "They are kept for you. We write when they are packed."),
    "picking": ("The store is packing your items", "We write when they are ready."),
    "ready": ("Ready for you", "Show the code at the counter."),
    "collected": ("Collected", "Thank you, and see you soon."),
    "expired": ("Not collected in time", "The goods went back to the shelf. You pay nothing."),
    "customer": ("You cancelled this order", "You pay nothing."),
    "staff": ("The store had to cancel this order", "You pay nothing."),
    "out_of_stock": (
        "Somebody was faster",
        "The last of it was sold before we could keep it for you. You pay nothing.",
    ),
    "payment_failed": ("The payment did not go through", "Nothing was ordered, and you pay nothing."),
}
COMING = frozenset({"in_transit", "reserved", "picking"})
ENDED = frozenset({"collected", "cancelled", "expired"})
# Seconds after which an order's page looks again.
REFRESH_DECIDING, REFRESH_OPEN = 2, 10


@dataclass(frozen=True, slots=True)
class Picture:
    """What is drawn for a product without a photograph."""

    initials: str
    tint: int


def picture(name: str) -> Picture:
    """Its initials on one of a few calm colours, always the same one."""
    words = re.findall(r"[^\W\d_]+", name)
    initials = "".join(word[0] for word in words[:2]).upper() or name[:1].upper()
    return Picture(initials, sum(name.encode()) % TINTS)


def by_department(products: Sequence[Json]) -> list[tuple[str, list[Json]]]:
    """The products of a page by department, in the order in which these first occur."""
    names = list(dict.fromkeys(_department(product) for product in products))
    ranked = sorted(products, key=lambda product: names.index(_department(product)))
    return [(name, list(group)) for name, group in groupby(ranked, _department)]


def country_of(store: Json) -> str:
    """The last part of an address, which decides between miles and kilometres."""
    return str(store["address"]).rpartition(", ")[2]


def hours(opening_hours: str) -> str:
    """OpenStreetMap's opening hours as a person would write them."""
    if opening_hours in ("", "24/7"):
        return "Open day and night"
    words = re.sub(r"\b(Mo|Tu|We|Th|Fr|Sa|Su|PH)\b", lambda day: DAYS[day[0]], opening_hours)
    return ", ".join(rule.strip() for rule in words.replace("-", "–").replace(" off", " closed").split(";"))


def present_store(store: Json, now: datetime) -> Json:
    """A store nearby, with its distance, its hours and by when it could be collected there in words."""
    ready_by = store.get("ready_by")
    return store | {
        "distance": pages.distance(store["distance_m"], country_of(store)),
        "hours": hours(store["opening_hours"]),
        "ready": when(ready_by, store["timezone"], now) if ready_by else None,
    }


def when(instant: str, timezone: str, now: datetime) -> str:
    """An instant of the API by the clocks of a store."""
    return pages.clock(datetime.fromisoformat(instant), timezone, now)


def nearby_plan(place: Json, stores: Sequence[Json]) -> Json:
    """The plan of the stores nearby, and the words for its rings."""
    country = country_of(stores[0])
    unit = 1609.344 if country in pages.MILE_COUNTRIES else 1000.0
    points = [(store["lat"], store["lon"]) for store in stores]
    drawn = plans.plan((place["lat"], place["lon"]), points, unit_metres=unit)
    rings = [{"radius": ring.radius, "label": _round_distance(ring.metres / unit, unit)} for ring in drawn.rings]
    return {
        "width": plans.WIDTH,
        "height": plans.HEIGHT,
        "x": drawn.x,
        "y": drawn.y,
        "pins": drawn.pins,
        "rings": rings,
    }


def why(candidates: Sequence[Json], names: dict[str, str]) -> list[str]:
    """Why not a nearer store: a sentence for each that was looked at before the one that was chosen."""
    refused = [each for each in candidates if each["verdict"] not in ("chosen", "passed_over", "too_far")]
    return [
        f"{names.get(each['store_ref'], 'Store ' + each['store_ref'])} {VERDICTS[each['verdict']]}." for each in refused
    ]


def present_order(order: Json, store: Json | None, now: datetime) -> Json:
    """An order as its page shows it.

    Args:
        store: the same store as `GET /v1/stores` has it, for its hours and clocks.
    """
    stage = _stage(order)
    headline, explanation = STATUS_WORDS[stage]
    timezone = store["timezone"] if store else "UTC"
    is_open = order["status"] not in ENDED
    is_deciding = stage in ("awaiting_payment", "placed")
    pickup = order["pickup"]
    return order | {
        "stage": stage,
        "headline": headline,
        "explanation": explanation,
        "refresh": (REFRESH_DECIDING if is_deciding else REFRESH_OPEN) if is_open else None,
        "ready": when(pickup["ready_by"], timezone, now) if stage in COMING else None,
        "until": when(pickup["hold_until"], timezone, now) if stage == "ready" else None,
        "code": pickup["code"] if stage == "ready" or stage in COMING else None,
        "place": present_store(store, now) if store else None,
    }


def _stage(order: Json) -> str:
    if order["status"] == "awaiting_payment" and order["payment"]["action"]:
        return "requires_action"
    if order["offer"]:
        return "offer"
    return str(order["reason"] if order["status"] == "cancelled" else order["status"])


def _department(product: Json) -> str:
    return product["department"] or "Everything else"


def _round_distance(number: float, unit_metres: float) -> str:
    return f"{number:g} {'km' if unit_metres == 1000 else 'mi'}"
