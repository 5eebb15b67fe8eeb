"""A plot of bars: counts in, coordinates out. It knows neither the web nor the database.

Coordinates are those of a box `WIDTH` by `HEIGHT` with the origin at its top left.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

from pickup.management.axes import amount_ticks

WIDTH, HEIGHT = 440, 230
LEFT, RIGHT, TOP, BOTTOM = 58, 436, 24, 196

Look = Literal["first", "second", "good", "bad"]

# Of the room of a group, and of a bar that has very much of it.
BARS_PART, BAR_WIDTH_MAX = 0.76, 40.0
BAR_HEIGHT_MIN = 2.0
CHARACTER_WIDTH, LABEL_GAP = 8.0, 10.0
# So many labels may be left out between two: round steps, so that hours read 0, 3, 6 and not 0, 5, 10.
LABEL_STEPS = (1, 2, 3, 4, 6, 7, 12, 14, 24, 28)


class Group(NamedTuple):
    """A place on the axis: what stands below it, and what it is called in full."""

    label: str
    words: str


class Series(NamedTuple):
    """A count for each group."""

    name: str
    counts: Sequence[int]
    looks: Sequence[Look]
    """One for each count, or one for all of them."""

    def look(self, position: int) -> Look:
        """How the bar of a group looks."""
        return self.looks[position % len(self.looks)]


class Bar(NamedTuple):
    """A bar, and what it says."""

    x: float
    y: float
    width: float
    height: float
    look: Look
    words: str


class Mark(NamedTuple):
    """A place on one of the axes."""

    at: float
    words: str


@dataclass(frozen=True, slots=True)
class Bars:
    """All that is drawn."""

    bars: Sequence[Bar]
    labels: Sequence[Mark]
    counts: Sequence[Mark]
    divider_x: float | None


def draw_bars(
    groups: Sequence[Group], series: Sequence[Series], *, edges: Sequence[str] = (), divider: int | None = None
) -> Bars:
    """Put counts into coordinates: for each group the bars of all series, side by side.

    Args:
        groups: at least one.
        edges: what stands between two groups, one less than there are groups; instead of their labels.
        divider: a line before this group.
    """
    room = (RIGHT - LEFT) / len(groups)
    ticks = amount_ticks(0, max((max(each.counts) for each in series), default=0))
    width = min(room * BARS_PART / len(series), BAR_WIDTH_MAX)
    # What is off the middle of its group, half a bar to each side.
    begin = (room - width * len(series)) / 2
    return Bars(
        bars=[
            _bar(LEFT + room * position + begin + width * nth, width, each, position, group, ticks[-1])
            for position, group in enumerate(groups)
            for nth, each in enumerate(series)
            if each.counts[position]
        ],
        labels=_edges(edges, room) if edges else _labels(groups, room),
        counts=[Mark(round(BOTTOM - tick / ticks[-1] * (BOTTOM - TOP), 1), f"{tick:,}") for tick in ticks],
        divider_x=None if divider is None else round(LEFT + room * divider, 1),
    )


def _bar(x: float, width: float, series: Series, position: int, group: Group, highest: int) -> Bar:
    count = series.counts[position]
    # One of a thousand is still to be seen.
    height = max(count / highest * (BOTTOM - TOP), BAR_HEIGHT_MIN)
    return Bar(
        x=round(x, 1),
        y=round(BOTTOM - height, 1),
        width=round(width, 1),
        height=round(height, 1),
        look=series.look(position),
        words=f"{group.words}: {count:,} {series.name}",
    )


def _labels(groups: Sequence[Group], room: float) -> list[Mark]:
    """As many as have room."""
    longest = max(len(group.label) for group in groups) * CHARACTER_WIDTH + LABEL_GAP
    least = math.ceil(longest / room)
    step = next((step for step in LABEL_STEPS if step >= least), least)
    return [
        Mark(round(LEFT + room * (position + 0.5), 1), groups[position].label)
        for position in range(0, len(groups), step)
    ]


def _edges(edges: Sequence[str], room: float) -> list[Mark]:
    return [Mark(round(LEFT + room * position, 1), words) for position, words in enumerate(edges, 1)]
