"""When an order can be collected, and until when it waits. Pure: it is told the time and the openings.

An opening is a pair of aware datetimes, a store's doors open from the first (inclusive) to the second (exclusive).
Openings come in order and neither overlap nor touch; they may be a generator, and are read no further than needed.
"""

from collections.abc import Iterable
from datetime import datetime, timedelta

Opening = tuple[datetime, datetime]

# Whoever asks `hold_until` shows it the openings up to this long after the hold ends. No shop's working day is longer;
# what runs on beyond it is a store that does not close.
WORKING_DAY_MAX = timedelta(hours=24)


def ready_by(now: datetime, prep: timedelta, openings: Iterable[Opening]) -> datetime | None:
    """The moment from which the customer may come.

    Preparation goes on only while the store is open: it starts now or at the next opening, and what is not done at
    closing time goes on the next day. The promise always leaves the doors open for the customer: work that is done at
    the very instant of closing is promised for the next opening.

    Args:
        now: the moment of the order.
        prep: the working time that preparation takes; zero is "as soon as the doors are open".
        openings: those that end after `now`, as far ahead as the caller is willing to promise. Where the last one is
            cut off there, a promise falls before the cut.

    Returns:
        A moment at which the store is open, or None where the openings end before the work is done.
    """
    left = prep
    for opens, closes in openings:
        begins = max(opens, now)
        if left < closes - begins:
            return begins + left
        left -= max(closes - begins, timedelta())
    return None


def begins_at(now: datetime, openings: Iterable[Opening]) -> datetime | None:
    """The moment from which somebody can work on it: now, or the next opening."""
    return next((max(opens, now) for opens, closes in openings if closes > now), None)


def hold_until(ready: datetime, hold_days: int, openings: Iterable[Opening]) -> datetime:
    """The moment after which goods that nobody collected go back to the shelf.

    That is the closing time of the last opening that begins within the hold: nobody is turned away at noon of a day on
    which the store is open, and nothing is held through a night in which nobody can come. Where the store stays open
    for a day and longer after the hold (always open, most of all), the hold ends to the minute.

    Args:
        ready: the moment of the promise, or of the goods being ready.
        hold_days: days of 24 hours.
        openings: those that end after `ready`, at least up to `WORKING_DAY_MAX` after the hold.
    """
    ends = ready + timedelta(days=hold_days)
    last_closing = None
    for opens, closes in openings:
        if opens >= ends:
            break
        last_closing = closes
    if last_closing is None or last_closing - ends >= WORKING_DAY_MAX:
        return ends
    return last_closing
