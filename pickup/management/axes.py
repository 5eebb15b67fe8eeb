"""Round marks for the axes of a plot: instants in aware UTC, amounts in minor units. Neither web nor database."""

import math
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

TIME_TICKS_MAX, AMOUNT_TICKS_MAX = 8, 6
TICK_SPANS = [timedelta(hours=hours) for hours in (1, 3, 6, 12, 24, 48, 168, 336)]
A_MONDAY = datetime(1970, 1, 5, tzinfo=UTC)
# Above and below what is shown, as a part of it; of a price that never changed, as a part of the price.
AIR, AIR_IF_FLAT = 0.06, 0.1


def time_ticks(since: datetime, until: datetime) -> list[datetime]:
    """Round instants between two, at most `TIME_TICKS_MAX`: hours, days, Mondays or firsts of months."""
    for span in TICK_SPANS:
        first = A_MONDAY + math.ceil((since - A_MONDAY) / span) * span
        count = (until - first) // span + 1
        if count <= TIME_TICKS_MAX:
            return [first + number * span for number in range(count)]
    months = list(_firsts_of_months(since, until))
    return months[:: math.ceil(len(months) / TIME_TICKS_MAX)]


def amount_ticks(low: int, high: int) -> list[int]:
    """Round amounts around two others, with some air: the first and the last are the ends of the axis."""
    air = max((high - low) * AIR, low * AIR_IF_FLAT if low == high else 0, 1)
    bottom, top = max(low - air, 0), high + air
    step = _round_step((top - bottom) / (AMOUNT_TICKS_MAX - 1))
    return list(range(math.floor(bottom / step) * step, math.ceil(top / step) * step + 1, step))


def _round_step(least: float) -> int:
    """The least of 1, 2, 5, 10, 20, 50 … that is not less than a number."""
    decade = int(10 ** max(0, math.floor(math.log10(max(least, 1)))))
    return next(factor * decade for factor in (1, 2, 5, 10) if factor * decade >= least)


def _firsts_of_months(since: datetime, until: datetime) -> Iterator[datetime]:
    year, month = since.year, since.month
    while (first := datetime(year, month, 1, tzinfo=UTC)) < until:
        if first >= since:
            yield first
        year, month = (year + 1, 1) if month == 12 else (year, month + 1)
