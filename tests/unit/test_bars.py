"""The plot of bars: nothing is drawn outside of it, and its words have room."""

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pickup.management.bars import (
    BAR_HEIGHT_MIN,
    BOTTOM,
    CHARACTER_WIDTH,
    LEFT,
    RIGHT,
    TOP,
    Group,
    Series,
    draw_bars,
)
from pickup.management.dashboard import day_groups, minutes_words, share
from pickup.management.period import Period

counts = st.integers(0, 10_000_000)


def groups(number):
    return [Group(f"{each} Nov", f"day {each}") for each in range(number)]


def test_a_bar_is_as_high_as_its_count_is():
    plot = draw_bars(groups(3), [Series("orders", [5, 0, 10], ["first"])])

    first, last = plot.bars
    assert last.height == pytest.approx(2 * first.height, abs=0.11)
    assert [first.words, last.words] == ["day 0: 5 orders", "day 2: 10 orders"]
    assert plot.counts[0].words == "0"


def test_one_of_very_many_is_still_seen():
    plot = draw_bars(groups(2), [Series("orders", [1, 1_000_000], ["first"])])

    assert plot.bars[0].height == BAR_HEIGHT_MIN


def test_series_stand_side_by_side_each_with_its_look():
    plot = draw_bars(groups(2), [Series("placed", [1, 2], ["first"]), Series("collected", [3, 4], ["second"])])

    assert [bar.look for bar in plot.bars] == ["first", "second", "first", "second"]
    lefts = [bar.x for bar in plot.bars]
    assert lefts == sorted(lefts)


def test_words_between_groups_stand_where_one_ends_and_the_next_begins():
    plot = draw_bars(groups(4), [Series("orders", [1, 1, 1, 1], ["good"])], edges=("−15", "0", "15"), divider=2)

    assert [mark.words for mark in plot.labels] == ["−15", "0", "15"]
    assert plot.divider_x == plot.labels[1].at == (LEFT + RIGHT) / 2


@given(
    st.integers(1, 62).flatmap(
        lambda number: st.lists(st.lists(counts, min_size=number, max_size=number), min_size=1, max_size=2)
    )
)
def test_nothing_leaves_the_box_and_no_words_lie_on_each_other(figures):
    plot = draw_bars(groups(len(figures[0])), [Series("orders", each, ["first"]) for each in figures])

    for bar in plot.bars:
        assert bar.x >= LEFT - 0.1
        assert bar.x + bar.width <= RIGHT + 0.1
        assert bar.y >= TOP - 0.1
        assert bar.y + bar.height == pytest.approx(BOTTOM, abs=0.11)
    for mark, following in zip(plot.labels, plot.labels[1:], strict=False):
        assert following.at - mark.at > max(len(mark.words), len(following.words)) * CHARACTER_WIDTH
    assert len(plot.bars) == sum(count > 0 for each in figures for count in each)


# What it is drawn from


@given(st.dates(date(2000, 1, 1), date(2100, 1, 1)), st.integers(0, 365))
def test_every_day_is_in_one_group(first, more):
    period = Period(first, first + timedelta(days=more))

    made = day_groups(period)

    assert [day for _, days in made for day in days] == [first + timedelta(days=each) for each in range(period.days)]
    assert len(made) <= 62


@pytest.mark.parametrize(
    ("part", "whole", "words"),
    [(0, 0, "–"), (0, 5, "0%"), (5, 5, "100%"), (1, 3, "33%"), (999, 1000, "99%"), (1, 1000, "1%")],
)
def test_all_and_nothing_are_said_only_of_all_and_nothing(part, whole, words):
    assert share(part, whole) == words


@pytest.mark.parametrize(
    ("minutes", "words"),
    [(None, "–"), (0, "under 1 min"), (0.7, "1 min"), (59.6, "1 h"), (12.2, "12 min"), (95, "1 h 35 min")],
)
def test_minutes_are_said_as_people_do(minutes, words):
    assert minutes_words(minutes) == words.replace(" ", "\u00a0")
