"""Placing an order through the API: priced, routed, paid, answered."""

import pytest

from pickup.core.db import db
from pickup.payments.models import Payment, SandboxCharge
from tests.api_client import ApiClient
from tests.world import World


@pytest.fixture
def store(world: World):
    made = world.store("1")
    world.stock(made, world.product("A", price=359), 10)
    world.stock(made, world.product("B", price=100), 10)
    return made


def test_an_order_is_priced_by_the_ledger_and_placed(world: World, shop: ApiClient, store):
    answer = shop.order(world.order_body({"A": 2, "B": 1}))

    order = answer.json
    assert answer.status_code == 201, answer.text
    assert order["status"] == "placed"
    assert order["total"] == {"amount": 818, "currency": "USD"}
    assert [(line["sku"], line["quantity"], line["unit_price"]["amount"]) for line in order["lines"]] == [
        ("A", 2, 359),
        ("B", 1, 100),
    ]
    assert order["store"]["ref"] == "1"
    assert order["store"]["distance_m"] == 0
    assert order["candidates"] == [{"store_ref": "1", "distance_m": 0, "verdict": "chosen"}]
    assert order["payment"]["status"] == "authorised"
    assert order["pickup"]["url"].endswith(world.order(order["id"]).page_token)


def test_the_worker_reserves_and_tells_the_customer(world: World, shop: ApiClient, store):
    order = world.place(shop, {"A": 2})

    world.work()

    assert world.order(order.id).status == "reserved"


def test_a_sku_named_twice_is_one_line(world: World, shop: ApiClient, store):
    answer = shop.order(world.order_body([("A", 1), ("A", 2)]))

    assert [(line["sku"], line["quantity"]) for line in answer.json["lines"]] == [("A", 3)]


def test_the_same_key_and_body_get_the_same_bytes(world: World, shop: ApiClient, store):
    body = world.order_body({"A": 1})

    first, second = shop.order(body, key="k1"), shop.order(body, key="k1")

    assert first.status_code == second.status_code == 201
    assert first.data == second.data


def test_the_same_key_with_another_body_is_refused(world: World, shop: ApiClient, store):
    shop.order(world.order_body({"A": 1}), key="k1")

    answer = shop.order(world.order_body({"A": 2}), key="k1")

    assert answer.status_code == 422
    assert answer.json["code"] == "idempotency_key_reused"


def test_a_key_belongs_to_its_client(world: World, shop: ApiClient, store):
    other = world.client("shop")

    first, second = shop.order(world.order_body({"A": 1}), key="k1"), other.order(world.order_body({"A": 2}), key="k1")

    assert first.status_code == second.status_code == 201
    assert first.json["id"] != second.json["id"]


def test_without_a_key_nothing_is_ordered(world: World, shop: ApiClient, store):
    answer = shop.post("/v1/orders", world.order_body({"A": 1}))

    assert answer.status_code == 400
    assert answer.json["code"] == "idempotency_key_missing"


def test_a_declined_payment_takes_nothing(world: World, shop: ApiClient, store):
    body = world.order_body({"A": 1}, token="tok_declined")

    first, second = shop.order(body, key="k1"), shop.order(body, key="k1")

    assert first.status_code == 402
    assert first.json["code"] == "payment_declined"
    assert first.data == second.data
    world.work()
    assert db.session.query(Payment).one().status == "declined"


def test_a_lost_answer_of_the_gateway_charges_once(world: World, shop: ApiClient, store):
    answer = shop.order(world.order_body({"A": 1}, token="tok_timeout"))

    assert answer.status_code == 201
    assert answer.json["payment"]["status"] == "authorised"
    assert db.session.query(SandboxCharge).count() == 1


def test_a_payment_that_needs_action_waits(world: World, shop: ApiClient, store):
    answer = shop.order(world.order_body({"A": 1}, token="tok_needs_action"))

    assert answer.status_code == 201
    assert answer.json["status"] == "awaiting_payment"
    world.work()
    assert world.order(answer.json["id"]).status == "awaiting_payment"


def test_an_expected_total_that_is_not_the_total_orders_nothing(world: World, shop: ApiClient, store):
    body = world.order_body({"A": 2}, expected_total={"amount": 700, "currency": "USD"})

    answer = shop.order(body)

    assert answer.status_code == 409
    assert answer.json["code"] == "price_changed"
    assert answer.json["quote"]["total"] == {"amount": 718, "currency": "USD"}
    assert shop.get("/v1/orders").json["data"] == []


def test_the_right_expected_total_is_fine(world: World, shop: ApiClient, store):
    body = world.order_body({"A": 2}, expected_total={"amount": 718, "currency": "USD"})

    assert shop.order(body).status_code == 201


def test_the_nearest_store_with_the_whole_basket_is_chosen(world: World, shop: ApiClient, store):
    near = world.store("2", lat=36.38)
    far = world.store("3", lat=36.5)
    rare = world.product("C", price=5)
    world.stock(near, rare, 1)
    world.stock(far, rare, 2)

    answer = shop.order(world.order_body({"C": 2}))

    assert [(each["store_ref"], each["verdict"]) for each in answer.json["candidates"]] == [
        ("1", "not_enough_stock"),
        ("2", "not_enough_stock"),
        ("3", "chosen"),
    ]


def test_a_basket_nobody_has_is_refused_with_the_reasons(world: World, shop: ApiClient, store):
    answer = shop.order(world.order_body({"A": 11}))

    assert answer.status_code == 409
    assert answer.json["code"] == "out_of_stock"
    assert answer.json["candidates"] == [{"store_ref": "1", "distance_m": 0, "verdict": "not_enough_stock"}]


def test_a_store_beyond_the_radius_is_too_far(world: World, shop: ApiClient, store):
    answer = shop.order(world.order_body({"A": 1}, {"near": {"lat": 0, "lon": 0}}))

    assert answer.status_code == 409
    assert answer.json["candidates"][0]["verdict"] == "too_far"


def test_a_postcode_is_located_offline(world: World, shop: ApiClient, store):
    answer = shop.order(world.order_body({"A": 1}, {"postcode": "72712", "country": "US"}))

    assert answer.status_code == 201
    assert answer.json["store"]["distance_m"] < 20_000


def test_orders_are_listed_by_page_and_only_to_their_client(world: World, shop: ApiClient, store):
    placed = [world.place(shop, {"B": 1}) for _ in range(3)]

    first = shop.get("/v1/orders", limit=2).json
    second = shop.get("/v1/orders", limit=2, after=first["next"]).json

    assert [order["id"] for order in first["data"] + second["data"]] == [str(order.id) for order in placed]
    assert second["next"] is None
    assert world.client("shop").get("/v1/orders").json["data"] == []
    assert world.client("shop").get(f"/v1/orders/{placed[0].id}").status_code == 404


def test_a_cancelled_order_frees_the_goods_and_the_money(world: World, shop: ApiClient, store):
    order = world.place(shop, {"A": 4})
    world.work()

    answer = shop.post(f"/v1/orders/{order.id}/cancel")
    world.work()

    assert answer.json["status"] == "cancelled"
    assert answer.json["reason"] == "customer"
    assert shop.post(f"/v1/orders/{order.id}/cancel").status_code == 200
    assert db.session.query(Payment).one().status == "voided"
    product_id = order.lines[0].product_id
    level = world.level(store, world.order(order.id).lines[0].product)
    assert (level.product_id, level.on_hand, level.reserved) == (product_id, 10, 0)


def test_a_collector_and_an_arrival_can_be_named(world: World, shop: ApiClient, store):
    order = world.place(shop, {"A": 1})

    named = shop.put(f"/v1/orders/{order.id}/collector", {"name": "Grace Example"})
    arrived = shop.post(f"/v1/orders/{order.id}/arrival", {"note": "bay 4, red car"})

    assert named.json["pickup"]["collector"]["name"] == "Grace Example"
    assert arrived.json["pickup"]["arrived_at"] is not None


def test_the_history_tells_the_steps(world: World, shop: ApiClient, store):
    order = world.place(shop, {"A": 1})
    world.work()

    steps = shop.get(f"/v1/orders/{order.id}").json["history"]

    assert [(step["action"], step["from"], step["to"]) for step in steps] == [
        ("place", None, "awaiting_payment"),
        ("pay", "awaiting_payment", "placed"),
        ("reserve", "placed", "reserved"),
    ]


def test_nobody_waits_for_a_customer_who_has_yet_to_pay(world: World, shop: ApiClient, store, monkeypatch):
    looks = []
    monkeypatch.setattr("pickup.orders.queries.status_of", lambda order_id: looks.append(1) or "awaiting_payment")

    answer = shop.order(world.order_body({"A": 1}, token="tok_needs_action"), wait=10)

    assert answer.json["status"] == "awaiting_payment"
    assert len(looks) == 1


@pytest.mark.parametrize(("tag", "code"), [("es-MX", "es"), ("zh_Hans_CN", "zh"), ("EN", "en"), ("en-US", "en")])
def test_a_language_may_have_a_region(world, shop, tag, code):
    world.stock(world.store("1"), world.product("A"), 5)
    customer = {"name": "Ada", "email": "ada@example.com", "locale": tag}
    answer = shop.order(world.order_body({"A": 1}, customer=customer))
    assert (answer.status_code, answer.json["customer"]["locale"]) == (201, code)
