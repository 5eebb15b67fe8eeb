"""Who charged what: breaches by page and filter, clocks that are wrong, registers that are late, the books of all."""

import itertools
import random
import uuid
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import text

from pickup.catalog.models import Product
from pickup.core.clock import rfc3339, utcnow
from pickup.core.db import db, in_transaction, unit_of_work
from pickup.core.models import Event
from pickup.core.types import Money
from pickup.pricing.models import Price
from pickup.pricing.queries import price_changes_after
from pickup.stores.models import Store
from pickup.tills.lateness import watch_registers
from pickup.tills.models import TillRegister
from pickup.tills.selling import Line, Sale, record_sales
from tests.api_client import ApiClient
from tests.concurrency.together import at_once
from tests.world import World

MINUTE = timedelta(minutes=1)


@pytest.fixture
def pos(world: World) -> ApiClient:
    return world.client("pos")


@pytest.fixture
def now() -> datetime:
    return utcnow()


@pytest.fixture
def store(world: World, now: datetime) -> Store:
    """A store where A costs 3.59, since two minutes ago 2.99."""
    made = world.store("1")
    product = world.product("A", price=None)
    world.price(product, 359, valid_from=now - timedelta(days=1))
    world.price(product, 299, valid_from=now - 2 * MINUTE)
    return made


def sell(pos: ApiClient, amount: int, at: datetime, *, store_ref: str = "1", **more: Any) -> int:
    """Sell one of A; returns how many breaches that was."""
    line = {"sku": more.pop("sku", "A"), "quantity": 1, "unit_price": {"amount": amount, "currency": "USD"}}
    sale = {"id": uuid.uuid4().hex, "at": rfc3339(at), "lines": [line]}
    answer = pos.post("/v1/pos/sales", {"store_ref": store_ref, "register": "r1", "sales": [sale], **more})
    assert answer.status_code == 200, answer.text
    return int(answer.json["breaches"])


def acknowledge(pos: ApiClient, version: int, **more: Any) -> None:
    body = {"store_ref": "1", "register": "r1", "version": version, **more}
    assert pos.post("/v1/pos/prices/ack", body).status_code == 204


def parity(pos: ApiClient, **query: Any) -> Any:
    answer = pos.get("/v1/parity", **query)
    assert answer.status_code == 200, answer.text
    return answer.json


def check(world: World, *options: str) -> tuple[int, list[str]]:
    result = world.app.test_cli_runner().invoke(args=["prices", "check", *options])
    db.session.rollback()
    return result.exit_code, result.stdout.splitlines()


class TestClocks:
    def test_a_clock_that_is_wrong_is_known(self, pos: ApiClient, store: Store, now: datetime):
        acknowledge(pos, 1)
        assert parity(pos)["registers"][0]["clock_ahead_ms"] is None

        acknowledge(pos, 1, sent_at=rfc3339(utcnow() + timedelta(hours=2)))
        assert 7_195_000 < parity(pos)["registers"][0]["clock_ahead_ms"] < 7_205_000

        sell(pos, 299, now, sent_at=rfc3339(utcnow() - MINUTE))
        assert -65_000 < parity(pos)["registers"][0]["clock_ahead_ms"] < -55_000

    @pytest.mark.parametrize(
        ("ahead", "sold_after_the_change", "charged", "breaches"),
        [
            # A clock that is slow has the new price, as soon as it hears of it, before its own time has come.
            (-2, -1, 299, 0),
            (-2, -1, 359, 0),
            (-2, 1, 299, 0),
            (-2, 1, 359, 1),
            (-2, -3, 299, 1),
            # One that is fast switches before its time: its sale was made while the old price held.
            (2, 1, 299, 0),
            (2, 1, 359, 0),
            (2, -1, 299, 1),
            (2, 3, 359, 1),
            # No allowance is made for a clock that nobody knows, or that is off by more than five minutes.
            (None, -1, 299, 1),
            (-6, -1, 299, 1),
        ],
    )
    def test_it_is_allowed_for(
        self,
        pos: ApiClient,
        store: Store,
        now: datetime,
        ahead: int | None,
        sold_after_the_change: int,
        charged: int,
        breaches: int,
    ):
        at = now - 2 * MINUTE + sold_after_the_change * MINUTE
        clock = {} if ahead is None else {"sent_at": rfc3339(utcnow() + ahead * MINUTE)}

        assert sell(pos, charged, at, **clock) == breaches


class TestBreaches:
    def test_by_page_newest_first(self, pos: ApiClient, store: Store, now: datetime):
        for minutes in (4, 3, 3, 1):
            sell(pos, minutes, now - minutes * MINUTE)

        first = parity(pos, limit=3)
        second = parity(pos, limit=3, after=first["next"])

        assert [each["charged"]["amount"] for each in first["breaches"] + second["breaches"]] == [1, 3, 3, 4]
        assert (first["total"], second["total"], second["next"]) == (4, 4, None)
        assert parity(pos)["next"] is None

    def test_filters(self, world: World, pos: ApiClient, store: Store, now: datetime):
        world.store("2")
        world.product("B")
        sell(pos, 1, now - 3 * MINUTE)
        sell(pos, 2, now, store_ref="2")
        sell(pos, 3, now, sku="B")

        def amounts(**query: Any) -> list[int]:
            return sorted(each["charged"]["amount"] for each in parity(pos, **query)["breaches"])

        assert amounts(store_ref="1") == [1, 3]
        assert amounts(sku="A") == [1, 2]
        assert amounts(store_ref="1", sku="B") == [3]
        assert amounts(register="r1") == [1, 2, 3]
        assert amounts(register="r2") == []
        assert amounts(until=rfc3339(now)) == [1]
        assert amounts(since=rfc3339(now)) == [2, 3]
        assert {each["store_ref"] for each in parity(pos, store_ref="2")["registers"]} == {"2"}
        for bad in ({"store_ref": "9"}, {"sku": "9"}, {"since": "yesterday"}, {"after": "WyJ4IiwxXQ"}):
            assert pos.get("/v1/parity", **bad).status_code == 422

    def test_they_are_told(self, pos: ApiClient, store: Store, now: datetime):
        sell(pos, 299, now)
        sell(pos, 1, now)

        event = db.session.query(Event).filter(Event.type == "price.breached").one()
        assert event.data == {"store_ref": "1", "register": "r1", "count": 1}


class TestLateRegisters:
    def late(self) -> datetime | None:
        db.session.rollback()
        return db.session.query(TillRegister.late_since).scalar()

    def test_since_when_and_until_when(self, world: World, pos: ApiClient, store: Store, now: datetime):
        acknowledge(pos, 1)
        recorded = db.session.query(Price.recorded_at).filter(Price.version == 2).scalar()

        assert parity(pos)["registers"][0]["late_since"] == rfc3339(recorded)
        assert watch_registers(now + 59 * MINUTE) == 0
        assert watch_registers(now + 61 * MINUTE) == 1
        assert self.late() == recorded
        assert watch_registers(now + 62 * MINUTE) == 0, "nothing new"
        assert "pickup_registers_late 1.0" in world.app.test_client().get("/metrics").text
        (event,) = db.session.query(Event).filter(Event.type == "register.late")
        assert (event.data["register"], event.data["since"]) == ("r1", recorded.isoformat())

        acknowledge(pos, 2)
        assert parity(pos)["registers"][0]["late_since"] is None
        assert watch_registers(now + 63 * MINUTE) == 1
        assert self.late() is None

    def test_is_said_by_one_of_several_clocks(self, app: Flask, pos: ApiClient, store: Store, now: datetime):
        acknowledge(pos, 1)

        def look() -> int:
            with app.app_context():
                return watch_registers(now + 61 * MINUTE)

        assert sum(at_once([look] * 4)) == 1
        assert db.session.query(Event).filter(Event.type == "register.late").count() == 1

    def test_a_price_for_later_makes_nobody_late_before_it_holds(self, world: World, pos: ApiClient, store: Store):
        product_id = db.session.query(Price.product_id).first()[0]
        begins = utcnow() + timedelta(hours=5)
        with unit_of_work():
            db.session.add(Price(product_id=product_id, amount=1, currency="USD", valid_from=begins))
        acknowledge(pos, 2)

        (register,) = parity(pos)["registers"]
        assert (register["behind_by"], register["late_since"]) == (1, None)
        assert watch_registers(begins + 59 * MINUTE) == 0
        assert watch_registers(begins + 61 * MINUTE) == 1
        assert self.late() == begins

    def test_who_is_gone_or_need_not_follow_is_not_late(
        self, world: World, pos: ApiClient, store: Store, now: datetime, monkeypatch: pytest.MonkeyPatch
    ):
        acknowledge(pos, 1)

        assert watch_registers(now + timedelta(days=31)) == 0
        settings = world.app.extensions["settings"]
        monkeypatch.setitem(world.app.extensions, "settings", replace(settings, till_late_minutes=0))
        assert watch_registers(now + 61 * MINUTE) == 0

    def test_an_alarm_ends_when_the_register_is_gone(self, pos: ApiClient, store: Store, now: datetime):
        acknowledge(pos, 1)
        assert watch_registers(now + 61 * MINUTE) == 1

        assert watch_registers(now + timedelta(days=31)) == 1
        assert self.late() is None
        assert watch_registers(now + timedelta(days=31)) == 0

    def test_each_is_behind_by_what_the_feed_has_for_it(
        self, world: World, pos: ApiClient, store: Store, now: datetime
    ):
        world.store("2", price_zone="z")
        chance, product = random.Random(3), db.session.query(Product).one()
        for _ in range(30):
            begins = now + chance.randrange(-9, 9) * MINUTE
            world.price(product, 1, zone=chance.choice(["", "z", "y"]), valid_from=begins)
        for ref, version in itertools.product("12", range(33)):
            acknowledge(pos, version, store_ref=ref, register=f"at {version}")

        for register in parity(pos)["registers"]:
            zone = {"1": "", "2": "z"}[register["store_ref"]]
            ahead = {change.version for change in price_changes_after(register["version"], zone, 99)[1]}
            assert register["behind_by"] == len(ahead)
            since = [
                max(price.valid_from, price.recorded_at)
                for price in db.session.query(Price)
                if price.version in ahead and price.valid_from <= now
            ]
            assert register["late_since"] == (rfc3339(min(since)) if since else None)

    def test_of_one_store_it_is_the_same_as_of_all(self, world: World, pos: ApiClient, store: Store):
        world.store("2", price_zone="z")
        acknowledge(pos, 1)
        acknowledge(pos, 0, store_ref="2")

        registers = parity(pos)["registers"]

        assert [register["behind_by"] for register in registers] == [1, 2]
        assert [parity(pos, store_ref=ref)["registers"] for ref in "12"] == [[each] for each in registers]


class TestCheck:
    def test_what_agrees(self, world: World, pos: ApiClient, shop: ApiClient, store: Store, now: datetime):
        world.stock(store, db.session.query(Product).one(), 10)
        world.place(shop, {"A": 1})
        assert sell(pos, 299, now) == 0
        assert sell(pos, 1, now) == 1
        assert sell(pos, 299, now - 3 * MINUTE, sent_at=rfc3339(utcnow() - 2 * MINUTE)) == 0

        assert check(world) == (0, ["0 differences"])

    def test_a_clock_counts_in_the_milliseconds_that_are_kept(self, world: World, store: Store, now: datetime):
        """A price held half a millisecond: live and afterwards it is one and the same question which one that was."""
        world.price(db.session.query(Product).one(), 199, valid_from=now - MINUTE)
        world.price(db.session.query(Product).one(), 99, valid_from=now - MINUTE + timedelta(microseconds=500))
        for number, micros in enumerate((-1499, -999, -500, -1, 0, 1, 499, 500, 501, 999, 1000)):
            sale = Sale(str(number), now - MINUTE, [Line("A", 1, Money(99, "USD"))])
            sent_at = now + timedelta(microseconds=micros)
            in_transaction(partial(record_sales, "1", "r1", [sale], now=now, sent_at=sent_at))

        assert check(world) == (0, ["0 differences"])

    @pytest.mark.parametrize(
        ("fault", "found"),
        [
            ("DELETE FROM parity_breaches", "is a breach, and is not kept"),
            ("UPDATE parity_breaches SET charged_amount = 7", "is a breach, and is not kept"),
            (
                "UPDATE till_sale_lines SET unit_amount = 299; UPDATE parity_breaches SET charged_amount = 299",
                "is no breach",
            ),
            ("UPDATE order_lines SET unit_amount = 7", "its entry is not what held"),
            ("UPDATE order_lines SET price_version = 1", "its entry is not what held"),
            ("UPDATE orders SET placed_at = placed_at - interval '5 min'", "its entry is not what held"),
        ],
    )
    def test_what_does_not(
        self, world: World, pos: ApiClient, shop: ApiClient, store: Store, now: datetime, fault: str, found: str
    ):
        world.stock(store, db.session.query(Product).one(), 10)
        world.place(shop, {"A": 1})
        sell(pos, 1, now)
        with unit_of_work():
            for statement in fault.split(";"):
                db.session.execute(text(statement))

        code, lines = check(world)

        assert (code, lines[-1]) == (1, "1 differences")
        assert found in lines[0]
        assert check(world, "--since", rfc3339(now + timedelta(hours=1)))[0] == 0
