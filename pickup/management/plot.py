"""The plot of a price: figures in, coordinates out. It knows neither the web nor the database.

Instants are aware UTC, amounts are minor units of one currency, coordinates are those of a box `WIDTH` by `HEIGHT` with
the origin at its top left.
"""

import math
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, NamedTuple

from pickup.management.axes import amount_ticks, time_ticks

WIDTH, HEIGHT = 800, 380
LEFT, RIGHT, TOP, BOTTOM = 84, 772, 32, 344

Channel = Literal["till", "online"]

DOT_MIN, DOT_SPREAD = 2.5, 6.5
# A sale of one unit is a small dot, also where nobody bought more.
UNITS_OF_LARGEST_DOT_MIN = 40

CHARACTER_WIDTH, LABEL_HEIGHT, LABEL_GAP = 7.5, 16, 3


class Entry(NamedTuple):
    """An entry of the ledger, of the zone that is looked at (`is_own`) or of everywhere."""

    valid_from: datetime
    version: int
    is_own: bool
    amount: int | None
    """None: it is of another currency, and cannot be drawn."""


class Step(NamedTuple):
    """What the shelf says for a while."""

    since: datetime
    until: datetime
    amount: int | None


class Sold(NamedTuple):
    """So many units that were sold at one price: by one sale, or by several that are gathered in one dot."""

    channel: Channel
    at: datetime
    amount: int
    units: int
    sales: int


class Breach(NamedTuple):
    """A till charged this; the ledger says that, or nothing."""

    at: datetime
    charged: int
    ledger: int | None


@dataclass(frozen=True, slots=True)
class Figures:
    """What is drawn, from an instant until before another."""

    since: datetime
    until: datetime
    now: datetime
    steps: Sequence[Step]
    sold: Sequence[Sold] = ()
    breaches: Sequence[Breach] = ()


class Dot(NamedTuple):
    """A place in the plot, for some units that were sold."""

    x: float
    y: float
    radius: float
    sold: Sold


class Cross(NamedTuple):
    """A place in the plot, for a breach; `ledger_y` is where it should have been."""

    x: float
    y: float
    ledger_y: float | None
    breach: Breach


class Label(NamedTuple):
    """Words in the plot; `anchor` is SVG's."""

    x: float
    y: float
    anchor: Literal["start", "middle", "end"]
    words: str
    is_breach: bool


class TimeTick(NamedTuple):
    """A mark of the time axis."""

    x: float
    at: datetime


class AmountTick(NamedTuple):
    """A mark of the price axis."""

    y: float
    amount: int


@dataclass(frozen=True, slots=True)
class Plot:
    """All that is drawn. The paths are SVG's; one is empty where there is nothing to draw."""

    past: str
    future: str
    now_x: float | None
    dots: Sequence[Dot]
    crosses: Sequence[Cross]
    labels: Sequence[Label]
    times: Sequence[TimeTick]
    amounts: Sequence[AmountTick]


def price_steps(entries: Sequence[Entry], *, since: datetime, until: datetime) -> list[Step]:
    """What the shelf said and will say between two instants, by the rule of `pricing.queries.prices_in_force`.

    A zone's own price goes before the one that holds everywhere; then the latest beginning counts, of two for the same
    instant the later entry. While there is no price at all, there is no step.

    Args:
        entries: in any order, with those that hold at the beginning.
    """
    steps: list[Step] = []
    held: Entry | None = None
    begun = since
    for entry in sorted(entries, key=lambda each: (each.valid_from, each.version)):
        if entry.valid_from >= until or (held is not None and held.is_own and not entry.is_own):
            continue
        at = max(entry.valid_from, since)
        if held is not None and at > begun:
            steps.append(Step(begun, at, held.amount))
        held, begun = entry, at
    if held is not None:
        steps.append(Step(begun, until, held.amount))
    return steps


def draw(figures: Figures, words_of: Callable[[int], str]) -> Plot:
    """Put figures into coordinates.

    Args:
        words_of: how people write an amount.
    """
    drawn = [step.amount for step in figures.steps if step.amount is not None]
    drawn += [sold.amount for sold in figures.sold] + [breach.charged for breach in figures.breaches]
    drawn += [breach.ledger for breach in figures.breaches if breach.ledger is not None]
    amounts = amount_ticks(min(drawn, default=0), max(drawn, default=0))
    scale = _Scale(figures.since, figures.until, amounts[0], amounts[-1])
    crosses = [scale.cross(breach) for breach in figures.breaches]
    largest = max([UNITS_OF_LARGEST_DOT_MIN, *(sold.units for sold in figures.sold)])
    return Plot(
        past=scale.path(figures.steps, figures.since, figures.now),
        future=scale.path(figures.steps, figures.now, figures.until),
        now_x=scale.x(figures.now) if figures.since <= figures.now < figures.until else None,
        # The large ones first, so that none hides a small one.
        dots=[scale.dot(sold, largest) for sold in sorted(figures.sold, key=lambda sold: -sold.units)],
        crosses=crosses,
        labels=_labels(crosses, figures.steps, scale, words_of),
        times=[TimeTick(scale.x(at), at) for at in time_ticks(figures.since, figures.until)],
        amounts=[AmountTick(scale.y(amount), amount) for amount in amounts],
    )


@dataclass(frozen=True, slots=True)
class _Scale:
    since: datetime
    until: datetime
    low: int
    high: int

    def x(self, at: datetime) -> float:
        """Where an instant is, from the left."""
        return round(LEFT + (at - self.since) / (self.until - self.since) * (RIGHT - LEFT), 1)

    def y(self, amount: int) -> float:
        """Where an amount is, from the top."""
        return round(BOTTOM - (amount - self.low) / (self.high - self.low) * (BOTTOM - TOP), 1)

    def dot(self, sold: Sold, largest: int) -> Dot:
        """Its area goes with the units."""
        radius = round(DOT_MIN + DOT_SPREAD * math.sqrt(sold.units / largest), 1)
        return Dot(self.x(sold.at), self.y(sold.amount), radius, sold)

    def cross(self, breach: Breach) -> Cross:
        """Where it was charged, and where it should have been."""
        ledger_y = None if breach.ledger is None else self.y(breach.ledger)
        return Cross(self.x(breach.at), self.y(breach.charged), ledger_y, breach)

    def path(self, steps: Sequence[Step], since: datetime, until: datetime) -> str:
        """The line of a price within the plot; it is broken where nothing can be drawn."""
        parts: list[str] = []
        drawn_until = None
        for step in steps:
            begin, end = max(step.since, since), min(step.until, until)
            if begin >= end or step.amount is None:
                continue
            x, y = self.x(begin), self.y(step.amount)
            parts.append(f"V{y}" if begin == drawn_until else f"M{x} {y}")
            parts.append(f"H{self.x(end)}")
            drawn_until = end
        return " ".join(parts)


class _Box(NamedTuple):
    left: float
    top: float
    right: float
    bottom: float

    def meets(self, other: "_Box") -> bool:
        """Whether two boxes lie on each other."""
        return (
            self.left < other.right and other.left < self.right and self.top < other.bottom and other.top < self.bottom
        )


def _labels(
    crosses: Sequence[Cross], steps: Sequence[Step], scale: _Scale, words_of: Callable[[int], str]
) -> list[Label]:
    """Words beside breaches and steps, as many as have room: what is left out, the tables have.

    Breaches of the same two prices are one till's mistake, mostly: it is said once.
    """
    taken = [_Box(cross.x - 7, cross.y - 7, cross.x + 7, cross.y + 7) for cross in crosses]
    alike: dict[str, list[Cross]] = defaultdict(list)
    for cross in crosses:
        alike[_breach_words(cross.breach, words_of)].append(cross)
    labels = []
    for wishes in (
        *([wish for cross in group for wish in _beside(cross, words)] for words, group in alike.items()),
        *(_on_step(step, scale, words_of) for step in steps),
    ):
        found = next(((label, box) for label in wishes if _is_free(box := _box_of(label), taken)), None)
        if found:
            labels.append(found[0])
            taken.append(found[1])
    return labels


def _breach_words(breach: Breach, words_of: Callable[[int], str]) -> str:
    ledger = ", no price" if breach.ledger is None else f", not {words_of(breach.ledger)}"
    return words_of(breach.charged) + ledger


def _beside(cross: Cross, words: str) -> list[Label]:
    return [
        Label(cross.x + 11, cross.y + 5, "start", words, True),
        Label(cross.x - 11, cross.y + 5, "end", words, True),
        Label(cross.x, cross.y - 12, "middle", words, True),
        Label(cross.x, cross.y + 22, "middle", words, True),
    ]


def _on_step(step: Step, scale: _Scale, words_of: Callable[[int], str]) -> list[Label]:
    if step.amount is None:
        return []
    x, y, words = scale.x(step.since), scale.y(step.amount), words_of(step.amount)
    if scale.x(step.until) - x < len(words) * CHARACTER_WIDTH:
        return []
    return [Label(x + 5, y - 7, "start", words, False), Label(x + 5, y + 18, "start", words, False)]


def _box_of(label: Label) -> _Box:
    width = len(label.words) * CHARACTER_WIDTH
    left = label.x - {"start": 0, "middle": width / 2, "end": width}[label.anchor]
    return _Box(left - LABEL_GAP, label.y - LABEL_HEIGHT + 3, left + width + LABEL_GAP, label.y + 3)


def _is_free(box: _Box, taken: Sequence[_Box]) -> bool:
    is_inside = box.left >= LEFT and box.right <= RIGHT and box.top >= TOP - 8 and box.bottom <= BOTTOM
    return is_inside and not any(box.meets(other) for other in taken)
