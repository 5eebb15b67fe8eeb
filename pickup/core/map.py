"""Plans of stores: coordinates in, what an SVG shows out. Pure; no tiles, no server, nobody is told.

Around one place and over some hundred kilometres the Earth is flat enough: east and north in metres, a degree of
longitude shortened by the cosine of the latitude.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import takewhile

# The margin leaves room for a pin, which stands on its spot and is taller than wide.
WIDTH, HEIGHT, MARGIN = 400, 320, 36
METRES_PER_DEGREE = 111_195
# Where everything is at one spot, the plan still shows so much around it.
EXTENT_MIN_METRES = 300.0
RINGS_WANTED = 3.5
PIN_GAP = 21.0

# A way is wider than high. Above is room for the pin, below for the scale.
WAY_HEIGHT, WAY_MARGINS = 200, (56, 52)
WAY_MIN_METRES = 1500.0
BAR_MIN = 56.0

Point = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Pin:
    """A store: its number in the list beside the plan, and where it is drawn."""

    number: int
    x: float
    y: float


@dataclass(frozen=True, slots=True)
class Ring:
    """A circle of equal distance around the place."""

    radius: float
    metres: float


@dataclass(frozen=True, slots=True)
class Plan:
    """All that is drawn, in the units of a `viewBox` of WIDTH × HEIGHT; the place is in its middle."""

    x: float
    y: float
    pins: tuple[Pin, ...]
    rings: tuple[Ring, ...]


def plan(place: Point, stores: Sequence[Point], *, unit_metres: float) -> Plan:
    """Draw stores around a place.

    Args:
        place, stores: latitude and longitude in degrees.
        unit_metres: the rings are at round numbers of this unit, 1609.344 for miles.
    """
    offsets = [_offset(place, store) for store in stores]
    middle = (WIDTH / 2, HEIGHT / 2)
    wide = max([EXTENT_MIN_METRES, *(abs(east) for east, _ in offsets)])
    high = max([EXTENT_MIN_METRES, *(abs(north) for _, north in offsets)])
    scale = min((middle[0] - MARGIN) / wide, (middle[1] - MARGIN) / high)
    drawn = [(middle[0] + east * scale, middle[1] - north * scale) for east, north in offsets]
    pins = tuple(Pin(number, round(x, 1), round(y, 1)) for number, (x, y) in enumerate(_apart(drawn), start=1))
    return Plan(*middle, pins, _rings(scale, unit_metres))


@dataclass(frozen=True, slots=True)
class Way:
    """A store and where somebody comes from, in the units of a `viewBox` of WIDTH × WAY_HEIGHT."""

    store: Point
    place: Point | None
    bar: float
    """How long the bar of the scale is drawn, and what it stands for."""
    bar_metres: float
    eighth: int
    """Where the store lies, seen from the place: eighths of a turn, clockwise from north."""


def way(store: Point, place: Point | None, *, unit_metres: float) -> Way:
    """Draw a store and, where it is known, the place that somebody comes from: both in the frame, around its middle.

    Args:
        store, place: latitude and longitude in degrees.
        unit_metres: the scale is a round number of this unit, 1609.344 for miles.
    """
    east, north = _offset(place, store) if place else (0.0, 0.0)
    room = (WIDTH - 2 * WAY_MARGINS[0], WAY_HEIGHT - 2 * WAY_MARGINS[1])
    scale = min(room[0] / max(abs(east), WAY_MIN_METRES), room[1] / max(abs(north), WAY_MIN_METRES / 2))
    middle = (WIDTH / 2, WAY_HEIGHT / 2 + PIN_GAP / 4)
    half = (east * scale / 2, -north * scale / 2)
    bar_metres = round_number(BAR_MIN / scale / unit_metres) * unit_metres
    return Way(
        store=_rounded(middle[0] + half[0], middle[1] + half[1]),
        place=_rounded(middle[0] - half[0], middle[1] - half[1]) if place else None,
        bar=round(bar_metres * scale, 1),
        bar_metres=bar_metres,
        eighth=round(math.atan2(east, north) / (math.tau / 8)) % 8,
    )


def _rounded(x: float, y: float) -> Point:
    return round(x, 1), round(y, 1)


def _offset(place: Point, store: Point) -> Point:
    """How far east and north of the place a store is, in metres; the date line is no border."""
    degrees_east = (store[1] - place[1] + 180) % 360 - 180
    return (
        degrees_east * math.cos(math.radians(place[0])) * METRES_PER_DEGREE,
        (store[0] - place[0]) * METRES_PER_DEGREE,
    )


def _apart(points: Sequence[Point]) -> list[Point]:
    """Pins that would lie on each other, side by side: the nearer store keeps its spot."""
    placed: list[Point] = []
    for x, y in points:
        aside = PIN_GAP if x <= WIDTH / 2 else -PIN_GAP
        while any(math.dist((x, y), other) < PIN_GAP for other in placed):
            x += aside
        placed.append((x, y))
    return placed


def _rings(scale: float, unit_metres: float) -> tuple[Ring, ...]:
    """Circles at round distances, as many as the plan is high."""
    step = round_number(HEIGHT / 2 / scale / RINGS_WANTED / unit_metres) * unit_metres
    radii = takewhile(lambda radius: radius < HEIGHT / 2 - 8, (step * scale * number for number in range(1, 9)))
    return tuple(Ring(round(radius, 1), step * number) for number, radius in enumerate(radii, start=1))


def round_number(at_least: float) -> float:
    """The next of 1, 2, 5, 10, 20, 50, …, and the same below 1."""
    power = 10.0 ** math.floor(math.log10(at_least))
    return next(factor * power for factor in (1, 2, 5, 10) if factor * power >= at_least * 0.999)
