"""The days that a page looks at: from and to, in UTC, as they are typed into its form."""

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import TypeVar

# A day, or none, where none needs to be typed.
Day = TypeVar("Day", date, None)

DAYS_BACK, DAYS_AHEAD = 30, 14
DAYS_MAX = 366
YEARS = range(1970, 9999)


@dataclass(frozen=True, slots=True)
class Period:
    """From the beginning of a day to the end of another."""

    first: date
    last: date

    @property
    def since(self) -> datetime:
        """Its first instant."""
        return datetime.combine(self.first, time(), UTC)

    @property
    def until(self) -> datetime:
        """The first instant after it."""
        return datetime.combine(self.last + timedelta(days=1), time(), UTC)

    @property
    def days(self) -> int:
        """How many days it has."""
        return (self.last - self.first).days + 1


def usual_period(today: date, last_change: date | None) -> Period:
    """The days before today, and what is ahead.

    Args:
        last_change: the day of the last change within `DAYS_AHEAD`; a day of it is shown, too.
    """
    last = today if last_change is None else min(last_change + timedelta(days=1), today + timedelta(days=DAYS_AHEAD))
    return Period(today - timedelta(days=DAYS_BACK), last)


def read_period(first: str, last: str, usual: Period) -> Period:
    """What was typed as two dates; what is empty is as usual.

    Raises:
        ValueError: not dates, in the wrong order, or too many days; in words for who typed them.
    """
    period = Period(read_day(first, usual.first), read_day(last, usual.last))
    if period.first > period.last:
        raise ValueError("The first day comes after the last.")
    if period.days > DAYS_MAX:
        raise ValueError(f"Choose at most {DAYS_MAX} days.")
    return period


def read_day(text: str, otherwise: Day) -> date | Day:
    """What was typed as a date, or something else where nothing was.

    Raises:
        ValueError: not a date; in words for who typed it.
    """
    if not text:
        return otherwise
    try:
        read: date | None = date.fromisoformat(text)
    except ValueError:
        read = None
    if read is None or read.year not in YEARS:
        raise ValueError("Write days as year-month-day, for example 2026-11-22.")
    return read
