"""What the API shows of a store whose tills say nothing."""

from dataclasses import replace
from datetime import timedelta

import pytest

from pickup.core.clock import utcnow
from pickup.tills.silence import watch_tills
from tests.world import BENTONVILLE, World

HOUR = timedelta(hours=1)


@pytest.fixture(autouse=True)
def _settings(database, monkeypatch):
    plain = replace(database.extensions["settings"], safety_stock={"store": 1}, stale_safety_stock=2)
    monkeypatch.setitem(database.extensions, "settings", plain)


@pytest.fixture
def pos(world: World):
    """A store with 10 of A, two of them kept back, and 10 of B; its till has just spoken."""
    store = world.store("1")
    world.stock(store, world.product("A"), 10, safety_stock=2)
    world.stock(store, world.product("B"), 10)
    client = world.client("pos")
    speak(client)
    return client


def speak(pos):
    answer = pos.post("/v1/pos/prices/ack", {"store_ref": "1", "register": "r1", "version": 1})
    assert answer.status_code == 204, answer.text


def shown(shop):
    answer = shop.get("/v1/stores", near=f"{BENTONVILLE[0]},{BENTONVILLE[1]}", items="A:1").json["data"][0]
    return answer["till_feed"], answer["paused"], answer["available"]


def stock(admin):
    return [(level["safety_stock"], level["available"]) for level in admin.get("/v1/stock").json["data"]]


def test_each_step_shows_and_a_word_ends_it(world: World, pos, shop, admin):
    assert shown(shop) == ("heard", False, True)
    assert stock(admin) == [(2, 8), (1, 9)]

    watch_tills(utcnow() + 5 * HOUR)
    assert shown(shop) == ("stale", False, True)
    assert stock(admin) == [(3, 7), (3, 7)]

    watch_tills(utcnow() + 25 * HOUR)
    assert shown(shop) == ("silent", True, False)
    assert stock(admin) == [(3, 7), (3, 7)]
    assert admin.post("/v1/stores/1/resume").status_code == 200
    assert shown(shop) == ("silent", True, False)

    speak(pos)
    assert shown(shop) == ("heard", False, True)
    assert stock(admin) == [(2, 8), (1, 9)]


def test_sales_are_a_word_too(world: World, pos, shop):
    watch_tills(utcnow() + 25 * HOUR)
    line = {"sku": "A", "quantity": 1, "unit_price": {"amount": 359, "currency": "USD"}}
    sale = {"id": "s1", "at": utcnow().isoformat(), "lines": [line]}

    answer = pos.post("/v1/pos/sales", {"store_ref": "1", "register": "r2", "sales": [sale]})

    assert answer.status_code == 200, answer.text
    assert shown(shop) == ("heard", False, True)


def test_a_pause_stays_when_the_tills_come_back(world: World, pos, shop, admin):
    admin.post("/v1/stores/1/pause")
    watch_tills(utcnow() + 25 * HOUR)

    speak(pos)

    assert shown(shop) == ("heard", True, False)


def test_metrics_count_stores_by_their_tills(world: World, pos, admin, database):
    world.store("2")
    world.store("3")
    admin.post("/v1/stores/2/pause")
    watch_tills(utcnow() + 25 * HOUR)

    text = database.test_client().get("/metrics").text

    assert 'pickup_stores_till_feed{state="heard"} 2.0' in text
    assert 'pickup_stores_till_feed{state="stale"} 0.0' in text
    assert 'pickup_stores_till_feed{state="silent"} 1.0' in text
    assert "pickup_stores_paused 2.0" in text
