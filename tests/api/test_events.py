"""The feed of events and its streams: what is one's own, in order, each once; and cursors that serve both."""

import uuid
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field

import pytest
from sqlalchemy import select

from pickup.core import outbox, streaming
from pickup.core.clock import rfc3339, utcnow
from pickup.core.db import db, unit_of_work
from pickup.core.models import Event
from pickup.core.pagination import encode_cursor
from pickup.webhooks import feed, feed_queries
from pickup.webhooks.publishing import publish
from tests.event_stream import Event as Told
from tests.event_stream import events_of

FEED = "/v1/events"


@dataclass
class Line:
    """An open stream, read as far as a test asks."""

    answer: object
    events: Iterator[Told] = field(init=False)

    def __post_init__(self):
        assert self.answer.status_code == 200, self.answer.text
        self.events = events_of(line for chunk in self.answer.iter_encoded() for line in chunk.splitlines(True))

    def next(self):
        return next(event for event in self.events if event.name)

    def close(self):
        self.answer.close()


def open_stream(client, path, *, last=None, **query):
    headers = {"Authorization": f"Bearer {client.key}"} | ({"Last-Event-ID": last} if last else {})
    return Line(client.app.test_client().get(path, query_string=query, headers=headers))


@pytest.fixture(autouse=True)
def _quick(monkeypatch):
    monkeypatch.setattr(streaming, "LOOK_SECONDS", 0.01)


@pytest.fixture
def store(world):
    store = world.store()
    world.stock(store, world.product("A"), 100)
    return store


def emit(*events, data=None):
    """Events that are committed, and not public yet."""
    with unit_of_work():
        for event_type, subject in events:
            outbox.emit(event_type, {subject: data or {}}, at=utcnow())


def publish_all():
    while True:
        with unit_of_work():
            if not publish(utcnow()):
                return


def happen(*events, data=None):
    emit(*events, data=data)
    publish_all()


def follow(client, cursor=None, **query):
    """All there is after a cursor, and where to go on."""
    found = []
    while True:
        page = client.get(FEED, **query | ({"after": cursor} if cursor else {})).json
        found += page["data"]
        if page["next"] == cursor:
            return found, cursor
        cursor = page["next"]


def types(events):
    return [event["type"] for event in events]


def test_an_orders_life_is_told(world, shop, store):
    order = world.place(shop, {"A": 2})
    world.collect(order)
    world.work()
    publish_all()

    events, _ = follow(shop)

    assert types(events) == ["order.placed", "order.reserved", "order.ready", "order.collected", "payment.captured"]
    assert {event["data"]["order_id"] for event in events} == {str(order.id)}
    ready = events[2]
    assert ready["data"] == {
        "order_id": str(order.id),
        "number": order.number,
        "status": "ready",
        "from": "picking",
        "reason": None,
        "store_ref": "1",
    }
    row = db.session.scalars(select(Event).where(Event.type == "order.ready")).one()
    assert (ready["id"], ready["timestamp"]) == (f"msg_{row.id}", rfc3339(row.at))
    assert events[-1]["data"] == {"order_id": str(order.id), "amount": {"amount": 718, "currency": "USD"}}


def test_what_became_cheaper_is_money(world, shop, store):
    order = world.place(shop, {"A": 1})
    happen(("order.collected", order.id), data={"number": order.number, "reduced_amount": 50, "currency": "USD"})

    events, _ = follow(shop, types="order.collected")

    assert events[0]["data"]["reduced_by"] == {"amount": 50, "currency": "USD"}
    assert "currency" not in events[0]["data"]


def test_nobody_hears_of_anothers_orders_and_everybody_of_prices_and_stock(world, shop, store):
    other = world.client("shop")
    mine, theirs = world.place(shop, {"A": 1}), world.place(other, {"A": 1})
    happen(("order.ready", mine.id), ("order.ready", theirs.id), ("price.changed", uuid.uuid4()))
    happen(("payment.refunded", theirs.id), ("stock.changed", uuid.uuid4()), ("order.unpaid", mine.id))
    happen(("price.breached", uuid.uuid4()), ("order.withdrawn", mine.id))

    assert types(follow(shop)[0]) == ["order.placed", "order.ready", "price.changed", "stock.changed"]
    assert types(follow(other)[0]) == [
        "order.placed",
        "order.ready",
        "price.changed",
        "payment.refunded",
        "stock.changed",
    ]
    assert types(follow(world.client("shop"))[0]) == ["price.changed", "stock.changed"]
    for scope in ("pos", "admin"):
        assert world.client(scope).get(FEED).status_code == 403


def test_pages_have_each_once_whatever_their_size(world, shop, store, monkeypatch):
    other = world.client("shop")
    mine, theirs = world.place(shop, {"A": 1}), world.place(other, {"A": 1})
    for _ in range(10):
        happen(*[("order.ready", theirs.id)] * 3, ("order.ready", mine.id), ("order.unpaid", mine.id))
    whole, end = follow(shop)
    assert len(whole) == 11

    for walked, limit in ((1, 1), (2, 3), (3, 1), (7, 2), (10_000, 1), (10_000, 1000)):
        monkeypatch.setattr(feed_queries, "WALKED_AT_ONCE", walked)
        assert follow(shop, limit=limit) == (whole, end)


def test_what_is_not_public_yet_is_not_told(world, shop, store):
    _, end = follow(shop)
    order = world.place(shop, {"A": 1})
    emit(("order.ready", order.id))

    assert follow(shop, end) == ([], end)
    publish_all()
    assert types(follow(shop, end)[0]) == ["order.placed", "order.ready"]


def test_only_some_types(world, shop, store):
    order = world.place(shop, {"A": 1})
    happen(("order.ready", order.id), ("order.collected", order.id), ("price.changed", uuid.uuid4()))

    events, _ = follow(shop, types="order.ready, price.changed")

    assert types(events) == ["order.ready", "price.changed"]
    for wrong in ("order.unpaid", "", "order.ready,", "x" * 500):
        answer = shop.get(FEED, types=wrong)
        assert (answer.status_code, answer.json["errors"][0]["pointer"]) == (422, "/types")


def test_now_begins_with_what_comes(world, shop, store):
    order = world.place(shop, {"A": 1})
    publish_all()

    page = shop.get(FEED, after="now").json
    happen(("order.ready", order.id))

    assert page["data"] == []
    assert types(follow(shop, page["next"])[0]) == ["order.ready"]


BAD_CURSORS = [
    "nonsense",
    "",
    encode_cursor(5),
    encode_cursor("prices", 0),
    encode_cursor("events", -1),
    encode_cursor("events", 99),
    encode_cursor("events", 2**63 - 1),
    encode_cursor("events", 2**63),
    encode_cursor("events", True),
]


@pytest.mark.parametrize("cursor", BAD_CURSORS)
def test_a_bad_cursor_is_refused(world, shop, store, cursor):
    order = world.place(shop, {"A": 1})
    publish_all()

    for path in (FEED, f"{FEED}/stream", f"/v1/orders/{order.id}/events"):
        answer = shop.get(path, after=cursor)
        assert (answer.status_code, answer.json["errors"][0]["pointer"]) == (422, "/after"), path
    assert len(shop.app.extensions["streams"]) == 0


def test_a_stream_does_not_begin_at_a_now_that_moves(shop):
    assert shop.get(f"{FEED}/stream", after="now").status_code == 422


def test_an_empty_feed_leads_on(shop):
    page = shop.get(FEED).json

    assert page["data"] == []
    assert shop.get(FEED, after=page["next"]).json == page


def test_a_stream_tells_what_was_and_then_what_comes(world, shop, store):
    order = world.place(shop, {"A": 1})
    publish_all()

    with closing(open_stream(shop, f"{FEED}/stream")) as line:
        first = line.next()
        happen(("order.ready", order.id), ("order.collected", order.id))
        rest = [line.next(), line.next()]

    events, end = follow(shop)
    assert [told.data for told in (first, *rest)] == events
    assert [told.name for told in (first, *rest)] == types(events)
    assert rest[-1].id == end, "its cursors are those of the feed"
    assert types(follow(shop, first.id)[0]) == ["order.ready", "order.collected"]


def test_a_line_that_breaks_anywhere_loses_and_repeats_nothing(world, shop, store, monkeypatch):
    monkeypatch.setattr(feed, "STREAMED_AT_ONCE", 2)
    mine, theirs = world.place(shop, {"A": 1}), world.place(world.client("shop"), {"A": 1})
    for path in (f"{FEED}/stream", f"/v1/orders/{mine.id}/events"):
        told, last = [], None
        for read in (0, 1, 2, 3, 1):
            happen(("order.ready", mine.id), ("order.ready", theirs.id), ("order.collected", mine.id))
            with closing(open_stream(shop, path, last=last)) as line:
                for _ in range(read):
                    event = line.next()
                    told, last = [*told, event.data], event.id
        whole = [event for event in follow(shop)[0] if event["data"]["order_id"] == str(mine.id)]
        assert told == whole[: len(told)]
        assert len(told) == 7


def test_the_stream_of_an_order_is_of_that_order(world, shop, store):
    mine, other = world.place(shop, {"A": 1}), world.place(shop, {"A": 1})
    publish_all()
    with closing(open_stream(shop, f"/v1/orders/{mine.id}/events")) as line:
        assert line.next().name == "order.placed"
        happen(("order.ready", other.id), ("price.changed", uuid.uuid4()), ("order.unpaid", mine.id))
        happen(("order.cancelled", mine.id))
        told = line.next()

    assert (told.name, told.data["data"]["order_id"]) == ("order.cancelled", str(mine.id))


def test_a_stream_wants_only_some_types(world, shop, store):
    order = world.place(shop, {"A": 1})
    happen(("order.ready", order.id), ("order.collected", order.id))

    with closing(open_stream(shop, f"{FEED}/stream", types="order.collected")) as line:
        assert line.next().name == "order.collected"


def test_a_stream_walks_past_what_is_anothers(world, shop, store, monkeypatch):
    monkeypatch.setattr(feed_queries, "WALKED_AT_ONCE", 2)
    monkeypatch.setattr(feed, "WALKS_MAX", 3)
    theirs = world.place(world.client("shop"), {"A": 1})
    happen(*[("order.ready", theirs.id)] * 50)
    mine = world.place(shop, {"A": 1})
    publish_all()

    with closing(open_stream(shop, f"{FEED}/stream")) as line:
        assert line.next().data["data"]["order_id"] == str(mine.id)


def test_the_stream_of_anothers_order_is_not_there(world, shop, store):
    order = world.place(world.client("shop"), {"A": 1})

    for order_id in (order.id, uuid.uuid4(), "none"):
        answer = shop.get(f"/v1/orders/{order_id}/events")
        assert (answer.status_code, answer.json["code"]) == (404, "order_not_found")


def test_a_store_that_is_new_to_this_process_has_its_name(world, shop, store):
    follow(shop)
    order = world.place(shop, {"A": 1})
    fresh = world.store("77")
    happen(("order.ready", order.id), data={"store_id": fresh.id})

    assert follow(shop)[0][-1]["data"]["store_ref"] == "77"
