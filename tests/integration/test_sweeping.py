"""What the clock does: unpaid orders, unknown payments, goods that nobody collects."""

from datetime import timedelta

import pytest

from pickup.core.clock import utcnow
from pickup.core.db import db, unit_of_work
from pickup.core.types import Actor
from pickup.orders import queries, service, sweeping
from pickup.payments.gateway import GatewayUnreachable
from pickup.payments.models import Payment, SandboxCharge
from pickup.payments.sandbox import SandboxGateway

ANA = Actor("staff", "Ana")


@pytest.fixture
def store(world):
    made = world.store("1")
    world.stock(made, world.product("A"), 10)
    return made


def out_of_reach(*args, **kwargs):
    raise GatewayUnreachable("no route")


def test_an_unknown_outcome_is_resolved_by_asking_again(world, shop, store, monkeypatch):
    with monkeypatch.context() as broken:
        broken.setattr(SandboxGateway, "view", out_of_reach)
        answer = shop.order(world.order_body({"A": 1}, token="tok_timeout"))
    assert answer.status_code == 201
    assert (answer.json["status"], answer.json["payment"]["status"]) == ("awaiting_payment", "pending")

    assert sweeping.resolve_pending_payments(utcnow()) == 0, "too young: its request may still be running"
    assert sweeping.resolve_pending_payments(utcnow() + timedelta(minutes=1)) == 1

    assert world.order(answer.json["id"]).status == "placed"
    assert db.session.query(SandboxCharge).count() == 1


def test_an_order_that_is_not_paid_in_time_is_cancelled(world, shop, store):
    answer = shop.order(world.order_body({"A": 1}, token="tok_needs_action"))
    sweeping.cancel_unpaid_orders(utcnow())
    assert world.order(answer.json["id"]).status == "awaiting_payment"

    sweeping.cancel_unpaid_orders(utcnow() + timedelta(hours=1))
    world.work()

    order = world.order(answer.json["id"])
    assert (order.status, order.reason) == ("cancelled", "payment_failed")
    assert db.session.query(SandboxCharge).one().status == "voided"


def test_a_cancelled_order_cannot_be_charged_by_a_late_authorisation(world, shop, store, monkeypatch):
    with monkeypatch.context() as broken:
        broken.setattr(SandboxGateway, "authorise", out_of_reach)
        answer = shop.order(world.order_body({"A": 1}))
    shop.post(f"/v1/orders/{answer.json['id']}/cancel")
    world.work()

    sweeping.resolve_pending_payments(utcnow() + timedelta(minutes=1))

    assert db.session.query(Payment).one().status == "voided"
    assert db.session.query(SandboxCharge).one().status == "voided"


def test_goods_that_nobody_collects_go_back_on_the_shelf(world, shop, store, mailbox):
    order = world.place(shop, {"A": 4})
    world.work()
    with unit_of_work():
        locked = queries.lock_order(order.id)
        service.start_picking(locked, actor=ANA, now=utcnow())
        service.mark_ready(locked, actor=ANA, now=utcnow())
    world.work()
    until = world.order(order.id).hold_until

    assert sweeping.expire_holds(until - timedelta(seconds=1)) == 0
    assert sweeping.expire_holds(until + timedelta(seconds=1)) == 1
    world.work()

    assert world.order(order.id).status == "expired"
    level = world.level(store, world.order(order.id).lines[0].product)
    assert (level.on_hand, level.reserved) == (10, 0)
    assert db.session.query(Payment).one().status == "voided"
    assert "was not collected" in mailbox.subjects()[-1]


def test_a_client_that_repeats_after_a_crash_goes_on_with_its_order(world, shop, store, monkeypatch):
    class Killed(BaseException):
        pass

    def die(*args, **kwargs):
        raise Killed

    body = world.order_body({"A": 1})
    with monkeypatch.context() as broken:
        broken.setattr(SandboxGateway, "authorise", die)
        with pytest.raises(Killed):
            shop.order(body, key="k1")
    assert shop.order(body, key="k1").json["code"] == "request_in_progress"

    with monkeypatch.context() as later:
        later.setattr("pickup.orders.views.utcnow", lambda: utcnow() + timedelta(minutes=1))
        again = shop.order(body, key="k1")

    assert again.status_code == 201
    assert again.json["status"] == "placed"
    assert len(shop.get("/v1/orders").json["data"]) == 1
    assert db.session.query(SandboxCharge).count() == 1
