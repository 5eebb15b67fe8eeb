"""The pages for management: found from the start page, read by everybody, on a desk, a tablet and a telephone."""

from datetime import timedelta

import pytest
from playwright.sync_api import Page, expect

from pickup.core.clock import utcnow
from pickup.core.db import db, unit_of_work
from pickup.staff import service
from pickup.tills.models import TillRegister
from tests.browser.accessibility import assert_accessible
from tests.integration.test_price_pages import sell

SIZES = [(1024, 768), (768, 1024), (390, 844)]
MANAGER, HEAD_OFFICE, ASSOCIATE = "998877", "445566", "1234"
LONG_NAME = "Fluid milk, white only, from cows that are out on the meadow all year round, one gallon"


@pytest.fixture
def store(world):
    made = world.store("1", name="Rogers Supercenter", city="Rogers")
    world.store("2", name="Tulsa", price_zone="oklahoma", lat=36.1)
    with unit_of_work():
        service.create_member(store_ref="1", name="Ana", role="associate", pin=ASSOCIATE)
        service.create_member(store_ref="1", name="Max", role="manager", pin=MANAGER)
        service.create_member(store_ref="1", name="Olga", role="head_office", pin=HEAD_OFFICE)
        place = {"store_id": made.id, "register": "1", "last_seen": utcnow()}
        db.session.add(TillRegister(**place, late_since=utcnow(), clock_ahead_ms=70_000))
    return made


@pytest.fixture
def milk(world, store):
    made = world.product("MILK", name=LONG_NAME, department="GROCERY", price=None)
    now = utcnow()
    for days, amount, zone in ((-40, 359, ""), (-12, 329, ""), (-6, 379, "oklahoma"), (-5, 359, ""), (6, 349, "")):
        world.price(made, amount, zone=zone, valid_from=now + timedelta(days=days))
    for days_ago in range(1, 30):
        sell(store, made, 329 if 5 <= days_ago < 12 else 359, units=1 + days_ago % 5, days_ago=days_ago - 0.5)
    sell(store, made, 329, days_ago=4.4, ledger=359)
    return made


def sign_in(page: Page, path: str, pin: str = MANAGER) -> Page:
    page.goto(path)
    page.get_by_label("Store").fill("1")
    page.get_by_label("PIN").fill(pin)
    page.get_by_role("button", name="Sign in").click()
    # On the page that was asked for, whole: who goes on before it is there breaks it off.
    expect(page.get_by_role("button", name="Sign in", exact=True)).to_have_count(0)
    page.wait_for_load_state()
    return page


@pytest.mark.parametrize("javascript", [True, False])
def test_head_office_looks_a_price_up(open_page, milk, javascript):
    page = open_page(java_script_enabled=javascript)
    page.goto("/")
    page.get_by_role("link", name="Prices").click()
    sign_in(page, page.url, HEAD_OFFICE)
    expect(page.get_by_role("heading", name="Prices")).to_be_visible()

    page.get_by_label("SKU or name").fill("fluid")
    page.get_by_role("button", name="Search").click()
    row = page.get_by_role("row", name="MILK")
    expect(row).to_contain_text("$3.59")
    row.get_by_role("link").click()

    plot = page.get_by_role("img", name="everywhere")
    expect(plot).to_be_visible()
    expect(plot.get_by_text("$3.29, not $3.59")).to_be_visible()
    expect(plot.get_by_text("now", exact=True)).to_be_visible()
    page.get_by_label("Price zone").select_option("oklahoma")
    page.get_by_role("button", name="Show").click()
    expect(page.get_by_role("img", name="zone oklahoma")).to_be_visible()
    expect(page.get_by_role("region", name="Ledger").get_by_role("row", name="holds now")).to_contain_text("$3.79")
    expect(page.get_by_text("Nothing was sold in these days.")).to_be_visible()


def test_a_breach_is_followed_from_the_till_to_the_price(open_page, milk):
    page = sign_in(open_page(), "/admin/parity", HEAD_OFFICE)
    expect(page.get_by_role("region", name="Registers").get_by_role("row", name="late since")).to_contain_text("ahead")

    page.get_by_role("link", name="Rogers Supercenter").click()
    expect(page.get_by_role("textbox", name="Store")).to_have_value("1")
    page.get_by_role("link", name=LONG_NAME).click()

    expect(page.get_by_role("region", name="Breaches").get_by_role("row", name="Rogers")).to_contain_text("$3.29")
    page.get_by_role("navigation", name="Management").get_by_role("link", name="Parity").click()
    expect(page.get_by_role("heading", name="Parity")).to_be_visible()
    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_label("PIN")).to_be_visible()


def test_an_associate_is_shown_the_way_back(page, milk):
    sign_in(page, "/admin/prices", ASSOCIATE)
    expect(page.get_by_role("heading", name="A manager has to do this")).to_be_visible()
    assert_accessible(page)
    page.get_by_role("link", name="Back to the orders").click()
    expect(page.get_by_label("Pickup code")).to_be_visible()


@pytest.mark.parametrize("size", SIZES)
def test_everything_is_accessible(open_page, world, milk, size):
    world.product("NEW", price=None)
    page = sign_in(open_page(viewport={"width": size[0], "height": size[1]}), "/admin", HEAD_OFFICE)
    for path in (
        "/admin/prices",
        "/admin/prices?q=nothing-like-it",
        "/admin/prices?store=2",
        "/admin/prices/MILK",
        "/admin/prices/MILK?from=2026-02-30",
        "/admin/prices/NEW",
        "/admin/prices/NONE",
        "/admin/parity",
        "/admin/parity?store=77",
    ):
        page.goto(path)
        assert_accessible(page)


def test_on_a_telephone_the_plot_scrolls_by_keyboard_and_begins_with_now(open_page, milk):
    page = sign_in(open_page(viewport={"width": 390, "height": 844}), "/admin/prices/MILK")
    region = page.get_by_role("region", name="Plot of price and sales")
    words = region.get_by_text("now", exact=True)
    region.evaluate("element => element.scrollIntoView()")
    expect(words).to_be_in_viewport()

    region.focus()
    for _ in range(30):
        page.keyboard.press("ArrowLeft")

    expect(words).not_to_be_in_viewport()
    expect(region.get_by_text("$3.50", exact=True)).to_be_in_viewport()


@pytest.mark.parametrize("javascript", [True, False])
def test_on_a_telephone_the_pages_are_in_a_menu_that_needs_no_script(open_page, store, javascript):
    page = open_page(viewport={"width": 390, "height": 844}, java_script_enabled=javascript)
    sign_in(page, "/admin/prices")
    navigation = page.get_by_role("navigation", name="Management")
    expect(navigation).to_have_count(0)

    page.get_by_text("Menu").focus()
    page.keyboard.press("Enter")
    expect(navigation).to_have_count(1)
    expect(navigation.get_by_role("link", name="Prices")).to_have_attribute("aria-current", "page")
    if javascript:
        assert_accessible(page)
    for _ in range(6):
        page.keyboard.press("Tab")
    expect(navigation.get_by_role("link", name="Stores")).to_be_focused()
    page.keyboard.press("Enter")

    expect(page.get_by_role("heading", name="Stores")).to_be_visible()
    expect(page.get_by_text("Menu")).to_contain_text("Stores")
    expect(navigation).to_have_count(0)


@pytest.mark.parametrize("size", SIZES[:2])
def test_the_bar_is_one_line_and_one_of_the_group(open_page, store, size):
    page = sign_in(open_page(viewport={"width": size[0], "height": size[1]}), "/admin/parity")
    links = page.get_by_role("navigation", name="Management").get_by_role("link")
    tops = [box["y"] for link in links.all() if (box := link.bounding_box())]

    assert len(set(tops)) == 2
    assert tops.count(tops[-1]) == 2, "Prices and Parity"
    expect(links.filter(has_text="Parity")).to_have_attribute("aria-current", "page")
