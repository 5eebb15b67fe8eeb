"""The stream of prices: what was before, then what comes, each once and in order, however often the line breaks."""

import random
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field, replace
from typing import Any

import psycopg
import pytest
import redis
from flask import Flask
from redis.backoff import NoBackoff
from redis.retry import Retry
from sqlalchemy import select, update
from werkzeug.test import TestResponse

from pickup.core import auth, revisions, signals, streaming
from pickup.core.clock import utcnow
from pickup.core.db import db, unit_of_work
from pickup.core.models import ApiClient as Client
from pickup.core.pagination import encode_cursor
from pickup.pricing.models import Price
from pickup.stores.models import Store
from pickup.tills import views
from tests.api_client import ApiClient
from tests.concurrency.together import until
from tests.event_stream import Event, events_of
from tests.world import World

STREAM = "/v1/pos/prices/stream"
FOR_EVER = 3600.0


@dataclass
class Line:
    """An open stream, read as far as a test asks."""

    answer: TestResponse
    events: Iterator[Event] = field(init=False)

    def __post_init__(self) -> None:
        assert self.answer.status_code == 200, self.answer.text
        self.events = events_of(line for chunk in self.answer.iter_encoded() for line in chunk.splitlines(True))

    def next(self) -> Event:
        """The next event that is no comment."""
        return next(event for event in self.events if event.name)

    def close(self) -> None:
        self.answer.close()


@dataclass
class Till:
    """Opens streams with a key."""

    client: ApiClient

    def ask(self, store_ref: str = "1", *, last: str | None = None, method: str = "GET", **query: Any) -> TestResponse:
        headers = {"Authorization": f"Bearer {self.client.key}"} | ({"Last-Event-ID": last} if last else {})
        query = {"store_ref": store_ref} | query
        return self.client.app.test_client().open(STREAM, method=method, query_string=query, headers=headers)

    def open(self, store_ref: str = "1", **query: Any) -> Line:
        return Line(self.ask(store_ref, **query))


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streaming, "LOOK_SECONDS", 0.01)


@pytest.fixture
def till(world: World) -> Till:
    world.store("1", price_zone="east")
    world.product("A", price=None)
    return Till(world.client("pos"))


def change(admin: ApiClient, *amounts: int, zone: str = "") -> list[int]:
    """Record prices of A; their versions."""
    changes = [{"sku": "A", "price": {"amount": each, "currency": "USD"}, "zone": zone} for each in amounts]
    answer = admin.post("/v1/prices", {"changes": changes})
    assert answer.status_code == 201, answer.text
    return [each["version"] for each in answer.json["changes"]]


def ledger() -> list[int]:
    """The versions that hold everywhere."""
    db.session.rollback()
    return list(db.session.scalars(select(Price.version).where(Price.zone == "").order_by(Price.version)))


def test_what_was_before_comes_first_and_then_each_commit(admin: ApiClient, till: Till):
    before = change(admin, 1, 2)

    with closing(till.open()) as line:
        first = line.next()
        after = change(admin, 3)
        second = line.next()

    assert (first.name, first.versions) == ("prices", before)
    assert (second.name, second.versions) == ("prices", after)


def test_an_event_is_a_page_of_the_feed(admin: ApiClient, till: Till):
    change(admin, 1, 2)

    with closing(till.open()) as line:
        event = line.next()

    page = till.client.get("/v1/pos/prices", store_ref="1").json
    assert event.data == page
    assert event.id == page["next"]


def test_how_it_begins(till: Till):
    with closing(till.ask()) as answer:
        assert next(answer.iter_encoded()) == b"retry: 3000\n\n"
        assert answer.mimetype == "text/event-stream"
        assert answer.headers["Cache-Control"] == "no-store"
        assert answer.headers["X-Accel-Buffering"] == "no"


def test_much_comes_in_batches(admin: ApiClient, till: Till, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(views, "STREAMED_AT_ONCE", 2)
    versions = change(admin, 1, 2, 3, 4, 5)

    with closing(till.open()) as line:
        batches = [line.next().versions for _ in range(3)]

    assert batches == [versions[:2], versions[2:4], versions[4:]]


def test_the_last_event_goes_before_the_address(admin: ApiClient, till: Till):
    change(admin, 1)
    first = till.client.get("/v1/pos/prices", store_ref="1").json["next"]
    versions = change(admin, 2)
    second = till.client.get("/v1/pos/prices", store_ref="1").json["next"]
    later = change(admin, 3)

    with closing(till.open(after=first)) as line:
        assert line.next().versions == versions + later
    with closing(till.open(after=first, last=second)) as line:
        assert line.next().versions == later


@pytest.mark.parametrize("seed", range(5))
def test_a_line_that_breaks_anywhere_loses_and_repeats_nothing(
    admin: ApiClient, till: Till, monkeypatch: pytest.MonkeyPatch, seed: int
):
    monkeypatch.setattr(views, "STREAMED_AT_ONCE", 3)
    chance, told, last = random.Random(seed), [], None
    for _ in range(12):
        change(admin, *range(chance.randint(1, 7)), zone=chance.choice(["", "west"]))
        with closing(till.open(last=last)) as line:
            for _ in range(chance.randint(0, 3)):
                if told[-1:] == ledger()[-1:]:
                    break
                event = line.next()
                told, last = told + event.versions, event.id

    with closing(till.open(last=last)) as line:
        while told != ledger():
            told += line.next().versions

    assert told == sorted(set(told))


def test_two_zones_hear_of_their_own_prices_only(world: World, admin: ApiClient, till: Till):
    world.store("2", price_zone="west")
    with closing(till.open("1")) as east, closing(till.open("2")) as west:
        own = change(admin, 1, zone="east")
        assert east.next().versions == own
        own = change(admin, 2, zone="west")
        assert west.next().versions == own
        own = change(admin, 3, zone="east")
        assert east.next().versions == own


REFUSED = [
    ({"store_ref": "none"}, "/store_ref"),
    ({"after": "nonsense"}, "/after"),
    ({"after": encode_cursor("west", 0)}, "/after"),
    ({"after": encode_cursor("east", 99)}, "/after"),
    ({"last": encode_cursor("east", 99)}, "/after"),
]


@pytest.mark.parametrize(("query", "field"), REFUSED)
def test_what_is_wrong_is_said_before_it_begins(till: Till, query: dict[str, Any], field: str):
    answer = till.ask(**query)

    assert (answer.status_code, answer.content_type) == (422, "application/problem+json")
    assert [error["pointer"] for error in answer.json["errors"]] == [field]
    assert len(till.client.app.extensions["streams"]) == 0


def test_prices_are_streamed_to_tills_only(world: World, till: Till):
    assert Till(world.client("shop")).ask().status_code == 403
    assert Till(ApiClient(world.app, "nonsense")).ask().status_code == 401


def test_a_store_that_changes_its_zone_begins_anew(admin: ApiClient, till: Till):
    change(admin, 1)
    with closing(till.open()) as line:
        line.next()
        with unit_of_work():
            db.session.execute(update(Store).values(price_zone="west"))
            revisions.bump("stores")

        event = line.next()

        assert (event.name, event.id) == ("reset", "")
        assert "another price zone" in event.data["detail"]
        assert next(line.events, None) is None


def test_there_are_only_so_many(database: Flask, till: Till, monkeypatch: pytest.MonkeyPatch):
    few = replace(database.extensions["settings"], web_streams=2)
    monkeypatch.setitem(database.extensions, "settings", few)
    with closing(till.open()), closing(till.open()) as second:
        refused = till.ask()
        assert (refused.status_code, refused.json["code"]) == (429, "too_many_streams")
        assert int(refused.headers["Retry-After"]) > 0

        second.close()
        with closing(till.open()):
            assert till.ask().status_code == 429

    assert len(database.extensions["streams"]) == 0


def test_who_asks_for_the_head_only_takes_no_place(database: Flask, till: Till):
    with closing(till.ask(method="HEAD")) as answer:
        assert answer.status_code == 200

    assert len(database.extensions["streams"]) == 0


def test_a_comment_shows_that_the_line_is_alive(till: Till, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(streaming, "HEARTBEAT_SECONDS", 0)
    with closing(till.ask()) as answer:
        chunks = answer.iter_encoded()
        assert [next(chunks) for _ in range(3)] == [b"retry: 3000\n\n", b":\n\n", b":\n\n"]


def test_it_ends_by_itself(admin: ApiClient, till: Till, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(streaming, "STREAM_SECONDS", 0)
    versions = change(admin, 1)

    assert [event.versions for event in till.open().events] == [versions]


def test_it_ends_when_the_process_is_asked_to(
    database: Flask, till: Till, admin: ApiClient, monkeypatch: pytest.MonkeyPatch
):
    """Also while it sleeps: whoever looks after the streams wakes it."""
    monkeypatch.setattr(streaming, "LOOK_SECONDS", FOR_EVER)
    change(admin, 1)
    line = till.open()
    line.next()

    monkeypatch.setattr(database.extensions["streams"], "is_stopping", lambda: True)

    assert next(line.events, None) is None


def test_a_revoked_key_hears_no_more(world: World, admin: ApiClient, till: Till, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(streaming, "PERMISSION_SECONDS", 0)
    change(admin, 1)
    with closing(till.open()) as line:
        line.next()
        change(admin, 2)
        line.next()
        with unit_of_work():
            for name in db.session.scalars(select(Client.name)).all():
                auth.revoke_keys(name, now=utcnow())

        assert next(line.events, None) is None


def test_no_connection_is_held_but_while_it_looks(
    database: Flask, admin: ApiClient, till: Till, monkeypatch: pytest.MonkeyPatch
):
    look, feed, pool = streaming.Stream._look, views.service.price_feed, db.engine.pool
    around, within = [], []

    def watched_look(*args: Any) -> Any:
        around.append(pool.checkedout())
        found = look(*args)
        around.append(pool.checkedout())
        return found

    def watched_feed(*args: Any, **kwargs: Any) -> Any:
        found = feed(*args, **kwargs)
        within.append(pool.checkedout())
        return found

    monkeypatch.setattr(streaming.Stream, "_look", watched_look)
    monkeypatch.setattr(views.service, "price_feed", watched_feed)
    change(admin, 1)
    with closing(till.open()) as line:
        db.session.rollback()  # in a test, all requests share the session of the test
        for amount in range(3):
            line.next()
            around.append(pool.checkedout())  # as while a slow client is written to
            change(admin, amount)
            db.session.rollback()

    assert set(around) == {0}
    assert set(within) == {1}


def listeners(app: Flask) -> list[str]:
    """The connections that listen for hints, of this test: others may run beside it."""
    client: redis.Redis = app.extensions["redis"]
    number = str(client.connection_pool.connection_kwargs.get("db", 0))
    return [each["id"] for each in client.client_list(_type="pubsub") if each["db"] == number]


def test_a_hint_wakes_it(database: Flask, admin: ApiClient, till: Till, monkeypatch: pytest.MonkeyPatch):
    """Also after the connection to Redis was lost: the one listener of the process comes back by itself."""
    monkeypatch.setattr(streaming, "LOOK_SECONDS", FOR_EVER)
    change(admin, 1)
    with closing(till.open()) as line, closing(till.open()) as other:
        assert line.next().versions == other.next().versions
        for amount in range(2):
            until(lambda: len(listeners(database)) == 1)
            versions = change(admin, amount)
            assert line.next().versions == other.next().versions == versions
            client: redis.Redis = database.extensions["redis"]
            client.flushdb()
            for connection in listeners(database):
                client.client_kill_filter(_id=connection)


def test_without_a_hint_it_looks_for_itself(world: World, admin: ApiClient, till: Till):
    with closing(till.open()) as line:
        price = Price(product_id=1, zone="", amount=5, currency="USD", valid_from=utcnow())
        with unit_of_work():
            db.session.add(price)

        assert line.next().versions == [price.version]


def test_without_redis_it_only_takes_longer(
    database: Flask, admin: ApiClient, till: Till, monkeypatch: pytest.MonkeyPatch
):
    nobody = redis.Redis(host="127.0.0.1", port=1, retry=Retry(NoBackoff(), 0))
    waiters = signals.Waiters(nobody, signals.NEWS)
    with monkeypatch.context() as patch:
        patch.setitem(database.extensions, "order_waiters", waiters)
        patch.setitem(database.extensions, "redis", nobody)
        with closing(till.open()) as line:
            versions = change(admin, 1)

            assert line.next().versions == versions
    waiters.stop()


def test_a_database_that_does_not_answer_ends_it_and_the_client_comes_back(
    database: Flask, admin: ApiClient, till: Till, monkeypatch: pytest.MonkeyPatch
):
    said: list[str] = []
    monkeypatch.setattr(streaming.log, "warning", lambda event, **_: said.append(event), raising=False)
    change(admin, 1)
    line = till.open()
    last = line.next().id
    url = database.extensions["settings"].sqlalchemy_url.replace("+psycopg", "")
    db.session.rollback()
    with psycopg.connect(url) as other:
        other.execute("LOCK TABLE prices IN ACCESS EXCLUSIVE MODE")  # longer than anybody waits for a lock

        assert next(line.events, None) is None
    assert said == ["stream_ended"]

    versions = change(admin, 2)
    with closing(till.open(last=last)) as line:
        assert line.next().versions == versions
