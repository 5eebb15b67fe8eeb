"""Bags that stand in the store: kept longer on the customer's page and the tablet, and put back."""

from datetime import timedelta

import pytest
from playwright.sync_api import Page, expect

from pickup.core.clock import utcnow
from pickup.core.db import unit_of_work
from pickup.orders import clockwork, sweeping
from pickup.staff import service
from tests.browser.accessibility import assert_accessible

MINUTE = timedelta(minutes=1)


@pytest.fixture
def store(world):
    made = world.store("1", name="Rogers Supercenter", city="Rogers")
    world.stock(made, world.product("MILK", name="Fluid Milk White Only, 1 ga"), 20)
    with unit_of_work():
        service.create_member(store_ref="1", name="Ana", role="associate", pin="1234")
    return made


def sign_in(page: Page) -> Page:
    page.goto("/staff")
    page.get_by_label("Store").fill("1")
    page.get_by_label("PIN").fill("1234")
    with page.expect_navigation():  # whole, with its scripts: what is typed before they are there is nobody's
        page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("heading", name="To pick")).to_be_visible()
    return page


@pytest.mark.parametrize("size", [(768, 1024), (390, 844)])
def test_what_the_clock_says_to_the_store(open_page, world, shop, store, size):
    late = world.place(shop, {"MILK": 1})
    old = world.make_ready(world.place(shop, {"MILK": 2}))
    clockwork.see_risks(late.ready_by - MINUTE)
    page = sign_in(open_page(viewport={"width": size[0], "height": size[1]}))
    expect(page.get_by_text("Begin now")).to_be_visible()
    page.goto(f"/staff/orders/{old.id}")
    page.get_by_role("button", name="Keep it longer").click()
    expect(page.get_by_text("is kept until")).to_be_visible()
    assert_accessible(page)

    sweeping.expire_holds(utcnow() + timedelta(days=30))
    page.goto(f"/staff/orders/{old.id}")
    expect(page.get_by_role("button", name="Put back")).to_be_visible()
    assert_accessible(page)
    page.goto("/staff")
    section = page.get_by_role("region", name="To put back")
    expect(section.get_by_text("Fluid Milk")).to_be_visible()
    assert_accessible(page)
    section.get_by_role("button", name="Put back").click()
    expect(page.get_by_text(f"The goods of order {old.number} are on the shelf again.")).to_be_visible()
    expect(section).to_have_count(0)


def test_the_customer_keeps_it_longer(open_page, world, shop, store):
    order = world.make_ready(world.place(shop, {"MILK": 1}))
    page = open_page(viewport={"width": 390, "height": 844})
    page.goto(f"/p/{order.page_token}")
    assert_accessible(page)
    page.get_by_role("button", name="Keep it longer").click()
    expect(page.get_by_text("Kept longer for you.")).to_be_visible()
    expect(page.get_by_role("button", name="Keep it longer")).to_have_count(0)
    assert_accessible(page)
