"""Never sells what is not there: many shoppers, few goods, several workers; and proof that the test would see it."""

import threading
from collections import Counter
from functools import partial

import pytest
from sqlalchemy import func, select

from pickup.core.clock import utcnow
from pickup.core.db import db
from pickup.core.types import new_id
from pickup.inventory import service as inventory
from pickup.inventory.allocation import Demand
from pickup.inventory.models import Reservation, StockLevel
from pickup.inventory.queries import lock_stock_levels
from pickup.inventory.reconciliation import differences
from pickup.orders.models import Order
from pickup.payments.models import Payment, SandboxCharge
from tests.concurrency.processes import running
from tests.concurrency.together import Rendezvous, at_once, in_own_session, until
from tests.world import UNDECIDED

SHOPPERS = 200
UNITS = 10
ROUNDS = 2


def everybody_orders(world, shop, sku):
    body = world.order_body({sku: 1}, {"store_ref": "1"})
    seats = threading.BoundedSemaphore(world.app.extensions["settings"].web_threads)

    def order():
        with seats:  # a web server takes no more at a time than it has threads; the others queue at its door
            return shop.order(body)

    return at_once([order] * SHOPPERS)


def statuses():
    db.session.rollback()
    return Counter(db.session.scalars(select(Order.status)))


def nothing_is_undecided():
    return not UNDECIDED & statuses().keys()


def no_money_is_left_to_give_back():
    db.session.rollback()
    held = select(func.count()).select_from(Payment).join(Order, Order.id == Payment.order_id)
    return not db.session.scalar(held.where(Order.status == "cancelled", Payment.status != "voided"))


def test_of_ten_units_two_hundred_shoppers_get_ten(world, shop, tmp_path):
    store = world.store("1")
    products = [world.product(f"LAST-{number}") for number in range(ROUNDS)]
    for product in products:
        world.stock(store, product, UNITS)
    workers = ["worker.work reservations"] * 3 + ["worker.work payments"] + ["worker.relay"] * 2

    with running(tmp_path / "workers.log", *workers):
        answers = [answer for product in products for answer in everybody_orders(world, shop, product.sku)]
        until(nothing_is_undecided, what="a decision about every order")
        until(no_money_is_left_to_give_back, what="the money of every cancelled order given back")

    assert {answer.status_code for answer in answers} <= {201, 409}
    assert {answer.json["code"] for answer in answers if answer.status_code == 409} <= {"out_of_stock"}
    placed = sum(answer.status_code == 201 for answer in answers)
    assert statuses() == {"reserved": UNITS * ROUNDS, "cancelled": placed - UNITS * ROUNDS}
    for product in products:
        level = world.level(store, product)
        assert (level.on_hand, level.reserved) == (UNITS, UNITS)
    assert differences() == []
    charges = Counter(db.session.scalars(select(SandboxCharge.status)))
    assert charges == {"authorised": UNITS * ROUNDS, "voided": placed - UNITS * ROUNDS}


def read_without_a_lock(keys):
    """What `lock_stock_levels` would be without FOR UPDATE and `populate_existing`."""
    return {key: db.session.get(StockLevel, key) for key in keys}


@pytest.fixture
def two_reserve_all_there_is(world):
    """Two transactions of one order each, for all the units of a shelf; both read before either writes, if they can."""
    store, product = world.store("1"), world.product("A")
    world.stock(store, product, UNITS)

    def race(monkeypatch, read):
        monkeypatch.setattr(inventory, "lock_stock_levels", Rendezvous(world.app).after(read))
        demands = [Demand(new_id(), {(store.id, product.id): UNITS}) for _ in range(2)]
        met = at_once(
            [in_own_session(world.app, partial(inventory.reserve, [demand], now=utcnow())) for demand in demands]
        )
        db.session.rollback()
        sold = db.session.scalar(select(func.sum(Reservation.quantity)))
        return len(set().union(*met)), sold

    return race


def test_of_two_transactions_at_the_same_shelf_one_gets_the_goods(two_reserve_all_there_is, monkeypatch):
    assert two_reserve_all_there_is(monkeypatch, lock_stock_levels) == (1, UNITS)
    assert differences() == []


def test_control_without_the_lock_the_same_goods_are_sold_twice(two_reserve_all_there_is, monkeypatch):
    assert two_reserve_all_there_is(monkeypatch, read_without_a_lock) == (2, 2 * UNITS)
    assert [(each.field, each.figure, each.explained) for each in differences()] == [
        ("reserved", UNITS, 2 * UNITS),
        ("reserved", UNITS, 2 * UNITS),
    ], "and the books show it"


def test_a_deadlock_is_run_again_and_nobody_notices(world):
    store = world.store("1")
    products = [world.product(sku) for sku in "AB"]
    for product in products:
        world.stock(store, product, UNITS)
    met = Rendezvous(world.app)
    runs = []

    def take(order):
        runs.append(order)
        for product in order:
            lock_stock_levels([(store.id, product.id)])[store.id, product.id].safety_stock += 1
            db.session.flush()
            if len(runs) <= 2 and product is order[0]:
                met.wait()

    at_once([in_own_session(world.app, partial(take, order)) for order in (products, products[::-1])])

    assert len(runs) == 3, "PostgreSQL ended one of the two, and it ran again"
    assert [world.level(store, product).safety_stock for product in products] == [2, 2]
