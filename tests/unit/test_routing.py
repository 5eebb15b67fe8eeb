"""Routing: the first store without a refusal, and a verdict on each before it."""

from dataclasses import replace
from datetime import UTC, datetime

from pickup.orders.routing import Candidate, choose

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
FINE = Candidate(store_id=1, ref="1", distance_m=100, paused=False, has_all=True)


def test_the_first_that_can_is_chosen_and_the_rest_is_not_looked_at():
    def candidates():
        yield replace(FINE, store_id=1, has_all=False)
        yield replace(FINE, store_id=2, paused=True)
        yield replace(FINE, store_id=3)
        raise AssertionError("looked too far")

    route = choose(candidates(), lambda candidate: NOON)

    assert [each.verdict for each in route.considered] == ["not_enough_stock", "paused", "chosen"]
    assert route.chosen is not None
    assert (route.chosen.store_id, route.ready_by) == (3, NOON)


def test_a_store_that_never_opens_is_closed():
    route = choose([FINE, replace(FINE, store_id=2)], lambda candidate: NOON if candidate.store_id == 2 else None)

    assert [each.verdict for each in route.considered] == ["closed", "chosen"]


def test_nobody_is_asked_for_a_promise_that_cannot_be_kept():
    asked = []

    choose([replace(FINE, has_all=False)], lambda candidate: asked.append(candidate))  # type: ignore[func-returns-value]

    assert asked == []


def test_no_candidate_no_route():
    assert choose([], lambda candidate: NOON).chosen is None


def test_too_far_goes_before_every_other_verdict():
    route = choose([replace(FINE, in_reach=False, paused=True, has_all=False)], lambda candidate: NOON)

    assert [each.verdict for each in route.considered] == ["too_far"]
