"""A store's opening hours as a customer reads them: the coming week, a line a day, in their language. Pure."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from babel.dates import format_date

from pickup.core.languages import _, later, spoken
from pickup.stores.opening_hours import OpeningHours, Span

DAY = timedelta(days=1)
DAYS_SHOWN = 7
ALL_DAY = later("open all day")
CLOSED = later("closed")


def wall_clock(at: datetime) -> str:
    """A time as timetables have it, from 00:00 to 23:59."""
    return f"{at:%H:%M}"


@dataclass(frozen=True, slots=True)
class Day:
    """One date and when the doors are open, in words."""

    date: date
    name: str
    """Of the day of the week."""
    hours: str


def coming_days(
    opening_hours: str,
    timezone: str,
    country: str,
    special_days: Mapping[date, str] | None = None,
    *,
    now: datetime,
    clock: Callable[[datetime], str] = wall_clock,
) -> list[Day]:
    """Today and the six days after it, by the store's own calendar; special days go before the regular hours.

    Args:
        clock: how a time is written.
    """
    zone = ZoneInfo(timezone)
    today = now.astimezone(zone).date()
    # A day earlier, so that a night that runs on into today is known to be yesterday's.
    start = datetime.combine(today - DAY, time.min, zone)
    end = datetime.combine(today + DAYS_SHOWN * DAY, time.min, zone)
    store_hours = OpeningHours(opening_hours, timezone, country=country, special_days=special_days)
    openings = store_hours.open_intervals(start, end + DAY)
    spans = [(opens.astimezone(zone), closes.astimezone(zone)) for opens, closes in openings]
    days = [today + number * DAY for number in range(DAYS_SHOWN)]
    return [
        Day(day, format_date(day, "EEEE", locale=spoken().formats), _hours_of(day, spans, zone, clock)) for day in days
    ]


def _hours_of(day: date, spans: Sequence[Span], zone: ZoneInfo, clock: Callable[[datetime], str]) -> str:
    midnight, next_midnight = (datetime.combine(date_, time.min, zone) for date_ in (day, day + DAY))
    hours = []
    for opens, closes in spans:
        if opens <= midnight and closes >= next_midnight:
            return _(ALL_DAY)
        if closes - opens > DAY:  # days on end: each shows its own part
            opens, closes = max(opens, midnight), min(closes, next_midnight)
            if opens >= closes:
                continue
        if opens.date() == day:  # a night belongs to the day on which it begins
            hours.append(f"{clock(opens)}–{clock(closes)}".replace("–00:00", "–24:00"))
    return ", ".join(hours) or _(CLOSED)
