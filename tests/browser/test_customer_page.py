"""The customer's page in a real browser: what is said at each stage, and what a customer can do about it."""

import re
from datetime import timedelta
from zoneinfo import ZoneInfo

import pytest
from babel.dates import format_datetime
from playwright.sync_api import Page, expect

from pickup.core.clock import utcnow
from pickup.core.db import db, unit_of_work
from pickup.core.types import Actor
from pickup.orders import collectors, queries, service
from tests.browser.accessibility import assert_accessible

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
    show(page, order).get_by_label("Bay").fill("  4 ")
    page.get_by_label("Car").fill("red   Golf")
    page.get_by_role("button", name="I'm here").click()
    expect(page.get_by_role("region", name="The store knows that you are here")).to_contain_text("“bay 4, red Golf”")
    expect(page.get_by_role("button", name="I'm here")).to_have_count(0)
    expect(page.get_by_role("button", name="I'm on my way")).to_have_count(0)
    here = world.order(order.id)
    assert (here.arrival_bay, here.arrival_car, here.arrival_note) == ("4", "red Golf", None)


def test_i_am_on_my_way(page, world, order):
    make_ready(world, order)
    show(page, order).get_by_label("When you will be there").select_option("20")
    page.get_by_role("button", name="I'm on my way").click()
    on_the_way = page.get_by_role("region", name="The store knows that you are on your way")
    coming = world.order(order.id)
    at = coming.expected_at.astimezone(ZoneInfo("America/Chicago"))
    expect(on_the_way).to_contain_text(f"{at:%H:%M}. Tell us when you are here.")
    assert coming.expected_at - coming.on_the_way_at == timedelta(minutes=20)
    assert coming.arrived_at is None


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


def name_collector(page, name="Bo Collector", **contact):
    page.get_by_role("link", name="Let somebody else collect").click()
    page.get_by_label("Name").fill(name)
    for label, words in contact.items():
        page.get_by_label(f"Their {label}").fill(words)
    page.get_by_role("button", name="Make a code for them").click()


@pytest.mark.parametrize("javascript", [True, False])
def test_somebody_else_collects_by_a_code_of_their_own(open_page, world, order, javascript):
    make_ready(world, order)
    page = show(open_page(viewport=PHONE, java_script_enabled=javascript), order)
    name_collector(page)
    named = page.get_by_role("region", name="Bo collects for you")
    code, token = world.order(order.id).collector_code, world.order(order.id).collector_token
    expect(named).to_contain_text(code)
    link = named.get_by_role("link", name="Text it").get_attribute("href")
    assert link.startswith("sms:?&body=")
    assert token in link

    bo = open_page(viewport=PHONE, java_script_enabled=javascript)
    bo.goto(f"/p/{token}")
    expect(headline(bo)).to_have_text("Ready to collect")
    expect(bo.get_by_text(code)).to_be_visible()
    expect(bo.get_by_role("img", name="QR code")).to_be_visible()

    named.get_by_role("button", name="Take the code back").click()
    expect(page.get_by_text("Taken back.")).to_be_visible()
    bo.reload()
    expect(headline(bo)).to_have_text("This link does not lead to an order")


def test_what_is_wrong_is_said_beside_it_and_nothing_typed_is_lost(page, world, order):
    show(page, order)
    name_collector(page, telephone="abc", **{"e-mail": "bo@example.com"})
    phone = page.get_by_label("Their telephone")
    expect(phone).to_have_attribute("aria-invalid", "true")
    expect(phone).to_have_accessible_description("That is not a telephone number.")
    expect(page.get_by_label("Their e-mail")).to_have_value("bo@example.com")
    assert world.order(order.id).collector_name is None
    assert_accessible(page)


def test_the_steps_have_their_times(page, world, order):
    make_ready(world, order)
    steps = show(page, order).get_by_role("region", name="Progress").get_by_role("listitem")
    expect(steps).to_contain_text(["Ordered", "Set aside for you", "Being packed", "Ready to collect", "Collected"])
    expect(page.locator("[aria-current=step]")).to_contain_text("Ready to collect")
    expect(steps.locator("time")).to_have_count(4)


def test_it_says_when_it_is_offline_and_goes_on_by_itself(page, world, order):
    page.clock.install()
    show(page, order)
    page.context.set_offline(True)
    expect(page.locator("#stale")).to_contain_text("No connection. What you see is from")
    world.work()
    page.context.set_offline(False)
    expect(headline(page)).to_have_text("The store has your items")
    expect(page.locator("#stale")).to_be_empty()


def test_it_asks_less_often_where_nothing_happens_and_gets_no_page_for_it(page, order):
    page.clock.install()
    show(page, order)
    answers = []
    page.on("response", lambda answer: answer.url.endswith(order.page_token) and answers.append(answer.status))
    with page.expect_response(f"**/p/{order.page_token}"):
        page.clock.run_for(11_000)
    page.clock.run_for(11_000)
    assert answers == [304]
    with page.expect_response(f"**/p/{order.page_token}"):
        page.clock.run_for(5_000)
    assert answers == [304, 304]


def test_what_is_being_typed_stays(page, world, order):
    page.clock.install()
    make_ready(world, order)
    show(page, order).get_by_label("Car").fill("red Golf")
    with unit_of_work():
        service.set_out(queries.lock_order(order.id), None, now=utcnow())
    page.clock.run_for(11_000)
    expect(page.get_by_role("region", name="The store knows that you are on your way")).to_be_visible()
    expect(page.get_by_label("Car")).to_have_value("red Golf")
    expect(page.get_by_label("Car")).to_be_focused()


@pytest.mark.parametrize("viewport", [PHONE, {"width": 768, "height": 1024}], ids=["phone", "tablet"])
def test_every_stage_is_accessible(open_page, world, order, viewport):
    page = open_page(viewport=viewport)
    world.work()
    assert_accessible(show(page, order))
    with unit_of_work():
        collectors.name_collector(queries.lock_order(order.id), {"name": "Bo"}, actor=Actor("customer"), now=utcnow())
    collectors_page = f"/p/{world.order(order.id).collector_token}"
    for steps in ((), (service.start_picking, service.mark_ready), (hand_over,)):
        act(order, *steps)
        assert_accessible(show(page, order))
        page.goto(collectors_page)
        assert_accessible(page)
    page.goto(f"/p/{order.page_token}/receipt")
    expect(headline(page)).to_have_text("Receipt")
    assert_accessible(page)
