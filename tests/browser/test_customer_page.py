"""The customer's page in a real browser: what is said at each stage, and what a customer can do about it."""

import re
from zoneinfo import ZoneInfo

import pytest
from babel.dates import format_datetime
from playwright.sync_api import Page, expect

from pickup.core.clock import utcnow
from pickup.core.db import db, unit_of_work
from pickup.core.types import Actor
from pickup.orders import queries, service

ANA = Actor("staff", "Ana")
PHONE = {"width": 390, "height": 844}


@pytest.fixture
def page(open_page):
    return open_page(viewport=PHONE)


@pytest.fixture
def order(world, shop):
    """Placed; the workers have not seen it yet."""
    store = world.store("1", name="Rogers Supercenter", street="2110 West Walnut Street", phone="+1 479 555 0100")
    world.stock(store, world.product("A", name="Fluid Milk White Only, 1 ga"), 50)
    placed = world.place(shop, {"A": 2})
    db.session.rollback()
    return placed


def act(order, *actions):
    """Take steps with an order, as the store does."""
    for action in actions:
        with unit_of_work():
            action(queries.lock_order(order.id), actor=ANA, now=utcnow())


def hand_over(order, *, actor, now):
    service.hand_over(order, order.pickup_code, actor=actor, is_manager=False, now=now)


def cancel(order, *, actor, now):
    service.cancel(order, actor=actor, reason="staff", now=now)


def make_ready(world, order):
    world.work()
    act(order, service.start_picking, service.mark_ready)


def show(page: Page, order) -> Page:
    page.goto(f"/p/{order.page_token}")
    return page


def headline(page: Page):
    return page.get_by_role("heading", level=1)


def test_the_page_follows_the_order_by_itself(page, world, order):
    page.clock.install()
    show(page, order)
    expect(headline(page)).to_have_text("We are checking the shelves")
    expect(page.get_by_text(order.pickup_code)).to_have_count(0)
    stages = [
        (world.work, "The store has your items"),
        (lambda: act(order, service.start_picking), "We are packing your items"),
        (lambda: act(order, service.mark_ready), "Ready for you"),
        (lambda: act(order, hand_over), "Collected"),
    ]
    for step, words in stages:
        step()
        page.clock.run_for(11_000)
        expect(headline(page)).to_have_text(words)
        expect(page.locator("#news")).to_have_text(words)
        expect(page).to_have_title(f"{words} · Order {order.number}")
    expect(page.get_by_role("region", name="Pickup code")).to_have_count(0)
    expect(page.get_by_text(order.pickup_code)).to_have_count(1)
    expect(page.get_by_text("If something has to go back, show the code")).to_be_visible()


@pytest.mark.parametrize("javascript", [True, False])
def test_when_it_is_ready_the_code_is_there_to_show(open_page, world, order, javascript):
    make_ready(world, order)
    page = show(open_page(viewport=PHONE, java_script_enabled=javascript), order)
    expect(page.get_by_text(order.pickup_code)).to_be_visible()
    picture = page.get_by_role("img", name="QR code")
    expect(picture).to_be_visible()
    box = picture.bounding_box()
    assert box["width"] >= 160
    assert box["width"] == pytest.approx(box["height"], abs=1)
    until = world.order(order.id).hold_until.astimezone(ZoneInfo("America/Chicago"))
    expect(page.get_by_text(format_datetime(until, "EEEE d MMMM, HH:mm", locale="en"))).to_be_visible()


def test_where_it_is_and_what_it_costs(page, order):
    show(page, order)
    place = page.get_by_role("region", name="Rogers Supercenter")
    expect(place).to_contain_text("2110 West Walnut Street, Bentonville")
    expect(place.get_by_role("link", name="Directions")).to_have_attribute(
        "href", "https://www.openstreetmap.org/directions?to=36.3728,-94.2088"
    )
    expect(place.get_by_role("link", name="Call")).to_have_attribute("href", "tel:+14795550100")
    place.get_by_text("Today open all day").click()
    expect(place.get_by_role("row")).to_have_count(7)
    expect(page.get_by_role("row", name="Fluid Milk White Only, 1 ga")).to_contain_text("$7.18")
    expect(page.get_by_role("row", name="Total")).to_contain_text("$7.18")


def test_no_more_about_a_person_than_the_first_name(page, world, order):
    make_ready(world, order)
    text = show(page, order).content()
    assert "for Ada" in text
    for secret in ("Example", "ada@example.com", "5550100</", "+14795550100<"):
        assert secret not in text


def test_i_am_here(page, world, order):
    make_ready(world, order)
    show(page, order).get_by_label("Where we find you").fill("  bay 4,   red car ")
    page.get_by_role("button", name="I'm here").click()
    expect(page.get_by_role("region", name="The store knows that you are here")).to_contain_text("“bay 4, red car”")
    expect(page.get_by_role("button", name="I'm here")).to_have_count(0)
    assert world.order(order.id).arrival_note == "bay 4, red car"


def test_cancel_asks_once_more(page, world, order):
    world.work()
    show(page, order).get_by_role("link", name="Cancel this order").click()
    page.get_by_role("link", name="Keep it").click()
    expect(headline(page)).to_have_text("The store has your items")
    page.get_by_role("link", name="Cancel this order").click()
    page.get_by_role("button", name="Cancel the order").click()
    expect(headline(page)).to_have_text("This order is cancelled")
    expect(page.get_by_role("button")).to_have_count(0)
    cancelled = world.order(order.id)
    assert (cancelled.status, cancelled.reason) == ("cancelled", "customer")
    assert cancelled.history[-1].actor_kind == "customer"


def test_a_late_cancellation_shows_what_is(page, world, order):
    make_ready(world, order)
    show(page, order).get_by_role("link", name="Cancel this order").click()
    act(order, hand_over)
    page.get_by_role("button", name="Cancel the order").click()
    expect(headline(page)).to_have_text("Collected")


def test_a_cancellation_says_why(page, world, order):
    world.work()
    act(order, cancel)
    show(page, order)
    expect(headline(page)).to_have_text("The store had to cancel this order")
    expect(page.get_by_text("You pay nothing.")).to_be_visible()


@pytest.mark.parametrize("token", ["nobody-has-this-token-at-all", "x", "a" * 500, "../../staff", "é"])
def test_a_link_that_leads_nowhere(page, database, token):
    answer = page.goto(f"/p/{token.replace('/', '%2F')}")
    assert answer.status == 404
    assert answer.header_value("content-type").startswith("text/html")
    expect(headline(page)).to_be_visible()


def test_the_page_is_for_one_pair_of_eyes(page, order):
    answer = page.goto(f"/p/{order.page_token}")
    assert answer.header_value("cache-control") == "no-store"
    assert answer.header_value("referrer-policy") == "no-referrer"
    assert "noindex" in answer.header_value("x-robots-tag")
    assert not re.search(r"<script(?![^>]*src=)|<style|style=", answer.text())


@pytest.mark.parametrize("width", [320, 390, 768])
def test_it_fits(open_page, world, order, width):
    make_ready(world, order)
    page = show(open_page(viewport={"width": width, "height": 844}), order)
    assert page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth")
