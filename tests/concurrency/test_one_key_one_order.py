"""One idempotency key, many requests at once: one order, one charge, one answer."""

import threading
import uuid
from collections import Counter
from datetime import timedelta
from functools import partial

from sqlalchemy import func, select

from pickup.core import idempotency
from pickup.core.db import db
from pickup.orders import checkout
from pickup.orders.models import Order
from pickup.payments.models import SandboxCharge
from pickup.payments.sandbox import SandboxGateway
from tests.concurrency.together import Rendezvous, at_once, without

REQUESTS = 100
NO_CLAIM = without(checkout._PLACE, idempotency.CLAIM, instead="SELECT :subject_id AS subject_id")


def how_many(table):
    db.session.rollback()
    return db.session.scalar(select(func.count()).select_from(table))


def a_shelf_with_plenty(world):
    world.stock(world.store("1"), world.product("A"), 1000)
    return world.order_body({"A": 1})


def test_a_hundred_identical_requests_are_one_order_and_one_charge(world, shop):
    body, key = a_shelf_with_plenty(world), str(uuid.uuid4())

    answers = at_once([partial(shop.order, body, key=key)] * REQUESTS)

    codes = Counter(answer.status_code for answer in answers)
    assert codes.keys() <= {201, 409}
    assert codes[201] >= 1
    assert {answer.json["code"] for answer in answers if answer.status_code == 409} <= {"request_in_progress"}
    bytes_given = {answer.data for answer in answers if answer.status_code == 201}
    assert len(bytes_given) == 1
    assert shop.order(body, key=key).data in bytes_given, "and whoever asks later gets the same"
    assert (how_many(Order), how_many(SandboxCharge)) == (1, 1)


def test_a_hundred_requests_with_keys_of_their_own_are_a_hundred_orders(world, shop):
    body = a_shelf_with_plenty(world)

    answers = [answer for _ in range(10) for answer in at_once([partial(shop.order, body)] * 10)]

    assert {answer.status_code for answer in answers} == {201}
    assert len({answer.json["id"] for answer in answers}) == how_many(Order) == how_many(SandboxCharge) == 100


def test_two_requests_that_are_about_to_write_are_one_order(world, shop, monkeypatch):
    body, key = a_shelf_with_plenty(world), str(uuid.uuid4())
    monkeypatch.setattr(checkout, "quote", Rendezvous(world.app).after(checkout.quote))

    answers = at_once([partial(shop.order, body, key=key)] * 2)

    assert {201} <= {answer.status_code for answer in answers} <= {201, 409}, "the second may come to the answer"
    assert (how_many(Order), how_many(SandboxCharge)) == (1, 1)


def test_control_without_the_unique_claim_each_request_is_an_order(world, shop, monkeypatch):
    body, key = a_shelf_with_plenty(world), str(uuid.uuid4())
    monkeypatch.setattr(checkout, "quote", Rendezvous(world.app).after(checkout.quote))
    monkeypatch.setattr(checkout, "_PLACE", NO_CLAIM)

    at_once([partial(shop.order, body, key=key)] * 2)

    assert (how_many(Order), how_many(SandboxCharge)) == (2, 2)


def test_one_key_of_two_shops_is_two_orders(world):
    body, key = a_shelf_with_plenty(world), str(uuid.uuid4())
    shops = [world.client("shop") for _ in range(2)]

    answers = at_once([partial(shop.order, body, key=key) for shop in shops])

    assert [answer.status_code for answer in answers] == [201, 201]
    assert how_many(Order) == 2


def test_a_slow_request_whose_claim_was_taken_over_gives_the_answer_that_was_given(world, shop, monkeypatch):
    body, key = a_shelf_with_plenty(world), str(uuid.uuid4())
    authorise, at_the_gateway, others_are_done = SandboxGateway.authorise, threading.Event(), threading.Event()

    def slow_at_first(*args, **kwargs):
        outcome = authorise(*args, **kwargs)
        if not at_the_gateway.is_set():
            at_the_gateway.set()
            others_are_done.wait()
        return outcome

    def meanwhile():
        at_the_gateway.wait()
        try:
            answer = shop.order(body, key=key)
            shop.post(f"/v1/orders/{answer.json['id']}/cancel")
            return answer
        finally:
            others_are_done.set()

    monkeypatch.setattr(SandboxGateway, "authorise", slow_at_first)
    monkeypatch.setattr(idempotency, "CLAIM_LEASE", timedelta(0))
    slow, quick = at_once([partial(shop.order, body, key=key), meanwhile])

    assert (slow.status_code, slow.data) == (quick.status_code, quick.data)
    assert quick.json["status"] == "placed", "though it is cancelled by now"
    assert shop.order(body, key=key).data == quick.data
    assert (how_many(Order), how_many(SandboxCharge)) == (1, 1)
