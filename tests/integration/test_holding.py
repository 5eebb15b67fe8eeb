"""Goods kept for a customer who has to confirm the payment first, where the retailer wants that."""

from dataclasses import replace
from datetime import timedelta

import pytest

from pickup.core import revisions
from pickup.core.clock import utcnow
from pickup.core.db import db, unit_of_work
from pickup.inventory.reconciliation import differences
from pickup.orders import confirming, holding, sweeping
from pickup.orders.models import CapacityHour
from pickup.payments.queries import payment_of
from pickup.payments.sandbox import SandboxGateway
from pickup.stores.models import Store

MINUTES = 10


@pytest.fixture(autouse=True)
def kept_while_paying(database, monkeypatch):
    from worker.app import app

    for each in (database, app):
        settings = replace(each.extensions["settings"], hold_while_paying_minutes=MINUTES)
        monkeypatch.setitem(each.extensions, "settings", settings)


@pytest.fixture
def milk(world):
    return world.product("A")


@pytest.fixture
def store(world, milk):
    made = world.store("1", hourly_capacity=10)
    world.stock(made, milk, 3)
    return made


@pytest.fixture
def order(world, shop, store):
    """Its customer has to confirm; its goods are kept."""
    placed = world.place(shop, {"A": 2}, token="tok_needs_action")
    world.work()
    return placed


def confirm(order, *, is_confirmed=True):
    payment = payment_of(order.id)
    view = SandboxGateway().answer_action(payment.id, is_confirmed=is_confirmed)
    with unit_of_work():
        confirming.take_view(payment, view, now=utcnow())


def kept(world, store, milk):
    assert differences() == []
    return world.level(store, milk).reserved


def test_nobody_else_gets_them_meanwhile(world, shop, store, milk, order):
    assert (world.order(order.id).status, kept(world, store, milk)) == ("awaiting_payment", 2)
    assert shop.order(world.order_body({"A": 2})).json["code"] == "out_of_stock"


def test_once_paid_they_are_reserved(world, store, milk, order):
    confirm(order)
    world.work()

    paid = world.order(order.id)
    assert (paid.status, paid.held_until, kept(world, store, milk)) == ("reserved", None, 2)


@pytest.mark.parametrize("end", ["refused", "cancelled", "not in time", "cancelled when paid"])
def test_if_it_comes_to_nothing_they_are_free(world, shop, store, milk, order, end):
    if end == "refused":
        confirm(order, is_confirmed=False)
    elif end == "not in time":
        sweeping.cancel_unpaid_orders(utcnow() + timedelta(hours=1))
    else:
        if end == "cancelled when paid":
            confirm(order)
        assert shop.post(f"/v1/orders/{order.id}/cancel").status_code == 200
    world.work()

    assert (world.order(order.id).status, kept(world, store, milk)) == ("cancelled", 0)


def test_after_some_minutes_they_are_free_and_may_be_had_still(world, store, milk, order):
    assert holding.end_unpaid_holds(utcnow() + timedelta(minutes=MINUTES - 1)) == 0
    assert holding.end_unpaid_holds(utcnow() + timedelta(minutes=MINUTES + 1)) == 1
    assert (world.order(order.id).status, kept(world, store, milk)) == ("awaiting_payment", 0)

    confirm(order)
    world.work()

    assert (world.order(order.id).status, kept(world, store, milk)) == ("reserved", 2)


def test_where_there_is_too_little_who_pays_first_wins(world, shop, store, milk, order):
    """Two of them have their goods kept, and let the time pass."""
    second = world.place(shop, {"A": 1}, token="tok_needs_action")
    third = world.place(shop, {"A": 1}, token="tok_needs_action")
    world.work()
    assert [world.order(each.id).held_until is None for each in (order, second, third)] == [False, False, True]
    assert holding.end_unpaid_holds(utcnow() + timedelta(minutes=MINUTES + 1)) == 2

    for each in (third, order, second):
        confirm(each)
        world.work()

    assert [world.order(each.id).status for each in (third, order)] == ["reserved"] * 2
    assert (world.order(second.id).status, kept(world, store, milk)) == ("cancelled", 3)


def test_a_place_in_the_stores_hour_is_kept_too(world, shop, milk):
    world.stock(world.store("1", hourly_capacity=1, opening_hours="24/7"), milk, 5)
    order = world.place(shop, {"A": 1}, token="tok_needs_action")
    world.work()
    assert [each.taken for each in db.session.query(CapacityHour)] == [1]

    shop.post(f"/v1/orders/{order.id}/cancel")

    db.session.rollback()
    assert [each.taken for each in db.session.query(CapacityHour)] == [0]


def test_a_store_that_closes_lets_go_of_them(world, store, milk, order):
    far = world.store("2", lat=36.6)
    world.stock(far, milk, 5)
    with unit_of_work():
        db.session.get(Store, store.id).paused_at = utcnow()
        revisions.bump("stores")
    confirm(order)
    world.work()

    moved = world.order(order.id)
    assert (moved.status, moved.store_id) == ("reserved", far.id)
    assert kept(world, store, milk) == 0


def test_what_a_till_sells_is_taken_from_those_who_have_not_paid(world, shop, store, milk, order):
    pos = world.client("pos")
    line = {"sku": "A", "quantity": 2, "unit_price": {"amount": 359, "currency": "USD"}}
    sale = {"id": "s1", "at": utcnow().isoformat(), "lines": [line]}
    assert pos.post("/v1/pos/sales", {"store_ref": "1", "register": "1", "sales": [sale]}).status_code == 200
    world.work()

    order = world.order(order.id)
    assert (order.status, order.held_until, kept(world, store, milk)) == ("awaiting_payment", None, 0)
