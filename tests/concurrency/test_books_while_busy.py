"""The books of the money are compared while orders come and go: what is under way is no difference."""

import threading

import pytest

from pickup.core.clock import utcnow
from pickup.core.db import db, unit_of_work
from pickup.core.types import Actor
from pickup.orders import money_checks, queries, service
from pickup.payments import reconciliation
from pickup.payments.models import Payment

ORDERS = 24
ANA = Actor("staff", "Ana")


@pytest.fixture
def shelf(world):
    world.stock(world.store("1"), world.product("A"), ORDERS)


def collect(order_id):
    with unit_of_work():
        order = queries.lock_order(order_id)
        service.start_picking(order, actor=ANA, now=utcnow())
        service.mark_ready(order, actor=ANA, now=utcnow())
        service.hand_over(order, order.pickup_code, actor=ANA, is_manager=False, now=utcnow())


def test_what_is_under_way_is_no_difference(world, shop, shelf, database, monkeypatch):
    monkeypatch.setattr(reconciliation, "PAUSE_SECONDS", 0.5)
    done, found, rounds = threading.Event(), [], []

    def compare():
        with database.app_context():
            while not done.wait(0.2):
                now = utcnow()
                found.extend(map(str, money_checks.differences(now - money_checks.SPAN, now=now)))
                rounds.append(now)

    comparing = threading.Thread(target=compare)
    comparing.start()
    for number in range(ORDERS):
        order = world.place(shop, {"A": 1}, token="tok_timeout" if number % 5 == 0 else "tok_ok")
        world.work()
        if number % 2:
            collect(order.id)
        else:
            shop.post(f"/v1/orders/{order.id}/cancel")
        world.work()
    done.set()
    comparing.join()

    print(len(rounds), "times compared")
    assert found == []
    assert len(rounds) > 5
    assert {row.status for row in db.session.query(Payment)} == {"captured", "voided"}
    assert list(money_checks.differences(utcnow() - money_checks.SPAN, now=utcnow())) == []
