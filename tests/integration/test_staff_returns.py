"""Goods that come back over the counter, without a browser: who may take them, and what is answered."""

import re

import pytest

from pickup.core.db import db, unit_of_work
from pickup.inventory.reconciliation import differences
from pickup.orders.models import Return
from pickup.payments.queries import payment_of
from pickup.staff import service
from tests.tablet import Tablet


@pytest.fixture
def store(world):
    made = world.store("1", name="Rogers")
    world.store("2", lat=36.9)
    with unit_of_work():
        for ref, name, role, pin in (
            ("1", "Ana", "associate", "1234"),
            ("1", "Max", "manager", "998877"),
            ("2", "Bea", "manager", "4321"),
        ):
            service.create_member(store_ref=ref, name=name, role=role, pin=pin)
    return made


@pytest.fixture
def milk(world, store):
    made = world.product("A", name="Milk", price=100)
    world.stock(store, made, 20)
    return made


@pytest.fixture
def collected(world, shop, milk):
    order = world.collect(world.place(shop, {"A": 3}))
    world.work()
    return order


@pytest.fixture
def manager(app, store):
    return signed_in(app, "1", "998877")


def signed_in(app, store, pin):
    tablet = Tablet(app)
    tablet.sign_in(store, pin)
    return tablet


def take_back(tablet, order, milk, units, *, expected=0, restock=True, **form):
    fields = {f"units-{milk.id}": units, "expected": expected} | ({"restock": "on"} if restock else {}) | form
    return tablet.post(f"/staff/orders/{order.id}/returns", **fields)


def after(tablet, answer):
    """What the page says after a form was sent."""
    assert answer.status_code == 303, answer.text
    (words,) = re.findall(r'<p class="toast \w+">(.*?)</p>', tablet.get(answer.location.partition("#")[0]).text)
    return words


def test_a_manager_takes_goods_back(world, store, milk, manager, collected):
    answer = take_back(manager, collected, milk, 2, reason="  too\tmuch ")

    assert answer.location == f"/staff/orders/{collected.id}"
    assert after(manager, answer) == "$2.00 goes back to the customer, the way they paid. Put the goods on the shelf."
    page = manager.get(f"/staff/orders/{collected.id}").text
    assert "2 came back" in page
    assert "by Max, on the shelf again · too much" in page
    world.work()
    assert payment_of(collected.id).refunded == 200
    assert world.level(store, milk).on_hand == 19
    assert differences() == []


def test_what_is_broken_stays_off_the_shelf(world, store, milk, manager, collected):
    words = after(manager, take_back(manager, collected, milk, 1, restock=False))

    assert words == "$1.00 goes back to the customer, the way they paid. Keep the goods off the shelf."
    assert world.level(store, milk).on_hand == 17


def test_a_second_tap_takes_nothing_back_twice(world, milk, manager, collected):
    take_back(manager, collected, milk, 1)
    manager.get(f"/staff/orders/{collected.id}")

    assert after(manager, take_back(manager, collected, milk, 1)) == "That was taken back already."
    assert world.order(collected.id).lines[0].returned == 1
    assert after(manager, take_back(manager, collected, milk, 1, expected=1)).startswith("$1.00 goes back")


@pytest.mark.parametrize("units", ["", "0", "-1", "4", "x", "9" * 30])
def test_a_number_that_cannot_be_changes_nothing(world, milk, manager, collected, units):
    words = after(manager, take_back(manager, collected, milk, units))

    assert words.startswith("Nothing was taken back")
    assert world.order(collected.id).returned_amount == 0


def test_an_associate_is_told_who_can(app, milk, collected):
    ana = signed_in(app, "1", "1234")

    page = ana.get(f"/staff/orders/{collected.id}").text

    assert "A manager has to take it back" in page
    assert "Take back" not in page
    assert take_back(ana, collected, milk, 1).status_code == 403
    assert db.session.query(Return).count() == 0


def test_only_of_ones_own_store(app, milk, collected):
    bea = signed_in(app, "2", "4321")

    assert take_back(bea, collected, milk, 1).status_code == 404
    assert take_back(bea, collected, milk, 1, csrf_token="forged").status_code == 403


def test_what_is_not_collected_has_nothing_to_take_back(world, shop, milk, manager):
    order = world.place(shop, {"A": 1})
    world.work()

    assert "Take back" not in manager.get(f"/staff/orders/{order.id}").text
    assert "is not picked yet" in after(manager, take_back(manager, order, milk, 1))


def test_when_everything_is_back_nothing_is_asked(milk, manager, collected):
    take_back(manager, collected, milk, 3)

    page = manager.get(f"/staff/orders/{collected.id}").text

    assert "Everything has come back." in page
    assert "How many come back?" not in page


def test_before_the_money_is_taken_it_is_simply_less(world, shop, milk, manager):
    order = world.collect(world.place(shop, {"A": 3}))

    assert after(manager, take_back(manager, order, milk, 1)).startswith("The customer pays $1.00 less.")
    world.work()
    assert payment_of(order.id).captured == 200


@pytest.mark.parametrize("pin", ["1234", "998877"])
def test_the_code_of_a_collected_order_opens_it(app, collected, pin):
    tablet = signed_in(app, "1", pin)

    answer = tablet.post("/staff/hand-over", code=collected.pickup_code.lower().replace("-", " "))

    assert answer.location == f"/staff/orders/{collected.id}"
    assert after(tablet, answer).startswith(f"Order {collected.number} is already collected at ")


def test_the_code_of_a_cancelled_order_opens_nothing(world, shop, milk, manager):
    order = world.place(shop, {"A": 1})
    world.work()
    shop.post(f"/v1/orders/{order.id}/cancel")

    answer = manager.post("/staff/hand-over", code=order.pickup_code)

    assert answer.location == "/staff"
    assert "is cancelled" in after(manager, answer)


def test_the_customer_sees_what_came_back_and_what_they_get(app, world, milk, manager, collected):
    def page():
        return Tablet(app).get(f"/p/{collected.page_token}").text

    assert "Brought back" not in page()
    assert collected.pickup_code in page()
    take_back(manager, collected, milk, 1)
    assert "The money goes back the way you paid." in page()
    world.work()
    assert "We have sent $1.00 back the way you paid." in page()
    assert "You brought one back." in page()
    assert "−$1.00" in page()
    manager.get(f"/staff/orders/{collected.id}")
    take_back(manager, collected, milk, 2, expected=1)
    assert "You brought 3 back." in page()
    assert collected.pickup_code not in page(), "nothing is left to bring back"
