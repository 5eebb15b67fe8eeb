"""The pages for management, without a browser: who may see them, and what they say."""

import csv
import io
import re
from datetime import timedelta

import pytest

from pickup.core.clock import utcnow
from pickup.core.db import db, unit_of_work
from pickup.core.pages import own_address
from pickup.orders.models import Order
from pickup.staff import service
from pickup.tills.models import ParityBreach, TillRegister, TillSale, TillSaleLine
from tests.tablet import Tablet

ASSOCIATE, MANAGER, HEAD_OFFICE = "1234", "998877", "445566"


@pytest.fixture
def store(world):
    made = world.store("1", name="Rogers")
    with unit_of_work():
        service.create_member(store_ref="1", name="Ana", role="associate", pin=ASSOCIATE)
        service.create_member(store_ref="1", name="Max", role="manager", pin=MANAGER)
        service.create_member(store_ref="1", name="Olga", role="head_office", pin=HEAD_OFFICE)
    return made


@pytest.fixture
def milk(world, store):
    made = world.product("MILK", name="Whole milk, 1 gal", price=None, department="Dairy")
    world.price(made, 359, valid_from=utcnow() - timedelta(days=20))
    return made


@pytest.fixture
def manager(app, store):
    return signed_in(app, MANAGER)


@pytest.fixture
def head_office(app, store):
    return signed_in(app, HEAD_OFFICE)


def signed_in(app, pin):
    tablet = Tablet(app)
    tablet.sign_in("1", pin)
    return tablet


def sell(store, product, amount, *, units=1, days_ago=1.0, register="1", currency="USD", ledger=None):
    """A sale at a till, with a breach if the ledger is said to have another price."""
    at = utcnow() - timedelta(days=days_ago)
    with unit_of_work():
        sale = TillSale(store_id=store.id, ref=f"{product.id}-{at.isoformat()}", register=register, at=at)
        db.session.add(sale)
        db.session.flush()
        line = {"sale_id": sale.id, "product_id": product.id}
        db.session.add(TillSaleLine(**line, position=0, quantity=units, unit_amount=amount, currency=currency))
        if ledger is not None:
            charged = {"charged_amount": amount, "charged_currency": currency}
            said = {"kind": "price", "ledger_amount": ledger, "ledger_currency": "USD"}
            place = {"store_id": store.id, "register": register, "at": at}
            db.session.add(ParityBreach(**line, **place, **charged, **said))


def page(tablet, path, status=200):
    answer = tablet.get(path, buffered=True)
    assert answer.status_code == status, answer.text
    return answer.text


def rows_of(html, heading):
    """The rows of the table under a heading, as text."""
    section = html.partition(f'<h2 id="{heading}">')[2].partition("</section>")[0]
    rows = re.findall(r"<tr>(.*?)</tr>", section.partition("<tbody>")[2], re.S)
    return [" ".join(re.sub(r"<[^>]+>", " ", row).split()) for row in rows]


# Who may see them


def test_who_is_not_signed_in_signs_in_and_comes_back(app, milk):
    tablet = Tablet(app)
    answer = tablet.get("/admin/prices/MILK?zone=&from=2026-11-01")
    assert answer.status_code == 303
    tablet.get(answer.location)

    answer = tablet.post(answer.location, store="1", pin=MANAGER)

    assert (answer.status_code, answer.location) == (303, "/admin/prices/MILK?zone=&from=2026-11-01")
    assert "Whole milk, 1 gal" in page(tablet, answer.location)


@pytest.mark.parametrize("path", ["/admin", "/admin/prices", "/admin/prices/MILK", "/admin/parity"])
def test_an_associate_is_told_that_it_takes_a_manager(app, milk, path):
    html = page(signed_in(app, ASSOCIATE), path, 403)

    assert "A manager has to do this" in html
    assert 'href="/staff"' in html
    assert "Whole milk" not in html


@pytest.mark.parametrize(
    "elsewhere",
    ["https://example.com/", "//example.com", "/\\example.com", "\\\\example.com", "/\t/example.com", "staff", ""],
)
def test_nobody_is_sent_elsewhere_after_the_sign_in(app, store, elsewhere):
    assert own_address(elsewhere) == ""
    tablet = Tablet(app)
    tablet.get("/staff/sign-in")

    answer = tablet.client.post(
        "/staff/sign-in",
        query_string={"next": elsewhere},
        data={"csrf_token": tablet.token, "store": "1", "pin": MANAGER},
    )

    assert (answer.status_code, answer.location) == (303, "/staff")


# The list


def test_the_list_says_what_each_product_costs_and_what_is_ahead(world, store, milk, head_office):
    world.price(milk, 399, zone="city", valid_from=utcnow() - timedelta(days=2))
    world.price(milk, 339, zone="city", valid_from=utcnow() + timedelta(days=3))
    world.price(milk, 349, valid_from=utcnow() + timedelta(days=9))
    sell(store, milk, 369, ledger=359)
    sell(store, milk, 369, ledger=359, days_ago=31)

    html = " ".join(re.sub(r"<[^>]+>", " ", page(head_office, "/admin/prices")).split())

    assert re.search(r"Whole milk, 1 gal MILK · Dairy \$3\.59 1 \$3\.39 in zone city .*? 1 Times are in UTC", html)


def test_products_are_found_by_sku_and_by_name(world, milk, manager):
    world.product("50%", name="Fifty")
    world.product("500", name="Bread")

    for words, found in (("milk", ["MILK"]), ("GAL", ["MILK"]), ("0%", ["50%"]), ("50", ["50%", "500"]), ("q", [])):
        html = page(manager, f"/admin/prices?q={words.replace('%', '%25')}")
        assert re.findall(r'<span class="sku">(.*?)</span>', html) == found, words
    assert "No product has “q”" in html


def test_the_list_comes_in_pages(world, manager, store):
    for number in range(27):
        world.product(f"{number:02}", price=None)
    first = page(manager, "/admin/prices?q=product")
    (address,) = re.findall(r'href="([^"]+)" rel="next"', first)

    second = page(manager, address.replace("&amp;", "&"))

    assert [len(re.findall('class="sku"', html)) for html in (first, second)] == [25, 2]
    assert "Back to the first page" in second
    assert 'rel="next"' not in second


def test_an_empty_catalogue_says_so(manager):
    assert "There are no products yet" in page(manager, "/admin/prices")
    assert "Price and sales" not in page(manager, "/admin/prices/NONE", 404)


@pytest.mark.parametrize(
    "path",
    ["/admin/prices?after=x", "/admin/parity?after=x", "/admin/parity?after=WzkwMDAwMDAwMDAwMDAwMDAwMDAsMV0"],
)
def test_a_cursor_of_somebody_elses_is_refused(manager, path):
    page(manager, path, 422)


@pytest.mark.parametrize("field", ["zone", "from", "to", "q", "store", "sku"])
def test_no_typed_nonsense_breaks_a_page(milk, manager, field):
    for path in ("/admin/prices", "/admin/prices/MILK", "/admin/parity"):
        for nonsense in ("%09", "9999-12-31", "x" * 300, "%27"):
            page(manager, f"{path}?{field}={nonsense}")


# One product


def test_a_history_has_the_ledger_the_sales_of_both_channels_and_the_breaches(world, shop, store, milk, manager):
    world.stock(store, milk, 20)
    world.place(shop, {"MILK": 2})
    world.work()
    world.price(milk, 349, valid_from=utcnow() + timedelta(days=2))
    sell(store, milk, 359, units=5)
    sell(store, milk, 369, ledger=359, register="2")
    sell(store, milk, 359, units=-1, days_ago=0.5)

    html = page(manager, "/admin/prices/MILK")

    assert "\n    <strong>$3.59</strong>" in html
    ledger = rows_of(html, "ledger")
    assert [re.search(r"ahead|holds now", row)[0] for row in ledger] == ["ahead", "holds now"]
    assert rows_of(html, "charged")[:2] == ["$3.59 5 2", "$3.69 1 0"]
    (breach,) = rows_of(html, "breaches")
    assert breach.endswith("$3.69 $3.59 Rogers 1 2")
    assert (html.count("<circle"), html.count('class="breach"')) == (2 + 1, 1 + 1), "those drawn, and the legend's"
    assert "$3.69, not $3.59" in html
    assert "style=" not in html


def test_orders_that_came_to_nothing_are_no_sales(world, shop, store, milk, manager):
    world.stock(store, milk, 20)
    order = world.place(shop, {"MILK": 2})
    world.work()
    shop.post(f"/v1/orders/{order.id}/cancel")
    assert db.session.get(Order, order.id, populate_existing=True).status == "cancelled"

    assert "Nothing was sold" in page(manager, "/admin/prices/MILK")


def test_sales_are_those_of_the_stores_whose_shelves_showed_the_price_then(world, store, milk, head_office):
    """A zone gets a price of its own, and a store leaves it: each sale is on the page of what its shelf said."""
    city = world.store("2", lat=36.9, price_zone="city")
    sell(city, milk, 359, days_ago=5)
    world.price(milk, 399, zone="city", valid_from=utcnow() - timedelta(days=4))
    sell(city, milk, 399, days_ago=3)
    sell(store, milk, 359, units=7, days_ago=2)
    with unit_of_work():
        city.price_zone = ""
        db.session.add(city)

    everywhere, in_city = page(head_office, "/admin/prices/MILK"), page(head_office, "/admin/prices/MILK?zone=city")

    assert rows_of(everywhere, "charged")[0] == "$3.59 8 0"
    assert sorted(rows_of(in_city, "charged")[:2]) == ["$3.59 1 0", "$3.99 1 0"]
    assert len(rows_of(everywhere, "ledger")) == 1
    assert len(rows_of(in_city, "ledger")) == 2


def test_many_sales_are_gathered_and_none_is_lost(world, store, milk, manager):
    for number in range(310):
        sell(store, milk, 359 if number % 2 else 349, units=2, days_ago=1 + number / 100)

    html = page(manager, "/admin/prices/MILK")

    assert html.count("<circle") < 20
    assert "Sales of one day at one price are one mark." in html
    assert rows_of(html, "charged") == ["$3.49 310 0", "$3.59 310 0", "All 620 0"]


def test_another_currency_is_named_and_not_drawn(world, store, milk, manager):
    sell(store, milk, 300, currency="CAD", ledger=359)

    html = page(manager, "/admin/prices/MILK")

    (breach,) = rows_of(html, "breaches")
    assert "CA$3.00 $3.59" in breach
    assert html.count('class="breach"') == 1, "that of the legend"
    assert "What was in another currency than USD is not drawn: CAD." in html
    assert html.count("<circle") == 1


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ("from=2026-11-02&to=2026-11-01", "The first day comes after the last."),
        ("from=2020-01-01", "Choose at most 366 days."),
        ("from=yesterday", "Write days as year-month-day"),
        ("zone=nowhere", "There is no price zone nowhere."),
    ],
)
def test_what_cannot_be_shown_is_said(milk, manager, query, words):
    assert words in page(manager, f"/admin/prices/MILK?{query}")


def test_a_product_without_prices_and_sales_says_so(world, manager, store):
    world.product("NEW", price=None)

    html = page(manager, "/admin/prices/NEW")

    assert "There was no price and no sale in these days." in html
    assert "no price" in html


# Parity


def test_registers_that_are_late_come_first_then_those_furthest_behind(world, store, milk, manager):
    newest = world.price(milk, 349).version
    now = utcnow()
    with unit_of_work():
        for register, version, values in (
            ("a", newest, {"clock_ahead_ms": 200}),
            ("b", newest - 2, {"clock_ahead_ms": -90_000}),
            ("c", newest - 1, {"late_since": now}),
        ):
            place = {"store_id": store.id, "register": register, "version": version, "last_seen": now}
            db.session.add(TillRegister(**place, **values))

    html = page(manager, "/admin/parity")

    assert [row.split()[2] for row in rows_of(html, "registers")] == ["c", "b", "a"]
    assert "2 of 3 are behind, 1 of them late" in html
    assert "0:01:30 behind" in rows_of(html, "registers")[1]
    assert "late since" in rows_of(html, "registers")[0]


def test_breaches_come_in_pages_and_are_found_by_store_and_product(world, store, milk, head_office):
    bread, other = world.product("BREAD", name="Sourdough"), world.store("2", name="Joplin", lat=36.9)
    for number in range(52):
        sell(store, milk, 369, ledger=359, days_ago=1 + number / 100)
    sell(other, bread, 499, ledger=479, days_ago=8)

    first = page(head_office, "/admin/parity")
    (address,) = re.findall(r'href="([^"]+)" rel="next"', first)
    second = page(head_office, address.replace("&amp;", "&"))

    assert (len(rows_of(first, "breaches")), len(rows_of(second, "breaches"))) == (50, 3)
    assert rows_of(first, "counts") == ["Rogers 1 52"], "of the last days only"
    assert len(rows_of(page(head_office, "/admin/parity?store=2"), "breaches")) == 1
    assert len(rows_of(page(head_office, "/admin/parity?sku=BREAD"), "breaches")) == 1
    assert rows_of(page(head_office, "/admin/parity?sku=BREAD&store=1"), "breaches") == []
    assert "There is no store 77." in page(head_office, "/admin/parity?store=77")
    assert "There is no product 77." in page(head_office, "/admin/parity?sku=77")


def test_parity_without_tills_says_so(manager, head_office):
    html = page(head_office, "/admin/parity")

    assert "No till has been heard of yet." in html
    assert "No breach in any store." in html
    assert "No till of this store has been heard of yet." in page(manager, "/admin/parity")


# What a manager sees of it


@pytest.fixture
def city(world, store, milk):
    """Another store, in a zone with a price of its own, that has sold and has been caught."""
    made = world.store("2", name="Tulsa", lat=36.9, price_zone="city")
    world.price(milk, 399, zone="city", valid_from=utcnow() - timedelta(days=4))
    world.price(milk, 389, zone="city", valid_from=utcnow() + timedelta(days=4))
    sell(made, milk, 411, ledger=399, units=7, register="tulsa-9")
    sell(store, milk, 369, ledger=359, days_ago=2)
    with unit_of_work():
        service.create_member(store_ref="2", name="Joe", role="manager", pin=MANAGER)
        place = {"store_id": made.id, "register": "tulsa-9", "last_seen": utcnow()}
        db.session.add(TillRegister(**place))
    return made


def test_a_manager_sees_breaches_and_registers_of_their_own_store(city, manager, head_office):
    for path in ("/admin/parity", "/admin/parity?store=2", "/admin/parity?format=csv", "/admin/prices/MILK?store=2"):
        html = page(manager, path)
        assert "$4.11" not in html, path
        assert "4.11" not in html, path
        assert "tulsa-9" not in html, path
    assert "tulsa-9" not in page(manager, "/admin/parity?table=registers&format=csv")
    assert len(rows_of(page(manager, "/admin/parity"), "breaches")) == 1
    assert len(rows_of(page(head_office, "/admin/parity"), "breaches")) == 2
    assert "$4.11" in page(head_office, "/admin/parity?store=2")


def test_a_manager_sees_the_prices_of_everywhere_and_of_the_stores_own_zone(app, city, manager, head_office):
    in_city = Tablet(app)
    in_city.sign_in("2", MANAGER)

    for tablet, query in ((manager, ""), (manager, "?store=2"), (head_office, "?store=1")):
        html = page(tablet, f"/admin/prices{query}")
        assert "$3.59" in html
        assert "$3.99" not in html
        assert "$3.89" not in html, "a change ahead in another zone"
    assert "There is no price zone city." in page(manager, "/admin/prices/MILK?zone=city")
    assert "$3.99" not in page(manager, "/admin/prices/MILK?zone=city")
    assert "There is no store 77." in page(head_office, "/admin/prices?store=77")
    for tablet, query in ((in_city, ""), (in_city, "?store=1"), (head_office, "?store=2")):
        html = page(tablet, f"/admin/prices{query}")
        assert "In zone city" in html
        assert "$3.59" in html
        assert "$3.99" in html
        assert "$3.89 in zone city" in html
    assert "Zone city now" in page(in_city, "/admin/prices/MILK")
    assert "Everywhere now" in page(in_city, "/admin/prices/MILK?zone=")


def test_head_office_looks_at_the_sales_of_one_store(city, head_office):
    assert rows_of(page(head_office, "/admin/prices/MILK?zone=city&store=2"), "charged")[0] == "$4.11 7 0"
    assert "Nothing was sold" in page(head_office, "/admin/prices/MILK?zone=&store=2")
    assert rows_of(page(head_office, "/admin/prices/MILK?zone=&store=1"), "charged")[0] == "$3.69 1 0"


# Files


def file_of(tablet, path):
    answer = tablet.get(path, buffered=True)
    assert answer.mimetype == "text/csv", answer.text
    return list(csv.DictReader(io.StringIO(answer.text)))


def test_prices_and_parity_are_files_with_the_same_filters(world, city, manager, head_office):
    world.product("BREAD", name="Sourdough", price=None)

    (milk,) = file_of(head_office, "/admin/prices?q=mil&format=csv")
    assert (milk["sku"], milk["everywhere"], milk["on_the_shelf"]) == ("MILK", "3.59", "")
    assert (milk["zones_with_own_price"], milk["next_amount"], milk["next_zone"]) == ("1", "3.89", "city")
    bread, milk = file_of(head_office, "/admin/prices?store=2&format=csv")
    assert (bread["currency"], bread["everywhere"], milk["on_the_shelf"]) == ("", "", "3.99")
    assert file_of(manager, "/admin/prices?q=mil&format=csv")[0]["next_amount"] == ""
    breaches = file_of(head_office, "/admin/parity?sku=MILK&format=csv")
    assert [(row["store_ref"], row["charged_amount"], row["ledger_amount"]) for row in breaches] == [
        ("2", "4.11", "3.99"),
        ("1", "3.69", "3.59"),
    ]
    assert file_of(head_office, "/admin/parity?store=1&format=csv")[0]["sale"].startswith("1-")
    assert [row["register"] for row in file_of(head_office, "/admin/parity?table=registers&format=csv")] == ["tulsa-9"]
    ledger = file_of(head_office, "/admin/prices/MILK?zone=city&format=csv")
    assert [(row["amount"], row["zone"]) for row in ledger][:2] == [("3.89", "city"), ("3.99", "city")]
    assert "There is no store 77." in page(head_office, "/admin/parity?store=77&format=csv")
