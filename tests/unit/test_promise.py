"""The promise: never into a closed hour, never sooner than the work, never later than it must be."""

from datetime import UTC, datetime, timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from pickup.orders.promise import WORKING_DAY_MAX, hold_until, ready_by

MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
MONDAY = datetime(2026, 11, 2, tzinfo=UTC)


def daily(opens: int, closes: int, days: int = 14) -> list[tuple[datetime, datetime]]:
    return [(MONDAY + n * DAY + opens * HOUR, MONDAY + n * DAY + closes * HOUR) for n in range(days)]


class TestReadyBy:
    def test_while_open(self):
        assert ready_by(MONDAY + 10 * HOUR, HOUR, daily(9, 17)) == MONDAY + 11 * HOUR

    def test_before_opening_work_starts_at_the_door(self):
        assert ready_by(MONDAY + 7 * HOUR, HOUR, daily(9, 17)) == MONDAY + 10 * HOUR

    def test_what_is_not_done_at_closing_goes_on_next_day(self):
        assert ready_by(MONDAY + 16.5 * HOUR, HOUR, daily(9, 17)) == MONDAY + DAY + 9.5 * HOUR

    def test_several_days_of_work(self):
        assert ready_by(MONDAY + 9 * HOUR, 20 * HOUR, daily(9, 17)) == MONDAY + 2 * DAY + 13 * HOUR

    def test_done_at_the_instant_of_closing_is_promised_for_the_next_opening(self):
        assert ready_by(MONDAY + 16 * HOUR, HOUR, daily(9, 17)) == MONDAY + DAY + 9 * HOUR

    def test_a_minute_before_closing_is_a_promise(self):
        assert ready_by(MONDAY + 16 * HOUR, 59 * MINUTE, daily(9, 17)) == MONDAY + 16 * HOUR + 59 * MINUTE

    def test_no_preparation_is_now_or_the_next_opening(self):
        assert ready_by(MONDAY + 10 * HOUR, timedelta(), daily(9, 17)) == MONDAY + 10 * HOUR
        assert ready_by(MONDAY + 17 * HOUR, timedelta(), daily(9, 17)) == MONDAY + DAY + 9 * HOUR

    def test_nothing_in_sight(self):
        assert ready_by(MONDAY, HOUR, []) is None
        assert ready_by(MONDAY, 9 * HOUR, daily(9, 17, days=1)) is None

    def test_openings_of_the_past_count_for_nothing(self):
        assert ready_by(MONDAY + 5 * DAY, HOUR, daily(9, 17)) == MONDAY + 5 * DAY + 10 * HOUR

    def test_reads_no_further_than_it_must(self):
        openings = iter(daily(9, 17))
        ready_by(MONDAY, HOUR, openings)
        assert next(openings) == daily(9, 17)[1]


@st.composite
def openings(draw):
    """Openings in order that do not touch, in whole minutes."""
    marks = draw(st.lists(st.integers(0, 5000), unique=True, max_size=16).map(sorted))
    return [
        (MONDAY + opens * MINUTE, MONDAY + closes * MINUTE)
        for opens, closes in zip(marks[::2], marks[1::2], strict=False)
    ]


@settings(deadline=None)
@given(openings(), st.integers(-10, 5000), st.integers(0, 600))
def test_a_promise_counts_every_open_minute_and_no_other(openings, now, prep):
    """Against the plain definition: walk minute by minute, work while it is open, stop at an open minute."""
    minute, left = MONDAY + now * MINUTE, prep
    expected = None
    while minute < MONDAY + 5001 * MINUTE:
        is_open = any(opens <= minute < closes for opens, closes in openings)
        if is_open and left == 0:
            expected = minute
            break
        left -= is_open
        minute += MINUTE
    assert ready_by(MONDAY + now * MINUTE, prep * MINUTE, openings) == expected


class TestHoldUntil:
    def test_to_the_closing_of_the_last_day_that_begins_within_the_hold(self):
        assert hold_until(MONDAY + 12 * HOUR, 7, daily(9, 17)) == MONDAY + 7 * DAY + 17 * HOUR

    def test_a_day_that_begins_after_the_hold_does_not_count(self):
        assert hold_until(MONDAY + 8 * HOUR, 7, daily(9, 17)) == MONDAY + 6 * DAY + 17 * HOUR

    def test_an_opening_at_the_very_end_of_the_hold_does_not_count(self):
        assert hold_until(MONDAY + 9 * HOUR, 7, daily(9, 17)) == MONDAY + 6 * DAY + 17 * HOUR

    def test_always_open_is_to_the_minute(self):
        ready = MONDAY + 12 * HOUR + 34 * MINUTE
        assert hold_until(ready, 7, [(ready, ready + 100 * DAY)]) == ready + 7 * DAY
        assert hold_until(ready, 7, [(ready, ready + 7 * DAY + WORKING_DAY_MAX)]) == ready + 7 * DAY

    def test_always_open_but_for_a_holiday_is_to_the_minute_too(self):
        always = [(MONDAY, MONDAY + 3 * DAY), (MONDAY + 4 * DAY, MONDAY + 8 * DAY)]
        assert hold_until(MONDAY, 7, always) == MONDAY + 7 * DAY

    def test_a_night_that_runs_past_the_hold_is_held_to_its_end(self):
        night = [(MONDAY + 6 * DAY + 22 * HOUR, MONDAY + 7 * DAY + 2 * HOUR)]
        assert hold_until(MONDAY, 7, night) == MONDAY + 7 * DAY + 2 * HOUR

    def test_closed_for_the_whole_hold(self):
        assert hold_until(MONDAY, 2, daily(9, 17)[5:]) == MONDAY + 2 * DAY
        assert hold_until(MONDAY, 2, []) == MONDAY + 2 * DAY
