"""Goods that are not on the shelf of the pickup point: sent there, received, handed over; and what can go wrong."""

import pytest

from pickup.core.clock import utcnow
from pickup.core.db import db, unit_of_work
from pickup.core.types import Actor
from pickup.inventory.models import StockMovement
from pickup.inventory.reconciliation import differences
from pickup.inventory.transfers import transfers_of
from pickup.orders import queries, receiving, service

NEAR = {"near": {"lat": 36.3728, "lon": -94.2088}}
STAFF = Actor("staff", "Sam")


@pytest.fixture
def shelves(world):
    """Two stores and a warehouse: the near store has two of A and no B; the far one has B; the warehouse has both."""
    near, far = world.store("near"), world.store("far", lat=36.6)
    depot = world.store("depot", lat=40.0, kind="warehouse")
    a, b = world.product("A"), world.product("B")
    world.stock(near, a, 2)
    world.stock(far, b, 5)
    world.stock(depot, a, 50)
    world.stock(depot, b, 50)
    return {"near": near, "far": far, "depot": depot, "a": a, "b": b}


def sent_for(world, shop, items, pickup=None):
    order = world.place(shop, items, pickup)
    world.work()
    return world.order(order.id), list(transfers_of([order.id]))


def take(order_id, step, *args, **values):
    with unit_of_work():
        (order,) = queries.lock_orders([order_id], with_lines=True)
        step(order, *args, now=utcnow(), **values)


def test_the_nearest_store_is_sent_what_it_lacks(world, shop, shelves, mailbox):
    order, transfers = sent_for(world, shop, {"A": 2, "B": 1})

    assert (order.status, order.store.ref) == ("in_transit", "near")
    assert [(each.source_id, each.status) for each in transfers] == [(shelves["far"].id, "requested")]
    assert [each["verdict"] for each in order.candidates] == ["chosen", "not_enough_stock"]
    assert (
        world.level(shelves["near"], shelves["a"]).reserved,
        world.level(shelves["far"], shelves["b"]).reserved,
    ) == (
        2,
        1,
    )
    assert order.ready_by > transfers[0].expected_at

    take(order.id, receiving.send, transfers[0].id)
    level = world.level(shelves["far"], shelves["b"])
    assert (level.on_hand, level.reserved) == (4, 0), "on the road they are on nobody's shelf"
    take(order.id, receiving.receive, transfers[0].id, actor=STAFF)

    level = world.level(shelves["near"], shelves["b"])
    assert (level.on_hand, level.reserved, world.order(order.id).status) == (1, 1, "reserved")
    for step in (service.start_picking, service.mark_ready):
        take(order.id, step, actor=STAFF)
    take(order.id, service.hand_over, order.pickup_code, actor=STAFF, is_manager=False)
    assert world.level(shelves["near"], shelves["b"]).on_hand == 0
    assert differences() == []


def test_the_customer_is_told_once_and_when(world, shop, shelves, mailbox):
    order, transfers = sent_for(world, shop, {"A": 2, "B": 1})
    take(order.id, receiving.receive, transfers[0].id, actor=STAFF)
    world.work()

    assert len(mailbox.subjects()) == 1


def test_what_nobody_noted_as_sent_leaves_and_arrives_at_once(world, shop, shelves):
    order, transfers = sent_for(world, shop, {"B": 7})
    take(order.id, receiving.receive, transfers[0].id, actor=STAFF)

    kinds = db.session.query(StockMovement.kind).filter_by(order_id=order.id).order_by(StockMovement.id)
    assert [kind for (kind,) in kinds] == ["reservation", "transfer_out", "transfer_in"]
    assert world.order(order.id).status == "reserved"
    assert differences() == []


def test_where_no_store_has_all_of_a_line_several_send_a_part(world, shop, shelves):
    order, transfers = sent_for(world, shop, {"A": 52}, {"store_ref": "far"})

    assert {each.source_id for each in transfers} == {shelves["near"].id, shelves["depot"].id}
    assert order.status == "in_transit"
    assert sum(line.quantity for each in transfers for line in each.lines) == 52


def test_more_than_there_is_anywhere_is_refused(world, shop, shelves):
    answer = shop.order(world.order_body({"A": 53}, NEAR))

    assert (answer.status_code, answer.json["code"]) == (409, "out_of_stock")


def test_a_partner_without_a_shelf_is_always_sent_everything(world, shop, shelves):
    kiosk = world.store("kiosk", kind="partner", lat=36.3729)
    world.stock(kiosk, shelves["b"], 9)
    order, transfers = sent_for(world, shop, {"B": 1}, {"store_ref": "kiosk"})

    assert (order.status, [each.source_id for each in transfers]) == ("in_transit", [shelves["far"].id])
    assert world.level(kiosk, shelves["b"]).reserved == 0


def test_an_order_that_is_cancelled_on_the_way(world, shop, shelves):
    order, transfers = sent_for(world, shop, {"A": 10, "B": 1}, {"store_ref": "near"})
    by_source = {each.source_id: each for each in transfers}
    take(order.id, receiving.send, by_source[shelves["depot"].id].id)
    shop.post(f"/v1/orders/{order.id}/cancel")

    assert {each.status for each in transfers_of([order.id])} == {"sent", "cancelled"}
    take(order.id, receiving.receive, by_source[shelves["depot"].id].id, actor=STAFF)

    level = world.level(shelves["near"], shelves["a"])
    assert (level.on_hand, level.reserved) == (10, 0), "2 were there, 8 came, and nobody waits for them"
    assert world.order(order.id).status == "cancelled"
    assert differences() == []


def test_a_source_that_does_not_find_it_is_replaced_by_another(world, shop, shelves):
    order, transfers = sent_for(world, shop, {"A": 2, "B": 1})
    take(order.id, receiving.cannot_send, transfers[0].id, shelves["b"].id, 1, actor=STAFF)
    world.work()

    order = world.order(order.id)
    assert (order.status, order.store.ref) == ("in_transit", "near")
    assert [each.source_id for each in transfers_of([order.id]) if each.status == "requested"] == [shelves["depot"].id]
    level = world.level(shelves["far"], shelves["b"])
    assert (level.on_hand, level.reserved) == (0, 0), "nobody is promised what was not found"
    assert differences() == []


def test_the_api_shows_what_is_on_its_way(world, shop, shelves):
    order, _ = sent_for(world, shop, {"A": 2, "B": 1})
    shown = shop.get(f"/v1/orders/{order.id}").json

    (transfer,) = shown["transfers"]
    assert (transfer["from_store"], transfer["status"], transfer["items"]) == (
        "far",
        "requested",
        [{"sku": "B", "quantity": 1}],
    )
    assert shop.get("/v1/orders").json["data"][0]["transfers"] == shown["transfers"]
