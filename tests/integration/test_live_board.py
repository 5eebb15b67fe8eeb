"""The board hears at once of what is new, and the tablets of other stores do not."""

from contextlib import contextmanager

import pytest

from pickup.core import streaming
from pickup.core.clock import utcnow
from pickup.core.db import unit_of_work
from pickup.orders import queries as orders
from pickup.orders.service import arrive
from pickup.staff import handover, service
from pickup.staff.queries import board_state
from tests.event_stream import events_of


@pytest.fixture
def store(world):
    made = world.store("1")
    world.stock(made, world.product("A"), 50)
    with unit_of_work():
        service.create_member(store_ref="1", name="Ana", role="associate", pin="1234")
    return made


@pytest.fixture
def tablet(world, store):
    client = world.app.test_client()
    token = client.get("/staff/sign-in").text.partition('name="csrf_token" value="')[2].partition('"')[0]
    answer = client.post("/staff/sign-in", data={"csrf_token": token, "store": "1", "pin": "1234"})
    assert answer.status_code == 303
    return client


@contextmanager
def listening(tablet, after=None):
    with tablet.get("/staff/stream", query_string={"after": after} if after else {}) as answer:
        assert answer.status_code == 200, answer.text
        yield events_of(line for chunk in answer.iter_encoded() for line in chunk.splitlines(keepends=True))


def test_every_change_of_the_board_is_another_state(world, shop, store):
    other = world.store("2", lat=40.0)
    seen, elsewhere = [board_state(store.id)], board_state(other.id)

    def look():
        state = board_state(store.id)
        assert state not in seen
        assert board_state(store.id) == state
        seen.append(state)

    order = world.place(shop, {"A": 1})
    world.work()
    look()
    ana = service.queries.members_at(store.id)[0]
    for step in (service.start_picking, service.mark_ready):
        with unit_of_work():
            step(ana, order.id, now=utcnow())
        look()
    with unit_of_work():
        arrive(orders.lock_order(order.id), "bay 4", now=utcnow())
    look()
    with unit_of_work():
        assert handover.hand_over(ana, order.id, order.pickup_code, age_checked=False, now=utcnow())
    assert board_state(store.id) == seen[0], "nothing is left to do"
    assert board_state(other.id) == elsewhere


def test_a_tablet_is_told_once_for_each_state(world, shop, store, tablet):
    with listening(tablet, after=board_state(store.id)) as events:
        world.place(shop, {"A": 1})
        world.work()
        first = next(events)
        assert (first.name, first.data) == ("board", {})
        assert first.id == board_state(store.id)
    with listening(tablet) as events:
        assert next(events).id == first.id, "a tablet that knows nothing yet is told where it stands"


def test_it_ends_with_the_session(world, store, tablet, monkeypatch):
    monkeypatch.setattr(streaming, "PERMISSION_SECONDS", 0)
    with listening(tablet) as events:
        next(events)
        with unit_of_work():
            service.queries.members_at(store.id)[0].name = "Anna"
        assert next(events, None) is None


def test_nobody_listens_who_is_not_signed_in(world, store):
    answer = world.app.test_client().get("/staff/stream")

    assert answer.status_code == 204  # a browser does not ask for a stream again
