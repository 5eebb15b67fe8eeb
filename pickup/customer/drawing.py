"""The way to the store as a drawing: no more than where it lies, how far, and where north is."""

from dataclasses import dataclass

from pickup.core import map as plans
from pickup.core.languages import _, later
from pickup.core.pages import MILE_COUNTRIES, distance
from pickup.orders.models import Order

# Where a store lies, clockwise from north.
DIRECTIONS = (
    later("north"),
    later("north-east"),
    later("east"),
    later("south-east"),
    later("south"),
    later("south-west"),
    later("west"),
    later("north-west"),
)

# Nearer than that, both are the same spot on the drawing.
NEXT_DOOR_METRES = 100


@dataclass(frozen=True, slots=True)
class Drawing:
    """All that is drawn, in the units of a `viewBox`, and the same in words."""

    width: int
    height: int
    store: plans.Point
    place: plans.Point | None
    bar: float
    bar_words: str
    words: str


def present_way(order: Order, *, knows_place: bool) -> Drawing:
    """The way to the store of an order.

    Args:
        knows_place: whether to show where the customer comes from, if they said so: to themselves, and to nobody else.
    """
    store, place = order.store, None
    if knows_place and order.origin_lat is not None and order.origin_lon is not None:
        place = (order.origin_lat, order.origin_lon)
    if (order.distance_m or 0) < NEXT_DOOR_METRES:
        place = None
    unit_metres = 1609.344 if store.country in MILE_COUNTRIES else 1000.0
    drawn = plans.way((store.lat, store.lon), place, unit_metres=unit_metres)
    return Drawing(
        width=plans.WIDTH,
        height=plans.WAY_HEIGHT,
        store=drawn.store,
        place=drawn.place,
        bar=drawn.bar,
        bar_words=distance(drawn.bar_metres, store.country, is_round=True),
        words=_in_words(order, drawn),
    )


def _in_words(order: Order, drawn: plans.Way) -> str:
    if drawn.place is None or order.distance_m is None:
        return _("Map: %(store)s in the middle", store=order.store.name)
    return _(
        "%(distance)s to the %(direction)s",
        distance=distance(order.distance_m, order.store.country),
        direction=_(DIRECTIONS[drawn.eighth]),
    )
