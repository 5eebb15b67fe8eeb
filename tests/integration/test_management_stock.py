"""The pages about stock: levels, and the movements that explain them."""

import re

import pytest

from pickup.core import revisions
from pickup.core.db import db, unit_of_work
from pickup.inventory.models import MOVEMENT_KINDS, StockMovement
from pickup.management.stock_views import KIND_WORDS
from tests.integration.managers import (
    ASSOCIATE,
    HEAD_OFFICE,
    MANAGER,
    file_of,
    next_of,
    page,
    rows_of,
    signed_in,
    two_stores,
    words_of,
)


@pytest.fixture
def stores(world):
    return two_stores(world)


@pytest.fixture
def goods(world, stores):
    milk, bread = world.product("MILK/1", name="Whole milk"), world.product("BREAD", name="Sourdough")
    world.stock(stores[0], milk, 1500, safety_stock=2)
    world.stock(stores[1], milk, 7)
    world.stock(stores[0], bread, 3)
    return milk, bread


@pytest.fixture
def manager(app, goods):
    return signed_in(app, MANAGER)


@pytest.fixture
def head_office(app, goods):
    return signed_in(app, HEAD_OFFICE)


def figures(html):
    """The four sums of a product's page."""
    sums = html.partition('<dl class="panel sums">')[2].partition("</dl>")[0]
    return [words_of(each) for each in re.findall(r"<dd.*?</dd>", sums)]


def test_every_kind_of_movement_has_words():
    assert KIND_WORDS.keys() == set(MOVEMENT_KINDS)


def test_levels_are_seen_by_who_may(app, manager, head_office):
    assert rows_of(page(manager, "/admin/stock"), "Stock") == [
        "Sourdough BREAD Rogers 1 3 0 0 3",
        "Whole milk MILK/1 Rogers 1 1,500 0 2 1,498",
    ]
    assert len(rows_of(page(head_office, "/admin/stock"), "Stock")) == 3
    assert rows_of(page(head_office, "/admin/stock?store=2"), "Stock") == ["Whole milk MILK/1 Joplin 2 7 0 0 7"]
    assert len(rows_of(page(manager, "/admin/stock?store=2"), "Stock")) == 2, "their own, whatever is asked"
    assert len(rows_of(page(head_office, "/admin/stock?q=milk"), "Stock")) == 2
    assert "There is no store 77." in page(head_office, "/admin/stock?store=77")
    for path in ("/admin/stock", "/admin/stock/BREAD"):
        page(signed_in(app, ASSOCIATE), path, 403)


def test_more_is_kept_back_while_tills_are_not_heard_of(world, stores, manager):
    with unit_of_work():
        stores[0].feed_state = "stale"
        db.session.add(stores[0])
        revisions.bump("stores")
    floor = world.app.extensions["settings"].stale_safety_stock

    (bread, _) = file_of(manager, "/admin/stock?format=csv")

    assert (int(bread["safety_stock"]), int(bread["available"])) == (floor, 3 - floor)


def test_levels_come_in_pages_and_whole_as_a_file(world, stores, head_office):
    for number in range(20):
        product = world.product(f"X{number:02}", price=None)
        for store in stores:
            world.stock(store, product, number)

    first = page(head_office, "/admin/stock?q=X")
    second = page(head_office, next_of(first))

    found = rows_of(first, "Stock") + rows_of(second, "Stock")
    assert (len(found), len(set(found))) == (40, 40)
    assert len(file_of(head_office, "/admin/stock?q=X&format=csv")) == 40
    assert len(file_of(head_office, "/admin/stock?q=X&store=2&format=csv")) == 20


def test_a_product_is_explained_by_its_movements(world, shop, stores, manager, head_office):
    order = world.place(shop, {"MILK/1": 5})
    world.work()

    html = page(manager, "/admin/stock/MILK/1")
    reservation, count = rows_of(html, "Table of movements")
    assert "Reserved – +5" in reservation
    assert str(order.number) in reservation
    assert "Counted +1,500 – –" in count
    assert figures(html) == ["1,500", "5", "2", "1,493"]
    html = page(head_office, "/admin/stock/MILK/1")
    assert figures(html) == ["1,507", "5", "2", "1,500"]
    assert len(rows_of(html, "Table of movements")) == 3
    assert len(rows_of(page(head_office, "/admin/stock/MILK/1?store=2"), "Table of movements")) == 1


def test_movements_come_in_pages_and_whole_as_a_file(stores, goods, manager):
    with unit_of_work():
        for _ in range(40):
            place = {"store_id": stores[0].id, "product_id": goods[1].id}
            db.session.add(StockMovement(**place, kind="sale", on_hand_change=-1))
        db.session.add(StockMovement(store_id=stores[1].id, product_id=goods[1].id, kind="receipt", on_hand_change=100))

    first = page(manager, "/admin/stock/BREAD")
    second = page(manager, next_of(first))
    rows = file_of(manager, "/admin/stock/BREAD?format=csv")

    assert (len(rows_of(first, "Table of movements")), len(rows_of(second, "Table of movements"))) == (25, 16)
    assert "Sold at a till −1" in rows_of(first, "Table of movements")[0]
    assert sum(int(row["on_hand_change"]) for row in rows) == 3 - 40
    assert {row["store_ref"] for row in rows} == {"1"}


def test_what_is_sold_but_promised_is_less_than_nothing(world, stores, goods, manager):
    with unit_of_work():
        level = world.level(stores[0], goods[1])
        level.on_hand, level.reserved = 0, 2

    assert figures(page(manager, "/admin/stock/BREAD")) == ["0", "2", "0", "−2"]


def test_an_unknown_product_is_not_found(manager):
    assert "There is no such product" in page(manager, "/admin/stock/NONE", 404)
