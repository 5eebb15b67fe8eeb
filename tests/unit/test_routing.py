"""Routing: a verdict on every store, and one plan by the policy."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from pickup.orders.routing import POLICIES, Candidate, Plan, choose, choose_with_transfers
from pickup.orders.sourcing import Source

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
FINE = Candidate(store_id=1, ref="1", distance_m=100)


def at(store_id, **values):
    return replace(FINE, store_id=store_id, ref=str(store_id), **values)


def at_noon(candidate):
    return Plan(candidate, NOON)


def verdicts(route):
    return [each.verdict for each in route.considered]


def chosen(route):
    return route.plan and route.plan.candidate.store_id


def test_the_first_that_can_is_chosen_and_the_rest_is_not_looked_at():
    def candidates():
        yield at(1, has_all=False)
        yield at(2, takes_orders=False)
        yield at(3, has_room=False)
        yield at(4)
        raise AssertionError("looked too far")

    route = choose(candidates(), at_noon, "nearest")

    assert verdicts(route) == ["not_enough_stock", "paused", "at_capacity", "chosen"]
    assert (chosen(route), route.plan.ready_by, route.policy) == (4, NOON, "nearest")


def test_a_store_that_never_opens_is_closed():
    route = choose([at(1), at(2)], lambda candidate: at_noon(candidate) if candidate.store_id == 2 else None, "nearest")

    assert verdicts(route) == ["closed", "chosen"]


def test_nobody_is_asked_for_a_promise_that_cannot_be_kept():
    choose([at(1, has_all=False)], lambda candidate: pytest.fail("asked"), "nearest")


def test_no_candidate_no_route():
    assert choose([], at_noon, "nearest").plan is None


def test_too_far_goes_before_every_other_verdict():
    route = choose([at(1, in_reach=False, takes_orders=False, has_all=False)], at_noon, "nearest")

    assert verdicts(route) == ["too_far"]


@pytest.mark.parametrize(
    ("candidate", "verdict"),
    [
        (at(1, lost=True), "reservation_lost"),
        (at(1, lost=True, has_all=False), "reservation_lost"),
        (at(1, lost=True, has_room=False), "at_capacity"),
        (at(1, lost=True, takes_orders=False), "paused"),
    ],
)
def test_why_a_race_was_lost(candidate, verdict):
    assert verdicts(choose([candidate], at_noon, "nearest")) == [verdict]


def test_balance_takes_the_one_with_the_least_to_do_and_says_who_was_passed_over():
    loads = {1: 0.9, 2: 0.1, 3: 0.1}
    route = choose(
        [at(1), at(2), at(3)], lambda candidate: Plan(candidate, NOON, load=loads[candidate.store_id]), "balance"
    )

    assert (chosen(route), verdicts(route)) == (2, ["passed_over", "chosen", "passed_over"])


def test_where_no_shelf_has_it_all_the_nearest_is_sent_what_it_lacks():
    route = choose([at(1, takes_orders=False), at(2, has_all=False), at(3, has_all=False)], at_noon, "nearest")
    sent = choose_with_transfers(route, lambda candidate: Plan(candidate, NOON, (Source(9, {5: 1}, NOON),)))

    assert (chosen(sent), verdicts(sent)) == (2, ["paused", "chosen", "not_enough_stock"])
    assert sent.plan.transfers == 1


def test_the_fewest_transfers_go_before_the_shortest_way():
    needed = {1: 2, 2: 1, 3: 1}

    def plan_for(candidate):
        return Plan(candidate, NOON, tuple(Source(9 + n, {5: 1}, NOON) for n in range(needed[candidate.store_id])))

    short = choose([at(1, has_all=False), at(2, has_all=False), at(3, has_all=False)], at_noon, "fewest_transfers")

    assert chosen(choose_with_transfers(short, plan_for)) == 2


@pytest.mark.parametrize("policy", POLICIES)
def test_every_policy_leaves_no_plan_where_there_is_none(policy):
    route = choose([at(1, has_all=False)], at_noon, policy)

    assert choose_with_transfers(route, lambda candidate: None).plan is None
