"""When nobody is rung up."""

from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest

from pickup.notifications.quiet_hours import QuietHours

NEW_YORK = ZoneInfo("America/New_York")
NIGHT = QuietHours.parse("21:00-08:00")


def local(text):
    return datetime.fromisoformat(text).replace(tzinfo=NEW_YORK)


@pytest.mark.parametrize(
    ("at", "until"),
    [
        ("2026-06-01T20:59:59", None),
        ("2026-06-01T21:00:00", "2026-06-02T08:00:00"),
        ("2026-06-02T03:00:00", "2026-06-02T08:00:00"),
        ("2026-06-02T07:59:59", "2026-06-02T08:00:00"),
        ("2026-06-02T08:00:00", None),
        ("2026-03-07T22:00:00", "2026-03-08T08:00:00"),  # the clock jumps forward in this night
        ("2026-10-31T22:00:00", "2026-11-01T08:00:00"),  # and back in this one
    ],
)
def test_a_night_goes_over_midnight(at, until):
    end = NIGHT.end_after(local(at).astimezone(UTC), NEW_YORK)
    assert end == (local(until).astimezone(UTC) if until else None)


def test_the_night_is_an_hour_shorter_or_longer_when_the_clocks_change():
    for day, hours in (("2026-03-07", 10), ("2026-10-31", 12), ("2026-06-01", 11)):
        begins = local(f"{day}T21:00:00").astimezone(UTC)
        assert NIGHT.end_after(begins, NEW_YORK) - begins == timedelta(hours=hours)


def test_hours_of_one_day():
    siesta = QuietHours.parse("13:00-15:30")
    assert siesta.end_after(local("2026-06-01T13:00:00"), NEW_YORK) == local("2026-06-01T15:30:00")
    assert siesta.end_after(local("2026-06-01T15:30:00"), NEW_YORK) is None


def test_no_quiet_hours():
    assert QuietHours.parse(" ") == QuietHours(time(), time())
    assert QuietHours.parse("").end_after(local("2026-06-01T03:00:00"), NEW_YORK) is None


def test_of_an_hour_that_comes_twice_the_first_ends_the_quiet():
    half_past_one = QuietHours.parse("00:00-01:30")
    first, second = (datetime(2026, 11, 1, 1, 10, tzinfo=NEW_YORK, fold=fold) for fold in (0, 1))
    assert half_past_one.end_after(first, NEW_YORK) == datetime(2026, 11, 1, 5, 30, tzinfo=UTC)
    assert half_past_one.end_after(second, NEW_YORK) is None


@pytest.mark.parametrize("text", ["9-17", "21:00", "21:00–08:00", "21:00-08:00 UTC"])
def test_what_is_not_two_times_is_refused(text):
    with pytest.raises(ValueError, match="two times"):
        QuietHours.parse(text)
