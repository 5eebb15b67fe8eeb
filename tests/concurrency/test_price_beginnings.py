"""The past is never rewritten: what a reader was told of an instant, the ledger says of it for ever after."""

import threading
from functools import partial

import pytest
from sqlalchemy import text

from pickup.core.clock import utcnow
from pickup.core.db import db, in_transaction
from pickup.core.errors import Unavailable
from pickup.core.types import Money
from pickup.orders.basket import Item
from pickup.orders.finding import Pickup
from pickup.orders.quoting import quote
from pickup.pricing import beginning
from pickup.pricing.models import Price
from pickup.pricing.queries import prices_at, prices_in_force
from pickup.pricing.service import PriceChange, record_all, state
from pickup.stores.directory import StoreEntry
from tests.concurrency.together import at_once
from tests.world import BENTONVILLE

WRITERS, CHANGES, READERS = 3, 4, 4


def stated(*amounts):
    return lambda: state([PriceChange("A", Money(amount, "USD"), "", utcnow()) for amount in amounts], now=utcnow())


def record(changes, begins):
    return record_all(changes, begins=begins, recorded_by="a writer")


def look(product):
    """What an order of this moment would cost, by version."""
    now = utcnow()
    version = prices_in_force([product.id], "", at=now)[product.id].version
    db.session.rollback()
    return now, version


def differing(store, product, looks):
    """Of some looks those that the ledger contradicts afterwards."""
    db.session.rollback()
    said = prices_at([(product.id, at) for at, _ in looks], store.id)
    return [look for look, price in zip(looks, said, strict=True) if price.version != look[1]]


def test_an_order_while_prices_change_costs_what_the_ledger_says_afterwards(world):
    store, product = world.store(), world.product("A")
    writing = threading.Event()
    writing.set()

    def write():
        with world.app.app_context():
            for number in range(CHANGES):
                beginning.record_at_once(3, stated(number, number + 1, number + 2), record)

    def write_all():
        at_once([write] * WRITERS)
        writing.clear()

    def read():
        looks = []
        with world.app.app_context():
            while writing.is_set():
                looks.append(look(product))
        return looks

    _, *looks = at_once([write_all, *[read] * READERS])

    told = [look for some in looks for look in some]
    assert differing(store, product, told) == []
    assert len({version for _, version in told}) > 1


def in_the_naive_way(changes, write):
    """Prices begin when somebody asks for it."""
    now = utcnow()
    in_transaction(lambda: write(changes(), now))


@pytest.mark.parametrize(
    ("change", "contradicted"),
    [
        (partial(beginning.record_at_once, 1), 0),
        (in_the_naive_way, 1),
    ],
    ids=["nothing is contradicted", "control: begun when it was asked for, a look is contradicted"],
)
def test_a_look_between_the_writing_and_the_commit(world, change, contradicted):
    store, product = world.store(), world.product("A")
    looks, has_written, has_looked = [], threading.Event(), threading.Event()

    def write_and_dawdle(changes, begins):
        recorded = record(changes, begins)
        has_written.set()
        has_looked.wait()
        return recorded

    def write():
        with world.app.app_context():
            change(stated(1), write_and_dawdle)

    def read():
        has_written.wait()
        with world.app.app_context():
            looks.append(look(product))
        has_looked.set()

    at_once([write, read])

    assert len(differing(store, product, looks)) == contradicted
    assert look(product)[1] == max(version for (version,) in db.session.query(Price.version))


def test_who_changes_prices_is_answered_when_they_hold(world):
    product = world.product("A")

    recorded = beginning.record_at_once(1, stated(1), record)

    assert recorded.begins <= utcnow()
    assert look(product)[1] == recorded.first_version


def test_a_ledger_that_is_too_slow_promises_nothing(world, monkeypatch):
    world.product("A", price=None)
    monkeypatch.setattr(beginning, "LEAD", beginning.LEAD * 0)
    monkeypatch.setattr(beginning, "LEAD_PER_CHANGE", beginning.LEAD)

    with pytest.raises(Unavailable):
        beginning.record_at_once(1, stated(1), record)

    assert db.session.query(Price).count() == 0


def put_store(admin, zone):
    settings = {"name": "One", "country": "US", "lat": BENTONVILLE[0], "lon": BENTONVILLE[1]}
    empty = dict.fromkeys(("street", "city", "state", "postcode", "opening_hours"), "")
    answer = admin.put("/v1/stores/1", settings | empty | {"timezone": "America/Chicago", "price_zone": zone})
    assert answer.status_code == 200, answer.text


def check_says(world):
    db.session.rollback()
    return world.app.test_cli_runner().invoke(args=["prices", "check"]).stdout


@pytest.fixture
def two_prices(world):
    """A store where A costs 3.59, and 2.99 while it is in the zone `east`."""
    store, product = world.store("1"), world.product("A", price=359)
    world.price(product, 299, zone="east")
    world.stock(store, product, 10_000)
    return store


def test_orders_while_a_store_moves_from_zone_to_zone_cost_what_its_shelf_said(world, two_prices):
    admin, moving = world.client("admin"), threading.Event()
    moving.set()

    def move():
        for zone in ("east", "", "east", ""):
            put_store(admin, zone)
        moving.clear()

    def buyer():
        shop = world.client("shop")

        def buy():
            totals = set()
            while moving.is_set():
                answer = shop.order(world.order_body({"A": 1}))
                assert answer.status_code == 201, answer.text
                totals.add(answer.json["total"]["amount"])
            return totals

        return buy

    _, *totals = at_once([move, *[buyer() for _ in range(4)]])

    assert set().union(*totals) == {299, 359}
    assert check_says(world) == "0 differences\n"


def test_an_order_before_a_move_is_committed_has_the_price_of_before(world, shop, two_prices):
    with db.engine.connect() as mover:
        mover.execute(text("UPDATE stores SET price_zone = 'east'"))
        mover.execute(text("UPDATE revisions SET value = value + 1"))
        order = world.place(shop, {"A": 1})
        mover.commit()

    assert order.total_amount == 359
    assert check_says(world) == "0 differences\n"


def test_whoever_has_moved_a_store_is_told_the_price_of_its_new_zone(world, shop, two_prices):
    put_store(world.client("admin"), "east")

    assert shop.get("/v1/products/A", store_ref="1").json["price"]["amount"] == 299
    assert world.place(shop, {"A": 1}).total_amount == 299


@pytest.mark.parametrize(
    ("zone_of", "asked"),
    [
        (StoreEntry.price_zone_at, 359),
        (lambda store, at: store.price_zones[-1][1], 299),
    ],
    ids=["as the ledger says of it afterwards", "control: by the zone of now, something else"],
)
def test_a_request_that_is_older_than_a_move(world, two_prices, monkeypatch, zone_of, asked):
    monkeypatch.setattr(StoreEntry, "price_zone_at", zone_of)
    begun = utcnow()
    put_store(world.client("admin"), "east")

    with world.app.app_context():
        offer = quote([Item("A", 1)], Pickup(None, "1"), now=begun)

    assert offer.total == Money(asked, "USD")
