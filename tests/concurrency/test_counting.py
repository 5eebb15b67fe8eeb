"""Two tablets count the same line at the same instant: a unit counts once, and never more than there are."""

from functools import partial

import pytest
from sqlalchemy import select

from pickup.core.clock import utcnow
from pickup.core.db import db, unit_of_work
from pickup.orders import queries, service
from pickup.orders.models import Order, OrderLine
from pickup.staff import picking
from pickup.staff import service as staff
from tests.concurrency.together import Rendezvous, at_once, in_own_session

TABLETS = 8


@pytest.fixture
def ana(world):
    store = world.store("1")
    world.stock(store, world.product("A"), 50)
    with unit_of_work():
        return staff.create_member(store_ref="1", name="Ana", role="associate", pin="1234")


@pytest.fixture
def begin(world, shop, ana):
    """Starts a round of one order."""

    def make(units):
        order = world.place(shop, {"A": units})
        world.work()
        with unit_of_work():
            started = picking.start_round(ana, [order.id], now=utcnow())
        line = select(OrderLine.product_id).where(OrderLine.order_id == order.id)
        return order.id, started.wave_id, db.session.scalars(line).one()

    return make


def picked(order_id):
    db.session.rollback()
    return db.session.scalars(select(OrderLine.picked).where(OrderLine.order_id == order_id)).one()


def read_without_a_lock(order_ids, **_):
    """What `queries.lock_orders` would be without FOR UPDATE."""
    wanted = select(Order).where(Order.id.in_(list(order_ids)))
    wanted = wanted.options(queries.selectinload(Order.lines)).execution_options(populate_existing=True)
    return db.session.scalars(wanted).all()


@pytest.mark.parametrize(
    ("read", "counted"),
    [(queries.lock_orders, 1), (read_without_a_lock, 2)],
    ids=["once with the lock", "control: twice without it"],
)
def test_two_that_count_the_same_unit(world, ana, begin, monkeypatch, read, counted):
    order_id, _, product_id = begin(2)
    monkeypatch.setattr(queries, "lock_orders", Rendezvous(world.app).after(read))
    one_more = partial(picking.count, ana, order_id, product_id, 1, expected=0, now=utcnow())

    outcomes = [done.outcome for done in at_once([in_own_session(world.app, one_more)] * 2)]

    assert outcomes.count("counted") == counted
    assert picked(order_id) == 1


@pytest.mark.parametrize(
    ("read", "counted"),
    [(queries.lock_orders, 1), (read_without_a_lock, 2)],
    ids=["once with the lock", "control: twice without it"],
)
def test_two_that_scan_the_last_unit(world, ana, begin, monkeypatch, read, counted):
    order_id, wave_id, _ = begin(1)
    monkeypatch.setattr(queries, "lock_orders", Rendezvous(world.app).after(read))
    last = partial(picking.scan, ana, wave_id, "A", expected=None, now=utcnow())

    outcomes = [done.outcome for done in at_once([in_own_session(world.app, last)] * 2)]

    assert (outcomes.count("counted"), picked(order_id)) == (counted, 1)


def test_of_many_scans_each_counts_until_there_are_enough(world, ana, begin):
    order_id, wave_id, _ = begin(5)
    one_more = partial(picking.scan, ana, wave_id, "A", expected=None, now=utcnow())

    outcomes = [done.outcome for done in at_once([in_own_session(world.app, one_more)] * TABLETS)]

    assert sorted(outcomes) == ["counted"] * 5 + ["too_many"] * 3
    assert picked(order_id) == 5


def test_two_rounds_with_one_order(world, shop, ana):
    """Whoever is second goes without it."""
    orders = [world.place(shop, {"A": 1}).id for _ in range(3)]
    world.work()
    rounds = [
        in_own_session(world.app, partial(picking.start_round, ana, wanted, now=utcnow()))
        for wanted in (orders[:2], orders[:0:-1])
    ]

    started = at_once(rounds)

    assert sorted(len(each.started) for each in started) == [1, 2]
    assert {world.order(order_id).status for order_id in orders} == {"picking"}


@pytest.mark.parametrize("turn", range(3))
def test_what_is_refused_and_what_others_order_do_not_wait_in_a_circle(world, shop, ana, turn):
    """A handover locks all that its order holds, in the order of everybody, before it gives a part of it free."""
    world.stock(world.order(world.place(shop, {"A": 1}).id).store, world.product("B"), 50)
    ready = []
    for _ in range(4):
        order = world.place(shop, {"A": 2, "B": 2})
        world.work()
        with unit_of_work():
            locked = queries.lock_order(order.id)
            service.start_picking(locked, actor=ana.actor, now=utcnow())
            service.mark_ready(locked, actor=ana.actor, now=utcnow())
        ready.append(world.order(order.id))

    def hand_over(order_id, code, product_id):
        locked = queries.lock_order(order_id)
        refused = {product_id: 1}
        return service.hand_over(locked, code, actor=ana.actor, is_manager=False, refused=refused, now=utcnow())

    works = [
        partial(hand_over, order.id, order.pickup_code, order.lines[position % 2].product_id)
        for position, order in enumerate(ready)
    ]

    assert at_once([in_own_session(world.app, work) for work in works]) == [True] * 4
