"""A bank holds money for some days only; what happens to orders that are open for longer."""

from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import select

from pickup.core.clock import utcnow
from pickup.core.db import db, unit_of_work
from pickup.core.models import Event
from pickup.core.types import Actor
from pickup.orders import lapsing, queries, service, short_picks, sweeping
from pickup.payments.gateway import GatewayUnreachable
from pickup.payments.models import Payment, PaymentEntry, SandboxCharge
from pickup.payments.queries import payment_of
from pickup.payments.sandbox import HOLD, SandboxGateway
from tests.concurrency.together import at_once

ANA = Actor("staff", "Ana")
IN_TIME = HOLD - timedelta(hours=25)
SOON = HOLD - timedelta(hours=23)


@pytest.fixture
def milk(world):
    return world.product("A", price=100)


@pytest.fixture
def order(world, shop, milk):
    world.stock(world.store("1"), milk, 10)
    placed = world.place(shop, {"A": 3})
    world.work()
    return placed


@pytest.fixture
def by_renewing(database, monkeypatch):
    settings = replace(database.extensions["settings"], before_hold_lapses="renew")
    monkeypatch.setitem(database.extensions, "settings", settings)


def take(order, step, *args, **values):
    with unit_of_work():
        (locked,) = queries.lock_orders([order.id], with_lines=True)
        step(locked, *args, actor=ANA, now=utcnow(), **values)


def collect(world, order):
    take(order, service.start_picking)
    take(order, service.mark_ready)
    take(order, service.hand_over, order.pickup_code, is_manager=False)
    world.work()


def entries():
    db.session.rollback()
    rows = db.session.execute(select(PaymentEntry.kind, PaymentEntry.amount).order_by(PaymentEntry.id))
    return [tuple(row) for row in rows]


def charges():
    db.session.rollback()
    return [(each.status, each.captured, each.refunded) for each in db.session.query(SandboxCharge).order_by("key")]


class TestTakenEarly:
    def test_not_before_it_is_time(self, world, order):
        lapsing.keep_holds(utcnow() + IN_TIME)
        world.work()

        assert payment_of(order.id).status == "authorised"

    def test_and_nothing_more_at_the_handover(self, world, order):
        for _ in range(3):
            lapsing.keep_holds(utcnow() + SOON)
        assert db.session.query(Event).filter_by(type="payment.lapsing").count() == 1
        world.work()
        assert (payment_of(order.id).status, world.order(order.id).status) == ("captured", "reserved")

        collect(world, order)

        assert entries() == [("authorisation", 300), ("capture", 300)]

    def test_by_one_of_several_clocks(self, app, order):
        now = utcnow() + SOON

        def look():
            with app.app_context():
                lapsing.keep_holds(now)

        at_once([look] * 4)
        assert db.session.query(Event).filter_by(type="payment.lapsing").count() == 1

    def test_what_is_not_found_is_given_back(self, world, order, milk):
        lapsing.keep_holds(utcnow() + SOON)
        world.work()
        take(order, service.start_picking)
        take(order, short_picks.short_pick, milk.id, 1)
        take(order, service.mark_ready)
        take(order, service.hand_over, order.pickup_code, is_manager=False)
        world.work()

        assert entries() == [("authorisation", 300), ("capture", 300), ("refund", 100)]
        assert payment_of(order.id).status == "partially_refunded"
        assert charges() == [("captured", 300, 100)]

    def test_and_all_of_it_if_the_order_comes_to_nothing(self, world, shop, order):
        lapsing.keep_holds(utcnow() + SOON)
        world.work()
        shop.post(f"/v1/orders/{order.id}/cancel")
        world.work()

        assert entries() == [("authorisation", 300), ("capture", 300), ("refund", 300)]
        assert payment_of(order.id).status == "refunded"

    def test_a_hold_that_is_gone_is_put_before_a_manager_and_the_order_goes_on(self, world, order, monkeypatch):
        monkeypatch.setattr("pickup.payments.sandbox.HOLD", timedelta(0))
        monkeypatch.setattr("pickup.orders.settling.TRIES_MAX", 1)
        collect(world, order)

        assert world.order(order.id).status == "collected"
        assert payment_of(order.id).problem == "capture_refused"


class TestRenewed:
    def test_the_new_hold_takes_the_place_of_the_old(self, world, order, by_renewing):
        old = payment_of(order.id)
        assert lapsing.keep_holds(utcnow() + SOON) == 1
        world.work()

        new = payment_of(order.id)
        assert (new.replaces, new.status) == (old.id, "authorised")
        assert [status for status, *_ in charges()] == ["voided", "authorised"]
        collect(world, order)
        assert charges() == [("voided", 0, 0), ("captured", 300, 0)]

    def test_where_the_bank_says_no_the_old_one_is_taken(self, world, order, by_renewing):
        with unit_of_work():
            payment_of(order.id).token = "tok_declined"
        for _ in range(2):
            lapsing.keep_holds(utcnow() + SOON)
            world.work()

        assert charges() == [("captured", 300, 0), ("declined", 0, 0)]
        assert payment_of(order.id).status == "captured"

    def test_where_the_customer_would_have_to_confirm_too(self, world, order, by_renewing):
        with unit_of_work():
            payment_of(order.id).token = "tok_needs_action"
        lapsing.keep_holds(utcnow() + SOON)
        world.work()

        assert charges() == [("captured", 300, 0), ("voided", 0, 0)]

    def test_an_answer_that_was_lost_is_asked_for(self, world, order, by_renewing, monkeypatch):
        def silent(*_):
            raise GatewayUnreachable("no route")

        with unit_of_work():
            payment_of(order.id).token = "tok_timeout"
        with monkeypatch.context() as broken:
            broken.setattr(SandboxGateway, "view", silent)
            lapsing.keep_holds(utcnow() + SOON)
            lapsing.keep_holds(utcnow() + SOON)
        world.work()
        assert [status for status, *_ in charges()] == ["authorised", "authorised"]

        sweeping.resolve_pending_payments(utcnow() + SOON + timedelta(minutes=1))
        world.work()

        assert [status for status, *_ in charges()] == ["voided", "authorised"]
        assert payment_of(order.id).status == "authorised"

    def test_an_order_that_is_over_meanwhile_holds_nothing(self, world, shop, order, by_renewing, monkeypatch):
        def cancelled_meanwhile(gateway, charge, authorise=SandboxGateway.authorise):
            view = authorise(gateway, charge)
            monkeypatch.undo()
            shop.post(f"/v1/orders/{order.id}/cancel")
            return view

        monkeypatch.setattr(SandboxGateway, "authorise", cancelled_meanwhile)
        lapsing.keep_holds(utcnow() + SOON)
        world.work()

        assert [status for status, *_ in charges()] == ["voided", "voided"]
        assert all(payment.authorised == payment.voided == 300 for payment in db.session.query(Payment))
