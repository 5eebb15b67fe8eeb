"""A collector's code that is taken back while it is typed: either it has handed over, or it counts no more."""

from functools import partial

import pytest
from sqlalchemy import select

from pickup.core.clock import utcnow
from pickup.core.db import db, unit_of_work
from pickup.core.types import Actor
from pickup.orders import collectors, queries, service
from pickup.orders.errors import ActionNotAllowed
from pickup.orders.models import Order
from tests.concurrency.test_one_ending import nobody_writes_mails, read_without_a_lock, ready_orders  # noqa: F401
from tests.concurrency.together import Rendezvous, at_once, in_own_session, refused

ANA, ADA = Actor("staff", "Ana"), Actor("customer")
TIMES = 50


def hand_over(order_id, code):
    return service.hand_over(queries.lock_order(order_id), code, actor=ANA, is_manager=False, now=utcnow())


def take_back(order_id):
    collectors.name_collector(queries.lock_order(order_id), None, actor=ADA, now=utcnow())


def name_bo(ids):
    with unit_of_work():
        for order in queries.lock_orders(ids):
            collectors.name_collector(order, {"name": "Bo"}, actor=ADA, now=utcnow())
    return dict(db.session.execute(select(Order.id, Order.collector_code)).all())


def race(app, order_id, code):
    """Whether it was handed over, and whether the taking back was refused."""
    return tuple(
        at_once(
            [
                in_own_session(app, partial(hand_over, order_id, code)),
                refused(ActionNotAllowed, in_own_session(app, partial(take_back, order_id))),
            ]
        )
    )


def test_either_collected_by_bo_or_refused(world, ready_orders):  # noqa: F811
    codes = name_bo(ready_orders(TIMES))

    outcomes = {order_id: race(world.app, order_id, code) for order_id, code in codes.items()}

    for order_id, (is_handed_over, is_too_late) in outcomes.items():
        assert is_handed_over == is_too_late
        order = world.order(order_id)
        if is_handed_over:
            assert (order.status, order.collector_name, order.collected_by_collector) == ("collected", "Bo", True)
            assert order.history[-1].note == "collected by Bo, named by the customer"
        else:
            assert (order.status, order.collector_code, order.wrong_codes) == ("ready", None, 1)


@pytest.mark.parametrize(
    ("read", "both"),
    [(queries.lock_orders, False), (read_without_a_lock, True)],
    ids=["one of them with the lock", "control: both without it"],
)
def test_two_that_have_read_the_order(world, ready_orders, monkeypatch, read, both):  # noqa: F811
    codes = name_bo(ready_orders(1))
    monkeypatch.setattr(queries, "lock_orders", Rendezvous(world.app).after(read))

    ((order_id, code),) = codes.items()
    is_handed_over, is_too_late = race(world.app, order_id, code)

    assert (is_handed_over and not is_too_late) == both
