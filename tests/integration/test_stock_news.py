"""`stock.changed`: what can be promised, told of each level that has changed, and never without the last change."""

import threading
from dataclasses import replace
from functools import partial

import pytest
from sqlalchemy import select, text, update

from pickup.core.clock import utcnow
from pickup.core.db import db, in_transaction, unit_of_work
from pickup.core.models import Event
from pickup.inventory.models import StockLevel
from pickup.inventory.queries import available_of
from pickup.webhooks import stock_news
from pickup.webhooks.models import StockNews
from pickup.webhooks.publishing import publish
from tests.concurrency.together import in_own_session, somebody_waits_for_a_lock, until


@pytest.fixture
def listener(shop):
    """A shop that has an endpoint for it."""
    answer = shop.post("/v1/webhook-endpoints", {"url": "https://shop.example.com/", "events": ["stock.changed"]})
    assert answer.status_code == 201
    return answer.json


@pytest.fixture
def level(world, listener):
    store, product = world.store(), world.product("A")
    world.stock(store, product, 10)
    return store.id, product.id


def told():
    """What was told, oldest first."""
    db.session.rollback()
    events = db.session.scalars(select(Event).where(Event.type == "stock.changed").order_by(Event.id))
    return [(event.data["store_id"], event.data["sku"], event.data["available"]) for event in events]


def noted():
    db.session.rollback()
    return [(news.store_id, news.product_id) for news in db.session.scalars(select(StockNews))]


def set_level(level, on_hand):
    store_id, product_id = level
    of_level = (StockLevel.store_id == store_id) & (StockLevel.product_id == product_id)
    db.session.execute(update(StockLevel).where(of_level).values(on_hand=on_hand))


def tell():
    return stock_news.tell_of_stock(utcnow())


def test_a_level_is_told_of_as_it_is_then(world, shop, level):
    assert tell() == 1
    for on_hand in (8, 7, 5):
        in_transaction(partial(set_level, level, on_hand))
    assert tell() == 1
    assert tell() == 0

    assert told() == [(level[0], "A", 10), (level[0], "A", 5)]
    assert noted() == []
    with unit_of_work():
        publish(utcnow())
    events = shop.get("/v1/events").json["data"]
    assert [event["data"] for event in events] == [
        {"store_ref": "1", "sku": "A", "available": 10},
        {"store_ref": "1", "sku": "A", "available": 5},
    ]


def test_what_an_order_reserves_is_told(world, shop, level):
    tell()
    world.place(shop, {"A": 3})
    world.work()
    tell()

    assert told()[-1] == (level[0], "A", 7)


def test_all_events_of_a_level_have_one_subject_and_no_other_level_has_it(world, listener):
    here, there, milk = world.store("1"), world.store("2"), world.product("A")
    world.stock(here, milk, 1)
    world.stock(there, milk, 2)
    tell()
    in_transaction(partial(set_level, (here.id, milk.id), 3))
    tell()

    events = db.session.scalars(select(Event).where(Event.type == "stock.changed").order_by(Event.id)).all()
    first, second, third = (event.subject_id for event in events)
    assert first == third != second


def test_it_is_what_the_shop_sees(world, shop, listener, monkeypatch):
    """Without what a level or its store keeps back, never less than nothing, and nothing of a partner's."""
    floors = replace(world.app.extensions["settings"], safety_stock={"warehouse": 4})
    monkeypatch.setitem(world.app.extensions, "settings", floors)
    milk = world.product("A")
    for ref, kind, safety_stock in (("1", "store", 3), ("2", "warehouse", 3), ("3", "partner", 0), ("4", "store", 99)):
        world.stock(world.store(ref, kind=kind), milk, 10, safety_stock=safety_stock)
    tell()

    assert [available for _, _, available in told()] == [7, 6, 0, 0]


@pytest.mark.parametrize("events", [["order.ready"], None])
def test_nothing_is_noted_while_nobody_listens(world, shop, events):
    if events:
        shop.post("/v1/webhook-endpoints", {"url": "https://shop.example.com/", "events": events})
    world.stock(world.store(), world.product("A"), 10)

    assert noted() == []


def test_whoever_wants_everything_wants_this(world, shop):
    shop.post("/v1/webhook-endpoints", {"url": "https://shop.example.com/"})
    world.stock(world.store(), world.product("A"), 10)

    assert len(noted()) == 1


def test_many_are_told_in_parts(world, shop, listener, monkeypatch):
    monkeypatch.setattr(stock_news, "AT_ONCE", 3)
    store = world.store()
    for number in range(8):
        world.stock(store, world.product(f"P{number}"), number)

    assert tell() == 8
    assert sorted(told()) == [(store.id, f"P{number}", number) for number in range(8)]


def test_a_change_that_is_not_committed_is_left_for_the_next_time(world, level):
    tell()
    has_changed, may_commit = threading.Event(), threading.Event()

    def change():
        set_level(level, 4)
        has_changed.set()
        assert may_commit.wait(30)

    writer = threading.Thread(target=in_own_session(world.app, change))
    writer.start()
    assert has_changed.wait(30)
    # What is noted twice, once committed and once not, is in the writer's hands.
    assert tell() == 0
    may_commit.set()
    writer.join()

    assert tell() == 1
    assert told()[-1] == (level[0], "A", 4)


def read(level):
    return available_of([level], lambda _: 0)[level]


def race(world, level, look):
    """Somebody changes a level in between: after `look` has begun, and before its transaction ends.

    `look` gets what lets the writer go, and waits until the writer has committed or stands before a lock.
    """
    writers = []

    def let_change():
        committed = threading.Event()

        def change():
            in_own_session(world.app, partial(set_level, level, 1))()
            committed.set()

        writers.append(threading.Thread(target=change))
        writers[0].start()
        until(lambda: committed.is_set() or somebody_waits_for_a_lock(world.app), what="the writer")

    in_transaction(lambda: look(let_change))
    writers[0].join()


def test_who_changes_a_level_between_the_take_and_the_read_is_heard_next_time(world, level, monkeypatch):
    real = stock_news.available_of

    def look(let_change):
        def change_then_read(*args):
            let_change()
            return real(*args)

        monkeypatch.setattr(stock_news, "available_of", change_then_read)
        stock_news.tell_some(utcnow())
        monkeypatch.setattr(stock_news, "available_of", real)

    race(world, level, look)

    assert told() == [(level[0], "A", 10)]
    assert tell() == 1
    assert told() == [(level[0], "A", 10), (level[0], "A", 1)]


def test_control_who_reads_before_the_take_misses_the_last_change(world, level):
    said = []

    def look(let_change):
        said.append(read(level))
        let_change()
        db.session.execute(text("DELETE FROM stock_news"))

    race(world, level, look)
    tell()

    assert said == [10]
    assert told() == [], "nobody will ever say that there is one left"
    assert read(level) == 1


def test_whoever_changes_and_whoever_tells_the_last_word_is_true(world, listener):
    store = world.store()
    levels = []
    for number in range(4):
        product = world.product(f"P{number}")
        world.stock(store, product, 0)
        levels.append((store.id, product.id))
    writing = threading.Event()
    writing.set()
    faults = []

    def write(level):
        try:
            for on_hand in range(1, 60):
                in_own_session(world.app, partial(set_level, level, on_hand))()
        except Exception as fault:
            faults.append(fault)

    def tell_all():
        try:
            with world.app.app_context():
                while writing.is_set():
                    tell()
        except Exception as fault:
            faults.append(fault)

    writers = [threading.Thread(target=write, args=(level,)) for level in levels]
    tellers = [threading.Thread(target=tell_all) for _ in range(2)]
    for thread in (*writers, *tellers):
        thread.start()
    for thread in writers:
        thread.join()
    writing.clear()
    for thread in tellers:
        thread.join()
    tell()

    assert faults == []
    last = {sku: available for _, sku, available in told()}
    assert last == {f"P{number}": 59 for number in range(4)}
    for sku in last:
        said = [available for _, each, available in told() if each == sku]
        assert said == sorted(said), "of a level, later events are later news"
