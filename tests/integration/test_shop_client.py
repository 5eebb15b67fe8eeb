"""The demo shop's client: over a real socket, against the API, and against one that misbehaves."""

import json
import threading
from collections.abc import Iterator

import pytest
from werkzeug.serving import make_server
from werkzeug.wrappers import Request, Response

from pickup.shop import client
from pickup.shop.client import ApiError, PickupApi

PLACE = {"near": {"lat": 36.3728, "lon": -94.2088}}


@pytest.fixture
def api(world, live_server) -> PickupApi:
    return PickupApi(live_server, world.client("shop").key)


@pytest.fixture
def shelf(world):
    store = world.store("1")
    world.stock(store, world.product("A 1"), 5)
    return store


class Sulky:
    """An API that answers as it was told, one answer after the other, and remembers what it was asked."""

    def __init__(self, answers: list[tuple[int, dict]]) -> None:
        self.answers = answers
        self.keys: list[str] = []
        self.bodies: list[bytes] = []

    def __call__(self, environ, start_response):
        request = Request(environ)
        self.keys.append(request.headers.get("Idempotency-Key", ""))
        self.bodies.append(request.get_data())
        status, body = self.answers.pop(0)
        return Response(json.dumps(body), status, content_type="application/json")(environ, start_response)


@pytest.fixture
def sulky(monkeypatch) -> Iterator[Sulky]:
    monkeypatch.setattr(client, "PAUSE_SECONDS", 0)
    monkeypatch.setenv("NETRC", "/dev/null")
    app = Sulky([])
    server = make_server("127.0.0.1", 0, app)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    app.api = PickupApi(f"http://127.0.0.1:{server.server_port}", "pk")
    yield app
    server.shutdown()
    thread.join()


def test_what_a_shop_asks(api, world, shelf):
    items = [{"sku": "A 1", "quantity": 2}]

    assert api.products()["data"][0]["price"]["amount"] == 359
    assert api.product("A 1", store_ref="1")["sku"] == "A 1"
    found = api.stores(PLACE, items=items)
    assert (found["place"], found["data"][0]["available"]) == (PLACE["near"], True)
    quote = api.quote(items, PLACE)
    body = world.order_body({"A 1": 2}, PLACE) | {"expected_total": quote["total"]}
    order = api.place_order(body, key="one")
    assert order["total"] == quote["total"]
    assert api.place_order(body, key="one")["id"] == order["id"]
    assert api.order(order["id"])["history"][0]["action"] == "place"
    assert api.confirm_payment(order["id"])["payment"]["status"] == "authorised"


def test_the_place_of_a_postcode_is_told(api, world):
    store = world.store("1", lat=36.3728, lon=-94.2088)

    found = api.stores({"postcode": "72712", "country": "US"})

    assert abs(found["place"]["lat"] - store.lat) < 0.1
    assert abs(found["place"]["lon"] - store.lon) < 0.1


def test_a_refusal_says_which_field(api, world, shelf):
    with pytest.raises(ApiError) as refused:
        api.place_order(world.order_body({"A 1": 1}) | {"customer": {"name": "Ada", "email": "x"}}, key="one")

    assert (refused.value.status, refused.value.code) == (422, "invalid_fields")
    assert refused.value.fields.keys() == {"/customer/email"}
    assert not refused.value.is_temporary


def test_the_new_quote_comes_with_the_refusal(api, world, shelf):
    with pytest.raises(ApiError) as refused:
        api.place_order(world.order_body({"A 1": 1}) | {"expected_total": {"amount": 1, "currency": "USD"}}, key="one")

    assert refused.value.code == "price_changed"
    assert refused.value.document["quote"]["total"]["amount"] == 359


def test_an_order_is_repeated_with_its_key_until_there_is_an_answer(sulky):
    busy, running = (503, {"code": "unavailable"}), (409, {"code": "request_in_progress"})
    sulky.answers = [busy, running, (201, {"id": "x"})]

    assert sulky.api.place_order({"a": 1}, key="one") == {"id": "x"}
    assert sulky.keys == ["one"] * 3
    assert len(set(sulky.bodies)) == 1


def test_there_is_an_end_to_it(sulky):
    sulky.answers = [(503, {"code": "unavailable"})] * 3

    with pytest.raises(ApiError) as refused:
        sulky.api.place_order({}, key="one")

    assert refused.value.is_temporary
    assert sulky.answers == []


@pytest.mark.parametrize("answer", [(402, {"code": "payment_declined"}), (429, {"code": "too_many_declines"})])
def test_a_refusal_is_not_repeated(sulky, answer):
    sulky.answers = [answer]

    with pytest.raises(ApiError):
        sulky.api.place_order({}, key="one")

    assert len(sulky.keys) == 1


@pytest.mark.parametrize("answer", [(200, []), (302, {}), (500, "no")])
def test_an_answer_that_is_none(sulky, answer):
    sulky.answers = [answer]

    with pytest.raises(ApiError) as refused:
        sulky.api.products()

    assert refused.value.code == "unknown"


def test_nobody_is_there(monkeypatch):
    monkeypatch.setattr(client, "PAUSE_SECONDS", 0)

    with pytest.raises(ApiError) as refused:
        PickupApi("http://127.0.0.1:9", "pk").place_order({}, key="one")

    assert (refused.value.status, refused.value.code, refused.value.is_temporary) == (0, "no_answer", True)
