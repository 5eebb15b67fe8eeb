"""The steps of an order as its customer counts them."""

from datetime import UTC, datetime, timedelta

import pytest

from pickup.customer.timeline import present_timeline
from pickup.orders.models import Order, OrderHistory
from pickup.stores.models import Store

NOON = datetime(2026, 3, 2, 18, 0, tzinfo=UTC)  # in Bentonville


def steps_of(*statuses):
    """The names of the steps that were taken, with their times; the present one; and those to come."""
    history = [OrderHistory(at=NOON + timedelta(minutes=minute), to_status=to) for minute, to in enumerate(statuses)]
    order = Order(status=statuses[-1], history=history, store=Store(timezone="America/Chicago"))
    steps = present_timeline(order, now=NOON)
    (present,) = [step for step in steps if step.is_current]
    taken = {step.name: step.time for step in steps if step.at}
    assert [step.name for step in steps if step.is_done] == [name for name in taken if name != present.name]
    return taken, present.name, [step.name for step in steps if not step.at]


LATER = ["Being packed", "Ready to collect", "Collected"]


@pytest.mark.parametrize("statuses", [("awaiting_payment",), ("awaiting_payment", "placed")])
def test_ordered(statuses):
    assert steps_of(*statuses) == ({"Ordered": "12:00"}, "Ordered", ["Set aside for you", *LATER])


def test_all_the_way():
    assert steps_of("awaiting_payment", "placed", "reserved", "picking", "picking", "ready", "collected") == (
        {
            "Ordered": "12:00",
            "Set aside for you": "12:02",
            "Being packed": "12:03",
            "Ready to collect": "12:05",
            "Collected": "12:06",
        },
        "Collected",
        [],
    )


def test_goods_from_elsewhere_are_a_step_only_where_there_are_some():
    taken, present, to_come = steps_of("placed", "in_transit")
    assert (list(taken), present) == (["Ordered", "On its way to the store"], "On its way to the store")
    assert to_come == ["Set aside for you", *LATER]
    taken, *_ = steps_of("placed", "in_transit", "reserved")
    assert list(taken) == ["Ordered", "On its way to the store", "Set aside for you"]


def test_where_the_store_could_not_keep_its_word_it_begins_anew():
    taken, present, to_come = steps_of("placed", "in_transit", "reserved", "picking", "placed", "reserved")
    assert taken == {"Ordered": "12:00", "Set aside for you": "12:05"}
    assert (present, to_come) == ("Set aside for you", LATER)


@pytest.mark.parametrize(("end", "words"), [("cancelled", "Cancelled"), ("expired", "Back on the shelf")])
def test_what_is_over_has_nothing_to_come(end, words):
    taken, present, to_come = steps_of("placed", "reserved", "picking", "ready", end)
    assert list(taken) == ["Ordered", "Set aside for you", "Being packed", "Ready to collect", words]
    assert (present, to_come) == (words, [])
