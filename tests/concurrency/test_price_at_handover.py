"""A price that changes while goods are handed over: every order pays one of the two, and all its books say the same."""

import threading
from datetime import timedelta
from functools import partial

import pytest

from pickup.core.clock import utcnow
from pickup.core.db import db, unit_of_work
from pickup.core.types import Actor, Money
from pickup.orders import money_checks, queries, service, shelf_price
from pickup.payments.queries import payment_of
from pickup.pricing import service as pricing
from pickup.pricing.queries import prices_at
from pickup.pricing.service import PriceChange
from tests.concurrency.together import PATIENCE_SECONDS, at_once, in_own_session

ANA = Actor("staff", "Ana")
ORDERS, CHANGES = 20, 30


@pytest.fixture
def ready(world, shop):
    """Orders of two A and one B, at 1000 and 2000."""
    store = world.store("1")
    for sku, price in (("A", 1000), ("B", 2000)):
        world.stock(store, world.product(sku, price=price), 100)
    placed = [world.place(shop, {"A": 2, "B": 1}).id for _ in range(ORDERS)]
    world.work()
    with unit_of_work():
        for order in queries.lock_orders(placed):
            service.start_picking(order, actor=ANA, now=utcnow())
            service.mark_ready(order, actor=ANA, now=utcnow())
    return placed


def change(amount):
    """Set A's price, and twice as much for B, in one change."""
    now = utcnow()
    changes = [
        PriceChange(sku, Money(times * amount, "USD"), zone="", valid_from=now) for sku, times in (("A", 1), ("B", 2))
    ]
    pricing.record_all(pricing.state(changes, now=now), begins=now, recorded_by="test")


def hand_over(order_id):
    order = queries.lock_order(order_id)
    assert service.hand_over(order, order.pickup_code, actor=ANA, is_manager=False, now=utcnow())


def test_total_lines_and_money_agree_while_prices_change(world, ready):
    amounts = [1000 + (-10 if number % 3 else 10) * number for number in range(1, CHANGES + 1)]
    has_begun = threading.Event()

    def write_prices():
        for amount in amounts:
            in_own_session(world.app, partial(change, amount))()
            has_begun.set()

    def hand_over_then(order_id):
        assert has_begun.wait(PATIENCE_SECONDS)
        in_own_session(world.app, partial(hand_over, order_id))()

    at_once([write_prices, *(partial(hand_over_then, order_id) for order_id in ready)])
    world.work()

    db.session.rollback()
    for order in queries.get_orders(ready).values():
        milk, bread = order.lines
        assert milk.charged_amount in {1000, *amounts}
        assert milk.charged_amount <= 1000
        assert bread.charged_amount == 2 * milk.charged_amount, "both by one change"
        assert order.total_amount == 2 * milk.charged_amount + bread.charged_amount == 4000 - order.reduced_amount
        assert payment_of(order.id).captured == order.total_amount
    assert list(money_checks.differences(utcnow() - timedelta(days=1), now=utcnow())) == []


def test_a_change_that_is_committed_while_goods_are_handed_over(world, ready, monkeypatch):
    """Who has read the old price charges it, on all lines; the next in the queue pays the new one."""
    change_now = in_own_session(world.app, partial(change, 500))

    def read_and_be_overtaken(*args, **values):
        prices = prices_at(*args, **values)
        at_once([change_now])
        return prices

    monkeypatch.setattr(shelf_price, "prices_at", read_and_be_overtaken)
    in_own_session(world.app, partial(hand_over, ready[0]))()
    monkeypatch.undo()
    in_own_session(world.app, partial(hand_over, ready[1]))()
    world.work()

    assert [(world.order(each).total_amount, payment_of(each).captured) for each in ready[:2]] == [
        (4000, 4000),
        (2000, 2000),
    ]
