"""Fourteen days in three time zones, over the nights on which clocks change, by four schedulers that keep being killed.

Every reminder, warning, alarm and expiry comes once, in the hour in which it should; what that is, is reckoned here
once more, hour by hour, from the plain meaning. All stores open and close at full hours, and so does everything fall
due: the clock is turned by an hour at a time. `PICKUP_TEST_ORDERS=10000` for as many orders.
"""

import os
import random
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import cached_property
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import insert, select, text

from pickup.core import revisions
from pickup.core.db import db, unit_of_work
from pickup.core.models import ApiClient, Event
from pickup.core.types import Actor, new_id
from pickup.inventory import service as inventory
from pickup.inventory.reconciliation import differences
from pickup.orders import promising, queries
from pickup.orders.models import Order, OrderHistory, OrderLine
from pickup.orders.transitions import advance
from pickup.stores.directory import fresh_directory
from pickup.stores.models import SpecialDay, Store
from tests.chaos.clocks import Clocks
from tests.concurrency.together import until

ORDERS = int(os.environ.get("PICKUP_TEST_ORDERS", "600"))
CLOCKS = 4
SEED = 20351104
KILL_EVERY = 24  # hours, besides those who die of what they do

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
# Berlin's clocks fall back on 28 October at 01:00 UTC, New York's on 4 November at 06:00 UTC, Shanghai's never. All far
# ahead, because nobody remembers the special days of the past.
START = datetime(2035, 10, 25, tzinfo=UTC)
DAYS = 14
LAST_READY = 8 * 24
HOLD_DAYS = 3
RISK = 1  # open hours

# By the weekday, Monday first: from when until when, in hours of the local clock.
DAYTIME = ([(9, 21)] * 6) + [(10, 18)]
HOLIDAYS = {"Europe/Berlin": date(2035, 10, 29), "America/New_York": date(2035, 11, 3), "Asia/Shanghai": None}
TEXTS = {"day": "Mo-Sa 09:00-21:00; Su 10:00-18:00", "always": "24/7", "night": "Mo-Su 22:00-06:00"}
STAFF = Actor("staff", "Sam")

pytestmark = pytest.mark.timeout(3600 if ORDERS > 1000 else 300)


@dataclass
class Place:
    """A store, as its clock on the wall and the sign at its door have it."""

    id: int
    zone: ZoneInfo
    kind: str
    holiday: date | None

    def is_open(self, hour: datetime) -> bool:
        wall = hour.astimezone(self.zone)
        if self.kind == "always":
            return True
        if self.kind == "night":
            return wall.hour >= 22 or wall.hour < 6
        opens, closes = DAYTIME[wall.weekday()]
        return wall.date() != self.holiday and opens <= wall.hour < closes

    def is_decent(self, hour: datetime) -> bool:
        return 9 <= hour.astimezone(self.zone).hour < 20


@dataclass
class Life:
    """What is to become of an order: by the name of what is said, the hour, or none."""

    id: object
    place: Place
    status: str
    at: datetime
    """Since when it is ready, for when it was promised, or placed, or until when it can be chosen."""
    collected_at: datetime | None = None

    @cached_property
    def hold_until(self) -> datetime:
        """The closing of the last opening that begins within the hold; to the minute where the doors never close."""
        ends = self.at + HOLD_DAYS * DAY
        if self.place.kind == "always":
            return ends
        begun = max(h for h in hours(self.at, ends) if self.place.is_open(h))
        return next(hour for hour in hours(begun, ends + 3 * DAY) if not self.place.is_open(hour))

    @cached_property
    def decent(self) -> list[datetime]:
        """When the customer may be written to."""
        by_day = [hour for hour in hours(self.at, self.hold_until) if self.place.is_decent(hour)]
        return [hour for hour in by_day if self.place.is_open(hour)] or by_day

    @cached_property
    def expected(self) -> dict[str, datetime]:
        """What is said of it, and when."""
        if self.status == "ready":
            said = {"order.expiring": self._warned(), "order.reminded": self._reminded()}
            said["order.expired"] = self.hold_until + HOUR
        elif self.status == "reserved":
            said = {"order.overdue": self.at + HOUR, "at risk": self._at_risk()}
        else:
            said = {"order.cancelled": self.at + HOUR}
        return {what: at for what, at in said.items() if at and (not self.collected_at or at < self.collected_at)}

    def _warned(self) -> datetime | None:
        wanted = max(self.hold_until - DAY, self.at + 6 * HOUR)
        can_come = [hour for hour in self.decent if any(map(self.place.is_open, hours(hour, self.hold_until)))]
        later = [hour for hour in can_come if hour >= wanted]
        sooner = [hour for hour in can_come if self.at + 6 * HOUR <= hour < wanted]
        return later[0] if later else sooner[-1] if sooner else None

    def _reminded(self) -> datetime | None:
        first = next((hour for hour in self.decent if hour >= self.at + DAY), None)
        warned = self._warned()
        return first if first and (warned is None or first <= warned - 6 * HOUR) else None

    def _at_risk(self) -> datetime:
        """The first hour after which there is no more open time than that; it was promised before the clocks began."""
        hour, left = self.at, RISK
        while hour > START and left >= self.place.is_open(hour - HOUR):
            hour -= HOUR
            left -= self.place.is_open(hour)
        return hour


def hours(start: datetime, end: datetime) -> list[datetime]:
    return [start + n * HOUR for n in range(int((end - start) / HOUR))]


@pytest.fixture
def places(world):
    found = []
    for zone, holiday in HOLIDAYS.items():
        for kind, sign in TEXTS.items():
            store = world.store(f"{zone} {kind}", timezone=zone, opening_hours=sign, hold_days=HOLD_DAYS)
            found.append(Place(store.id, ZoneInfo(zone), kind, holiday if kind == "day" else None))
    with unit_of_work():
        for place in found:
            if place.holiday:
                db.session.add(SpecialDay(store_id=place.id, day=place.holiday, hours="off"))
        revisions.bump("stores")
    return found


@pytest.fixture
def lives(world, places):
    """Orders of every state, some of which are collected before their time is over."""
    chance = random.Random(SEED)
    made = []
    for _ in range(ORDERS):
        place = chance.choice(places)
        status = chance.choices(["ready", "reserved", "awaiting_payment", "placed"], [14, 3, 2, 1])[0]
        at = START + chance.randrange(1, LAST_READY) * HOUR
        while status in ("ready", "reserved") and not place.is_open(at):
            at += HOUR
        life = Life(new_id(), place, status, at)
        if status == "ready" and chance.random() < 0.3:
            life.collected_at = at + chance.randrange(1, 90) * HOUR
            life.collected_at = life.collected_at if life.collected_at < life.hold_until else None
        made.append(life)
    return write_down(world, made)


def write_down(world, lives):
    product, stores = world.product("A"), fresh_directory().by_id
    for store_id in {life.place.id for life in lives}:
        world.stock(db.session.get_one(Store, store_id), product, ORDERS)
    with unit_of_work():
        client = ApiClient(name="the shop")
        db.session.add(client)
        db.session.flush()
        db.session.execute(insert(Order), [row_of(life, client.id, stores) for life in lives])
        db.session.execute(
            insert(OrderLine),
            [
                {"order_id": life.id, "position": 0, "product_id": product.id, "quantity": 1, "unit_amount": 100}
                | {"price_version": 1}
                for life in lives
            ],
        )
        keeping = [life for life in lives if life.status in ("ready", "reserved")]
        inventory.hold([inventory.Hold(life.id, life.place.id, product.id, 1) for life in keeping], now=START)
    return lives


def row_of(life, client_id, stores):
    token = life.id.hex
    row = {
        "id": life.id,
        "client_id": client_id,
        "status": life.status,
        "customer_name": "Ada Example",
        "customer_email": "ada@example.com",
        "store_id": life.place.id,
        "candidates": [],
        "total_amount": 100,
        "currency": "USD",
        "pickup_code": token[:9],
        "page_token": token,
        "ready_by": START + 60 * DAY,
        "hold_until": START + 90 * DAY,
        "placed_at": START + 60 * DAY,
        "changed_at": START,
        "offer": None,
        "offer_until": None,
        "remind_at": None,
        "warn_at": None,
    }
    if life.status == "ready":
        store = stores[life.place.id]
        until = promising.hold_until_at(store, life.at, None)
        remind_at, warn_at = promising.messages_at(store, life.at, until)
        return row | {"hold_until": until, "remind_at": remind_at, "warn_at": warn_at}
    if life.status == "reserved":
        return row | {"ready_by": life.at}
    if life.status == "placed":
        return row | {"offer": {"why": "short_pick", "options": {}}, "offer_until": life.at}
    return row | {"placed_at": life.at}


@pytest.fixture
def clocks(app, monkeypatch):
    monkeypatch.setenv("PICKUP_RISK_MINUTES", str(60 * RISK))
    made = Clocks(CLOCKS, SEED, lambda: until(is_calm))
    yield made
    made.stop()


IN_HAND = text("""
    SELECT count(*) FROM pg_stat_activity
    WHERE datname = current_database() AND state <> 'idle' AND pid <> pg_backend_pid()
""")


def is_calm():
    with db.engine.connect() as connection:
        return connection.execute(IN_HAND).scalar_one() == 0


def test_everything_once_and_in_its_hour(lives, clocks):
    collected = {}
    for life in lives:
        collected.setdefault(life.collected_at, []).append(life.id)
    for number, now in enumerate(hours(START, START + DAYS * DAY)):
        if now in collected:
            hand_over(collected[now], now)
        clocks.turn_to(now, kill_one=number % KILL_EVERY == 0)

    told = what_was_said(lives)
    wrong = [
        f"{life.status} since {life.at:%d %H:%M} at {life.place.kind} {life.place.zone}: {what} {said}, not {expected}"
        for life in lives
        for what in told.get(life.id, {}).keys() | life.expected.keys()
        if (said := told.get(life.id, {}).get(what)) != (expected := life.expected.get(what))
    ]
    assert not wrong, "\n".join(wrong[:20])
    assert clocks.deaths >= DAYS, "some are killed each day"
    kinds = {what for life in lives for what in life.expected}
    assert len(kinds) == 6, "each kind of what is due came up"
    assert {life.status for life in lives if life.expected} == {"ready", "reserved", "awaiting_payment", "placed"}
    every_bag_is_to_be_put_back(lives)
    assert differences() == []


def hand_over(order_ids, now):
    with unit_of_work():
        advance(queries.lock_orders(order_ids), "hand_over", actor=STAFF, now=now)


def what_was_said(lives):
    """By order, when each was said: an event that came twice fails here."""
    db.session.rollback()
    said = {}
    wanted = {what for life in lives for what in life.expected} | {"order.reminded", "order.expiring", "order.overdue"}
    for subject, what, at in db.session.execute(
        select(Event.subject_id, Event.type, Event.at).where(Event.type.in_(wanted))
    ):
        assert what not in said.setdefault(subject, {}), (subject, what)
        said[subject][what] = at
    for order_id, at in db.session.execute(select(Order.id, Order.at_risk_told_at)):
        if at:
            said.setdefault(order_id, {})["at risk"] = at
    return said


def every_bag_is_to_be_put_back(lives):
    steps = db.session.execute(select(OrderHistory.order_id, OrderHistory.action)).all()
    assert len(steps) == len(set(steps)) == sum(life.status != "reserved" for life in lives)
    left = dict(
        db.session.execute(select(Order.id, Order.put_back_since).where(Order.put_back_since.is_not(None))).all()
    )
    assert left == {life.id: life.expected["order.expired"] for life in lives if "order.expired" in life.expected}
