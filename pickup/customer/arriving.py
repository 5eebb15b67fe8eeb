"""The way to the store: who comes says that they are on the way, or there and where they stand."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from pickup.core.languages import _, later
from pickup.core.pages import clock
from pickup.core.schemas import text_problem
from pickup.orders.lifecycle import OPEN_AT_STORE
from pickup.orders.models import Order

PLACE_MAX_CHARACTERS = 40
NOTE_MAX_CHARACTERS = 200
# What can be said of the time that it takes, and how it is asked.
WITHIN_WORDS = {
    "": later("soon"),
    "10": later("in 10 min"),
    "20": later("in 20 min"),
    "30": later("in 30 min"),
}


@dataclass(frozen=True, slots=True)
class Arrival:
    """What the store knows of it, and what can be said."""

    can_set_out: bool
    can_arrive: bool
    on_the_way: str
    since: str
    where: str


def present_arrival(order: Order, *, now: datetime) -> Arrival:
    """The arrival of an order that has its store, in the store's own time."""
    zone = order.store.timezone
    bay = _("bay %(bay)s", bay=order.arrival_bay) if order.arrival_bay else None
    on_the_way = ""
    if order.on_the_way_at and order.status == "ready":
        if order.expected_at:
            on_the_way = _("About %(time)s.", time=clock(order.expected_at, zone, now))
        else:
            on_the_way = _("Since %(time)s.", time=clock(order.on_the_way_at, zone, now))
    return Arrival(
        can_set_out=order.status == "ready" and not order.arrived_at,
        can_arrive=order.status in OPEN_AT_STORE,
        on_the_way=on_the_way,
        since=clock(order.arrived_at, zone, now) if order.arrived_at else "",
        where=", ".join(each for each in (bay, order.arrival_car, order.arrival_note) if each),
    )


def read_place(form: Mapping[str, str]) -> dict[str, str | None]:
    """Where somebody stands: what cannot be kept is left out, for it is said in a car park and not in an office."""
    return {
        "note": _read(form.get("note", ""), NOTE_MAX_CHARACTERS),
        "bay": _read(form.get("bay", ""), PLACE_MAX_CHARACTERS),
        "car": _read(form.get("car", ""), PLACE_MAX_CHARACTERS),
    }


def read_within(form: Mapping[str, str]) -> timedelta | None:
    """How long it takes, if that was said."""
    minutes = form.get("within", "")
    return timedelta(minutes=int(minutes)) if minutes and minutes in WITHIN_WORDS else None


def _read(words: str, longest: int) -> str | None:
    words = " ".join(words.split())[:longest].strip()
    return words if words and not text_problem(words) else None
