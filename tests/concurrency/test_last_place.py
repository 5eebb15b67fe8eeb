"""The last place in a store's hour, and goods that a till sells at the instant in which they are reserved."""

from functools import partial

import pytest
from sqlalchemy import select

from pickup.core.clock import utcnow
from pickup.core.db import db, unit_of_work
from pickup.core.models import OutboxTask
from pickup.core.types import Money
from pickup.inventory import service as inventory
from pickup.inventory import shelf
from pickup.inventory.models import StockLevel
from pickup.inventory.reconciliation import differences
from pickup.orders import capacity, shortages
from pickup.orders.models import CapacityHour, Order
from pickup.tills import selling
from pickup.tills.selling import Line, Sale
from tests.concurrency.together import Rendezvous, at_once, in_own_session, without

PLACES = 1
CONDITION = "AND level.on_hand - level.reserved - level.safety_stock >= wanted.quantity"


@pytest.fixture
def jobs(services):
    """The module of the workers' job. It makes an app of its own, so it must not be imported before the servers run."""
    from worker import jobs

    return jobs


def tasks_of(handler):
    db.session.rollback()
    ids = list(db.session.scalars(select(OutboxTask.id).where(OutboxTask.handler == handler).order_by(OutboxTask.id)))
    db.session.rollback()
    return ids


@pytest.fixture
def two_want_the_last_place(world, shop, jobs):
    """Two orders for one hour of a store that has room for one, on shelves of their own, in two workers."""
    store = world.store("1", hourly_capacity=PLACES)
    for sku in "AB":
        world.stock(store, world.product(sku), 10)
        world.place(shop, {sku: 1}, {"store_ref": "1"})
    db.session.query(Order).update({Order.capacity_hour: capacity.full_hour(utcnow())})  # also if one has just passed
    db.session.commit()

    def race():
        at_once([partial(jobs.run, "reserve_stock", [task]) for task in tasks_of("reserve_stock")])
        db.session.rollback()
        return sorted(db.session.scalars(select(Order.status))), db.session.scalar(select(CapacityHour.taken))

    return race


def test_of_two_transactions_for_the_last_place_in_an_hour_one_gets_it(world, two_want_the_last_place, monkeypatch):
    monkeypatch.setattr(capacity, "lock_taken", Rendezvous(world.app).after(capacity.lock_taken))

    statuses, taken = two_want_the_last_place()

    assert taken == PLACES
    assert statuses.count("reserved") == 1
    assert differences() == []


def test_control_without_the_lock_the_hour_is_overbooked(world, two_want_the_last_place, monkeypatch):
    monkeypatch.setattr(capacity, "_LOCK", without(capacity._LOCK, "FOR UPDATE OF capacity_hours"))
    monkeypatch.setattr(capacity, "lock_taken", Rendezvous(world.app).after(capacity.lock_taken))
    # The row is there already, so that it is not its making that keeps one of them out.
    db.session.add(CapacityHour(store_id=1, hour=capacity.full_hour(utcnow())))
    db.session.commit()

    assert two_want_the_last_place() == (["reserved", "reserved"], PLACES + 1)


@pytest.fixture
def sold_while_it_is_reserved(world, shop, jobs, monkeypatch):
    """One shelf, one order for all of it, and a till that sells two; both have read the shelf before either writes."""
    store, product = world.store("1"), world.product("A")
    world.stock(store, product, 5)
    order = world.place(shop, {"A": 5})
    (task,) = tasks_of("reserve_stock")

    def sell():
        now = utcnow()
        sale = Sale("s1", now, [Line("A", 2, Money(359, "USD"))])
        return selling.record_sales("1", "r1", [sale], now=now).accepted

    def race():
        met = Rendezvous(world.app)
        monkeypatch.setattr(inventory, "lock_available", met.after(inventory.lock_available))
        monkeypatch.setattr(shelf, "lock_stock_levels", met.after(shelf.lock_stock_levels))
        at_once([partial(jobs.run, "reserve_stock", [task]), in_own_session(world.app, sell)])
        monkeypatch.undo()
        world.work()
        level = world.level(store, product)
        return world.order(order.id).status, level.on_hand, level.reserved

    return race


def test_what_a_till_sells_while_it_is_reserved_is_promised_to_nobody(sold_while_it_is_reserved):
    assert sold_while_it_is_reserved() == ("cancelled", 3, 0), "whoever was first: three are left, and five were wanted"
    assert differences() == []


def test_control_without_locks_the_promise_stands_and_nobody_knows(sold_while_it_is_reserved, monkeypatch):
    monkeypatch.setattr(inventory, "_LOCK_AVAILABLE", without(inventory._LOCK_AVAILABLE, "FOR UPDATE OF level"))
    monkeypatch.setattr(inventory, "_HOLD", without(inventory._HOLD, CONDITION))
    monkeypatch.setattr(shelf, "lock_stock_levels", read_levels)

    assert sold_while_it_is_reserved() == ("reserved", 3, 5)


def read_levels(keys):
    """What `lock_stock_levels` would be without FOR UPDATE."""
    levels = (db.session.get(StockLevel, key, populate_existing=True) for key in keys)
    return {(level.store_id, level.product_id): level for level in levels}


def test_who_leaves_while_a_shortage_is_dealt_with_saves_the_others(world, shop, jobs, monkeypatch):
    store, product = world.store("1"), world.product("A")
    world.stock(store, product, 5)
    older, younger = (world.place(shop, {"A": units}).id for units in (3, 2))
    world.work()
    now = utcnow()
    with unit_of_work():
        selling.record_sales("1", "r1", [Sale("s1", now, [Line("A", 2, Money(359, "USD"))])], now=now)
    look, looks = shortages._youngest_holders, []

    def look_and_let_one_leave(keys):
        found = look(keys)
        if not looks:
            (answer,) = at_once([lambda: shop.post(f"/v1/orders/{younger}/cancel")])
            assert answer.status_code == 200
        looks.append(found)
        return found

    monkeypatch.setattr(shortages, "_youngest_holders", look_and_let_one_leave)
    jobs.run("cover_shortages", tasks_of("cover_shortages"))

    assert [len(found) for found in looks] == [2, 1]
    assert (world.order(older).status, world.order(younger).reason) == ("reserved", "customer")
    assert tasks_of("cover_shortages") == []
    assert differences() == []
