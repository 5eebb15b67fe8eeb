"""The feed leaves nothing out, however transactions interleave: many write and several publish while one reads.

Ids of events are given before their commits. Whoever reads on after the greatest id misses what commits later: the
control shows it.
"""

import random
import threading
import uuid
from functools import partial

import pytest
from sqlalchemy import select, text
from sqlalchemy.exc import IntegrityError

from pickup.core import outbox
from pickup.core.clock import utcnow
from pickup.core.db import db, in_transaction
from pickup.core.models import Event
from pickup.webhooks import publishing
from pickup.webhooks.publishing import publish
from tests.concurrency.together import at_once, in_own_session, somebody_waits_for_a_lock, until, without

WRITERS, EVENTS, PUBLISHERS, ORDERS = 8, 200, 3, 5


def tell(subject, number=0):
    outbox.emit("order.ready", {subject: {"step": number}}, at=utcnow())


def publishing_once(app):
    return in_own_session(app, lambda: publish(utcnow()))


def ids_after(event_id):
    """What somebody reads who goes by ids."""
    db.session.rollback()
    return list(db.session.scalars(select(Event.id).where(Event.id > event_id).order_by(Event.id)))


@pytest.fixture
def orders(world, shop):
    world.stock(world.store(), world.product("A"), 100)
    made = [world.place(shop, {"A": 1}).id for _ in range(ORDERS)]
    in_transaction(lambda: publish(utcnow()))
    return made


class Reader:
    """Goes on from each `next`, as a shop does."""

    def __init__(self, client):
        self.client = client
        self.cursor = client.get("/v1/events", after="now").json["next"]
        self.told = []

    def read(self, limit=1000):
        """All there is at the moment."""
        while True:
            page = self.client.get("/v1/events", after=self.cursor, limit=limit).json
            self.told += page["data"]
            if page["next"] == self.cursor:
                return self.told
            self.cursor = page["next"]


def interleave(app, orders, look):
    """Two transactions: one has the lower id and commits last. Between the commits somebody looks."""
    has_id, may_commit = threading.Event(), threading.Event()

    def slow():
        tell(orders[0])
        has_id.set()
        assert may_commit.wait(30)

    thread = threading.Thread(target=in_own_session(app, slow))
    thread.start()
    assert has_id.wait(30)
    in_own_session(app, partial(tell, orders[1]))()
    looks = [look()]
    may_commit.set()
    thread.join()
    return [*looks, look()]


def test_a_lower_id_that_commits_later_is_not_left_out(world, shop, orders):
    reader = Reader(shop)

    def look():
        publishing_once(world.app)()
        return [event["data"]["order_id"] for event in reader.read()]

    between, afterwards = interleave(world.app, orders, look)

    assert between == [str(orders[1])]
    assert afterwards == [str(orders[1]), str(orders[0])]


def test_control_whoever_goes_by_ids_misses_it(world, shop, orders):
    seen = ids_after(0)

    def look():
        seen.extend(ids_after(seen[-1]))
        return list(seen)

    between, afterwards = interleave(world.app, orders, look)

    assert afterwards == between
    assert ids_after(0) != seen, "there is one more, and nobody who goes on from the last id will ever see it"


def test_two_publishers_at_once_and_one_of_them_slow(world, shop, orders):
    """The second finds the turn taken, and leaves it all to the first; the places have no hole, and none is twice."""
    reader = Reader(shop)
    in_transaction(lambda: tell(orders[0]))
    has_published, may_commit = threading.Event(), threading.Event()

    def slow():
        assert publish(utcnow()) == 1
        has_published.set()
        assert may_commit.wait(30)

    thread = threading.Thread(target=in_own_session(world.app, slow))
    thread.start()
    assert has_published.wait(30)
    in_transaction(lambda: tell(orders[1]))
    assert publishing_once(world.app)() == 0
    assert reader.read() == []
    may_commit.set()
    thread.join()
    publishing_once(world.app)()

    assert [event["data"]["order_id"] for event in reader.read()] == [str(orders[0]), str(orders[1])]


def test_control_without_turns_two_publishers_collide(world, shop, orders, monkeypatch):
    """Both begin behind the same last place: the second gives it to an event whose lower id was committed later."""
    turn = without(publishing._MY_TURN, "pg_try_advisory_xact_lock(:turn)", instead=":turn > 0")
    monkeypatch.setattr(publishing, "_MY_TURN", turn)
    has_id, may_commit, has_published = threading.Event(), threading.Event(), threading.Event()

    def lower():
        tell(orders[0])
        has_id.set()
        assert may_commit.wait(30)

    def first():
        publish(utcnow())
        has_published.set()
        until(lambda: somebody_waits_for_a_lock(world.app))

    writer = threading.Thread(target=in_own_session(world.app, lower))
    writer.start()
    assert has_id.wait(30)
    in_transaction(lambda: tell(orders[1]))
    publisher = threading.Thread(target=in_own_session(world.app, first))
    publisher.start()
    assert has_published.wait(30)
    may_commit.set()
    writer.join()

    with pytest.raises(IntegrityError, match="uq_events_position"):
        publishing_once(world.app)()
    publisher.join()


def test_whoever_writes_and_publishes_the_reader_has_all_once_and_in_order(world, shop, orders):
    writing = threading.Event()
    writing.set()

    def writer(number):
        chance = random.Random(number)

        def step(subject, position):
            # As a step of an order does: its row is held until the commit.
            db.session.execute(text("SELECT FROM orders WHERE id = :id FOR UPDATE"), {"id": subject})
            tell(subject, position)
            if chance.random() < 0.2:
                outbox.emit("price.changed", {uuid.uuid4(): {}}, at=utcnow())

        def write():
            with world.app.app_context():
                for position in range(EVENTS):
                    in_transaction(partial(step, chance.choice(orders), position))

        return write

    def write_all():
        at_once([writer(number) for number in range(WRITERS)])
        writing.clear()

    def publisher():
        with world.app.app_context():
            while writing.is_set():
                in_transaction(lambda: publish(utcnow()))

    reader = Reader(shop)

    def read():
        chance = random.Random(0)
        while writing.is_set():
            reader.read(limit=chance.choice((5, 50, 1000)))

    at_once([write_all, read, *[publisher] * PUBLISHERS])
    while in_transaction(lambda: publish(utcnow())):
        pass
    told = reader.read()

    db.session.rollback()
    ready = select(Event.id, Event.subject_id).where(Event.type == "order.ready").order_by(Event.id)
    written = db.session.execute(ready).all()
    assert len(written) == WRITERS * EVENTS
    names = [event["id"] for event in told]
    assert len(names) == len(set(names))
    assert len(names) == len(ids_after(0)) - ORDERS
    for order in orders:
        of_order = [event["id"] for event in told if event["data"].get("order_id") == str(order)]
        assert of_order == [f"msg_{row.id}" for row in written if row.subject_id == order]
