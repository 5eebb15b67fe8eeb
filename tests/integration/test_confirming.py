"""What a gateway says later: 3-D Secure, at the sandbox's bank, and what the shop and the customer see of it."""

import uuid
from datetime import timedelta

import pytest

from pickup.core.clock import utcnow
from pickup.core.db import db, unit_of_work
from pickup.orders import confirming, queries, sweeping
from pickup.payments import service as payments
from pickup.payments.models import Payment, PaymentEntry, SandboxCharge
from pickup.payments.queries import payment_of
from pickup.payments.sandbox import SandboxGateway
from tests.tablet import Tablet as Browser


@pytest.fixture
def milk(world):
    return world.product("A")


@pytest.fixture
def store(world, milk):
    made = world.store("1")
    world.stock(made, milk, 10)
    return made


@pytest.fixture
def order(world, shop, store):
    """An order whose customer has to confirm the payment."""
    return world.place(shop, {"A": 2}, token="tok_needs_action")


@pytest.fixture
def browser(database):
    return Browser(database)


def test_the_shop_is_told_what_the_customer_has_to_do(shop, order):
    shown = shop.get(f"/v1/orders/{order.id}").json

    assert (shown["status"], shown["payment"]["status"]) == ("awaiting_payment", "requires_action")
    assert shown["payment"]["action"]["type"] == "redirect"
    assert shown["payment"]["action"]["url"].endswith(f"/bank/{payment_of(order.id).id}")


def test_nothing_is_reserved_before_the_money_is_held(world, store, milk, order):
    world.work()

    assert world.level(store, milk).reserved == 0


def test_confirmed_at_the_bank_it_goes_on(world, browser, order):
    path = f"/bank/{payment_of(order.id).id}"
    assert "$7.18" in browser.get(path).text

    answer = browser.post(path, answer="confirm")
    world.work()

    assert answer.location == f"/p/{order.page_token}"
    assert world.order(order.id).status == "reserved"
    assert payment_of(order.id).action is None
    assert browser.get(path).location == f"/p/{order.page_token}", "there is nothing left to ask"


def test_refused_at_the_bank_it_is_cancelled(world, browser, order):
    path = f"/bank/{payment_of(order.id).id}"
    browser.get(path)
    browser.post(path, answer="refuse")

    assert (world.order(order.id).status, world.order(order.id).reason) == ("cancelled", "payment_failed")
    assert payment_of(order.id).status == "declined"


def test_the_bank_knows_its_own_payments_only(browser, order):
    assert browser.get(f"/bank/{uuid.uuid4()}").status_code == 404


def test_the_shop_asks_when_the_customer_comes_back(shop, world, order):
    path = f"/v1/orders/{order.id}/payment/confirm"
    assert shop.post(path).json["status"] == "awaiting_payment"

    SandboxGateway().answer_action(payment_of(order.id).id, is_confirmed=True)
    shown = shop.post(path)

    assert (shown.status_code, shown.json["status"]) == (200, "placed")
    assert (shown.json["payment"]["status"], shown.json["payment"]["action"]) == ("authorised", None)
    assert shop.post(path).json["status"] == "placed", "to ask again changes nothing"
    assert db.session.query(PaymentEntry).count() == 1
    assert world.client("shop").post(path).status_code == 404, "another client's"


def test_confirmed_too_late_the_money_is_given_back(world, order):
    """The order was cancelled, the gateway did not hear of it, and the customer confirmed."""
    sweeping.cancel_unpaid_orders(utcnow() + timedelta(hours=1))
    payment = payment_of(order.id)
    view = SandboxGateway().answer_action(payment.id, is_confirmed=True)
    with unit_of_work():
        assert confirming.take_view(payment, view, now=utcnow())
    world.work()

    assert world.order(order.id).status == "cancelled"
    assert db.session.query(SandboxCharge).one().status == "voided"
    payment = payment_of(order.id)
    assert (payment.status, payment.authorised, payment.voided) == ("voided", 718, 718)


def test_of_views_that_come_late_and_twice_none_counts(world, order):
    gateway, payment = SandboxGateway(), payment_of(order.id)
    charge = payments.charge_of(payment)
    asked = gateway.view(charge)
    held = gateway.answer_action(payment.id, is_confirmed=True)
    taken = gateway.capture(charge, 300)
    returned = gateway.refund(charge, uuid.uuid4(), 100)

    news = []
    for view in (held, returned, taken, asked, held, returned):
        with unit_of_work():
            news.append(confirming.take_view(payment_of(order.id), view, now=utcnow()))

    assert news == [True, True, False, False, False, False]
    payment = payment_of(order.id)
    assert (payment.status, payment.authorised, payment.captured) == ("partially_refunded", 718, 300)
    assert (payment.voided, payment.refunded) == (418, 100)
    entries = [(entry.kind, entry.amount) for entry in db.session.query(PaymentEntry).order_by(PaymentEntry.id)]
    assert entries == [("authorisation", 718), ("capture", 300), ("void", 418), ("refund", 100)]


def test_a_hold_that_is_gone_is_put_before_a_manager(world, shop, store):
    order = world.place(shop, {"A": 1})
    payment = payment_of(order.id)
    view = SandboxGateway().release(payments.charge_of(payment))
    with unit_of_work():
        confirming.take_view(payment, view, now=utcnow())

    assert world.order(order.id).status == "placed", "what becomes of the goods, money does not decide"
    assert db.session.query(Payment).one().problem == "hold_lapsed"
    assert queries.standings_of([order.id])[order.id].total == 359
