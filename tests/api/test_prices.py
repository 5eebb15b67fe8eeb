"""The price ledger over the API: written all or none, never rewritten, readable as it grew."""

import threading
from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pickup.core.clock import rfc3339, utcnow
from pickup.core.db import db
from pickup.core.models import Event
from pickup.pricing.models import Price
from pickup.pricing.queries import prices_at, prices_in_force
from pickup.pricing.schemas import NewPriceSchema, read_plainly
from tests.api_client import ApiClient
from tests.world import World


def change(sku: str = "A", amount: int = 500, currency: str = "USD", **extra: Any) -> dict[str, Any]:
    return {"sku": sku, "price": {"amount": amount, "currency": currency}} | extra


def test_prices_hold_from_now_on(world: World, admin: ApiClient, shop: ApiClient):
    world.product("A", price=359)
    world.product("B", price=None)

    answer = admin.post("/v1/prices", {"changes": [change("A", 400), change("B", 0, zone="east")]})

    assert answer.status_code == 201, answer.text
    first, second = answer.json["changes"]
    assert (first["sku"], first["price"], first["zone"]) == ("A", {"amount": 400, "currency": "USD"}, "")
    assert (second["sku"], second["price"]["amount"], second["zone"]) == ("B", 0, "east")
    assert first["version"] < second["version"]
    assert first["valid_from"] == second["valid_from"]
    assert shop.get("/v1/products/A").json["price"]["amount"] == 400
    assert shop.get("/v1/products/B").json["price"] is None


def test_a_price_for_later_waits(world: World, admin: ApiClient, shop: ApiClient):
    world.product("A", price=359)
    later = rfc3339(utcnow() + timedelta(days=1))

    answer = admin.post("/v1/prices", {"changes": [change(valid_from=later)]})

    assert answer.json["changes"][0]["valid_from"] == later
    assert shop.get("/v1/products/A").json["price"]["amount"] == 359


def test_a_slow_clock_does_not_change_the_past(world: World, admin: ApiClient):
    world.product("A")
    before = utcnow()

    answer = admin.post("/v1/prices", {"changes": [change(valid_from=rfc3339(before - timedelta(seconds=30)))]})

    assert datetime.fromisoformat(answer.json["changes"][0]["valid_from"]) >= before


BAD_CHANGES = [
    ({"sku": "none"}, "sku"),
    ({"sku": ""}, "sku"),
    ({"sku": "a\x00"}, "sku"),
    ({"price": {"amount": 1, "currency": "ABC"}}, "price/currency"),
    ({"price": {"amount": 1, "currency": "usd"}}, "price/currency"),
    ({"price": {"amount": 1, "currency": "XAU"}}, "price/currency"),
    ({"price": {"amount": -1, "currency": "USD"}}, "price/amount"),
    ({"price": {"amount": 1.5, "currency": "USD"}}, "price/amount"),
    ({"price": {"amount": 2**53, "currency": "USD"}}, "price/amount"),
    ({"price": None}, "price"),
    ({"valid_from": "2020-01-01T00:00:00Z"}, "valid_from"),
    ({"valid_from": "2999-01-01T00:00:00Z"}, "valid_from"),
    ({"valid_from": "2027-01-01T00:00:00"}, "valid_from"),
    ({"zone": "a\nb"}, "zone"),
    ({"zone": "x" * 101}, "zone"),
    ({"zone": None}, "zone"),
    ({"surprise": 1}, "surprise"),
]


@pytest.mark.parametrize(("bad", "field"), BAD_CHANGES)
def test_a_bad_change_is_named_and_nothing_is_recorded(world: World, admin: ApiClient, bad: dict[str, Any], field: str):
    world.product("A", price=None)

    answer = admin.post("/v1/prices", {"changes": [change(), change() | bad, change() | bad]})

    assert answer.status_code == 422
    assert {error["pointer"] for error in answer.json["errors"]} == {f"/changes/1/{field}", f"/changes/2/{field}"}
    assert db.session.query(Price).count() == 0
    assert db.session.query(Event).count() == 0


@pytest.mark.parametrize("changes", [[], [change()] * 100_001, None, {}], ids=["none", "too many", "null", "object"])
def test_so_many_changes_are_refused(world: World, admin: ApiClient, changes: Any):
    world.product("A", price=None)

    answer = admin.post("/v1/prices", {"changes": changes})

    assert answer.status_code == 422
    assert answer.json["errors"][0]["pointer"] == "/changes"


def test_of_two_changes_for_one_instant_the_later_one_counts(world: World, admin: ApiClient, shop: ApiClient):
    world.product("A")

    assert admin.post("/v1/prices", {"changes": [change(amount=1), change(amount=2)]}).status_code == 201

    assert shop.get("/v1/products/A").json["price"]["amount"] == 2


def test_one_event_tells_of_all_changes(world: World, admin: ApiClient):
    world.product("A", price=None)

    recorded = admin.post("/v1/prices", {"changes": [change(amount=1), change(amount=2)]}).json["changes"]

    event = db.session.query(Event).one()
    assert event.type == "price.changed"
    versions = [entry["version"] for entry in recorded]
    assert event.data == {"from_version": versions[0], "to_version": versions[1], "count": 2}


def test_the_history_shows_every_entry_newest_first(world: World, admin: ApiClient):
    world.product("A", price=100)
    world.product("B", price=1)
    admin.post("/v1/prices", {"changes": [change(amount=200, zone="east"), change(amount=300)]})

    first = admin.get("/v1/prices/A", limit=2).json
    second = admin.get("/v1/prices/A", limit=2, after=first["next"]).json

    entries = first["data"] + second["data"]
    assert [(entry["price"]["amount"], entry["zone"]) for entry in entries] == [(300, ""), (200, "east"), (100, "")]
    assert second["next"] is None
    assert entries[0]["recorded_by"].startswith("test-")


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/v1/prices/none", 404),
        ("/v1/prices/%C2%85", 404),
        ("/v1/prices/A?after=zz", 422),
        ("/v1/prices/A?limit=0", 422),
    ],
)
def test_a_bad_read_is_refused(world: World, admin: ApiClient, path: str, status: int):
    world.product("A")

    assert admin.get(path).status_code == status


def test_prices_are_the_business_of_admin(world: World, shop: ApiClient):
    world.product("A")

    assert shop.post("/v1/prices", {"changes": [change()]}).status_code == 403
    assert shop.get("/v1/prices/A").status_code == 403


def test_versions_appear_in_the_order_of_their_commits(world: World, admin: ApiClient):
    """Whoever reads on from the last version it saw misses none, however many write at once."""
    world.product("A", price=None)
    done = threading.Event()

    def write() -> None:
        for _ in range(10):
            assert (
                admin.post("/v1/prices", {"changes": [change(amount=number) for number in range(5)]}).status_code == 201
            )

    def follow() -> None:
        with world.app.app_context():
            while not done.is_set():
                seen.extend(db.session.query(Price.version).filter(Price.version > max(seen)).order_by(Price.version))
                seen[:] = [getattr(version, "version", version) for version in seen]
                db.session.rollback()

    seen: list[Any] = [0]
    writers = [threading.Thread(target=write) for _ in range(4)]
    reader = threading.Thread(target=follow)
    for thread in (reader, *writers):
        thread.start()
    for thread in writers:
        thread.join()
    done.set()
    reader.join()

    assert len(set(seen)) == len(seen)
    every = [version for (version,) in db.session.query(Price.version).filter(Price.version <= max(seen))]
    assert sorted(seen[1:]) == sorted(every)


def test_prices_of_many_instants_follow_the_rule_of_one(world: World):
    """The set-based rule against the rule it repeats, entry by entry, in a ledger with ties, zones and gaps."""
    now = utcnow()
    products = [world.product(sku, price=None) for sku in "AB"]
    for number, (minutes, zone) in enumerate(
        [(9, ""), (5, "east"), (5, "east"), (4, ""), (2, "west"), (1, ""), (-3, "")]
    ):
        world.price(products[0], number, zone=zone, valid_from=now - timedelta(minutes=minutes))
    moments = [(product.id, now - timedelta(minutes=minutes)) for product in products for minutes in range(-5, 12)]

    for zone in ("", "east", "west", "none"):
        store = world.store(zone or "everywhere", price_zone=zone)
        expected = [prices_in_force([product_id], zone, at=at).get(product_id) for product_id, at in moments]
        at_once = prices_at(moments, store.id)
        assert [price and price.version for price in at_once] == [price and price.version for price in expected]
        assert prices_at([], store.id) == []


def in_force(admin: ApiClient, **query: Any) -> Any:
    answer = admin.get("/v1/prices/A/in-force", **query)
    assert answer.status_code == 200, answer.text
    return answer.json["in_force"]


def test_what_it_cost_in_a_store_at_an_instant(world: World, admin: ApiClient):
    product, store = world.product("A", price=None), world.store("12", price_zone="east")
    world.store("13")
    now = utcnow()
    before, then, later = (now + timedelta(minutes=minutes) for minutes in (-20, -5, 20))
    world.price(product, 100, valid_from=now - timedelta(minutes=10))
    world.price(product, 90, zone="east", valid_from=now - timedelta(minutes=7))
    world.price(product, 80, zone="east", valid_from=now + timedelta(minutes=10))

    assert in_force(admin, store_ref="12", at=rfc3339(before)) is None
    assert in_force(admin, store_ref="12", at=rfc3339(then))["price"]["amount"] == 90
    assert in_force(admin, store_ref="13", at=rfc3339(then))["price"]["amount"] == 100
    assert in_force(admin, store_ref="12")["price"]["amount"] == 90
    assert in_force(admin, store_ref="12", at=rfc3339(later))["price"]["amount"] == 80

    world.move_to_zone(store, "")

    assert in_force(admin, store_ref="12")["price"]["amount"] == 100
    assert in_force(admin, store_ref="12", at=rfc3339(then))["price"]["amount"] == 90, "the shelf said so then"
    assert admin.get("/v1/prices/A/in-force", store_ref="14").status_code == 422
    assert admin.get("/v1/prices/B/in-force", store_ref="12").status_code == 404


def test_the_history_of_one_zone(world: World, admin: ApiClient):
    world.product("A", price=100)
    body = {"changes": [change(amount=200, zone="east"), change(amount=300)], "reason": "spring promotion"}
    assert admin.post("/v1/prices", body).status_code == 201

    east, everywhere = (admin.get("/v1/prices/A", zone=zone).json["data"] for zone in ("east", ""))

    assert [entry["price"]["amount"] for entry in east] == [200]
    assert [entry["price"]["amount"] for entry in everywhere] == [300, 100]
    assert [entry["reason"] for entry in everywhere] == ["spring promotion", ""]


LIKELY = st.sampled_from(
    ["A", " A", "", "a\x00", "x" * 101, "\ud800", "USD", "usd", "XAU", None, 1, True, 1.5, -1, 2**53]
)
INSTANTS = st.sampled_from(
    ["2027-01-01T00:00:00Z", "2027-01-01T00:00:00+14:00", "2027-01-01", "0001-01-01T00:00:00+14:00"]
)


@given(
    st.fixed_dictionaries(
        {"sku": LIKELY, "price": st.fixed_dictionaries({"amount": LIKELY, "currency": LIKELY}) | LIKELY},
        optional={"zone": LIKELY, "valid_from": INSTANTS | LIKELY, "surprise": LIKELY},
    )
    | LIKELY
)
def test_what_is_read_plainly_is_what_the_schema_reads(value: Any):
    plain = read_plainly(value)

    if plain is not None:
        assert plain == NewPriceSchema().load(value)
