"""When to write to a customer whose goods stand ready. Pure: it is told the openings and the store's clock.

Nobody is woken by a message: it goes out while the store is open and its clock shows a decent hour. Where a store is
never open then (one for the night), the decent hour alone counts.
"""

from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

from pickup.orders.promise import Opening

# On the store's clock, half-open. No clock of the world jumps over them.
DECENT_FROM, DECENT_UNTIL = time(9), time(20)
# Two messages about one order are no less than this apart.
APART = timedelta(hours=6)
# So much open time a customer has at least to come, after the warning.
TIME_TO_COME = timedelta(hours=1)
DAY = timedelta(days=1)


def decent_times(start: datetime, end: datetime, openings: Iterable[Opening], zone: ZoneInfo) -> list[Opening]:
    """The times between two moments (aware) at which a customer may be written to, in order.

    Args:
        openings: of the store, those between the two moments.
        zone: of the store's clock.
    """
    hours = list(_decent_hours(start, end, zone))
    shared = [
        (max(opens, since), min(closes, until))
        for opens, closes in openings
        for since, until in hours
        if max(opens, since) < min(closes, until)
    ]
    return shared or hours


def remind_at(ready: datetime, after: timedelta, warning: datetime | None, times: Sequence[Opening]) -> datetime | None:
    """When to say once more that the goods are ready; None where the hold ends sooner, or the warning is near.

    Args:
        ready: since when they are.
        warning: when the customer is told that the hold is about to end, if they are.
        times: decent ones of the hold.
    """
    moment = _first_from(ready + after, times)
    if moment is None or (warning is not None and moment > warning - APART):
        return None
    return moment


def warn_at(
    told: datetime, hold_until: datetime, before: timedelta, times: Sequence[Opening], openings: Sequence[Opening]
) -> datetime | None:
    """When to say that the hold is about to end; None where there is no time for it.

    That is so long before the end, or the next decent moment after which there is still time to come; where there is
    none, the last decent one before.

    Args:
        told: when the customer heard of the order last.
        times: decent ones of the hold.
        openings: of the store, until the hold ends.
    """
    earliest = told + APART
    wanted = max(hold_until - before, earliest)
    moment = _first_from(wanted, times)
    if moment is not None and _open_from(moment, openings) >= TIME_TO_COME:
        return moment
    sooner = [
        max(since, min(wanted, until - TIME_TO_COME))
        for since, until in times
        if since < wanted and max(since, min(wanted, until - TIME_TO_COME)) >= earliest
    ]
    return next((each for each in reversed(sooner) if _open_from(each, openings) >= TIME_TO_COME), None)


def _decent_hours(start: datetime, end: datetime, zone: ZoneInfo) -> Iterator[Opening]:
    day, last = start.astimezone(zone).date(), end.astimezone(zone).date()
    while day <= last:
        since = datetime.combine(day, DECENT_FROM, zone).astimezone(UTC)
        until = datetime.combine(day, DECENT_UNTIL, zone).astimezone(UTC)
        if max(since, start) < min(until, end):
            yield max(since, start), min(until, end)
        day += DAY


def _first_from(moment: datetime, times: Sequence[Opening]) -> datetime | None:
    return next((max(since, moment) for since, until in times if until > moment), None)


def _open_from(moment: datetime, openings: Sequence[Opening]) -> timedelta:
    return sum((closes - max(opens, moment) for opens, closes in openings if closes > moment), timedelta())
