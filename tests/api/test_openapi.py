"""The OpenAPI document: valid, complete, and true. Its examples are sent, and real answers are held against it."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

import pytest
from flask import Flask
from jsonschema import Draft202012Validator
from openapi_spec_validator import OpenAPIV31SpecValidator
from werkzeug.test import TestResponse

from pickup.core import streaming
from pickup.core.clock import rfc3339, utcnow
from pickup.core.db import unit_of_work
from pickup.core.openapi import EVENT_STREAM, JSON, METHODS, example_of
from pickup.orders import views as order_views
from pickup.payments.queries import payment_of
from pickup.webhooks import stock_news
from pickup.webhooks.event_types import PUBLIC
from pickup.webhooks.publishing import publish
from pickup.webhooks.signing import signed_headers
from tests.api_client import ApiClient
from tests.world import World

PROBLEM = "application/problem+json"
NOT_FOR_SHOPS = {"/v1/openapi.json", "/v1/gateways/<name>/events"}


@dataclass(frozen=True)
class Documented:
    """An operation as the document has it."""

    path: str
    method: str
    said: dict[str, Any]
    parameters: list[dict[str, Any]]

    def examples(self, place: str) -> dict[str, str]:
        return {
            each["name"]: str(each["example"]) for each in self.parameters if each["in"] == place and "example" in each
        }

    def send(self, client: ApiClient, **path_values: str) -> TestResponse:
        """Send the example of this operation."""
        path = self.path
        for name, value in (self.examples("path") | path_values).items():
            path = path.replace(f"{{{name}}}", quote(value, safe=""))
        body = self.said.get("requestBody", {}).get("content", {}).get(JSON, {})
        return client.app.test_client().open(
            path,
            method=self.method.upper(),
            query_string=self.examples("query"),
            headers={"Authorization": f"Bearer {client.key}"} | self.examples("header"),
            json=body.get("example"),
        )


@pytest.fixture(scope="module")
def document(app: Flask) -> dict[str, Any]:
    answer = app.test_client().get("/v1/openapi.json")
    assert answer.status_code == 200
    found: dict[str, Any] = answer.json
    return found


@pytest.fixture(scope="module")
def operations(document: dict[str, Any]) -> dict[str, Documented]:
    return {each.said["operationId"]: each for each in documented(document)}


@pytest.fixture
def house(world: World, monkeypatch: pytest.MonkeyPatch) -> World:
    """A store and a product of the names that the examples use, as the demo has them; nothing that waits."""
    monkeypatch.setattr(order_views, "WAIT_MAX_SECONDS", 0)
    monkeypatch.setattr(streaming, "STREAM_SECONDS", 0)
    store = world.store("101")
    world.stock(store, world.product("1001", price=349), 1000)
    return world


@pytest.fixture
def key(house: World) -> ApiClient:
    return house.client("shop", "pos", "admin")


def documented(document: dict[str, Any]) -> Iterator[Documented]:
    for path, item in document["paths"].items():
        for method in item.keys() & METHODS:
            parameters = [*item.get("parameters", ()), *item[method].get("parameters", ())]
            yield Documented(path, method, item[method], parameters)


def closed(node: Any) -> Any:
    """A schema that allows what it lists and nothing else: an answer must not have what is not documented."""
    if isinstance(node, list):
        return [closed(each) for each in node]
    if not isinstance(node, dict):
        return node
    copy = {name: closed(each) for name, each in node.items()}
    if node.get("type") == "object" and "properties" in node and "additionalProperties" not in node:
        copy["additionalProperties"] = False
    return copy


def faults(document: dict[str, Any], schema: dict[str, Any], value: Any) -> list[str]:
    whole = {"components": closed(document["components"])} | schema
    checker = Draft202012Validator(whole, format_checker=Draft202012Validator.FORMAT_CHECKER)
    return [f"{error.json_path}: {error.message}" for error in checker.iter_errors(value)]


def assert_documented(document: dict[str, Any], operation: Documented, answer: TestResponse) -> None:
    """The status is one that the operation lists, and the body is what it lists for it."""
    response = operation.said["responses"].get(str(answer.status_code))
    assert response is not None, (operation.said["operationId"], answer.status_code, answer.text)
    if "content" not in response:
        assert answer.data == b""
        return
    media = response["content"][answer.mimetype]
    if answer.mimetype == EVENT_STREAM:
        assert media["example"].startswith(answer.text.partition("\n")[0])
        return
    assert faults(document, media["schema"], answer.json) == [], operation.said["operationId"]


def endpoint_of(key: ApiClient) -> str:
    made: str = key.post("/v1/webhook-endpoints", {"url": "https://shop.example.com/hooks"}).json["id"]
    return made


def test_the_document_is_valid(document: dict[str, Any]):
    assert document["openapi"].startswith("3.1")
    assert list(OpenAPIV31SpecValidator(document).iter_errors()) == []


def test_every_route_is_in_it_and_nothing_else(app: Flask, document: dict[str, Any]):
    routes = {
        (re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", rule.rule), method.lower())
        for rule in app.url_map.iter_rules()
        if rule.rule.startswith("/v1/") and rule.rule not in NOT_FOR_SHOPS
        for method in rule.methods - {"HEAD", "OPTIONS"}
    }

    assert {(each.path, each.method) for each in documented(document)} == routes


def test_every_operation_says_what_it_is(document: dict[str, Any]):
    tags = {tag["name"] for tag in document["tags"] if tag["description"]}
    ids = [each.said["operationId"] for each in documented(document)]

    assert sorted(ids) == sorted(set(ids))
    for each in documented(document):
        said = each.said
        assert re.fullmatch(r"[a-z]+([A-Z][a-z]+)*", said["operationId"])
        assert 5 < len(said["summary"]) < 60, said["summary"]
        assert said["description"], said["operationId"]
        assert len(said["tags"]) == 1
        assert set(said["tags"]) <= tags
        assert said["security"]
        assert all(parameter.get("description") for parameter in each.parameters), said["operationId"]


def test_every_refusal_is_a_problem_with_its_codes(document: dict[str, Any]):
    for each in documented(document):
        assert {"400", "401", "403", "503"} <= each.said["responses"].keys()
        for status, response in each.said["responses"].items():
            if status.startswith("2"):
                continue
            examples = response["content"][PROBLEM]["examples"]
            for code, example in examples.items():
                assert example["value"]["code"] == code
                assert str(example["value"]["status"]) == status
                assert faults(document, response["content"][PROBLEM]["schema"], example["value"]) == []


def test_every_example_is_what_its_schema_says(document: dict[str, Any]):
    for each in documented(document):
        for body in (each.said.get("requestBody", {}), *each.said["responses"].values()):
            media = body.get("content", {}).get(JSON)
            if media:
                assert faults(document, media["schema"], media["example"]) == [], each.said["operationId"]
        for parameter in each.parameters:
            if "example" in parameter:
                assert faults(document, parameter["schema"], parameter["example"]) == []


def test_every_member_of_every_schema_has_an_example(document: dict[str, Any]):
    schemas = document["components"]["schemas"]
    bare = [
        f"{name}.{member}"
        for name, schema in schemas.items()
        if name not in ("Problem", "Person", "Pickup")  # whose members are there only sometimes
        for member, said in schema["properties"].items()
        if example_of(said, schemas) is None
        and "examples" not in said
        and "null" not in str(said.get("type"))
        and member in schema.get("required", ())
    ]

    assert bare == []


def message_schema(document: dict[str, Any], event: str) -> dict[str, Any]:
    found: dict[str, Any] = document["webhooks"][event]["post"]["requestBody"]["content"][JSON]["schema"]
    return found


def test_every_webhook_is_described_with_an_example(document: dict[str, Any]):
    assert tuple(document["webhooks"]) == PUBLIC
    for event, item in document["webhooks"].items():
        media = item["post"]["requestBody"]["content"][JSON]
        assert media["example"]["type"] == event
        assert faults(document, media["schema"], media["example"]) == []
        assert item["post"]["description"]
        headers = signed_headers("", b"", (), at=utcnow()).keys() - {"Content-Type"}
        assert {each["name"] for each in item["post"]["parameters"]} == headers


def test_what_is_sent_is_as_described(
    house: World, key: ApiClient, document: dict[str, Any], operations: dict[str, Documented]
):
    """A day's events as the feed has them: the same as a webhook, and a name, which a header has there."""
    wanted = key.post("/v1/webhook-endpoints", {"url": "https://shop.example.com/hooks"})
    assert wanted.status_code == 201
    assert operations["recordPrices"].send(key).status_code == 201
    house.collect(house.place(key, {"1001": 2}))
    called_off = house.place(key, {"1001": 1})
    assert key.post(f"/v1/orders/{called_off.id}/cancel", {}).status_code == 200
    house.work()
    with unit_of_work():
        stock_news.tell_some(utcnow())
    with unit_of_work():
        publish(utcnow())

    events = key.get("/v1/events?limit=1000").json["data"]

    told = {each.pop("id"): each for each in events}.values()
    for each in told:
        assert faults(document, message_schema(document, each["type"]), each) == [], each
    kinds = {each["type"] for each in told}
    assert kinds >= {"order.placed", "order.ready", "order.collected", "order.cancelled", "payment.captured"}
    assert kinds >= {"price.changed", "stock.changed"}


def test_a_parameter_is_never_null(document: dict[str, Any]):
    for each in documented(document):
        for parameter in each.parameters:
            assert isinstance(parameter["schema"]["type"], str), (each.said["operationId"], parameter["name"])
            assert parameter["schema"].get("default", "") is not None


def test_an_answer_may_grow_and_a_request_may_not(document: dict[str, Any]):
    schemas = document["components"]["schemas"]

    assert "additionalProperties" not in schemas["Order"]
    assert set(schemas["Order"]["required"]) == schemas["Order"]["properties"].keys()
    assert schemas["NewOrder"]["additionalProperties"] is False


def test_where_values_are_fixed_they_are_listed(document: dict[str, Any]):
    schemas = document["components"]["schemas"]

    assert "in_transit" in schemas["Order"]["properties"]["status"]["enum"]
    assert None in schemas["Order"]["properties"]["reason"]["enum"]
    assert "at_capacity" in schemas["Candidate"]["properties"]["verdict"]["enum"]


def test_every_example_is_accepted(
    house: World, key: ApiClient, document: dict[str, Any], operations: dict[str, Documented]
):
    for operation in operations.values():
        known = {}
        if "{order_id}" in operation.path:
            order = house.place(key, {"1001": 2})
            known["order_id"] = str(order.id)
            if operation.path.endswith("/choice"):
                house.offer(order)
            if operation.path.endswith("/returns"):
                house.collect(order)
            if operation.path.endswith("/extend-hold"):
                house.make_ready(order)

        if "{payment_id}" in operation.path:
            known["payment_id"] = str(payment_of(house.place(key, {"1001": 1}).id).id)

        if "{endpoint_id}" in operation.path:
            known["endpoint_id"] = endpoint_of(key)

        answer = operation.send(key, **known)

        assert 200 <= answer.status_code < 300, (operation.said["operationId"], answer.text)
        assert_documented(document, operation, answer)


def test_the_example_order_is_really_placed(house: World, key: ApiClient, operations: dict[str, Documented]):
    answer = operations["placeOrder"].send(key)
    house.work()

    order = house.order(answer.json["id"])
    assert order.status == "reserved"
    assert order.total_amount == 698


def test_answers_of_a_day_at_work_are_as_documented(
    house: World, key: ApiClient, document: dict[str, Any], operations: dict[str, Documented]
):
    """Members that the first example leaves empty: a collector, an arrival, a history, movements, breaches."""
    order = house.place(key, {"1001": 2})
    house.work()
    for name in ("nameCollector", "announceArrival", "showOrder", "cancelOrder", "showOrder", "listOrders"):
        assert_documented(document, operations[name], operations[name].send(key, order_id=str(order.id)))
    collected = house.collect(house.place(key, {"1001": 2}))
    for name in ("returnGoods", "showOrder"):
        assert_documented(document, operations[name], operations[name].send(key, order_id=str(collected.id)))
    line = {"sku": "1001", "quantity": 1, "unit_price": {"amount": 1, "currency": "USD"}}
    unknown = line | {"sku": "bag"}
    sale = {"id": "s1", "at": rfc3339(utcnow()), "lines": [line, unknown]}
    told = key.post("/v1/pos/sales", {"store_ref": "101", "register": "r1", "sales": [sale]})

    assert_documented(document, operations["recordSales"], told)
    assert told.json["breaches"] == len(told.json["ignored"]) == 1
    for name in ("showParity", "listStockMovements", "listStockLevels", "listProducts", "showProduct", "listStores"):
        answer = operations[name].send(key)
        assert answer.status_code == 200
        assert_documented(document, operations[name], answer)


REFUSED: list[tuple[str, str, str, dict[str, Any] | None, str]] = [
    ("listStores", "GET", "/v1/stores", None, "invalid_fields"),
    ("showProduct", "GET", "/v1/products/none", None, "not_found"),
    ("makeQuote", "POST", "/v1/quotes", {"items": []}, "invalid_fields"),
    ("placeOrder", "POST", "/v1/orders", {}, "invalid_fields"),
    ("showOrder", "GET", "/v1/orders/none", None, "order_not_found"),
    ("cancelOrder", "POST", "/v1/orders/none/cancel", None, "order_not_found"),
    ("showPriceHistory", "GET", "/v1/prices/none", None, "product_not_found"),
    ("pauseStore", "POST", "/v1/stores/none/pause", None, "store_not_found"),
    ("setSpecialDay", "PUT", "/v1/stores/101/hours/tomorrow", {"hours": "off"}, "invalid_fields"),
    ("listStockLevels", "GET", "/v1/stock?sku=none", None, "invalid_fields"),
    ("listPayments", "GET", "/v1/payments?status=none", None, "invalid_fields"),
    ("showPayment", "GET", "/v1/payments/none", None, "payment_not_found"),
    ("followEvents", "GET", "/v1/events?after=none", None, "invalid_fields"),
    ("streamEvents", "GET", "/v1/events/stream?types=none", None, "invalid_fields"),
    ("streamOrderEvents", "GET", "/v1/orders/none/events", None, "order_not_found"),
    ("showWebhookEndpoint", "GET", "/v1/webhook-endpoints/none", None, "webhook_endpoint_not_found"),
    ("addWebhookEndpoint", "POST", "/v1/webhook-endpoints", {"url": "ftp://x"}, "invalid_fields"),
]


@pytest.mark.parametrize(("name", "method", "path", "body", "code"), REFUSED)
def test_a_refusal_is_as_documented(
    key: ApiClient,
    document: dict[str, Any],
    operations: dict[str, Documented],
    name: str,
    method: str,
    path: str,
    body: dict[str, Any] | None,
    code: str,
):
    headers = {"Authorization": f"Bearer {key.key}"}
    answer = key.app.test_client().open(path, method=method, json=body, headers=headers)

    assert answer.json["code"] == code
    assert code in operations[name].said["responses"][str(answer.status_code)]["content"][PROBLEM]["examples"]
    assert_documented(document, operations[name], answer)


def test_what_a_price_change_brings_along_is_a_quote(
    house: World, key: ApiClient, document: dict[str, Any], operations: dict[str, Documented]
):
    body = house.order_body({"1001": 1}, expected_total={"amount": 1, "currency": "USD"})

    answer = key.order(body)

    assert_documented(document, operations["placeOrder"], answer)
    assert faults(document, {"$ref": "#/components/schemas/Quote"}, answer.json["quote"]) == []
