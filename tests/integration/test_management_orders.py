"""The pages about orders, without a browser: what is found, by whom, and what one order's page says."""

import csv
import io
import re
from datetime import timedelta
from zoneinfo import ZoneInfo

import pytest

from pickup.core.clock import utcnow
from pickup.core.db import db, unit_of_work
from pickup.core.types import Actor
from pickup.management import order_list
from pickup.orders import queries, service, short_picks
from pickup.payments.models import Payment
from pickup.staff import service as staff
from pickup.staff.models import AuditEntry
from tests.tablet import Tablet

ASSOCIATE, MANAGER, HEAD = "1234", "998877", "112233"
SAM = Actor("staff", "Sam")


def signed_in(app, pin):
    tablet = Tablet(app)
    tablet.sign_in("1", pin)
    return tablet


@pytest.fixture
def shops(world):
    made = [world.store("1", name="Rogers"), world.store("2", name="Tulsa", lat=36.1)]
    milk = world.product("MILK", name="Whole milk")
    for store in made:
        world.stock(store, milk, 500)
    with unit_of_work():
        staff.create_member(store_ref="1", name="Ana", role="associate", pin=ASSOCIATE)
        staff.create_member(store_ref="1", name="Max", role="manager", pin=MANAGER)
        staff.create_member(store_ref="1", name="Hana", role="head_office", pin=HEAD)
    return made


@pytest.fixture
def manager(app, shops):
    return signed_in(app, MANAGER)


@pytest.fixture
def head_office(app, shops):
    return signed_in(app, HEAD)


@pytest.fixture
def place(world, shop, shops):
    def make(name="Ada Example", store="1", email="ada@example.com", phone="+14795550100", **extra):
        customer = {"name": name, "email": email, "phone": phone}
        return world.place(shop, {"MILK": 2}, {"store_ref": store}, customer=customer, **extra)

    return make


def found(tablet, query=""):
    """The numbers of the orders that a page lists."""
    html = tablet.get(f"/admin/orders?{query}").text
    return [int(number) for number in re.findall(r'<th scope="row" class="strong"><a [^>]*>(\d+)</a>', html)]


def plain(html):
    return " ".join(re.sub(r"<[^>]+>", " ", html).split())


# Who may see what


@pytest.mark.parametrize("path", ["/admin", "/admin/orders"])
def test_associates_are_refused(app, shops, path):
    assert signed_in(app, ASSOCIATE).get(path).status_code == 403


def test_a_manager_sees_the_orders_of_one_store(place, manager, head_office):
    here, there = place(), place(store="2")

    assert found(manager) == [here.number]
    assert found(manager, "store=2") == [here.number]
    assert found(head_office) == [there.number, here.number]
    assert found(head_office, "store=2") == [there.number]
    assert manager.get(f"/admin/orders/{here.id}").status_code == 200
    assert manager.get(f"/admin/orders/{there.id}").status_code == 404
    assert head_office.get(f"/admin/orders/{there.id}").status_code == 200


def test_an_order_that_there_is_not_is_a_page_that_says_so(manager):
    answer = manager.get("/admin/orders/00000000-0000-7000-8000-000000000000")

    assert answer.status_code == 404
    assert 'href="/admin/orders"' in answer.text


# The list


def test_orders_are_found_by_number_name_mail_and_phone(place, manager):
    ada = place()
    carl = place("Carl O'Hara", email="Carl@Example.org", phone="+14795550199")

    for words, expected in (
        (str(ada.number), [ada]),
        ("o'h", [carl]),
        ("ADA", [ada]),
        ("ada@example.com", [ada]),
        ("Carl@Example.org", [carl]),
        ("example.org", [carl]),
        ("%2B1 479-555 0100", [ada]),
        ("5550199", [carl]),
        ("%25", []),
        ("nobody", []),
    ):
        assert found(manager, f"q={words}") == [order.number for order in expected], words


def test_orders_are_filtered_by_status_reason_and_days(world, place, manager):
    gone = place()
    with unit_of_work():
        service.cancel(queries.lock_order(gone.id), actor=SAM, reason="staff", now=utcnow())
    kept = place()
    world.work()
    today = utcnow().astimezone(ZoneInfo("America/Chicago")).date()

    assert found(manager, "status=cancelled") == [gone.number]
    assert found(manager, "reason=staff") == [gone.number]
    assert found(manager, "reason=out_of_stock") == []
    assert found(manager, "status=reserved") == [kept.number]
    assert found(manager, f"from={today}&to={today}") == [kept.number, gone.number]
    assert found(manager, f"from={today + timedelta(days=1)}") == []
    assert found(manager, f"to={today - timedelta(days=1)}") == []
    assert "Write days as" in manager.get("/admin/orders?from=2026-02-30").text
    assert "The first day comes after the last." in manager.get("/admin/orders?from=2026-02-03&to=2026-02-01").text


def test_pages_follow_each_other(place, manager, monkeypatch):
    monkeypatch.setattr("pickup.management.orders_views.ORDERS_MAX", 2)
    numbers = [place().number for _ in range(5)][::-1]

    pages, query = [], "q=ada"
    while query is not None:
        html = manager.get(f"/admin/orders?{query}").text
        pages.append(found(manager, query))
        following = re.search(r'href="/admin/orders\?([^"]+)" rel="next"', html)
        query = following[1].replace("&amp;", "&") if following else None

    assert pages == [numbers[:2], numbers[2:4], numbers[4:]]


@pytest.mark.parametrize("cursor", ["x", "WzFd", "WyJub25lIl0"])
def test_a_cursor_of_something_else_is_refused(manager, cursor):
    assert manager.get(f"/admin/orders?after={cursor}").status_code == 422


def test_the_csv_has_all_pages_of_what_was_asked_for(place, manager, monkeypatch):
    monkeypatch.setattr(order_list, "CSV_PAGE", 2)
    numbers = [place(name).number for name in ("Ada", "=1+1", "Ada", "Ada", "Bob")][::-1]
    place(store="2")

    answer = manager.get("/admin/orders?format=csv", buffered=True)
    rows = list(csv.DictReader(io.StringIO(answer.text)))

    assert answer.mimetype == "text/csv"
    assert [int(row["number"]) for row in rows] == numbers
    assert {row["store"] for row in rows} == {"1"}
    assert (rows[0]["total"], rows[0]["currency"], rows[0]["units"]) == ("7.18", "USD", "2")
    assert rows[3]["customer_name"] == "'=1+1"
    assert len(manager.get("/admin/orders?format=csv&q=bob", buffered=True).text.splitlines()) == 2


# One order


def test_the_page_of_an_order_has_its_whole_life(world, place, manager, mailbox):
    order = place()
    milk = order.lines[0].product_id
    world.work()
    with unit_of_work():
        locked = queries.lock_orders([order.id], with_lines=True)[0]
        service.start_picking(locked, actor=SAM, now=utcnow())
        short_picks.short_pick(locked, milk, 1, actor=SAM, now=utcnow())
        service.mark_ready(locked, actor=SAM, now=utcnow())
        assert service.hand_over(locked, locked.pickup_code, actor=SAM, is_manager=False, now=utcnow())
        db.session.add(
            AuditEntry(
                at=utcnow(),
                store_id=order.store_id,
                member_name="Sam",
                device_name="Counter 2",
                action="hand_over",
                order_id=order.id,
                detail={"product": milk, "age_checked": True},
            )
        )
    world.work()

    html = manager.get(f"/admin/orders/{order.id}").text
    words = plain(html)

    assert f"Order {order.number} Collected" in words
    assert "Whole milk MILK 2 – 1" in words
    assert "Not everything found Sam picking 1 of 2 × MILK missing" in words
    assert "Taken $3.59" in words
    assert re.search(r"Rogers 1 – chosen", words)
    assert "Hand over Sam Counter 2 product: MILK, age checked: true" in words
    assert mailbox.mails
    for subject in mailbox.subjects():
        assert subject.replace(order.pickup_code, "…") in words
    assert order.pickup_code not in html
    assert order.page_token not in html


def test_money_that_needs_somebody_is_said(world, place, manager):
    order = world.collect(place())
    with unit_of_work():
        payment = db.session.query(Payment).filter_by(order_id=order.id).one()
        payment.problem, payment.problem_at = "capture_refused", utcnow()

    words = plain(manager.get(f"/admin/orders/{order.id}").text)

    assert "refuses to pay. It is about $7.18. A manager settles it on the tablet." in words


def test_a_cancelled_order_says_why_and_a_fresh_one_what_is_to_be_done(place, manager):
    order = place()
    assert "Still to be done Job Due Failed Last error" in plain(manager.get(f"/admin/orders/{order.id}").text)
    with unit_of_work():
        service.cancel(queries.lock_order(order.id), actor=SAM, reason="staff", now=utcnow(), note="the freezer broke")

    words = plain(manager.get(f"/admin/orders/{order.id}").text)

    assert "Cancelled By the store" in words
    assert "the freezer broke" in words
