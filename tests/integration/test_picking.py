"""Picking without a browser: rounds, counting, where the bag stands, what to print; and finding an order."""

import gzip
import json
import re

import pytest
from sqlalchemy import func, select, text

from pickup.catalog.models import Product
from pickup.core.clock import utcnow
from pickup.core.db import db, unit_of_work
from pickup.core.types import Actor
from pickup.orders import queries, rerouting, service, short_picks
from pickup.staff import finding, picking
from pickup.staff import service as staff
from pickup.staff.models import AuditEntry, StaffMember
from pickup.staff.rounds import present_round
from tests.integration.test_staff import Tablet

GTIN, EAN = "012345678905", "0012345678905"


@pytest.fixture
def store(world):
    made = world.store("1", name="Rogers")
    goods = {
        "A": {"name": "Milk", "department": "Dairy", "gtin": GTIN},
        "B": {"name": "Bread", "department": "Bakery"},
        "C": {"name": "Candle"},
    }
    for sku, values in goods.items():
        world.stock(made, world.product(sku, **values), 50)
    with unit_of_work():
        staff.create_member(store_ref="1", name="Ana", role="associate", pin="1234")
        staff.create_member(store_ref="1", name="Bo", role="associate", pin="2222")
    return made


@pytest.fixture
def tablet(app, store):
    made = Tablet(app)
    made.sign_in()
    return made


@pytest.fixture
def place(world, shop, store):
    def make(items=None, collector=None, **extra):
        pickup = {"store_ref": "1"} | ({"collector": {"name": collector}} if collector else {})
        order = world.place(shop, items or {"A": 2}, pickup, **extra)
        world.work()
        return world.order(order.id)

    return make


def who(name="Ana"):
    db.session.rollback()
    return db.session.scalars(select(StaffMember).where(StaffMember.name == name)).one()


def start(*orders, name="Ana"):
    with unit_of_work():
        return picking.start_round(who(name), [order.id for order in orders], now=utcnow())


def start_round(*orders, name="Ana"):
    return start(*orders, name=name).wave_id


def product_of(sku="A"):
    db.session.rollback()
    return db.session.scalars(select(Product.id).where(Product.sku == sku)).one()


def count(order, sku="A", change=1, expected=0):
    product_id = product_of(sku)
    with unit_of_work():
        return picking.count(who(), order.id, product_id, change, expected=expected, now=utcnow()).outcome


def scan(wave_id, scanned, expected=None):
    with unit_of_work():
        done = picking.scan(who(), wave_id, scanned, expected=expected, now=utcnow())
        return done.outcome, done.order.number if done.order else None


def picked(world, order):
    return {line.product.sku: line.picked for line in world.order(order.id).lines}


def shown(wave_id, store):
    db.session.rollback()
    return present_round(wave_id, picking.orders_in_round(who(), wave_id), store.id, now=utcnow())


class TestRounds:
    def test_several_orders_are_started_together(self, world, place):
        first, second = place(), place()

        wave_id = start_round(first, second)

        ana = who().id
        for order in (first, second):
            after = world.order(order.id)
            assert (after.status, after.wave_id, after.picker_id) == ("picking", wave_id, ana)
            assert after.history[-1].action == "start_picking"
        assert db.session.scalar(select(func.count()).where(AuditEntry.action == "start_picking")) == 2

    def test_those_that_have_moved_on_are_named_and_left_out(self, world, place):
        first, second = place(), place()
        start(second, name="Bo")

        done = start(first, second)

        assert ([order.number for order in done.started], [order.number for order in done.left_out]) == (
            [first.number],
            [second.number],
        )
        assert world.order(second.id).picker_id == who("Bo").id

    def test_where_all_have_moved_on_there_is_no_round(self, place):
        order = place()
        start(order)

        assert start(order).wave_id is None

    def test_one_order_is_a_round_of_one(self, world, place, tablet):
        order = place()
        tablet.post(f"/staff/orders/{order.id}/start-picking")

        wave_id = world.order(order.id).wave_id

        assert "Pick list" in tablet.get(f"/staff/waves/{wave_id}").text
        assert f"/staff/waves/{wave_id}" in tablet.get("/staff").text

    def test_another_stores_orders_and_rounds_are_not_there(self, app, world, place):
        wave_id = start_round(place())
        world.store("2", lat=40.0)
        with unit_of_work():
            staff.create_member(store_ref="2", name="Cy", role="manager", pin="3333")
        other = Tablet(app)
        other.sign_in(store="2", pin="3333")

        assert other.get(f"/staff/waves/{wave_id}").status_code == 404
        assert other.post(f"/staff/waves/{wave_id}/pick", scanned="A").status_code == 404
        waiting = place()
        other.get("/staff/waves/new")
        other.post("/staff/waves", order=str(waiting.id))
        assert world.order(waiting.id).status == "reserved"

    def test_it_lists_each_product_once_by_department(self, store, place):
        wave_id = start_round(place({"A": 2, "C": 1}), place({"A": 1, "B": 3}))

        found = shown(wave_id, store)

        assert [
            (department.name, [(item.name, item.units, [(n.bag.letter, n.units) for n in item.needs])])
            for department in found.departments
            for item in department.items
        ] == [
            ("Bakery", [("Bread", 3, [("B", 3)])]),
            ("Dairy", [("Milk", 3, [("A", 2), ("B", 1)])]),
            ("Other goods", [("Candle", 1, [("A", 1)])]),
        ]

    def test_a_bag_keeps_its_letter_when_another_is_ready(self, store, place):
        first, second = place(), place()
        wave_id = start_round(first, second)
        with unit_of_work():
            staff.mark_ready(who(), first.id, now=utcnow())

        assert [(bag.letter, bag.is_open) for bag in shown(wave_id, store).bags] == [("A", False), ("B", True)]
        assert [item.units for item in shown(wave_id, store).departments[0].items] == [2]

    def test_choosing_on_the_tablet(self, world, place, tablet):
        orders = [place(), place()]
        assert "Pick several" in tablet.get("/staff").text
        assert tablet.get("/staff/waves/new").text.count(" checked>") == 2

        answer = tablet.post("/staff/waves", order=[str(order.id) for order in orders])

        assert "Round of 2 orders" in tablet.get(answer.location).text
        assert "My round" in tablet.get("/staff").text
        assert {world.order(order.id).status for order in orders} == {"picking"}

    @pytest.mark.parametrize("chosen", [[], ["nonsense"]])
    def test_choosing_nothing_starts_nothing(self, tablet, chosen):
        answer = tablet.post("/staff/waves", order=chosen)

        assert "Choose 1 to 26 orders." in tablet.get(answer.location).text


class TestCounting:
    def test_one_more_and_one_less(self, world, place):
        order = place()
        start(order)

        assert (count(order), count(order, expected=1), count(order, change=-1, expected=2)) == (
            "counted",
            "counted",
            "taken_out",
        )
        assert picked(world, order) == {"A": 1}

    def test_a_second_tap_changes_nothing(self, world, place):
        order = place()
        start(order)

        assert (count(order), count(order)) == ("counted", "changed")
        assert picked(world, order) == {"A": 1}

    def test_no_more_than_are_needed_and_no_fewer_than_none(self, world, place):
        order = place({"A": 1})
        start(order)

        assert count(order, change=-1) == "changed"
        count(order)
        assert count(order, expected=1) == "too_many"
        assert picked(world, order) == {"A": 1}

    def test_only_while_it_is_picked(self, place):
        assert count(place()) == "over"

    @pytest.mark.parametrize("scanned", ["A", GTIN, EAN, GTIN.lstrip("0"), "00" + GTIN])
    def test_a_scan_goes_to_the_next_bag_that_needs_it(self, world, place, scanned):
        first, second = place({"A": 1}), place({"A": 1, "B": 1})
        wave_id = start_round(first, second)

        assert scan(wave_id, scanned, expected=0) == ("counted", first.number)
        assert scan(wave_id, scanned, expected=1) == ("counted", second.number)
        assert scan(wave_id, scanned, expected=2) == ("too_many", first.number)
        assert (picked(world, first), picked(world, second)) == ({"A": 1}, {"A": 1, "B": 0})

    @pytest.mark.parametrize("scanned", ["C", "nonsense", "", "4006381333931", "0"])
    def test_what_is_not_in_the_round_is_wrong(self, place, scanned):
        assert scan(start_round(place()), scanned) == ("wrong_item", None)

    def test_an_answer_that_was_lost_is_not_counted_twice(self, world, place):
        order = place()
        wave_id = start_round(order)

        assert (scan(wave_id, "A", expected=0)[0], scan(wave_id, "A", expected=0)[0]) == ("counted", "changed")
        assert picked(world, order) == {"A": 1}

    def test_what_cannot_be_found_is_not_in_the_bag(self, world, place):
        order = place()
        start(order)
        count(order)
        count(order, expected=1)
        with unit_of_work():
            (locked,) = queries.lock_orders([order.id], with_lines=True)
            short_picks.short_pick(locked, locked.lines[0].product_id, 1, actor=Actor("staff", "Ana"), now=utcnow())

        assert picked(world, order) == {"A": 1}

    def test_an_order_that_leaves_the_store_is_counted_anew(self, world, place):
        order = place()
        start(order)
        count(order)
        with unit_of_work():
            picking.set_place(who(), order.id, "Shelf B3", now=utcnow())
        with unit_of_work():
            locked = queries.lock_orders([order.id], with_lines=True)
            rerouting.withdraw(locked, "store_closed", actor=Actor("worker", "closing"), now=utcnow())

        after = world.order(order.id)
        assert (picked(world, order), after.staging_place) == ({"A": 0}, None)

    def test_it_is_written_down(self, place):
        order = place()
        start(order)
        count(order)

        entry = db.session.scalars(select(AuditEntry).where(AuditEntry.action == "pick")).one()
        assert entry.detail == {"product": product_of(), "change": 1}


class TestCountingOnTheTablet:
    @pytest.fixture
    def round_(self, place):
        order = place()
        return order, f"/staff/waves/{start_round(order)}"

    def test_by_a_button(self, world, tablet, round_):
        order, path = round_
        tablet.get(path)

        answer = tablet.post(f"{path}/pick", pick=f"{order.id} {product_of()} 1 0")

        assert "Milk: 1 of 2." in tablet.get(answer.location).text
        assert picked(world, order) == {"A": 1}

    @pytest.mark.parametrize("button", ["", "x", "1 2 3 4", "{id} x 1 0", "{id} 1 2 0", "{id} 1 1"])
    def test_a_button_that_we_have_not_made(self, tablet, round_, button):
        order, path = round_

        assert tablet.post(f"{path}/pick", pick=button.format(id=order.id)).status_code == 422

    def test_by_typing(self, world, tablet, round_):
        order, path = round_

        assert "Milk: 1 of 2." in tablet.get(tablet.post(f"{path}/pick", scanned=f" {GTIN} ").location).text
        wrong = tablet.post(f"{path}/pick", scanned="XY")
        assert "Wrong item: XY is not in this round." in tablet.get(wrong.location).text
        assert picked(world, order) == {"A": 1}

    def test_a_script_is_told_what_to_say_and_how_it_sounds(self, tablet, round_):
        _, path = round_
        tablet.get(path)
        values = {"csrf_token": tablet.token, "scanned": "A", "expected": "0"}

        answer = tablet.client.post(f"{path}/pick", data=values, headers={"Accept": "application/json"})

        assert (answer.json["outcome"], answer.json["words"]) == ("counted", "Milk: 1 of 2.")
        assert "<strong>1</strong> of 2" in answer.json["html"]

    def test_what_is_missing_leads_back_to_the_round(self, tablet, round_):
        order, path = round_
        ask = f"/staff/orders/{order.id}/lines/{product_of()}/missing?from=round"
        assert f'href="{path}"' in tablet.get(ask).text

        answer = tablet.post(ask, missing=1, expected=2)

        assert answer.location == path
        assert "goes on with 1 of 2 Milk" in tablet.get(path).text


class TestReady:
    def ready(self, tablet, order, **form):
        return tablet.post(f"/staff/orders/{order.id}/ready", **form)

    def test_nothing_counted_nothing_asked(self, world, tablet, place):
        order = place()
        start(order)

        assert self.ready(tablet, order).status_code == 303
        assert world.order(order.id).status == "ready"

    def test_all_counted_nothing_asked(self, world, tablet, place):
        order = place({"A": 1})
        start(order)
        count(order)

        assert self.ready(tablet, order).status_code == 303

    def test_what_is_not_counted_is_asked_about(self, world, tablet, place):
        order = place({"A": 2, "B": 3})
        start(order)
        count(order)

        page = self.ready(tablet, order, place="Shelf B3").text
        assert "4 of 5 not counted. Ready anyway?" in page
        assert world.order(order.id).status == "picking"

        self.ready(tablet, order, place="Shelf B3", sure="yes")
        after = world.order(order.id)
        assert (after.status, after.staging_place) == ("ready", "Shelf B3")

    def test_from_the_round_it_goes_on_with_the_others(self, tablet, place):
        first, second = place(), place()
        wave_id = start_round(first, second)

        assert self.ready(tablet, first, **{"from": "round"}).location == f"/staff/waves/{wave_id}"
        assert self.ready(tablet, second, **{"from": "round"}).location == "/staff"

    def test_where_the_bag_stands(self, world, tablet, place):
        order = place()
        start(order)
        self.ready(tablet, order, place="  Shelf   B3 ")
        assert "Shelf B3" in tablet.get("/staff").text
        assert '<option value="Shelf B3">' in tablet.get(f"/staff/orders/{order.id}").text

        tablet.post(f"/staff/orders/{order.id}/place", place="Fridge 2")
        assert "Fridge 2" in tablet.get("/staff").text
        assert "Fridge 2" in tablet.hand_over(order.pickup_code)
        tablet.post(f"/staff/orders/{order.id}/place", place="Shelf A")
        assert world.order(order.id).staging_place == "Fridge 2", "it is gone"

    def test_the_slip(self, tablet, place):
        order = place({"A": 2, "B": 1}, collector="Grace Example")
        start(order)
        self.ready(tablet, order, place="Shelf B3")

        page = tablet.get(f"/staff/orders/{order.id}/slip").text

        for words in (str(order.number), "Grace Example", "Shelf B3", "Dairy", "Milk", "2 ×", "3 items", "<svg"):
            assert words in page
        assert order.pickup_code not in page


class TestTheClock:
    def test_it_says_how_long_somebody_waits(self, world, tablet, place):
        order = place()
        with unit_of_work():
            service.arrive(queries.lock_order(order.id), None, now=utcnow())
            db.session.execute(text("UPDATE orders SET arrived_at = now() - interval '192.5 seconds'"))

        assert "waits 3 min 12 s" in tablet.get("/staff").text


class TestFinding:
    def find(self, typed):
        db.session.rollback()
        return [found.number for found in finding.find(who(), typed)]

    @pytest.fixture
    def ada(self, place):
        return place(customer={"name": "Ada Example", "email": "a@example.com", "phone": "+1 (479) 555-0100"})

    @pytest.fixture
    def bo(self, place):
        return place(customer={"name": "Bö 100% O'Neil_", "email": "b@example.com"}, collector="Grace Hop")

    def test_open_orders_by_part_of_what_people_say(self, ada, bo):
        assert self.find("exam") == [ada.number]
        assert self.find("EXAMPLE ") == [ada.number]
        assert self.find("grace") == [bo.number]
        assert self.find("bÖ") == [bo.number]
        assert self.find("5550100") == [ada.number]
        assert self.find("479-555") == [ada.number]
        assert self.find(str(ada.number)[:6]) == [ada.number, bo.number]
        assert self.find(str(bo.number)) == [bo.number]

    def test_signs_mean_themselves(self, ada, bo):
        assert self.find("% o") == [bo.number]
        assert self.find("%") == [bo.number]
        assert self.find("_") == [bo.number]
        assert self.find("O'N") == [bo.number]
        assert self.find("\\") == self.find("\0") == self.find("  ") == self.find("zzz") == []

    @pytest.mark.parametrize("ways", [str.lower, lambda code: code.replace("-", " "), str])
    def test_by_code(self, ada, bo, ways):
        assert self.find(ways(ada.pickup_code)) == [ada.number]
        assert self.find(ways(bo.collector_code)) == [bo.number]

    def test_what_is_over_by_its_whole_number_or_code(self, world, ada):
        with unit_of_work():
            service.cancel(queries.lock_order(ada.id), actor=Actor("customer"), reason="customer", now=utcnow())

        assert self.find("Ada") == self.find(str(ada.number)[:6]) == []
        assert self.find(str(ada.number)) == self.find(f"#{ada.number}") == self.find(ada.pickup_code) == [ada.number]

    def test_only_ones_own_stores(self, world, ada):
        world.store("2", lat=40.0)
        with unit_of_work():
            other = staff.create_member(store_ref="2", name="Cy", role="manager", pin="3333")

        for typed in ("Ada", str(ada.number), ada.pickup_code, "5550100"):
            assert finding.find(other, typed) == []

    def test_on_the_tablet(self, tablet, ada, bo):
        assert "Ada Example" in tablet.get("/staff/find?q=exam").text
        assert tablet.get(f"/staff/find?q={ada.number}").location == f"/staff/orders/{ada.id}"
        assert "2 orders" in tablet.get("/staff/find/list?q=1000").text
        assert "No order here for" in tablet.get("/staff/find?q=nobody").text
        assert tablet.get("/staff/find").status_code == 200

    def test_many_are_not_all_shown(self, place, tablet):
        orders = [place() for _ in range(3)]
        finding_max, finding.FOUND_MAX = finding.FOUND_MAX, 2
        try:
            assert self.find("Ada") == [order.number for order in orders[:2]]
        finally:
            finding.FOUND_MAX = finding_max


class TestWhatAScannerSays:
    def read(self, scanned):
        db.session.rollback()
        return finding.read_scan(who(), scanned)

    def test_each_goes_to_its_place(self, world, place):
        order, other = place({"A": 1}), place({"A": 1, "B": 1})

        assert self.read(order.pickup_code).code == order.pickup_code
        assert self.read("QQQ-QQQ-QQQ").kind == "code", "whether it is one, only a handover tells, and counts"
        assert self.read(f"https://pickup.example.com/p/{order.page_token}").code == order.pickup_code
        assert self.read("https://pickup.example.com/p/" + "x" * 32).kind == "unknown"
        assert self.read(str(order.number)).order_id == order.id
        assert self.read(EAN).numbers == [order.number, other.number]
        assert self.read("B").numbers == [other.number]
        assert self.read("C").kind == self.read("4006381333931").kind == "unknown"

    def test_the_collectors_page_is_the_collectors_code(self, world, place):
        order = place(collector="Grace")

        assert self.read(f"http://x/p/{order.collector_token}").code == order.collector_code

    def test_the_script_is_told_where_to_go(self, tablet, place):
        order = place()

        def post(scanned):
            return json.loads(tablet.post("/staff/scan", scanned=scanned).text)

        tablet.get("/staff")
        assert post(str(order.number))["go"] == f"/staff/orders/{order.id}"
        assert post("A")["words"] == f"One order here has it: {order.number}."
        assert post("?")["words"] == "Nothing here has the code ?."


def test_a_board_of_200_orders_is_small_on_its_way(world, place, tablet):
    """With everything that the page loads, as a server that compresses sends it: at most 150 kB."""
    order = place({"A": 2, "B": 1, "C": 1})
    copies = text("""
        WITH copied AS (
            INSERT INTO orders (id, client_id, status, customer_name, customer_email, store_id, candidates,
                total_amount, currency, pickup_code, page_token, ready_by, hold_until, placed_at, changed_at)
            SELECT gen_random_uuid(), client_id, (ARRAY['reserved', 'picking', 'ready'])[1 + n % 3],
                md5(n::text), customer_email, store_id, candidates, total_amount, currency, 'x' || n, 'x' || n,
                ready_by + n * interval '1 minute', hold_until, placed_at, changed_at
            FROM orders, generate_series(1, 199) AS n WHERE number = :number RETURNING id
        )
        INSERT INTO order_lines (order_id, position, product_id, quantity, unit_amount, price_version)
        SELECT copied.id, position, product_id, quantity, unit_amount, price_version
        FROM copied, order_lines WHERE order_id = :id
    """)
    with unit_of_work():
        db.session.execute(copies, {"number": order.number, "id": order.id})

    page = tablet.get("/staff").text
    assets = re.findall(r'(?:href|src)="([^"]*/static/[^"]+)"', page)
    sizes = [len(gzip.compress(each)) for each in (page.encode(), *(tablet.client.get(path).data for path in assets))]

    print(len(page), sizes)
    assert page.count('<article class="card') == 200
    assert sum(sizes) < 150_000


def test_the_search_is_the_same_statement_and_uses_an_index_for_each_way(world, place):
    """Two stores with thousands of orders that are over: none of them is looked through."""
    order = place()
    copy = text("""
        INSERT INTO orders (id, client_id, status, customer_name, customer_email, store_id, candidates, total_amount,
            currency, pickup_code, page_token, ready_by, hold_until, placed_at, changed_at)
        SELECT gen_random_uuid(), client_id, 'collected', customer_name, customer_email, store_id, candidates,
            total_amount, currency, 'x' || n, 'x' || n, ready_by, hold_until, placed_at, changed_at
        FROM orders, generate_series(1, 5000) AS n WHERE number = :number
    """)
    with unit_of_work():
        db.session.execute(copy, {"number": order.number})
        db.session.execute(text("ANALYZE orders"))

    values = {"store_id": order.store_id, "part": "%Ada%", "digits": "555", "number": 1, "code": "", "limit": 20}
    explain = text("EXPLAIN " + finding._FIND.text).bindparams(*finding._FIND._bindparams.values())
    plan = "\n".join(db.session.execute(explain, values).scalars())

    print(plan)
    assert "Seq Scan on orders" not in plan
    assert "ix_orders_open" in plan
