"""Announced prices are told of when they begin, each once, however often and by how many somebody looks."""

import threading
from datetime import timedelta

import pytest
from sqlalchemy import insert, select

from pickup.core.clock import utcnow
from pickup.core.db import db, in_transaction, unit_of_work
from pickup.core.models import Event
from pickup.pricing import activation
from pickup.pricing.activation import tell_of_beginnings
from pickup.pricing.models import Price
from pickup.pricing.queries import lock_price_ledger
from tests.concurrency.together import at_once, in_own_session


@pytest.fixture
def now(world):
    """The time of the first look."""
    now = utcnow()
    assert tell_of_beginnings(now) == 0
    return now


def told():
    db.session.rollback()
    events = db.session.scalars(select(Event).where(Event.type == "price.changed").order_by(Event.id)).all()
    return [event.data for event in events if event.data.get("activated")]


def later(hours=0, minutes=0):
    return timedelta(hours=hours, minutes=minutes)


def test_an_announced_price_is_told_of_when_it_begins(world, now):
    milk, bread = world.product("MILK"), world.product("BREAD")
    world.price(milk, 300, valid_from=now + later(hours=1))
    world.price(milk, 310, zone="east", valid_from=now + later(hours=1))
    world.price(bread, 200, valid_from=now + later(hours=2))

    looks = [tell_of_beginnings(now + later(minutes=minutes)) for minutes in (30, 59, 61, 62, 119, 121, 600)]

    assert looks == [0, 0, 1, 0, 0, 1, 0]
    assert told() == [
        {"activated": True, "count": 1, "skus": ["MILK"]},
        {"activated": True, "count": 1, "skus": ["BREAD"]},
    ]


def test_a_price_for_now_was_told_of_already(world, now, admin):
    world.product("MILK", price=None)
    admin.post("/v1/prices", {"changes": [{"sku": "MILK", "price": {"amount": 1, "currency": "USD"}}]})

    assert tell_of_beginnings(utcnow() + later(hours=1)) == 0


def test_over_the_api_a_price_is_told_of_twice(world, now, admin, shop):
    world.product("MILK", price=None)
    change = {"sku": "MILK", "price": {"amount": 1, "currency": "USD"}}
    change["valid_from"] = (utcnow() + later(hours=1)).isoformat()
    assert admin.post("/v1/prices", {"changes": [change]}).status_code == 201
    tell_of_beginnings(utcnow() + later(hours=2))

    events = db.session.scalars(select(Event).where(Event.type == "price.changed").order_by(Event.id)).all()
    assert [event.data.get("activated", False) for event in events] == [False, True]


def test_what_was_missed_while_nobody_looked_is_told_of_once(world, now):
    milk = world.product("MILK")
    for day in range(1, 4):
        world.price(milk, 300 + day, valid_from=now + timedelta(days=day))

    assert tell_of_beginnings(now + timedelta(days=10)) == 1
    assert tell_of_beginnings(now + timedelta(days=10)) == 0
    assert tell_of_beginnings(now + timedelta(days=9)) == 0, "another machine's clock is slow"


def test_many_are_told_in_parts(world, now, monkeypatch):
    monkeypatch.setattr(activation, "SKUS_MAX", 3)
    for number in range(7):
        world.price(world.product(f"P{number}"), 1, valid_from=now + later(hours=1))

    assert tell_of_beginnings(now + later(hours=2)) == 7
    assert [event["skus"] for event in told()] == [["P0", "P1", "P2"], ["P3", "P4", "P5"], ["P6"]]


def test_several_look_at_once(world, now):
    milk = world.product("MILK")
    world.price(milk, 300, valid_from=now + later(hours=1))

    def look():
        with world.app.app_context():
            return tell_of_beginnings(now + later(hours=2))

    assert sum(at_once([look] * 4)) <= 1
    tell_of_beginnings(now + later(hours=2))
    assert len(told()) == 1


def test_a_price_that_is_being_recorded_is_waited_for(world, now):
    """It begins within the span that is looked at, and its commit comes after the look."""
    milk = world.product("MILK")
    has_written, may_commit = threading.Event(), threading.Event()

    def record():
        lock_price_ledger()
        values = {"product_id": milk.id, "amount": 1, "currency": "USD", "valid_from": now + later(hours=1)}
        db.session.execute(insert(Price), [values])
        has_written.set()
        assert may_commit.wait(30)

    writer = threading.Thread(target=in_own_session(world.app, record))
    writer.start()
    assert has_written.wait(30)
    assert tell_of_beginnings(now + later(hours=2)) == 0
    may_commit.set()
    writer.join()

    assert tell_of_beginnings(now + later(hours=2)) == 1


def test_control_without_the_lock_it_is_left_out(world, now, monkeypatch):
    monkeypatch.setattr(activation, "price_ledger_is_free", lambda: True)
    milk = world.product("MILK")
    with unit_of_work():
        values = {"product_id": milk.id, "amount": 1, "currency": "USD", "valid_from": now + later(hours=1)}
        db.session.execute(insert(Price), [values])
        db.session.flush()

        def look():
            with world.app.app_context():
                return tell_of_beginnings(now + later(hours=2))

        assert at_once([look]) == [0]

    assert tell_of_beginnings(now + later(hours=2)) == 0
    assert told() == []


def test_a_look_that_fails_is_as_if_it_had_not_been(world, now, monkeypatch):
    world.price(world.product("MILK"), 300, valid_from=now + later(hours=1))
    with monkeypatch.context() as broken:
        broken.setattr(activation.outbox, "emit", lambda *_, **__: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            tell_of_beginnings(now + later(hours=2))

    assert in_transaction(lambda: activation._tell(now + later(hours=2))) == 1
