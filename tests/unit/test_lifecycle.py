"""The table of the order's life: whole, and free of contradictions."""

from typing import get_args

from pickup.core.types import ActorKind
from pickup.orders.lifecycle import FINAL, INITIAL, STATUSES, TRANSITIONS, actions_from
from pickup.subscriptions import SUBSCRIPTIONS


def test_every_status_is_reached_from_the_first():
    reached = {INITIAL}
    while more := {row.target for row in TRANSITIONS.values() if row.sources & reached} - reached:
        reached |= more

    assert reached == set(STATUSES)


def test_every_order_can_end():
    for status in set(STATUSES) - FINAL:
        ends = {status}
        while more := {row.target for row in TRANSITIONS.values() if row.sources & ends} - ends:
            ends |= more
        assert ends & FINAL, status


def test_nothing_leads_out_of_an_end():
    assert not [row for row in TRANSITIONS.values() if row.sources & FINAL]


def test_goods_are_released_or_consumed_exactly_once():
    holding = {"in_transit", "reserved", "picking", "ready"}
    for row in TRANSITIONS.values():
        if row.target in FINAL and row.sources & holding:
            assert row.stock in {"release", "consume"}, row.action


def test_money_follows_every_end():
    assert {row.money for row in TRANSITIONS.values() if row.target in FINAL} == {"capture", "void_or_refund"}


def test_every_event_has_a_place_in_the_subscriptions():
    assert {row.event for row in TRANSITIONS.values() if row.event} <= SUBSCRIPTIONS.keys()


def test_allowed_actions_come_from_the_table():
    assert actions_from("ready", "staff") == ["extend_hold", "hand_over", "cancel"]
    assert actions_from("collected", "staff") == []
    assert {kind for row in TRANSITIONS.values() for kind in row.actors} <= set(get_args(ActorKind))
