"""The plot of a price: what the line is, where the marks of its axes are, and that words do not lie on each other."""

import re
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pickup.management.axes import AMOUNT_TICKS_MAX, TIME_TICKS_MAX, amount_ticks, time_ticks
from pickup.management.period import Period, read_period, usual_period
from pickup.management.plot import (
    BOTTOM,
    LEFT,
    RIGHT,
    TOP,
    Breach,
    Entry,
    Figures,
    Sold,
    Step,
    draw,
    price_steps,
)

START = datetime(2026, 11, 1, tzinfo=UTC)
DAY = timedelta(days=1)


def day(number):
    return START + number * DAY


def steps(*entries):
    return [
        (step.since, step.until, step.amount)
        for step in price_steps([Entry(*entry) for entry in entries], since=day(0), until=day(10))
    ]


def figures(*steps_drawn, now=day(5), **others):
    return Figures(day(0), day(10), now, [Step(*step) for step in steps_drawn], **others)


def words_of(amount):
    return f"${amount / 100:,.2f}"


# The line


def test_a_price_holds_until_the_next():
    assert steps((day(-9), 1, False, 100), (day(4), 2, False, 120)) == [
        (day(0), day(4), 100),
        (day(4), day(10), 120),
    ]


def test_nothing_holds_before_the_first_price():
    assert steps((day(3), 1, False, 100)) == [(day(3), day(10), 100)]
    assert steps() == []


def test_of_two_for_the_same_instant_the_later_entry_counts():
    assert steps((day(2), 7, False, 90), (day(2), 5, False, 80)) == [(day(2), day(10), 90)]


def test_a_price_of_the_zone_ends_those_of_everywhere():
    entries = [(day(-1), 1, False, 100), (day(3), 2, True, 110), (day(5), 3, False, 90), (day(7), 4, True, 105)]

    assert steps(*entries) == [(day(0), day(3), 100), (day(3), day(7), 110), (day(7), day(10), 105)]
    assert steps(*entries, (day(-5), 9, True, 95)) == [
        (day(0), day(3), 95),
        (day(3), day(7), 110),
        (day(7), day(10), 105),
    ]


def test_the_line_is_solid_until_now_and_dashed_from_then_on():
    plot = draw(figures((day(0), day(10), 100)), words_of)

    middle = (LEFT + RIGHT) / 2
    (y,) = set(re.findall(r"M\S+ (\S+)", plot.past + plot.future))
    assert (plot.past, plot.future, plot.now_x) == (
        f"M{float(LEFT)} {y} H{middle}",
        f"M{middle} {y} H{float(RIGHT)}",
        middle,
    )


def test_the_line_is_broken_where_a_price_cannot_be_drawn():
    plot = draw(figures((day(0), day(1), 100), (day(1), day(2), None), (day(2), day(4), 100)), words_of)

    assert plot.past.count("M") == 2


def test_a_time_that_is_over_has_no_now():
    plot = draw(figures((day(0), day(10), 100), now=day(20)), words_of)

    assert (plot.now_x, plot.future) == (None, "")


# The axes


@pytest.mark.parametrize(
    ("days", "ticks"),
    [
        (0.5, ["01 00", "01 03", "01 06"]),
        (3, ["01 00", "01 12", "02 00"]),
        (7, ["01 00", "02 00", "03 00"]),
        (45, ["02 00", "09 00", "16 00"]),
    ],
)
def test_times_are_round(days, ticks):
    found = time_ticks(START, START + timedelta(days=days))

    assert [f"{at:%d %H}" for at in found[:3]] == ticks


def test_weeks_begin_with_mondays_and_years_are_months():
    assert {at.weekday() for at in time_ticks(day(0), day(40))} == {0}
    assert {at.day for at in time_ticks(day(0), day(366))} == {1}


@given(st.integers(1, 366 * 24), st.integers(0, 24 * 400))
def test_there_are_some_times_and_not_too_many(hours, offset):
    since = START + timedelta(hours=offset)
    until = since + timedelta(hours=hours)
    found = time_ticks(since, until)

    assert 1 <= len(found) <= TIME_TICKS_MAX
    assert all(since <= at <= until for at in found)


@given(st.integers(0, 2**53), st.integers(0, 2**53))
def test_amounts_are_round_few_and_around_what_is_shown(one, other):
    low, high = sorted((one, other))
    found = amount_ticks(low, high)

    assert found[0] <= low <= high <= found[-1]
    assert found[0] < found[-1]
    assert found[0] >= 0
    assert len(found) <= AMOUNT_TICKS_MAX + 2
    assert {str(b - a).strip("0") for a, b in pairwise(found)} <= {"1", "2", "5"}


# Sales and breaches


def test_the_larger_a_sale_the_larger_its_dot_and_small_ones_lie_above():
    sold = [Sold("till", day(2), 100, 1, 1), Sold("online", day(3), 100, 400, 9), Sold("till", day(4), 100, 100, 1)]
    plot = draw(figures((day(0), day(10), 100), sold=sold), words_of)

    assert [dot.sold.units for dot in plot.dots] == [400, 100, 1]
    assert plot.dots[0].radius > plot.dots[1].radius > plot.dots[2].radius > 2
    assert {dot.y for dot in plot.dots} == {float(re.findall(r"M\S+ (\S+)", plot.past)[0])}


def test_a_breach_says_what_was_charged_and_what_the_ledger_says():
    breaches = [Breach(day(3), 120, 100), Breach(day(7), 110, None)]
    plot = draw(figures((day(0), day(6), 100), breaches=breaches), words_of)

    assert {label.words for label in plot.labels if label.is_breach} == {"$1.20, not $1.00", "$1.10, no price"}
    first, second = plot.crosses
    assert first.y < second.y < first.ledger_y
    assert second.ledger_y is None


def test_the_same_breach_is_said_once_and_marked_each_time():
    breaches = [Breach(day(number), 120, 100) for number in (7, 5, 3)]
    plot = draw(figures((day(0), day(10), 100), breaches=breaches), words_of)

    assert (len(plot.crosses), [label.words for label in plot.labels if label.is_breach]) == (3, ["$1.20, not $1.00"])


AMOUNTS, HOURS = st.integers(0, 10**7), st.integers(0, 239)


@given(st.lists(st.tuples(HOURS, AMOUNTS, AMOUNTS), max_size=30), st.lists(AMOUNTS, min_size=1, max_size=20))
def test_everything_is_inside_and_no_words_lie_on_others(breaches, prices):
    changes = [Entry(day(0) + number * DAY / 2, number, False, amount) for number, amount in enumerate(prices)]
    drawn = Figures(
        day(0),
        day(10),
        day(5),
        price_steps(changes, since=day(0), until=day(10)),
        breaches=[Breach(START + timedelta(hours=hour), charged, ledger) for hour, charged, ledger in breaches],
    )
    plot = draw(drawn, words_of)

    assert all(LEFT <= cross.x <= RIGHT and TOP <= cross.y <= BOTTOM for cross in plot.crosses)
    boxes = []
    for label in plot.labels:
        width = len(label.words) * 7
        left = label.x - {"start": 0, "middle": width / 2, "end": width}[label.anchor]
        boxes.append((left, label.y - 10, left + width, label.y))
    for number, (left, top, right, bottom) in enumerate(boxes):
        assert left >= LEFT
        assert right <= RIGHT
        for other in boxes[:number]:
            assert left >= other[2] or other[0] >= right or top >= other[3] or other[1] >= bottom


# The days


def test_the_usual_days_have_what_is_ahead():
    today = date(2026, 11, 22)

    assert usual_period(today, None) == Period(date(2026, 10, 23), today)
    assert usual_period(today, date(2026, 11, 27)).last == date(2026, 11, 28)
    assert usual_period(today, date(2026, 12, 6)).last == date(2026, 12, 6)


def test_days_are_read_and_those_left_out_are_as_usual():
    usual = Period(date(2026, 10, 23), date(2026, 11, 22))

    assert read_period("", "", usual) == usual
    assert read_period("2026-11-01", "", usual) == Period(date(2026, 11, 1), usual.last)
    assert read_period("2026-11-22", "2026-11-22", usual).until - usual.until == timedelta()


@pytest.mark.parametrize(
    ("first", "last"),
    [
        ("x", ""),
        ("", "2026-02-30"),
        ("2026-12-01", ""),
        ("", "9999-12-31"),
        ("0001-01-01", "0001-01-02"),
        ("2020-01-01", ""),
    ],
)
def test_what_are_no_days_is_refused(first, last):
    with pytest.raises(ValueError, match=r"."):
        read_period(first, last, Period(date(2026, 10, 23), date(2026, 11, 22)))
