"""The dashboard and the orders for management: read by everybody, on a desk, a tablet and a telephone."""

from datetime import timedelta

import pytest
from playwright.sync_api import Page, expect

from pickup.core.clock import utcnow
from pickup.core.db import db, unit_of_work
from pickup.core.types import Actor
from pickup.orders import queries, service, short_picks
from pickup.staff import service as staff
from tests.browser.accessibility import assert_accessible
from tests.integration.test_price_pages import sell

SIZES = [(1024, 768), (768, 1024), (390, 844)]
MANAGER, HEAD = "998877", "112233"
SAM = Actor("staff", "Sam")
LONG_NAME = "Fluid milk, white only, from cows that are out on the meadow all year round, one gallon"


@pytest.fixture
def store(world):
    made = world.store("1", name="Rogers Supercenter", city="Rogers")
    world.store("2", name="Tulsa", lat=36.1)
    with unit_of_work():
        staff.create_member(store_ref="1", name="Max", role="manager", pin=MANAGER)
        staff.create_member(store_ref="1", name="Hana", role="head_office", pin=HEAD)
    return made


@pytest.fixture
def orders(world, shop, store):
    """One that waits, one that is collected, one that is called off."""
    milk = world.product("MILK", name=LONG_NAME)
    world.stock(store, milk, 500)
    sell(store, milk, 329, days_ago=0.5, ledger=359)
    waiting, collected, cancelled = (world.place(shop, {"MILK": 3}, {"store_ref": "1"}) for _ in range(3))
    world.work()
    now = utcnow()
    with unit_of_work():
        order = queries.lock_orders([collected.id], with_lines=True)[0]
        service.start_picking(order, actor=SAM, now=now)
        short_picks.short_pick(order, milk.id, 1, actor=SAM, now=now)
        service.mark_ready(order, actor=SAM, now=now)
        service.arrive(order, "by the door", now=now)
        assert service.hand_over(order, order.pickup_code, actor=SAM, is_manager=False, now=now + timedelta(minutes=4))
        service.cancel(queries.lock_order(cancelled.id), actor=SAM, reason="staff", now=now)
    world.work()
    found = [world.order(order.id) for order in (waiting, collected, cancelled)]
    db.session.rollback()
    return found


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
def test_a_manager_reads_how_the_store_did(open_page, orders, javascript):
    page = open_page(java_script_enabled=javascript)
    page.goto("/")
    page.get_by_role("link", name="Dashboard").click()
    sign_in(page, page.url)

    expect(page.get_by_role("heading", name="Dashboard")).to_be_visible()
    hours = page.get_by_role("region", name="Orders by hour", exact=True)
    expect(hours.get_by_role("img", name="Orders by hour")).to_be_visible()
    hours.get_by_text("The same as a table").click()
    expect(hours.get_by_role("columnheader", name="Collected")).to_be_visible()
    expect(page.get_by_role("region", name="Not found on the shelf", exact=True)).to_contain_text(LONG_NAME)

    page.get_by_role("link", name="28 days").click()
    expect(page.get_by_role("link", name="28 days")).to_have_attribute("aria-current", "true")
    page.get_by_role("link", name="Registers and breaches").click()
    expect(page.get_by_role("heading", name="Parity")).to_be_visible()


def test_head_office_chooses_a_store(open_page, orders):
    page = sign_in(open_page(), "/admin", HEAD)
    expect(page.get_by_text("All stores,")).to_be_visible()

    page.get_by_label("Store").fill("2")
    page.get_by_role("button", name="Show").click()

    expect(page.get_by_text("Tulsa 2,")).to_be_visible()
    expect(page.get_by_text("No order was paid or collected in these days.")).to_be_visible()
    page.get_by_role("link", name="28 days").click()
    expect(page.get_by_label("Store")).to_have_value("2")


def test_an_order_is_found_and_read(open_page, orders):
    page = sign_in(open_page(), "/admin/orders")
    page.get_by_label("Number, name, mail or phone").fill(str(orders[1].number))
    page.get_by_role("button", name="Search").click()
    page.get_by_role("link", name=str(orders[1].number)).click()

    expect(page.get_by_role("heading", name=f"Order {orders[1].number}")).to_be_visible()
    history = page.get_by_role("region", name="What happened", exact=True)
    expect(history.get_by_role("row", name="Handed over")).to_contain_text("Sam")
    expect(page.get_by_role("region", name="Ledger").get_by_role("row", name="Taken")).to_contain_text("$7.18")
    page.get_by_role("link", name="All orders").click()
    page.get_by_label("Status").select_option("Cancelled")
    page.get_by_role("button", name="Search").click()
    expect(page.get_by_role("row", name="By the store")).to_contain_text(str(orders[2].number))
    with page.expect_download() as download:
        page.get_by_role("link", name="Download CSV").click()
    assert download.value.suggested_filename == "orders.csv"


@pytest.mark.parametrize("size", SIZES)
def test_everything_is_accessible(open_page, orders, size):
    page = sign_in(open_page(viewport={"width": size[0], "height": size[1]}), "/admin", HEAD)
    for path in (
        "/admin",
        "/admin?days=28",
        "/admin?store=2",
        "/admin?store=77",
        "/admin?from=2026-02-30",
        "/admin/orders",
        "/admin/orders?q=nobody",
        "/admin/orders?store=77",
        *(f"/admin/orders/{order.id}" for order in orders),
        "/admin/orders/00000000-0000-7000-8000-000000000000",
    ):
        page.goto(path)
        for summary in page.locator("summary:visible").all():
            summary.click()
        assert_accessible(page)
