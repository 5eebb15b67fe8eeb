"""Hostile and careless input: each a 4xx problem that names the field, never a 5xx, and nothing half-written."""

import json
import traceback
from typing import Any

import pytest
import structlog
from sqlalchemy import text

from pickup.core.db import db
from pickup.orders import checkout
from pickup.orders.models import Order
from tests.api_client import ApiClient
from tests.world import World


@pytest.fixture
def good(world: World) -> dict[str, Any]:
    world.stock(world.store("1"), world.product("A"), 10)
    return world.order_body({"A": 1})


def changed(body: dict[str, Any], path: tuple[Any, ...], value: Any) -> dict[str, Any]:
    copy: Any = json.loads(json.dumps(body))
    at = copy
    for step in path[:-1]:
        at = at[step]
    at[path[-1]] = value
    return copy


def refusal(shop: ApiClient, raw: bytes, **headers: str) -> Any:
    answer = shop.send("POST", "/v1/orders", raw, **{"Idempotency-Key": "k"} | headers)
    assert 400 <= answer.status_code < 500, (answer.status_code, raw[:80])
    assert answer.content_type == "application/problem+json"
    assert answer.json["code"]
    assert answer.json["detail"]
    assert db.session.query(Order).count() == 0
    return answer


NO_JSON = {
    "nothing": b"",
    "truncated": b'{"customer": {"name": "A',
    "not UTF-8": b'{"customer": "\xff\xfe"}',
    "UTF-16": '{"items": []}'.encode("utf-16"),
    "NUL": b"\x00",
    "NaN": b'{"items": NaN}',
    "Infinity": b'{"items": -Infinity}',
    "100,000 nested arrays": b"[" * 100_000,
    "50,000 nested objects": b'{"a":' * 50_000,
    "an integer of 5,000 digits": b'{"items": ' + b"9" * 5000 + b"}",
    "a list": b"[]",
    "null": b"null",
    "a string": b'"x"',
}


@pytest.mark.parametrize("raw", NO_JSON.values(), ids=NO_JSON.keys())
def test_what_is_no_json_object_is_malformed(shop: ApiClient, good: dict[str, Any], raw: bytes):
    assert refusal(shop, raw).status_code == 400


BAD_FIELDS = [
    *((("items", 0, "quantity"), value) for value in (0, -1, 10**100, 1.5, "2", None, True, [], {}, 2**63, 1e308)),
    *(
        (("items", 0, "sku"), value)
        for value in ("", " ", "none", "x" * 100_000, "\x00", "a\x00b", "\ud800", None, 5, [])
    ),
    *((("customer", "name"), value) for value in ("", "x" * 10_000, "\x00", "\ud800", "a\nb", None, 5, {})),
    *((("customer", "email"), value) for value in ("", "nobody", "a@b", "a@example.com\nBcc: b@example.com", None, 5)),
    *((("customer", "phone"), value) for value in ("", "call me", "1" * 50)),
    *((("customer", "locale"), value) for value in ("", "xx", 5)),
    *((("pickup", "near", "lat"), value) for value in (91, -90.001, "x", None, True, 10**400)),
    *((("pickup", "near", "lon"), value) for value in (181, -181)),
    *((("payment", "method"), value) for value in ("cash", "", None, 5)),
    *((("payment", "token"), value) for value in ("nonsense", "", None)),
    (("items",), []),
    (("items",), [{"sku": "A", "quantity": 1}] * 1001),
    (("items", 0), None),
]


@pytest.mark.parametrize(("path", "value"), BAD_FIELDS)
def test_a_bad_field_is_named(shop: ApiClient, good: dict[str, Any], path: tuple[Any, ...], value: Any):
    answer = refusal(shop, json.dumps(changed(good, path, value)).encode())

    assert answer.status_code == 422
    pointer = "/" + "/".join(str(step) for step in path)
    assert {error["pointer"] for error in answer.json["errors"]} == {pointer}


@pytest.mark.parametrize("name", ["price", "total", "discount", "unit_price", "store", "__proto__", "a/b~c", "\ud800"])
def test_an_unknown_field_is_named(shop: ApiClient, good: dict[str, Any], name: str):
    answer = refusal(shop, json.dumps(good | {name: 1}).encode())

    assert answer.status_code == 422
    assert len(answer.json["errors"]) == 1


PLACES = {
    "nothing": {},
    "two places": {"near": {"lat": 1, "lon": 1}, "store_ref": "1"},
    "an unknown store": {"store_ref": "nowhere"},
    "an unknown postcode": {"postcode": "00000", "country": "US"},
    "a country we know nothing of": {"postcode": "72712", "country": "XX"},
    "a postcode without a country": {"postcode": "72712"},
    "an address nobody knows": {"address": "Nowhere at all"},
}


@pytest.mark.parametrize("pickup", PLACES.values(), ids=PLACES.keys())
def test_a_place_that_cannot_be_found_is_unprocessable(shop: ApiClient, good: dict[str, Any], pickup: dict[str, Any]):
    answer = refusal(shop, json.dumps(good | {"pickup": pickup}).encode())

    assert answer.status_code == 422
    assert answer.json["errors"][0]["pointer"].startswith("/pickup")


def test_a_thousand_different_lines_are_read(shop: ApiClient, good: dict[str, Any]):
    items = [{"sku": f"S{number}", "quantity": 1} for number in range(1000)]

    answer = refusal(shop, json.dumps(good | {"items": items}).encode())

    assert len(answer.json["errors"]) == 1000


def test_another_content_type_is_refused(shop: ApiClient, good: dict[str, Any]):
    raw = json.dumps(good).encode()

    assert refusal(shop, raw, **{"Content-Type": "text/plain"}).status_code == 415


@pytest.mark.parametrize("key", ["x" * 5000, "k\u00e9y"])
def test_a_bad_idempotency_key_is_refused(shop: ApiClient, good: dict[str, Any], key: str):
    answer = refusal(shop, json.dumps(good).encode(), **{"Idempotency-Key": key.encode().decode("latin-1")})

    assert answer.status_code == 422


def test_more_than_one_order_may_have_is_refused(world: World, shop: ApiClient, good: dict[str, Any]):
    world.product("L", max_per_order=2)

    answer = refusal(shop, json.dumps(good | {"items": [{"sku": "L", "quantity": 3}]}).encode())

    assert answer.json["errors"] == [{"pointer": "/items/0/quantity", "detail": "at most 2 of this product an order"}]


def test_a_product_without_a_price_is_refused(world: World, shop: ApiClient, good: dict[str, Any]):
    world.stock(world.store("2"), world.product("P", price=None), 5)

    answer = refusal(shop, json.dumps(good | {"items": [{"sku": "P", "quantity": 1}]}).encode())

    assert answer.json["code"] == "invalid_fields"
    assert "P" in answer.json["detail"]


def test_two_currencies_in_a_basket_are_refused(world: World, shop: ApiClient, good: dict[str, Any]):
    store = world.store("2")
    world.stock(store, world.product("Y", price=300, currency="JPY"), 5)
    world.stock(store, world.product("D", price=300), 5)

    answer = refusal(shop, json.dumps(world.order_body({"Y": 1, "D": 1})).encode())

    assert "one currency" in answer.json["detail"]


READS = [
    ("/v1/nowhere", 404),
    ("/v1/orders/%00", 400),
    ("/v1/orders/'", 404),
    ("/v1/orders?after=%FF%FE", 422),
    ("/v1/orders?after=zzz", 422),
    ("/v1/orders?limit=0", 422),
    ("/v1/orders?status=lost", 422),
    ("/v1/stores", 422),
    ("/v1/stores?near=abc", 422),
    ("/v1/stores?near=1,2,3", 422),
    ("/v1/stores?near=nan,inf", 422),
    ("/v1/stores?near=1,2&limit=-1", 422),
    ("/v1/stores?near=1,2&radius_km=nan", 422),
    ("/v1/stores?near=1,2&items=A", 422),
    ("/v1/stores?near=1,2&items=none:1", 422),
    ("/v1/stores?postcode=00000&country=US", 422),
    ("/v1/products?store_ref=nowhere", 422),
    ("/v1/products/%00", 400),
    ("/v1/products?store_ref=%00", 400),
    ("/v1/products/none", 404),
]


@pytest.mark.parametrize(("path", "status"), READS)
def test_a_bad_read_is_refused(shop: ApiClient, good: dict[str, Any], path: str, status: int):
    answer = shop.get(path)

    assert answer.status_code == status
    assert answer.content_type == "application/problem+json"


def test_a_method_that_a_route_has_not_is_refused_with_what_it_has(shop: ApiClient, good: dict[str, Any]):
    answer = shop.send("DELETE", "/v1/orders", b"")

    assert answer.status_code == 405
    assert {"GET", "POST"} <= set(answer.headers["Allow"].replace(" ", "").split(","))
    assert answer.json["code"] == "method_not_allowed"


def test_a_card_number_goes_nowhere(world, shop, capfd):
    """Tokens only: a shop that sends a card is told so, and nobody reads the number in an answer or a log."""
    world.stock(world.store("1"), world.product("A"), 5)
    card = "4242424242424242"

    answer = shop.order(world.order_body({"A": 1}, token=card))

    assert (answer.status_code, answer.json["errors"][0]["pointer"]) == (422, "/payment/token")
    assert card not in answer.text
    assert card not in "".join(capfd.readouterr())


def test_what_a_customer_is_called_is_not_in_the_log_of_a_fault(world, shop, monkeypatch):
    def fail(*_, **__):
        db.session.execute(text("SELECT 1 / 0 WHERE :name <> ''"), {"name": body["customer"]["name"]})

    world.stock(world.store("1"), world.product("A"), 5)
    monkeypatch.setattr(checkout, "open_order", fail)
    body = world.order_body({"A": 1})

    with structlog.testing.capture_logs() as log:
        assert shop.order(body).status_code == 500
    said = "".join(traceback.format_exception(log[0]["exc_info"]))
    assert "division by zero" in said
    assert body["customer"]["name"] not in said
