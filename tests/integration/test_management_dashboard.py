"""The dashboard, without a browser: what counts, when, and for whom."""

import csv
import io
import re
import uuid
from datetime import UTC, datetime, timedelta

import pytest
import time_machine
from sqlalchemy import text

from pickup.core.db import db, unit_of_work
from pickup.core.types import Actor, first_id_at
from pickup.orders import queries, service, short_picks, sweeping
from pickup.orders.service import arrive
from pickup.staff import service as staff
from tests.integration.test_management_orders import signed_in

NOON = datetime(2026, 11, 18, 18, tzinfo=UTC)  # at both stores in Chicago; a Wednesday
SAM = Actor("staff", "Sam")
MANAGER, HEAD = "998877", "112233"


@pytest.fixture
def shops(world):
    near, far = world.store("1", name="Rogers"), world.store("2", name="Tulsa", lat=36.1)
    milk, bread = world.product("MILK", name="Whole milk", price=None), world.product("BREAD", price=None)
    for product in (milk, bread):
        world.price(product, 359, valid_from=NOON - timedelta(days=30))
        for store in (near, far):
            world.stock(store, product, 500)
    with unit_of_work():
        staff.create_member(store_ref="1", name="Max", role="manager", pin=MANAGER)
        staff.create_member(store_ref="1", name="Hana", role="head_office", pin=HEAD)
    return near, far


def figures(tablet, **asked):
    """What the CSV says: counts by panel, group and what is counted."""
    query = "&".join(f"{name.rstrip('_')}={value}" for name, value in {**asked, "format": "csv"}.items())
    answer = tablet.get(f"/admin?{query}", buffered=True)
    assert answer.mimetype == "text/csv", answer.text
    rows = list(csv.reader(io.StringIO(answer.text)))
    assert rows[0] == ["panel", "group", "what", "count"]
    return {tuple(row[:3]): int(row[3]) for row in rows[1:] if row[3] != "0"}


def tiles(html):
    found = re.findall(r"<dt>(.*?)</dt>\s*<dd><strong>(.*?)</strong> <span[^>]*>(.*?)</span>", html)
    return {name: (figure.replace("\u00a0", " "), note.replace("\u00a0", " ")) for name, figure, note in found}


class Life:
    """Takes orders through their lives at times that are set."""

    def __init__(self, world, shop):
        self.world, self.shop = world, shop

    def place(self, at, store="1", items=None):
        with time_machine.travel(at, tick=False):
            order = self.world.place(self.shop, items or {"MILK": 2}, {"store_ref": store})
            self.world.work()
        return self.world.order(order.id)

    def step(self, order, at, *actions):
        with unit_of_work():
            locked = queries.lock_orders([order.id], with_lines=True)[0]
            for action in actions:
                action(locked, at)
        return self.world.order(order.id)

    def ready(self, order, at):
        return self.step(
            order,
            at,
            lambda locked, now: service.start_picking(locked, actor=SAM, now=now),
            lambda locked, now: service.mark_ready(locked, actor=SAM, now=now),
        )

    def collect(self, order, at):
        def hand_over(locked, now):
            assert service.hand_over(locked, locked.pickup_code, actor=SAM, is_manager=False, now=now)

        return self.step(order, at, hand_over)


@pytest.fixture
def life(world, shop, shops):
    return Life(world, shop)


@pytest.fixture
def manager(app, shops):
    return signed_in(app, MANAGER)


@pytest.fixture
def head_office(app, shops):
    return signed_in(app, HEAD)


def test_nothing_has_happened_yet(manager):
    html = manager.get("/admin").text

    assert "No order was paid or collected in these days." in html
    assert "Every till charged what the ledger says." in html
    assert tiles(html)["Orders"][0] == "0"
    assert tiles(html)["Promise kept"][0] == "–"
    assert "<rect" not in html


def test_an_order_is_counted_by_the_hours_of_its_store(life, manager):
    order = life.place(NOON)
    life.collect(life.ready(order, NOON + timedelta(minutes=20)), NOON + timedelta(hours=3, minutes=1))

    counted = figures(manager, **{"from": "2026-11-18", "to": "2026-11-18"})

    assert counted["Orders by hour", "12:00 to 12:59", "Placed"] == 1
    assert counted["Orders by hour", "15:00 to 15:59", "Collected"] == 1


def test_a_day_is_one_of_the_stores_own_clock(life, manager):
    life.place(datetime(2026, 11, 19, 5, 30, tzinfo=UTC))  # half past eleven in the evening of the 18th

    assert figures(manager, **{"from": "2026-11-18", "to": "2026-11-18"})
    assert not figures(manager, **{"from": "2026-11-19", "to": "2026-11-19"})


def test_the_promise_is_kept_or_not(life, manager):
    early, late = life.place(NOON), life.place(NOON)
    life.ready(early, early.ready_by - timedelta(minutes=20))
    life.ready(late, late.ready_by + timedelta(minutes=45))

    html = manager.get("/admin?from=2026-11-18&to=2026-11-18").text
    counted = figures(manager, **{"from": "2026-11-18", "to": "2026-11-18"})

    assert tiles(html)["Promise kept"] == ("50%", "of 2 that were set ready")
    assert counted["Ready against the promise", "15 to 30 min early", "Orders"] == 1
    assert counted["Ready against the promise", "30 to 60 min late", "Orders"] == 1


def test_what_is_ready_on_the_minute_is_in_time(life, manager):
    order = life.place(NOON)
    life.ready(order, order.ready_by)

    assert tiles(manager.get("/admin?from=2026-11-18&to=2026-11-18").text)["Promise kept"][0] == "100%"


def test_waiting_is_from_the_word_of_the_customer_to_the_handover(life, manager):
    for minutes in (1, 4, 12):
        order = life.ready(life.place(NOON), NOON + timedelta(minutes=10))
        arrived = NOON + timedelta(hours=1)
        life.step(order, arrived, lambda locked, now: arrive(locked, None, now=now))
        life.collect(order, arrived + timedelta(minutes=minutes))
    life.collect(life.ready(life.place(NOON), NOON + timedelta(minutes=10)), NOON + timedelta(hours=1))

    html = manager.get("/admin?from=2026-11-18&to=2026-11-18").text
    counted = figures(manager, **{"from": "2026-11-18", "to": "2026-11-18"})

    assert tiles(html)["Wait at the counter"] == ("4 min", "9 of 10 within 10 min")
    assert counted["Waiting at the counter", "2 to 5 min", "Customers"] == 1
    assert sum(count for (panel, *_), count in counted.items() if panel == "Waiting at the counter") == 3


def find_nothing(life, order, units, at):
    milk = life.world.order(order.id).lines[0].product_id
    return life.step(
        order,
        at,
        lambda locked, now: service.start_picking(locked, actor=SAM, now=now),
        lambda locked, now: short_picks.short_pick(locked, milk, units, actor=SAM, now=now),
    )


def test_what_is_not_found_counts_for_the_store_that_looked(life, world, manager, head_office, shops):
    kept, gone = life.place(NOON, items={"MILK": 3, "BREAD": 1}), life.place(NOON)
    find_nothing(life, kept, 1, NOON + timedelta(minutes=10))
    life.step(kept, NOON + timedelta(minutes=20), lambda locked, now: service.mark_ready(locked, actor=SAM, now=now))
    assert find_nothing(life, gone, 2, NOON + timedelta(minutes=15)).status in ("placed", "cancelled")
    with unit_of_work():  # the customer has chosen the other store
        db.session.execute(
            text("UPDATE orders SET store_id = :far WHERE id = :id"), {"far": shops[1].id, "id": gone.id}
        )

    html = manager.get("/admin?from=2026-11-18&to=2026-11-18").text
    counted = figures(manager, **{"from": "2026-11-18", "to": "2026-11-18"})

    assert tiles(html)["Short lines"] == ("67%", "3 units not found")
    assert counted["Not found on the shelf", "Whole milk (MILK)", "Units"] == 3
    assert counted["Not found on the shelf", "Whole milk (MILK)", "Orders"] == 2
    elsewhere = figures(head_office, store=2, **{"from": "2026-11-18", "to": "2026-11-18"})
    assert not any(panel == "Not found on the shelf" for panel, *_ in elsewhere)


def test_who_does_not_come_is_a_no_show(app, life, world):
    came, stayed = life.place(NOON), life.place(NOON)
    for order in (came, stayed):
        life.ready(order, NOON + timedelta(minutes=10))
    life.collect(came, NOON + timedelta(hours=1))
    over = world.order(stayed.id).hold_until + timedelta(minutes=5)
    with time_machine.travel(over, tick=False):
        sweeping.expire_holds(over)
        day = over.astimezone(UTC).date()
        html = signed_in(app, MANAGER).get(f"/admin?from=2026-11-18&to={day}").text

    assert tiles(html)["No-shows"] == ("50%", "1 order put back")


def test_a_manager_sees_one_store_and_head_office_all_or_each(life, manager, head_office):
    life.place(NOON)
    life.place(NOON, store="2")
    life.place(NOON, store="2")
    days = {"from": "2026-11-18", "to": "2026-11-18"}
    placed = ("Orders by hour", "12:00 to 12:59", "Placed")

    assert figures(manager, **days)[placed] == 1
    assert figures(manager, store=2, **days)[placed] == 1
    assert figures(head_office, **days)[placed] == 3
    assert figures(head_office, store=2, **days)[placed] == 2
    assert "There is no store 99." in head_office.get("/admin?store=99").text


@pytest.mark.parametrize("days", ["from=2026-11-19&to=2026-11-18", "from=2026-02-30", "from=1990-01-01&to=2026-01-01"])
def test_days_that_are_none_are_named(manager, days):
    html = manager.get(f"/admin?{days}").text

    assert 'role="alert"' in html
    assert "<h2" in html


def test_late_is_what_should_stand_ready_and_does_not(app, life):
    order = life.place(NOON)
    with time_machine.travel(order.ready_by + timedelta(minutes=1), tick=False):
        tablet = signed_in(app, MANAGER)
        assert tiles(tablet.get("/admin").text)["Late now"][0] == "1"
    life.ready(order, order.ready_by + timedelta(minutes=2))
    with time_machine.travel(order.ready_by + timedelta(minutes=3), tick=False):
        tablet = signed_in(app, MANAGER)
        assert tiles(tablet.get("/admin").text)["Late now"][0] == "0"


def test_breaches_are_counted_by_day(shops, world, manager):
    from pickup.catalog.models import Product
    from tests.integration.test_price_pages import sell

    product = db.session.query(Product).filter_by(sku="MILK").one()
    sell(shops[0], product, 329, ledger=359)
    sell(shops[1], product, 329, ledger=359)

    html = manager.get("/admin").text

    assert tiles(html)["Breaches"][0] == "1"
    assert "1 time a till charged something else" in html
    assert 'href="/admin/parity?store=1"' in html


def test_an_index_finds_the_days(life, world):
    """Years of history are not read for a week."""
    life.place(NOON)
    with unit_of_work():
        db.session.execute(text("SET LOCAL enable_seqscan = off"))
        plan = "\n".join(
            db.session.scalars(text("EXPLAIN SELECT * FROM order_history WHERE at >= now() - interval '7 days'"))
        )

    assert "ix_order_history_at" in plan


def test_ids_of_orders_are_in_the_order_of_time():
    assert first_id_at(NOON) < first_id_at(NOON + timedelta(milliseconds=1)) < uuid.UUID(int=2**128 - 1)
