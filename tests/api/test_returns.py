"""Goods that come back, through the API: what may, what it does to goods and money, and what a repetition does."""

import pytest

from pickup.core.clock import utcnow
from pickup.core.db import db, unit_of_work
from pickup.core.types import Actor
from pickup.inventory.models import StockMovement
from pickup.inventory.reconciliation import differences
from pickup.inventory.transfers import transfers_of
from pickup.orders import queries, receiving, service, short_picks
from pickup.orders.models import Return
from pickup.payments.models import PaymentEntry
from tests.api_client import ApiClient
from tests.world import World

SAM = Actor("staff", "Sam")


@pytest.fixture
def shelves(world: World):
    """Ten of A at $3.59 and ten of B at $1.00 in the one store."""
    store = world.store("1")
    products = {sku: world.product(sku, price=price) for sku, price in (("A", 359), ("B", 100))}
    for product in products.values():
        world.stock(store, product, 10)

    def on_hand(sku: str) -> int:
        return world.level(store, products[sku]).on_hand

    return on_hand


@pytest.fixture
def collected(world: World, shop: ApiClient, shelves):
    """Three of A and one of B, handed over and paid."""
    order = world.collect(world.place(shop, {"A": 3, "B": 1}))
    world.work()
    return order


def give_back(shop: ApiClient, order, *items, key: str | None = None, **extra):
    body = {"items": [{"sku": sku, "quantity": quantity} for sku, quantity in items]} | extra
    return shop.post(f"/v1/orders/{order.id}/returns", body, **({"Idempotency-Key": key} if key else {}))


def how_many_returns() -> int:
    db.session.rollback()
    return db.session.query(Return).count()


def usd(amount: int):
    return {"amount": amount, "currency": "USD"}


def test_what_comes_back_is_paid_back_and_on_the_shelf_again(world: World, shop: ApiClient, shelves, collected):
    answer = give_back(shop, collected, ("A", 2), reason="wrong size")

    assert answer.status_code == 201, answer.text
    assert answer.json["status"] == "collected"
    assert answer.json["returned"] == usd(718)
    assert answer.json["total"] == usd(1177), "what was sold stays what it was"
    assert [(line["sku"], line["returned"]) for line in answer.json["lines"]] == [("A", 2), ("B", 0)]
    world.work()
    shown = shop.get(f"/v1/orders/{collected.id}").json
    assert (shown["payment"]["captured"], shown["payment"]["refunded"]) == (usd(1177), usd(718))
    assert shown["payment"]["status"] == "partially_refunded"
    (taken,) = shown["returns"]
    assert taken | {"id": "", "at": ""} == {
        "id": "",
        "at": "",
        "items": [{"sku": "A", "quantity": 2}],
        "amount": usd(718),
        "reason": "wrong size",
        "restocked": True,
        "by": "shop",
    }
    assert (shelves("A"), shelves("B")) == (9, 9)
    movement = db.session.query(StockMovement).filter_by(kind="return").one()
    assert (movement.on_hand_change, movement.order_id) == (2, collected.id)
    assert differences() == []


def test_a_list_shows_no_returns(shop: ApiClient, collected):
    give_back(shop, collected, ("A", 1))

    (listed,) = shop.get("/v1/orders").json["data"]

    assert "returns" not in listed
    assert listed["returned"] == usd(359)


def test_what_cannot_be_sold_again_stays_off_the_shelf(world: World, shop: ApiClient, shelves, collected):
    give_back(shop, collected, ("A", 1), restock=False)
    world.work()

    assert shelves("A") == 7
    assert db.session.query(StockMovement).filter_by(kind="return").count() == 0
    assert shop.get(f"/v1/orders/{collected.id}").json["payment"]["refunded"] == usd(359)
    assert differences() == []


def test_a_partner_has_no_shelf_to_put_it_on(world: World, shop: ApiClient, shelves):
    world.store("kiosk", lat=36.5, kind="partner")
    order = world.place(shop, {"A": 1}, {"store_ref": "kiosk"})
    world.work()
    order_id = order.id
    with unit_of_work():
        locked = queries.lock_order(order_id)
        receiving.receive(locked, transfers_of([order_id])[0].id, actor=SAM, now=utcnow())
    give_back(shop, world.collect(order), ("A", 1))

    (taken,) = shop.get(f"/v1/orders/{order_id}").json["returns"]
    assert not taken["restocked"]
    assert shelves("A") == 9
    assert differences() == []


def test_all_of_it_in_several_returns_and_no_unit_twice(world: World, shop: ApiClient, collected):
    for _ in range(3):
        assert give_back(shop, collected, ("A", 1)).status_code == 201
        world.work()
    assert give_back(shop, collected, ("A", 1)).status_code == 422
    assert give_back(shop, collected, ("B", 1)).status_code == 201
    world.work()

    shown = shop.get(f"/v1/orders/{collected.id}").json
    assert len(shown["returns"]) == 4
    assert (shown["payment"]["status"], shown["payment"]["refunded"]) == ("refunded", usd(1177))
    refunds = db.session.query(PaymentEntry).filter_by(kind="refund").order_by(PaymentEntry.id)
    assert [entry.amount for entry in refunds] == [359, 359, 359, 100]


def test_before_the_money_is_taken_only_the_rest_is(world: World, shop: ApiClient, shelves):
    order = world.collect(world.place(shop, {"A": 2}))
    give_back(shop, order, ("A", 1))
    world.work()

    payment = shop.get(f"/v1/orders/{order.id}").json["payment"]
    assert (payment["captured"], payment["refunded"]) == (usd(359), usd(0))


@pytest.mark.parametrize(
    ("items", "pointers"),
    [
        ([("A", 4)], ["/items/0/quantity"]),
        ([("A", 1), ("X", 1)], ["/items/1/sku"]),
        ([("C", 1)], ["/items/0/sku"]),
        ([("A", 2), ("B", 1), ("A", 2)], ["/items/2/quantity"]),
        ([("X", 1), ("B", 2)], ["/items/0/sku", "/items/1/quantity"]),
        ([("A", 0)], ["/items/0/quantity"]),
        ([], ["/items"]),
    ],
)
def test_what_was_not_handed_over_cannot_come_back(world: World, shop: ApiClient, collected, items, pointers):
    world.product("C")

    answer = give_back(shop, collected, *items)

    assert (answer.status_code, answer.json["code"]) == (422, "invalid_fields")
    assert [error["pointer"] for error in answer.json["errors"]] == pointers
    assert how_many_returns() == 0
    assert world.order(collected.id).returned_amount == 0


def test_the_same_sku_twice_is_added_up(shop: ApiClient, collected):
    answer = give_back(shop, collected, ("A", 1), ("B", 1), ("A", 2))

    assert answer.json["returned"] == usd(1177)
    (taken,) = shop.get(f"/v1/orders/{collected.id}").json["returns"]
    assert taken["items"] == [{"sku": "A", "quantity": 3}, {"sku": "B", "quantity": 1}]


@pytest.mark.parametrize("restock", [1, "true", None])
def test_restock_is_true_or_false(shop: ApiClient, collected, restock):
    answer = give_back(shop, collected, ("A", 1), restock=restock)

    assert [error["pointer"] for error in answer.json["errors"]] == ["/restock"]


def test_what_was_short_was_never_handed_over(world: World, shop: ApiClient, shelves):
    order = world.place(shop, {"A": 3})
    world.work()
    with unit_of_work():
        (locked,) = queries.lock_orders([order.id], with_lines=True)
        service.start_picking(locked, actor=SAM, now=utcnow())
        short_picks.short_pick(locked, locked.lines[0].product_id, 2, actor=SAM, now=utcnow())
        service.mark_ready(locked, actor=SAM, now=utcnow())
        service.hand_over(locked, locked.pickup_code, actor=SAM, is_manager=False, now=utcnow())
    world.work()

    assert give_back(shop, order, ("A", 2)).status_code == 422
    assert give_back(shop, order, ("A", 1)).json["returned"] == usd(359)


def test_only_what_was_collected(world: World, shop: ApiClient, shelves):
    order = world.place(shop, {"A": 1})
    world.work()

    answer = give_back(shop, order, ("A", 1))

    assert (answer.status_code, answer.json["code"]) == (409, "action_not_allowed")
    assert answer.json["status_of_order"] == "reserved"
    assert "cancel" in answer.json["allowed_actions"]


def test_only_ones_own_orders(world: World, collected):
    assert give_back(world.client("shop"), collected, ("A", 1)).status_code == 404
    assert give_back(world.client("admin", "pos"), collected, ("A", 1)).status_code == 403
    assert how_many_returns() == 0


def test_a_repetition_with_the_key_returns_nothing_twice(world: World, shop: ApiClient, shelves, collected):
    first, second = (give_back(shop, collected, ("A", 1), key="r1") for _ in range(2))
    world.work()

    assert first.status_code == second.status_code == 201
    assert first.data == second.data
    assert how_many_returns() == 1
    assert shelves("A") == 8
    assert shop.get(f"/v1/orders/{collected.id}").json["payment"]["refunded"] == usd(359)


def test_without_a_key_each_request_is_a_return(shop: ApiClient, collected):
    assert [give_back(shop, collected, ("A", 1)).json["returned"]["amount"] for _ in range(2)] == [359, 718]
    assert how_many_returns() == 2


def test_the_key_of_another_request_is_refused(world: World, shop: ApiClient, collected):
    give_back(shop, collected, ("A", 1), key="r1")
    shop.order(world.order_body({"A": 1}), key="o1")
    other = world.collect(world.place(shop, {"A": 1}))

    answers = [
        give_back(shop, collected, ("A", 2), key="r1"),
        give_back(shop, other, ("A", 1), key="r1"),
        give_back(shop, collected, ("A", 1), key="o1"),
        give_back(shop, collected, ("A", 1), key="x" * 256),
    ]

    assert [answer.json["code"] for answer in answers] == ["idempotency_key_reused"] * 3 + ["invalid_fields"]
    assert how_many_returns() == 1


def test_a_refusal_gives_the_key_back(world: World, shop: ApiClient, shelves):
    order = world.place(shop, {"A": 1})
    assert give_back(shop, order, ("A", 1), key="r1").status_code == 409
    world.collect(order)
    assert give_back(shop, order, ("A", 1), key="r1").status_code == 201
