"""How long doors were open between two moments: over nights, changed clocks and holidays."""

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from pickup.stores.open_time import open_time
from pickup.stores.opening_hours import OpeningHours

HOUR = timedelta(hours=1)
CHICAGO = "America/Chicago"


def local(text: str, zone: str = CHICAGO) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone)).astimezone(UTC)


def hours(text: str, **options) -> OpeningHours:
    return OpeningHours(text, CHICAGO, country="US", **options)


@pytest.mark.parametrize(
    ("text", "start", "end", "open_hours"),
    [
        ("Mo-Su 08:00-20:00", "2026-03-03 09:00", "2026-03-03 11:30", 2.5),
        ("Mo-Su 08:00-20:00", "2026-03-03 19:00", "2026-03-04 09:00", 2),
        ("Mo-Su 08:00-20:00", "2026-03-03 20:00", "2026-03-04 08:00", 0),
        ("Mo-Su 22:00-02:00", "2026-03-03 23:00", "2026-03-04 23:00", 4),
        ("Mo-Sa 08:00-20:00", "2026-03-07 20:00", "2026-03-09 08:00", 0),
        ("", "2026-03-03 00:00", "2026-03-06 00:00", 72),
        ("off", "2024-03-03 00:00", "2026-03-03 00:00", 0),
    ],
)
def test_only_open_time_counts(text, start, end, open_hours):
    assert open_time(hours(text), local(start), local(end)) == open_hours * HOUR


@pytest.mark.parametrize(
    ("text", "day", "open_hours"),
    [
        ("", "2026-03-08", 23),  # the clock jumps forward
        ("", "2026-11-01", 25),  # the clock falls back
        ("Mo-Su 00:00-06:00", "2026-03-08", 5),
        ("Mo-Su 08:00-20:00", "2026-11-01", 12),
    ],
)
def test_a_changed_clock_makes_no_time(text, day, open_hours):
    midnight = local(f"{day} 00:00")
    next_midnight = local(f"{date.fromisoformat(day) + timedelta(days=1)} 00:00")

    assert open_time(hours(text), midnight, next_midnight) == open_hours * HOUR


def test_holidays_and_special_days_do_not_count():
    christmas = local("2026-12-25 00:00"), local("2026-12-26 00:00")

    assert open_time(hours("Mo-Su 08:00-20:00"), *christmas) == 12 * HOUR
    assert open_time(hours("Mo-Su 08:00-20:00; PH off"), *christmas) == timedelta()
    short = hours("Mo-Su 08:00-20:00", special_days={date(2026, 12, 25): "10:00-14:00"})
    assert open_time(short, *christmas) == 4 * HOUR


def test_in_the_wrong_order_there_is_none():
    assert open_time(hours(""), local("2026-03-04 00:00"), local("2026-03-03 00:00")) == timedelta()


def test_counting_stops_where_it_may():
    always, since, now = hours("Mo-Su 08:00-20:00"), local("1999-01-01 00:00"), local("2026-03-03 00:00")

    assert open_time(always, since, now, at_most=24 * HOUR) == 24 * HOUR
    assert open_time(always, now - 12 * HOUR, now, at_most=24 * HOUR) == 8 * HOUR
