"""A unit comes back once, and a key brings it back once, however many ask at the same instant."""

from functools import partial

import pytest
from sqlalchemy import func, select

from pickup.core import idempotency
from pickup.core.db import db
from pickup.core.models import OutboxTask
from pickup.inventory.reconciliation import differences
from pickup.orders import queries
from pickup.orders.models import Order, Return
from pickup.payments.models import PaymentEntry
from tests.concurrency.together import Rendezvous, at_once, without

REQUESTS = 20
NO_CLAIM = without(idempotency._CLAIM, idempotency.CLAIM, instead="SELECT :subject_id AS subject_id")


@pytest.fixture
def shelf(world):
    """What the only store has of the only product."""
    store, product = world.store("1"), world.product("A", price=100)
    world.stock(store, product, 50)
    return lambda: world.level(store, product)


@pytest.fixture
def collect(world, shop, shelf):
    def make(units):
        order_id = world.collect(world.place(shop, {"A": units})).id
        world.work()
        return order_id

    return make


def give_back(shop, order_id, key=None):
    body = {"items": [{"sku": "A", "quantity": 1}]}
    return shop.post(f"/v1/orders/{order_id}/returns", body, **({"Idempotency-Key": key} if key else {}))


def how_many_returns():
    db.session.rollback()
    return db.session.scalar(select(func.count()).select_from(Return))


def refunded():
    db.session.rollback()
    return db.session.scalar(select(func.sum(PaymentEntry.amount)).where(PaymentEntry.kind == "refund"))


def read_without_a_lock(order_ids, **_):
    """What `queries.lock_orders` would be without FOR UPDATE."""
    wanted = select(Order).where(Order.id.in_(list(order_ids)))
    wanted = wanted.options(queries.selectinload(Order.lines)).execution_options(populate_existing=True)
    return db.session.scalars(wanted).all()


@pytest.mark.parametrize(
    ("read", "come_back"),
    [(queries.lock_orders, 1), (read_without_a_lock, 2)],
    ids=["once with the lock", "control: twice without it"],
)
def test_two_that_bring_back_the_last_unit(world, shop, collect, monkeypatch, read, come_back):
    order_id = collect(1)
    monkeypatch.setattr(queries, "lock_orders", Rendezvous(world.app).after(read))

    answers = at_once([partial(give_back, shop, order_id)] * 2)

    assert [answer.status_code for answer in answers].count(201) == come_back
    assert how_many_returns() == come_back


def test_of_many_who_bring_back_what_is_left_as_many_do_as_there_are_units(world, shop, shelf, collect):
    order_id = collect(7)

    answers = at_once([partial(give_back, shop, order_id)] * REQUESTS)
    world.work()

    assert sorted(answer.status_code for answer in answers) == [201] * 7 + [422] * (REQUESTS - 7)
    assert (how_many_returns(), refunded()) == (7, 700)
    assert shelf().on_hand == 50
    assert differences() == []


def test_one_key_many_requests_is_one_return_and_one_answer(world, shop, shelf, collect):
    order_id = collect(7)

    answers = at_once([partial(give_back, shop, order_id, "r1")] * REQUESTS)
    world.work()

    assert {answer.status_code for answer in answers} == {201}
    assert len({answer.data for answer in answers}) == 1
    assert (how_many_returns(), refunded()) == (1, 100)
    assert shelf().on_hand == 44
    assert differences() == []


@pytest.mark.parametrize(
    ("claim", "come_back"), [(idempotency._CLAIM, 1), (NO_CLAIM, 2)], ids=["claimed", "control: not claimed"]
)
def test_two_with_one_key_that_are_about_to_take_back(world, shop, collect, monkeypatch, claim, come_back):
    order_id = collect(7)
    monkeypatch.setattr(idempotency, "_CLAIM", claim)
    monkeypatch.setattr(idempotency, "run", Rendezvous(world.app).after(idempotency.run))
    monkeypatch.setattr(idempotency, "finish", lambda *_, **__: None)

    at_once([partial(give_back, shop, order_id, "r1")] * 2)

    assert how_many_returns() == come_back


def test_a_return_and_an_order_for_the_same_shelf_do_not_wait_in_a_circle(world, shop, shelf, collect):
    from worker import jobs

    collected = [collect(2) for _ in range(3)]
    fresh = [world.place(shop, {"A": 1}).id for _ in range(5)]
    tasks = db.session.scalars(select(OutboxTask.id).where(OutboxTask.handler == "reserve_stock")).all()
    returning = [partial(give_back, shop, order_id) for order_id in collected * 2]

    *answers, _ = at_once([*returning, partial(jobs.run, "reserve_stock", tasks)])
    world.work()

    assert {answer.status_code for answer in answers} == {201}
    assert {world.order(order_id).status for order_id in fresh} == {"reserved"}
    level = shelf()
    assert (level.on_hand, level.reserved) == (50, 5)
    assert differences() == []
