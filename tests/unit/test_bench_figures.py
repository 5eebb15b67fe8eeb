"""The arithmetic of the benchmarks. Nothing here is timed."""

import math

import pytest

from tests.benchmarks.figures import Figure, at_least, at_most, exactly, percentile, ratio, table
from tests.benchmarks.instance import difference, ours
from tests.benchmarks.nearest import tenfolds


@pytest.mark.parametrize(
    ("part", "value"), [(0.0, 1), (0.5, 50), (0.99, 99), (0.991, 100), (1.0, 100)], ids=lambda each: str(each)
)
def test_a_percentile_is_one_of_the_values(part, value):
    assert percentile(list(range(100, 0, -1)), part) == value


def test_a_percentile_of_few_values_is_the_largest_and_of_none_is_no_number():
    assert percentile([3.0, 1.0], 0.99) == 3.0
    assert math.isnan(percentile([], 0.5))


def test_a_ratio_to_nothing_is_no_number_and_meets_no_goal():
    assert ratio(3, 2) == 1.5
    assert not at_most(2).is_met_by(ratio(1, 0))
    assert not at_least(0).is_met_by(ratio(1, 0))


def test_a_goal_is_met_at_its_limit():
    assert [at_most(1.2).is_met_by(value) for value in (1.1, 1.2, 1.3)] == [True, True, False]
    assert [at_least(0.35).is_met_by(value) for value in (0.34, 0.35, 0.36)] == [False, True, True]
    assert [exactly(500).is_met_by(value) for value in (499, 500, 501)] == [False, True, False]


def test_the_table_says_which_goals_are_missed():
    lines = table(
        [Figure("fast", 2.0, "×", at_most(3)), Figure("slow", 4, "s", at_most(3), "why"), Figure("x", 1, "s")]
    )
    assert [line.split() for line in lines.splitlines()[1:]] == [
        ["fast", "2.00", "×", "≤", "3", "yes"],
        ["slow", "4.00", "s", "≤", "3", "NO", "why"],
        ["x", "1.00", "s"],
    ]


def test_each_tenfold_is_a_step_from_the_one_before():
    assert tenfolds([1.0, 2.0, 3.0]) == [2.0, 1.5]


def test_the_mail_catcher_and_the_supervisor_are_not_in_the_sum():
    after = {"web": 5.0, "PostgreSQL": 3.0, "mail catcher": 9.0, "supervisor": 1.0, "relay": 0.5}
    cost = difference(after, {"web": 1.0, "PostgreSQL": 1.0, "mail catcher": 2.0})
    assert cost == {"web": 4.0, "PostgreSQL": 2.0, "mail catcher": 7.0, "supervisor": 1.0, "relay": 0.5}
    assert ours(cost) == 6.5
