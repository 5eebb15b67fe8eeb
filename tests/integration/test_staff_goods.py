"""Goods at the counter without a browser: who may say that they are missing, sent or here, and what is answered."""

import re
from typing import get_args

import pytest

from pickup.core.db import unit_of_work
from pickup.inventory.models import TRANSFER_STATUSES
from pickup.inventory.reconciliation import differences
from pickup.inventory.transfers import transfers_of
from pickup.orders.lifecycle import STATUSES, TRANSITIONS
from pickup.orders.routing import POLICIES, Verdict
from pickup.staff import presenting, service, transfer_cards, why_here
from tests.tablet import Tablet


@pytest.fixture
def stores(world):
    """The near store has no B, the far one has it; Ana works here, Bo there, Cy at a third."""
    near, far, third = world.store("near", name="Rogers"), world.store("far", lat=36.6), world.store("third", lat=37)
    a, b = world.product("A", name="Milk"), world.product("B", name="Cheese")
    world.stock(near, a, 20)
    world.stock(far, b, 20)
    with unit_of_work():
        for store_ref, name, pin in (("near", "Ana", "1111"), ("far", "Bo", "2222"), ("third", "Cy", "3333")):
            service.create_member(store_ref=store_ref, name=name, role="associate", pin=pin)
    return {"near": near, "far": far, "third": third, "a": a, "b": b}


@pytest.fixture
def tablets(app, stores):
    made = {}
    for ref, pin in (("near", "1111"), ("far", "2222"), ("third", "3333")):
        made[ref] = Tablet(app)
        made[ref].sign_in(ref, pin)
    return made


@pytest.fixture
def picking(world, shop, tablets):
    def make(items, **extra):
        order = world.place(shop, items, {"store_ref": "near"}, **extra)
        world.work()
        tablets["near"].post(f"/staff/orders/{order.id}/start-picking")
        tablets["near"].get("/staff")
        return order

    return make


@pytest.fixture
def sent_for(world, shop, tablets):
    def make(items):
        order = world.place(shop, items, {"store_ref": "near"})
        world.work()
        (transfer,) = transfers_of([order.id])
        return order, transfer.id

    return make


def missing(order, product):
    return f"/staff/orders/{order.id}/lines/{product.id}/missing"


def after(tablet, answer):
    """What the page says after a form was sent."""
    assert answer.status_code == 303, answer.text
    text = tablet.get(answer.location.partition("#")[0]).text
    (words,) = re.findall(r'<p class="toast \w+">(.*?)</p>', text)
    return words


def status_of(order_id):
    return [each.status for each in transfers_of([order_id])]


# Short picks


def test_a_second_tap_does_not_count_twice(tablets, stores, world, picking):
    order, tablet = picking({"A": 5}), tablets["near"]
    for _ in range(2):
        answer = tablet.post(missing(order, stores["a"]), missing=1, expected=5)
        assert after(tablet, answer) == f"Order {order.number} goes on with 4 of 5 Milk. It now costs $14.36."
    assert world.order(order.id).lines[0].short == 1
    assert differences() == []


@pytest.mark.parametrize("number", ["", "0", "-1", "6", "x", "9" * 30])
def test_a_number_that_cannot_be_changes_nothing(tablets, stores, world, picking, number):
    order = picking({"A": 5})
    answer = tablets["near"].post(missing(order, stores["a"]), missing=number, expected=5)
    assert answer.status_code == 422
    assert answer.content_type.startswith("text/html")
    assert world.order(order.id).lines[0].short == 0


def test_only_of_ones_own_orders(tablets, stores, world, picking):
    order = picking({"A": 5})
    for tablet in (tablets["far"], tablets["third"]):
        assert tablet.get(missing(order, stores["a"])).status_code == 404
        assert tablet.post(missing(order, stores["a"]), missing=1, expected=5).status_code == 404
    assert tablets["near"].get(missing(order, stores["b"])).status_code == 404
    forged = tablets["near"].post(missing(order, stores["a"]), missing=1, expected=5, csrf_token="forged")
    assert forged.status_code == 403
    assert world.order(order.id).lines[0].short == 0


def test_who_comes_too_late_is_told_what_became_of_it(tablets, stores, shop, picking):
    order, tablet = picking({"A": 5}, if_short="move"), tablets["near"]
    shop.post(f"/v1/orders/{order.id}/cancel")
    answer = tablet.post(missing(order, stores["a"]), missing=1, expected=5)
    assert f"Order {order.number} is cancelled at " in after(tablet, answer)
    assert f"Order {order.number} is cancelled at " in after(tablet, tablet.get(missing(order, stores["a"])))


def test_the_age_of_what_was_not_found_is_not_asked(tablets, stores, world, picking):
    wine = world.product("WINE", minimum_age=21)
    world.stock(stores["near"], wine, 5)
    order, tablet = picking({"A": 1, "WINE": 1}), tablets["near"]
    tablet.post(missing(order, wine), missing=1, expected=1)
    assert "Ask for the age" not in tablet.get(f"/staff/orders/{order.id}").text
    tablet.post(f"/staff/orders/{order.id}/ready")
    assert "Hand out now" in tablet.hand_over(order.pickup_code)


# Transfers


def test_only_the_source_sends_and_only_the_destination_takes_in(tablets, stores, sent_for):
    order, transfer_id = sent_for({"B": 2})
    paths = {
        "sent": f"/staff/transfers/{transfer_id}/sent",
        "arrived": f"/staff/transfers/{transfer_id}/arrived",
        "missing": f"/staff/transfers/{transfer_id}/lines/{stores['b'].id}/missing",
    }
    strangers = {"sent": ("near", "third"), "missing": ("near", "third"), "arrived": ("far", "third")}
    for step, refs in strangers.items():
        for ref in refs:
            assert tablets[ref].post(paths[step], missing=1).status_code == 404, (step, ref)
    assert tablets["third"].get(paths["missing"]).status_code == 404
    assert tablets["far"].post(paths["sent"], csrf_token="forged").status_code == 403
    for number in (transfer_id + 1, 2**63, 2**70):
        assert tablets["far"].post(f"/staff/transfers/{number}/sent").status_code == 404
    assert status_of(order.id) == ["requested"]
    assert tablets["far"].get(f"/staff/orders/{order.id}").status_code == 404


def test_what_was_done_already_is_answered_calmly(tablets, stores, sent_for):
    order, transfer_id = sent_for({"B": 2})
    far, near, path = tablets["far"], tablets["near"], f"/staff/transfers/{transfer_id}"
    assert after(far, far.post(f"{path}/sent")) == f"The goods for order {order.number} are on their way to Rogers."
    assert after(far, far.post(f"{path}/sent")) == f"The goods for order {order.number} are sent already."
    too_late = far.post(f"{path}/lines/{stores['b'].id}/missing", missing=1)
    assert after(far, too_late) == f"The goods for order {order.number} are sent already."
    assert after(far, far.get(f"{path}/lines/{stores['b'].id}/missing")).endswith("are sent already.")
    assert "is complete" in after(near, near.post(f"{path}/arrived"))
    assert after(near, near.post(f"{path}/arrived")) == f"The goods for order {order.number} are received already."
    assert differences() == []


def test_what_arrives_first_waits_for_the_rest(tablets, stores, world, shop):
    c = world.product("C")
    world.stock(stores["third"], c, 5)
    order = world.place(shop, {"B": 1, "C": 1}, {"store_ref": "near"})
    world.work()
    near = tablets["near"]
    first, second = (each.id for each in transfers_of([order.id]))
    assert "still waits for others" in after(near, near.post(f"/staff/transfers/{first}/arrived"))
    assert "is complete" in after(near, near.post(f"/staff/transfers/{second}/arrived"))
    assert world.order(order.id).history[-1].actor_name == "Ana"


def test_what_nobody_else_can_send_ends_the_order(tablets, stores, world, sent_for):
    order, transfer_id = sent_for({"B": 2})
    far, path = tablets["far"], f"/staff/transfers/{transfer_id}/lines/{stores['b'].id}/missing"
    assert after(far, far.post(path, missing=2)).startswith(f"Order {order.number} is cancelled: nobody else has it.")
    assert (world.order(order.id).status, status_of(order.id)) == ("cancelled", ["cancelled"])
    assert after(far, far.post(path, missing=2)).endswith("are not to be sent any more.")


def test_the_customer_is_no_business_of_who_sends(tablets, sent_for):
    order, _ = sent_for({"B": 2})
    text = tablets["far"].get("/staff").text
    assert f"For order {order.number}" in text
    assert "Ada" not in text
    assert order.pickup_code not in text


# Words


def test_there_are_words_for_everything_that_can_happen():
    assert set(STATUSES) <= presenting.STATUS_WORDS.keys()
    assert TRANSITIONS.keys() <= presenting.ACTION_WORDS.keys()
    assert set(get_args(Verdict)) == why_here.VERDICT_WORDS.keys()
    assert POLICIES.keys() == why_here.POLICY_WORDS.keys()
    assert set(TRANSFER_STATUSES) == transfer_cards.STATUS_WORDS.keys() == transfer_cards.OUTCOME_WORDS.keys()


def test_why_here_in_words(world, shop, stores):
    order = world.place(shop, {"B": 1, "A": 1}, {"near": {"lat": 36.3728, "lon": -94.2088}})
    world.work()
    why = why_here.why_here(world.order(order.id))
    assert why.rule == "The nearest store that can have it ready."
    assert why.is_sent_for
    assert [(each.ref, each.words) for each in why.stores][:2] == [
        ("near", "chosen"),
        ("far", "not everything on the shelf"),
    ]
    assert [each.distance for each in why.stores][:2] == ["0.0 mi", "16 mi"]
