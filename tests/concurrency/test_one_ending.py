"""An order ends once: handed over or called off, its money taken or given back, its goods gone or back on the shelf."""

import threading
from collections import Counter
from functools import partial

import pytest
from sqlalchemy import select, text, update
from sqlalchemy.exc import DBAPIError

from pickup.core.clock import utcnow
from pickup.core.db import db, unit_of_work
from pickup.core.types import Actor
from pickup.inventory.models import Reservation
from pickup.inventory.reconciliation import differences
from pickup.orders import queries, service
from pickup.orders.errors import ActionNotAllowed
from pickup.orders.lifecycle import FINAL
from pickup.orders.models import Order, OrderHistory
from pickup.payments.models import Payment, PaymentEntry, SandboxCharge
from pickup.subscriptions import SUBSCRIPTIONS
from tests.concurrency.together import Rendezvous, at_once, in_own_session, refused

ANA, BEN = Actor("staff", "Ana"), Actor("staff", "Ben")
THE_SHOP = Actor("shop", "the shop")
TIMES = 50


def hand_over(order_id, actor):
    order = queries.lock_order(order_id)
    assert service.hand_over(order, order.pickup_code, actor=actor, is_manager=False, now=utcnow())


def cancel(order_id, actor):
    service.cancel(queries.lock_order(order_id), actor=actor, reason="customer", now=utcnow())


@pytest.fixture(autouse=True)
def nobody_writes_mails(monkeypatch):
    """They would be most of the work here, and are another test's matter."""
    for event, handlers in SUBSCRIPTIONS.items():
        monkeypatch.setitem(SUBSCRIPTIONS, event, tuple(name for name in handlers if name != "notify_customer"))


@pytest.fixture
def ready_orders(world, shop):
    """Makes orders that stand ready at the counter, and tells the level of their goods."""
    store, product = world.store("1"), world.product("A")

    def make(count):
        world.stock(store, product, count)
        ids = [world.place(shop, {"A": 1}).id for _ in range(count)]
        world.work()
        with unit_of_work():
            for order in queries.lock_orders(ids):
                service.start_picking(order, actor=ANA, now=utcnow())
                service.mark_ready(order, actor=ANA, now=utcnow())
        world.work()
        return ids

    make.level = lambda: world.level(store, product)
    return make


def all_try(app, order_id, actions):
    """Every action at the same instant; how many were refused."""
    works = [in_own_session(app, partial(action, order_id, actor)) for action, actor in actions]
    return sum(at_once([refused(ActionNotAllowed, work) for work in works]))


def endings(order_id):
    db.session.rollback()
    steps = db.session.scalars(select(OrderHistory.to_status).where(OrderHistory.order_id == order_id))
    return [status for status in steps if status in FINAL]


def money_of(order_id):
    db.session.rollback()
    return list(
        db.session.scalars(
            select(PaymentEntry.kind)
            .join(Payment, Payment.id == PaymentEntry.payment_id)
            .where(Payment.order_id == order_id)
            .order_by(PaymentEntry.id)
        )
    )


AT_THE_COUNTER = {
    "two tablets hand over": ((hand_over, ANA), (hand_over, BEN)),
    "one hands over, the customer cancels": ((hand_over, ANA), (cancel, THE_SHOP)),
    "two hand over, two cancel": ((hand_over, ANA), (cancel, THE_SHOP), (hand_over, BEN), (cancel, BEN)),
}
MONEY_OF = {"collected": ["authorisation", "capture"], "cancelled": ["authorisation", "void"]}
CHARGE_OF = {"collected": "captured", "cancelled": "voided"}


@pytest.mark.parametrize("actions", AT_THE_COUNTER.values(), ids=AT_THE_COUNTER)
def test_of_all_who_try_at_the_same_instant_one_ends_the_order(world, ready_orders, actions):
    ids = ready_orders(TIMES)

    refusals = [all_try(world.app, order_id, actions) for order_id in ids]
    world.work()

    assert refusals == [len(actions) - 1] * TIMES
    ended = {order_id: endings(order_id) for order_id in ids}
    assert {len(ending) for ending in ended.values()} == {1}
    assert {order_id: money_of(order_id) for order_id in ids} == {
        order_id: MONEY_OF[ending] for order_id, (ending,) in ended.items()
    }
    count = Counter(ending for (ending,) in ended.values())
    charges = Counter(db.session.scalars(select(SandboxCharge.status)))
    assert charges == {CHARGE_OF[ending]: number for ending, number in count.items()}
    level = ready_orders.level()
    assert (level.on_hand, level.reserved) == (TIMES - count["collected"], 0)
    assert db.session.query(Reservation).count() == 0
    assert differences() == []


def read_without_a_lock(order_ids, **_):
    """What `queries.lock_orders` would be without FOR UPDATE."""
    wanted = select(Order).where(Order.id.in_(list(order_ids)))
    return db.session.scalars(wanted.execution_options(populate_existing=True)).all()


@pytest.mark.parametrize(
    ("read", "ends"),
    [(queries.lock_orders, 1), (read_without_a_lock, 2)],
    ids=["one ending with the lock", "control: two without it"],
)
def test_two_that_have_read_a_ready_order(world, ready_orders, monkeypatch, read, ends):
    (order_id,) = ready_orders(1)
    monkeypatch.setattr(queries, "lock_orders", Rendezvous(world.app).after(read))

    all_try(world.app, order_id, AT_THE_COUNTER["two tablets hand over"])

    assert len(endings(order_id)) == ends


def test_a_process_that_hangs_in_a_transaction_loses_its_locks(world, ready_orders):
    (order_id,) = ready_orders(1)
    it_hangs, it_may_go_on = threading.Event(), threading.Event()

    def hang():
        limit = db.session.execute(text("SHOW idle_in_transaction_session_timeout")).scalar_one()
        assert limit != "0"
        db.session.execute(text("SET idle_in_transaction_session_timeout = '200ms'"))  # so that the test need not wait
        hand_over(order_id, ANA)
        it_hangs.set()
        it_may_go_on.wait()

    def go_on():
        it_hangs.wait()
        try:
            in_own_session(world.app, partial(cancel, order_id, THE_SHOP))()
        finally:
            it_may_go_on.set()

    has_failed = refused(DBAPIError, in_own_session(world.app, hang))
    assert at_once([has_failed, go_on]) == [True, None]
    assert endings(order_id) == ["cancelled"]


def test_the_clock_takes_nothing_back_that_is_being_handed_over(world, ready_orders):
    from pickup.orders import sweeping

    ids = ready_orders(10)
    with unit_of_work():
        db.session.execute(update(Order).values(hold_until=utcnow()))

    def expire():
        with world.app.app_context():
            return sweeping.expire_holds(utcnow())

    tablets = [
        refused(ActionNotAllowed, in_own_session(world.app, partial(hand_over, order_id, ANA))) for order_id in ids
    ]
    at_once([expire, *tablets, expire])
    world.work()

    assert {len(endings(order_id)) for order_id in ids} == {1}
    collected = sum(endings(order_id) == ["collected"] for order_id in ids)
    assert ready_orders.level().on_hand == 10 - collected
    assert db.session.query(Payment).where(Payment.status == "captured").count() == collected
    assert differences() == []
