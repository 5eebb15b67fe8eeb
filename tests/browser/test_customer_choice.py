"""The customer's page in a real browser where something is missing: to choose, to wait, to say what if."""

import re

import pytest
from playwright.sync_api import expect

from pickup.core.clock import utcnow
from pickup.core.db import db, unit_of_work
from pickup.core.types import Actor
from pickup.orders import queries, service, short_picks
from tests.browser.accessibility import assert_accessible

ANA = Actor("staff", "Ana")
SIZES = [(390, 844), (768, 1024)]


@pytest.fixture
def stores(world):
    near = world.store("near", name="Rogers Supercenter", street="2110 West Walnut Street", phone="+1 479 555 0100")
    far = world.store("far", name="Springdale Market", street="4901 South Pleasant Avenue", city="Springdale", lat=36.6)
    milk = world.product("A", name="Fluid Milk White Only, 1 ga")
    world.stock(near, milk, 5)
    world.stock(far, milk, 5)
    world.stock(far, world.product("B", name="Sharp Cheddar, 8 oz"), 5)
    return milk


@pytest.fixture
def place(world, shop, stores):
    def make(items, pickup=None):
        order = world.place(shop, items, pickup)
        world.work()
        db.session.rollback()
        return order

    return make


def not_found(order, milk, missing):
    """The store picks, and does not find so many."""
    with unit_of_work():
        (locked,) = queries.lock_orders([order.id], with_lines=True)
        service.start_picking(locked, actor=ANA, now=utcnow())
        short_picks.short_pick(locked, milk.id, missing, actor=ANA, now=utcnow())


def headline(page):
    return page.get_by_role("heading", level=1)


@pytest.mark.parametrize("size", SIZES)
def test_the_customer_chooses_another_store(open_page, world, stores, place, mailbox, size):
    order = place({"A": 3})
    page = open_page(viewport={"width": size[0], "height": size[1]})
    page.clock.install()
    page.goto(f"/p/{order.page_token}")
    expect(headline(page)).to_have_text("The store has your items")
    not_found(order, stores, 3)
    page.clock.run_for(11_000)
    expect(headline(page)).to_have_text("Please choose")
    expect(page.locator("#news")).to_have_text("Please choose")
    assert_accessible(page)

    option = page.get_by_role("button", name=re.compile("Collect at Springdale Market – ready by "))
    expect(option).to_contain_text("4901 South Pleasant Avenue")
    expect(page.get_by_role("button", name="Wait – Rogers Supercenter, ready by")).to_be_visible()
    expect(page.get_by_role("button", name="Cancel – you pay nothing")).to_be_visible()
    option.click()
    expect(page.get_by_role("region", name="Springdale Market")).to_be_visible()
    world.work()
    page.reload()
    expect(headline(page)).to_have_text("The store has your items")
    assert world.order(order.id).store.ref == "far"


def test_the_choice_works_by_keyboard_and_without_scripts(open_page, world, stores, place):
    order = place({"A": 3})
    not_found(order, stores, 3)
    page = open_page(java_script_enabled=False)
    page.goto(f"/p/{order.page_token}")
    for _ in range(2):  # past the link to the content
        page.keyboard.press("Tab")
    expect(page.get_by_role("button", name="Collect at Springdale")).to_be_focused()
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(page.get_by_role("button", name="Wait")).to_have_count(0)
    world.work()
    page.reload()
    expect(headline(page)).to_have_text("On its way to Rogers Supercenter")


@pytest.mark.parametrize("size", SIZES)
def test_what_is_on_its_way_and_what_if(open_page, world, place, size):
    order = place({"A": 2, "B": 1}, {"store_ref": "near"})
    page = open_page(viewport={"width": size[0], "height": size[1]})
    page.goto(f"/p/{order.page_token}")
    expect(headline(page)).to_have_text("On its way to Rogers Supercenter")
    expect(page.get_by_text("Ready by", exact=True)).to_be_visible()
    expect(page.get_by_text("Springdale")).to_have_count(0)
    wish = page.get_by_role("region", name="If something is missing")
    wish.get_by_text("Change this").click()
    wish.get_by_label("Ask me").check()
    assert_accessible(page)
    wish.get_by_role("button", name="Save").click()
    expect(wish).to_contain_text("Ask me. I choose between another store and a later time. Saved.")
    assert_accessible(page)
    assert world.order(order.id).if_short == "move"


@pytest.mark.parametrize("size", SIZES)
def test_what_was_not_found_is_said_at_its_line(open_page, stores, place, size):
    order = place({"A": 3})
    not_found(order, stores, 1)
    page = open_page(viewport={"width": size[0], "height": size[1]})
    page.goto(f"/p/{order.page_token}")
    row = page.get_by_role("row", name="Fluid Milk")
    expect(row).to_contain_text(re.compile(r"2 of 3 ×.*One could not be found, you don't pay for it\..*\$7\.18"))
    expect(page.get_by_role("row", name="Total")).to_contain_text("$7.18")
    assert_accessible(page)
