"""Managing stores over the API, and what orders make of it: at once, in every process."""

from datetime import timedelta
from typing import Any

import pytest

from pickup.app import create_app
from pickup.core.clock import utcnow
from pickup.core.db import db
from pickup.stores.models import SpecialDay, Store
from tests.api_client import ApiClient
from tests.world import BENTONVILLE, World

BODY = {
    "name": "Rogers Supercenter",
    "street": "2110 West Walnut Street",
    "city": "Rogers",
    "state": "AR",
    "postcode": "72756",
    "country": "us",
    "lat": 36.3313,
    "lon": -94.149024,
    "opening_hours": "Mo-Su 06:00-23:00",
}


def test_a_store_is_made_and_found(world: World, admin: ApiClient, shop: ApiClient):
    answer = admin.put("/v1/stores/7", BODY)

    assert answer.status_code == 201, answer.text
    assert answer.json["ref"] == "7"
    assert (answer.json["country"], answer.json["timezone"], answer.json["kind"]) == ("US", "America/Chicago", "store")
    assert answer.json["paused_at"] is None
    assert [store["ref"] for store in shop.get("/v1/stores?near=36.33,-94.14").json["data"]] == ["7"]


def test_a_store_is_replaced_whole(world: World, admin: ApiClient):
    admin.put("/v1/stores/7", BODY | {"phone": "+1 479 555 0100", "prep_minutes": 5, "price_zone": "east"})
    admin.post("/v1/stores/7/pause")

    answer = admin.put("/v1/stores/7", BODY | {"name": "New name"})

    assert answer.status_code == 200
    assert (answer.json["name"], answer.json["phone"], answer.json["prep_minutes"]) == ("New name", "", None)
    assert answer.json["price_zone"] == ""
    assert answer.json["paused_at"] is not None
    assert db.session.query(Store).count() == 1


BAD_FIELDS = [
    ("name", ""),
    ("name", "x" * 201),
    ("name", "\ud800"),
    ("country", "USA"),
    ("country", None),
    ("lat", 91),
    ("lat", "36.1"),
    ("lon", -181),
    ("opening_hours", "Mo-Xx"),
    ("opening_hours", None),
    ("timezone", "Mars/Base"),
    ("phone", "\x00"),
    ("email", "nobody"),
    ("prep_minutes", -1),
    ("prep_minutes", "5"),
    ("hold_days", 0),
    ("hourly_capacity", 1.5),
    ("price_zone", "a\tb"),
    ("kind", "kiosk"),
    ("ref", "8"),
]


@pytest.mark.parametrize(("field", "value"), BAD_FIELDS)
def test_a_bad_field_is_named(world: World, admin: ApiClient, field: str, value: Any):
    answer = admin.put("/v1/stores/7", BODY | {field: value})

    assert answer.status_code == 422
    assert [error["pointer"] for error in answer.json["errors"]] == [f"/{field}"]
    assert db.session.query(Store).count() == 0


@pytest.mark.parametrize("field", ["name", "country", "lat", "lon"])
def test_what_a_store_cannot_do_without_is_required(world: World, admin: ApiClient, field: str):
    answer = admin.put("/v1/stores/7", {name: value for name, value in BODY.items() if name != field})

    assert [error["pointer"] for error in answer.json["errors"]] == [f"/{field}"]


@pytest.mark.parametrize("ref", ["x" * 101, "%20a", "a%0Ab"])
def test_a_bad_reference_is_refused(world: World, admin: ApiClient, ref: str):
    assert admin.put(f"/v1/stores/{ref}", BODY).status_code == 422


def test_a_pause_counts_from_the_next_order_on_in_every_process(world: World, admin: ApiClient, shop: ApiClient):
    product = world.product("A")
    near, far = world.store("1"), world.store("2", lat=BENTONVILLE[0] + 0.1)
    for store in (near, far):
        world.stock(store, product, 10)
    other_process = create_app(world.app.extensions["settings"])
    elsewhere = ApiClient(other_process, shop.key)
    body = world.order_body({"A": 1})
    assert elsewhere.order(body).json["store"]["ref"] == "1"

    paused = admin.post("/v1/stores/1/pause")
    answer = elsewhere.order(body)

    assert paused.status_code == 200
    assert answer.json["store"]["ref"] == "2"
    assert [candidate["verdict"] for candidate in answer.json["candidates"]] == ["paused", "chosen"]
    assert admin.post("/v1/stores/1/resume").json["paused_at"] is None
    assert elsewhere.order(body).json["store"]["ref"] == "1"


def test_pause_and_resume_may_be_repeated(world: World, admin: ApiClient):
    world.store("1")

    first, second = admin.post("/v1/stores/1/pause"), admin.post("/v1/stores/1/pause")

    assert first.json["paused_at"] == second.json["paused_at"] is not None
    assert [admin.post("/v1/stores/1/resume").json["paused_at"] for _ in range(2)] == [None, None]


def ready_by(shop: ApiClient) -> str:
    promised: str = shop.get("/v1/stores", near=f"{BENTONVILLE[0]},{BENTONVILLE[1]}", items="A:1").json["data"][0][
        "ready_by"
    ]
    return promised


def test_a_special_day_moves_the_promise(world: World, admin: ApiClient, shop: ApiClient):
    store = world.store("1", timezone="UTC")
    world.stock(store, world.product("A"), 10)
    today = utcnow().date()
    tomorrow = today + timedelta(days=1)

    for day in (today, tomorrow):
        assert admin.put(f"/v1/stores/1/hours/{day}", {"hours": "off"}).json == {"date": str(day), "hours": "off"}
    admin.put(f"/v1/stores/1/hours/{tomorrow}", {"hours": "10:00-14:00"})

    assert ready_by(shop) == f"{tomorrow}T11:00:00Z"
    for day in (today, tomorrow):
        assert admin.send("DELETE", f"/v1/stores/1/hours/{day}", b"").status_code == 204
    assert ready_by(shop) < f"{tomorrow}T11:00:00Z"
    assert db.session.query(SpecialDay).count() == 0


@pytest.mark.parametrize("hours", ["", "perhaps", "Mo 10:00-14:00", "10:00", "25:00-26:00", "10:60-11:00", None, 5])
def test_hours_that_are_none_are_refused(world: World, admin: ApiClient, hours: Any):
    world.store("1")

    answer = admin.put("/v1/stores/1/hours/2026-12-25", {"hours": hours})

    assert answer.status_code == 422
    assert answer.json["errors"][0]["pointer"] == "/hours"


@pytest.mark.parametrize("date", ["tomorrow", "2026-02-30", "20261225", "2026-W52-5", "2026-12-25T00:00"])
def test_a_date_that_is_none_is_refused(world: World, admin: ApiClient, date: str):
    world.store("1")

    assert admin.put(f"/v1/stores/1/hours/{date}", {"hours": "off"}).status_code == 422
    assert admin.send("DELETE", f"/v1/stores/1/hours/{date}", b"").status_code == 422


def test_an_unknown_store_is_not_found(world: World, admin: ApiClient):
    answers = [
        admin.post("/v1/stores/none/pause"),
        admin.post("/v1/stores/%C2%85/resume"),
        admin.put("/v1/stores/none/hours/2026-12-25", {"hours": "off"}),
        admin.send("DELETE", "/v1/stores/none/hours/2026-12-25", b""),
    ]

    assert [(answer.status_code, answer.json["code"]) for answer in answers] == [(404, "store_not_found")] * 4


def test_stores_are_managed_by_admin_only(world: World, shop: ApiClient):
    world.store("1")

    assert shop.put("/v1/stores/1", BODY).status_code == 403
    assert shop.post("/v1/stores/1/pause").status_code == 403
