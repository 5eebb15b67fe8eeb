"""When customers are written to: at a decent hour of the store, in time, and never twice in a row."""

from datetime import UTC, date, datetime, time, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pickup.orders import promise
from pickup.orders.reminding import APART, TIME_TO_COME, decent_times, remind_at, warn_at
from pickup.stores.opening_hours import OpeningHours

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
NEW_YORK, BERLIN = "America/New_York", "Europe/Berlin"
SHOP, NIGHT, ALWAYS = "Mo-Su 06:00-23:00", "Mo-Su 22:00-06:00", "24/7"


def at(zone: str, text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone)).astimezone(UTC)


def shown(zone: str, moment: datetime | None) -> str | None:
    return moment and f"{moment.astimezone(ZoneInfo(zone)):%a %d %H:%M}"


def messages(zone: str, hours: str, ready: str, until: str, **options):
    """Reminder and warning of a hold, 24 hours after and before, on the store's clock."""
    start, end = at(zone, ready), at(zone, until)
    openings = list(OpeningHours(hours, zone, **options).open_intervals(start, end))
    times = decent_times(start, end, openings, ZoneInfo(zone))
    warning = warn_at(start, end, DAY, times, openings)
    return shown(zone, remind_at(start, DAY, warning, times)), shown(zone, warning)


class TestReminder:
    def test_a_day_later_where_that_is_a_decent_hour(self):
        assert messages(NEW_YORK, SHOP, "2026-06-01 12:00", "2026-06-08 23:00")[0] == "Tue 02 12:00"

    @pytest.mark.parametrize("ready", ["2026-06-01 20:00", "2026-06-01 22:30", "2026-06-02 06:15"])
    def test_not_in_the_evening_nor_before_nine(self, ready):
        assert messages(NEW_YORK, SHOP, ready, "2026-06-08 23:00")[0] in ("Wed 03 09:00",)

    def test_not_while_the_store_is_closed(self):
        weekdays = "Mo-Fr 11:00-18:00"
        assert messages(NEW_YORK, weekdays, "2026-06-05 17:00", "2026-06-12 18:00")[0] == "Mon 08 11:00"

    def test_not_on_a_holiday(self):
        christmas = {date(2026, 12, 25): "off"}
        given = messages(NEW_YORK, SHOP, "2026-12-24 12:00", "2026-12-31 23:00", special_days=christmas)
        assert given[0] == "Sat 26 09:00"

    @pytest.mark.parametrize(
        ("zone", "ready", "until", "reminder"),
        [
            (NEW_YORK, "2026-03-07 12:00", "2026-03-14 23:00", "Sun 08 13:00"),
            (NEW_YORK, "2026-10-31 12:00", "2026-11-07 23:00", "Sun 01 11:00"),
            (BERLIN, "2026-03-28 08:30", "2026-04-04 23:00", "Sun 29 09:30"),
            (BERLIN, "2026-10-24 09:15", "2026-10-31 23:00", "Sun 25 09:00"),
            ("Pacific/Auckland", "2026-09-26 19:30", "2026-10-03 23:00", "Mon 28 09:00"),
        ],
    )
    def test_a_day_is_24_hours_and_nine_is_what_the_clock_shows(self, zone, ready, until, reminder):
        assert messages(zone, SHOP, ready, until)[0] == reminder

    def test_a_store_that_never_closes_sleeps_all_the_same(self):
        assert messages(NEW_YORK, ALWAYS, "2026-06-01 03:00", "2026-06-08 03:00")[0] == "Tue 02 09:00"

    def test_a_store_for_the_night_writes_by_day(self):
        assert messages(NEW_YORK, NIGHT, "2026-06-01 23:00", "2026-06-08 06:00")[0] == "Wed 03 09:00"

    def test_none_close_to_the_warning_or_after_the_hold(self):
        assert messages(NEW_YORK, SHOP, "2026-06-01 12:00", "2026-06-03 12:00") == (None, "Tue 02 12:00")
        assert messages(NEW_YORK, SHOP, "2026-06-01 12:00", "2026-06-02 11:00")[0] is None


class TestWarning:
    def test_a_day_before_or_the_morning_after(self):
        assert messages(NEW_YORK, SHOP, "2026-06-01 12:00", "2026-06-08 15:00")[1] == "Sun 07 15:00"
        assert messages(NEW_YORK, SHOP, "2026-06-01 12:00", "2026-06-08 23:00")[1] == "Mon 08 09:00"

    def test_where_the_morning_leaves_no_time_to_come_the_day_before(self):
        short = "Mo-Sa 09:00-20:00; Su 09:00-09:30"
        assert messages(NEW_YORK, short, "2026-06-01 12:00", "2026-06-07 09:30")[1] == "Sat 06 09:30"
        closed = "Mo-Fr 08:00-18:00; Sa 08:30-09:30"
        assert messages(NEW_YORK, closed, "2026-06-01 12:00", "2026-06-06 09:30")[1] == "Fri 05 09:30"

    def test_before_the_holiday_on_which_nobody_can_come(self):
        until_nine_thirty = {date(2026, 12, 25): "off", date(2026, 12, 26): "09:00-09:30"}
        given = messages(NEW_YORK, SHOP, "2026-12-21 12:00", "2026-12-26 09:30", special_days=until_nine_thirty)
        assert given[1] == "Thu 24 19:00"

    def test_a_hold_of_one_day(self):
        assert messages(NEW_YORK, SHOP, "2026-06-01 12:00", "2026-06-02 23:00") == (None, "Tue 02 09:00")
        assert messages(NEW_YORK, ALWAYS, "2026-06-01 12:00", "2026-06-02 12:00") == (None, "Mon 01 18:00")

    def test_none_where_there_is_no_time_for_it(self):
        assert messages(NEW_YORK, SHOP, "2026-06-01 20:00", "2026-06-01 23:00") == (None, None)

    def test_over_the_change_of_the_clocks(self):
        assert messages(NEW_YORK, SHOP, "2026-10-25 12:00", "2026-11-01 15:00")[1] == "Sat 31 16:00"
        assert messages(NEW_YORK, SHOP, "2026-03-01 12:00", "2026-03-08 23:00")[1] == "Sun 08 09:00"


TEXTS = [SHOP, NIGHT, ALWAYS, "Mo-Fr 11:00-18:00", "Mo-Sa 09:00-12:00,14:00-19:30; Su off", "Sa 10:00-14:00"]
ZONES = [NEW_YORK, BERLIN, "Asia/Shanghai", "Pacific/Auckland", "Australia/Lord_Howe"]


@given(
    st.sampled_from(TEXTS),
    st.sampled_from(ZONES),
    st.integers(0, 366 * 24 * 60),
    st.integers(1, 10),
    st.integers(1, 72),
    st.integers(1, 72),
)
def test_nobody_is_woken_and_everybody_can_come(text, zone, minute, days, after, before):
    """Against the plain meaning, over both changes of the clocks in the year."""
    ready = datetime(2026, 1, 1, tzinfo=UTC) + timedelta(minutes=minute)
    hours = OpeningHours(text, zone)
    until = promise.hold_until(ready, days, hours.open_intervals(ready, ready + 30 * DAY))
    openings = list(hours.open_intervals(ready, until))
    times = decent_times(ready, until, openings, ZoneInfo(zone))
    warning = warn_at(ready, until, before * HOUR, times, openings)
    reminder = remind_at(ready, after * HOUR, warning, times)
    by_day = [moment for moment in openings if decent_times(*moment, [moment], ZoneInfo(zone))]
    opens_by_day = any(
        time(9) <= (opens + n * 15 * timedelta(minutes=1)).astimezone(ZoneInfo(zone)).time() < time(20)
        for opens, closes in by_day
        for n in range(int((closes - opens) / timedelta(minutes=15)) + 1)
    )
    for moment in filter(None, (reminder, warning)):
        assert time(9) <= moment.astimezone(ZoneInfo(zone)).time() < time(20)
        assert hours.is_open(moment) or not opens_by_day
        assert ready < moment < until
    said = sorted(filter(None, (ready, reminder, warning)))
    assert all(later - sooner >= min(APART, after * HOUR) for sooner, later in pairwise(said))
    if reminder:
        assert reminder >= ready + after * HOUR
    if warning:
        left = sum((closes - max(opens, warning) for opens, closes in openings if closes > warning), timedelta())
        assert left >= TIME_TO_COME


class TestTheNightTheClocksChange:
    """An order at 23:00, a store that opens at nine, and a holiday between."""

    CASES = (
        ("2026-10-31 23:00", {}, "Sun 01 10:00", "Sun 08 17:00"),
        ("2026-10-31 23:00", {date(2026, 11, 1): "off"}, "Mon 02 10:00", "Mon 09 17:00"),
        ("2026-03-07 23:00", {}, "Sun 08 10:00", "Sun 15 17:00"),
        ("2026-03-07 23:00", {date(2026, 3, 8): "off"}, "Mon 09 10:00", "Mon 16 17:00"),
        ("2026-03-07 23:00", {date(2026, 3, 8): "12:00-12:30"}, "Mon 09 09:30", "Mon 16 17:00"),
    )

    @pytest.mark.parametrize(("placed", "special_days", "ready", "until"), CASES)
    def test_an_hour_of_work_is_an_hour_of_open_doors(self, placed, special_days, ready, until):
        hours = OpeningHours("Mo-Su 09:00-17:00", NEW_YORK, special_days=special_days)
        now = at(NEW_YORK, placed)
        promised = promise.ready_by(now, HOUR, hours.open_intervals(now, now + 14 * DAY))
        held = promise.hold_until(promised, 7, hours.open_intervals(promised, promised + 21 * DAY))
        assert (shown(NEW_YORK, promised), shown(NEW_YORK, held)) == (ready, until)
