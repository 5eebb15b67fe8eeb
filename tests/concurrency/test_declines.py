"""Card testing: the sixth payment that is declined within ten minutes is one too many."""

import threading
import uuid
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from sqlalchemy import text

from pickup.core.clock import utcnow
from pickup.core.db import db
from pickup.orders import sweeping
from pickup.orders.models import Order
from pickup.payments import declines
from pickup.payments.models import DeclinedPayment, SandboxCharge


@pytest.fixture
def store(world):
    made = world.store("1")
    world.stock(made, world.product("A"), 1000)
    return made


@pytest.fixture
def pay(world, shop, store):
    """Orders with a token, as a customer."""

    def make(token="tok_declined", customer="ada", client=shop, key=None, **extra):
        body = world.order_body({"A": 1}, token=token)
        body["customer"] |= {"email": f"{customer}@example.com"} | extra
        return client.order(body, key=key)

    return make


def in_eleven_minutes(monkeypatch):
    monkeypatch.setattr("pickup.orders.views.utcnow", lambda: utcnow() + timedelta(minutes=11))


def test_the_sixth_is_too_many_and_says_when_to_come_back(pay):
    answers = [pay() for _ in range(7)]

    assert [answer.status_code for answer in answers] == [402] * 5 + [429] * 2
    assert answers[5].json["code"] == "too_many_declines"
    assert 0 < int(answers[5].headers["Retry-After"]) <= 600


def test_that_customer_is_refused_before_anything_is_written(pay):
    for _ in range(5):
        pay()

    refused = pay("tok_ok", customer="ADA")

    assert refused.status_code == 429, "also with a good card: the bank is not asked"
    assert db.session.query(Order).count() == db.session.query(SandboxCharge).count() == 5
    assert pay("tok_ok", customer="bob").status_code == 201, "others of the shop are not"


def test_by_the_address_of_the_customers_browser_too(pay):
    for number in range(5):
        pay(customer=f"c{number}", ip_address="203.0.113.7")

    assert pay("tok_ok", customer="c9", ip_address="203.0.113.7").status_code == 429
    assert pay("tok_ok", customer="c9", ip_address="203.0.113.8").status_code == 201


def test_a_shop_goes_on_selling_but_its_declines_are_too_many(pay, world):
    codes = [pay(customer=f"c{number}").status_code for number in range(7)]

    assert codes == [402] * 5 + [429] * 2
    assert pay("tok_ok", customer="c99").status_code == 201
    assert pay(customer="c99", client=world.client("shop")).status_code == 429, "another key, from the same address"


def test_after_ten_minutes_it_counts_no_more(pay, monkeypatch):
    for _ in range(6):
        pay()
    in_eleven_minutes(monkeypatch)

    assert pay().status_code == 402
    assert sweeping.forget_declines(utcnow() + timedelta(minutes=11)) > 0
    assert sweeping.forget_declines(utcnow() + timedelta(minutes=30)) > 0
    assert db.session.query(DeclinedPayment).count() == 0


def test_good_payments_in_between_do_not_count(pay):
    codes = [pay(token).status_code for token in ("tok_declined", "tok_ok") * 4]

    assert codes == [402, 201] * 4


def test_a_repetition_is_no_further_try(pay):
    key = str(uuid.uuid4())
    answers = [pay(key=key) for _ in range(8)]

    assert {answer.status_code for answer in answers} == {402}
    for _ in range(4):
        pay()
    assert pay(key=key).status_code == 402, "its answer stays what it was"


def test_a_customers_network_address_must_be_one(pay):
    answer = pay(ip_address="next door")

    assert answer.status_code == 422
    assert answer.json["errors"][0]["pointer"] == "/customer/ip_address"


@pytest.fixture
def pay_ten_at_once(pay, app):
    def one(number):
        with app.app_context():
            return pay(customer=f"c{number}").status_code

    def pay_ten():
        with ThreadPoolExecutor(10) as people:
            return sorted(people.map(one, range(10)))

    return pay_ten


def test_of_ten_at_once_five_are_told_so(pay_ten_at_once):
    assert pay_ten_at_once() == [402] * 5 + [429] * 5


def test_control_without_the_lock_none_is(pay_ten_at_once, monkeypatch):
    everybody_has_counted = threading.Barrier(10, timeout=20)

    def look_and_wait(*args, look=declines._refusal):
        found = look(*args)
        everybody_has_counted.wait()
        return found

    monkeypatch.setattr(declines, "_ONE_AT_A_TIME", text("SELECT 1"))
    monkeypatch.setattr(declines, "_refusal", look_and_wait)

    assert pay_ten_at_once() == [402] * 10
