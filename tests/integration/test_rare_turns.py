"""Turns of an order's life that need several unlucky things at once; each has happened once."""

import pytest

from pickup.core.clock import utcnow
from pickup.core.db import db, unit_of_work
from pickup.core.models import OutboxTask
from pickup.core.types import Actor
from pickup.inventory.models import Reservation
from pickup.inventory.reconciliation import differences
from pickup.inventory.transfers import transfers_of
from pickup.orders import queries, receiving, service
from pickup.stores import service as stores

STAFF = Actor("staff", "Sam")


def take(order_id, step, *args, **values):
    with unit_of_work():
        (order,) = queries.lock_orders([order_id], with_lines=True)
        step(order, *args, now=utcnow(), **values)


def at_till(world, store, quantities):
    lines = [
        {"sku": sku, "quantity": quantity, "unit_price": {"amount": 359, "currency": "USD"}}
        for sku, quantity in quantities.items()
    ]
    sale = {"id": f"sale {utcnow()}", "at": utcnow().isoformat(), "lines": lines}
    answer = world.client("pos").post("/v1/pos/sales", {"store_ref": store.ref, "register": "1", "sales": [sale]})
    assert answer.status_code == 200, answer.text


def held_for(order_id):
    db.session.rollback()
    rows = db.session.query(Reservation.store_id, Reservation.product_id, Reservation.quantity)
    return {(store_id, product_id): units for store_id, product_id, units in rows.filter_by(order_id=order_id)}


def nothing_is_left_to_do():
    db.session.rollback()
    return db.session.query(OutboxTask.handler, OutboxTask.last_error).all() == []


@pytest.fixture
def sent_for_twice(world, shop):
    """B was on the road when C could not be sent; by the new plan both come from the depot."""
    near, far, farther = world.store("near"), world.store("far", lat=36.6), world.store("farther", lat=36.9)
    depot = world.store("depot", lat=40.0, kind="warehouse")
    b, c = world.product("B"), world.product("C")
    world.stock(far, b, 1)
    world.stock(farther, c, 1)
    for product in (b, c):
        world.stock(depot, product, 50)
    order = world.place(shop, {"B": 1, "C": 1}, {"store_ref": "near"})
    world.work()
    first = {each.source_id: each.id for each in transfers_of([order.id])}
    take(order.id, receiving.send, first[far.id])
    take(order.id, receiving.cannot_send, first[farther.id], c.id, 1, actor=STAFF)
    world.work()
    (second,) = [each.id for each in transfers_of([order.id]) if each.status == "requested"]
    return order.id, first[far.id], second, (near, b, c)


@pytest.mark.parametrize("first_comes", ["before", "after"])
def test_what_comes_by_an_earlier_plan_goes_to_the_shelf(world, shop, sent_for_twice, first_comes):
    order_id, first, second, (near, b, c) = sent_for_twice
    for transfer in (first, second) if first_comes == "before" else (second, first):
        take(order_id, receiving.receive, transfer, actor=STAFF)

    assert held_for(order_id) == {(near.id, b.id): 1, (near.id, c.id): 1}, "as many as were ordered"
    assert world.order(order_id).status == "reserved"
    level = world.level(near, b)
    assert (level.on_hand, level.reserved) == (2, 1)
    assert differences() == []


def test_what_is_late_by_an_earlier_plan_keeps_nobody_waiting(world, shop, sent_for_twice):
    order_id, _, second, _ = sent_for_twice
    take(order_id, receiving.receive, second, actor=STAFF)

    assert world.order(order_id).status == "reserved"


def test_a_shortage_that_sends_more_away_than_it_must_finds_the_goods_on_the_same_shelf(world, shop):
    """The youngest leaves first, and after a large one has left, too, there is enough again for a small one."""
    store, product = world.store("1"), world.product("A")
    world.stock(store, product, 6)
    large, small = (world.place(shop, {"A": units}).id for units in (5, 1))
    world.work()
    at_till(world, store, {"A": 2})
    world.work()

    assert nothing_is_left_to_do()
    assert world.order(small).offer["options"].keys() == {"wait"}
    assert world.order(large).status == "cancelled"
    assert differences() == []


def test_whoever_chooses_a_store_that_has_paused_meanwhile_is_offered_another(world, shop):
    near, far, product = world.store("near"), world.store("far", lat=36.6), world.product("A")
    world.stock(near, product, 1)
    world.stock(far, product, 1)
    order = world.place(shop, {"A": 1})
    world.work()
    at_till(world, near, {"A": 1})
    world.work()
    assert world.order(order.id).offer["options"].keys() == {"move", "wait"}
    at_till(world, near, {"A": -1})
    with unit_of_work():
        stores.pause("far", now=utcnow())

    answer = shop.post(f"/v1/orders/{order.id}/choice", {"choice": "move"})

    assert answer.status_code == 200, answer.text
    assert world.order(order.id).offer["options"].keys() == {"wait"}


def test_whoever_loses_the_race_after_a_choice_is_told_of_the_next_one(world, shop, mailbox):
    near, far, product = world.store("near"), world.store("far", lat=36.6), world.product("A")
    world.stock(near, product, 1)
    world.stock(far, product, 1)
    order = world.place(shop, {"A": 1})
    world.work()
    at_till(world, near, {"A": 1})
    world.work()
    shop.post(f"/v1/orders/{order.id}/choice", {"choice": "move"})
    at_till(world, far, {"A": 1})
    at_till(world, near, {"A": -1})
    before = len(mailbox.mails)
    world.work()

    assert world.order(order.id).offer is not None
    assert len(mailbox.mails) == before + 1, "or they would wait a day for nothing, and lose the order"


def test_goods_that_the_books_lack_and_that_are_handed_over_are_not_those_of_others(world, shop):
    """Two bags stand ready with what the till has sold out of the books; the first that leaves is not the second."""
    store, product = world.store("1"), world.product("A")
    world.stock(store, product, 6)
    orders = [world.place(shop, {"A": 3}).id for _ in range(2)]
    world.work()
    for order_id in orders:
        take(order_id, service.start_picking, actor=STAFF)
        take(order_id, service.mark_ready, actor=STAFF)
    at_till(world, store, {"A": 2})
    world.work()

    levels = []
    for order_id in orders:
        take(order_id, service.hand_over, world.order(order_id).pickup_code, actor=STAFF, is_manager=False)
        level = world.level(store, product)
        levels.append((level.on_hand, level.reserved))

    assert levels == [(3, 3), (0, 0)], "what is promised is covered after each of them"
    assert differences() == []
