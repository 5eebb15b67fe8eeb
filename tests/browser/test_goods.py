"""Goods that are missing, sent and awaited: short picks and transfers on the tablet, by touch and by keyboard."""

import re

import pytest
from playwright.sync_api import Page, expect

from pickup.catalog.models import Product
from pickup.core.clock import utcnow
from pickup.core.db import db, unit_of_work
from pickup.inventory.reconciliation import differences
from pickup.orders import queries
from pickup.orders import service as orders
from pickup.staff import service
from tests.browser.accessibility import assert_accessible

SIZES = [(768, 1024), (390, 844)]


@pytest.fixture
def stores(world):
    """The near store has milk and no wine, the far one has both; Ana works here, Bo there."""
    near = world.store("near", name="Rogers Supercenter", city="Rogers")
    far = world.store("far", name="Bentonville Market", lat=36.6)
    milk = world.product("MILK", name="Fluid Milk White Only, 1 ga", department="GROCERY")
    wine = world.product("WINE", name="Cabernet Sauvignon, 750 ml", minimum_age=21)
    world.stock(near, milk, 20)
    world.stock(far, milk, 20)
    world.stock(far, wine, 20)
    with unit_of_work():
        service.create_member(store_ref="near", name="Ana", role="associate", pin="1234")
        service.create_member(store_ref="far", name="Bo", role="associate", pin="2222")
    return near, far


@pytest.fixture
def place(world, shop, stores):
    """Places orders and lets the workers find the goods; those of `picking` are taken on by Ana."""

    def make(items, *, picking=False, **extra):
        order = world.place(shop, items, {"store_ref": "near"}, **extra)
        world.work()
        if picking:
            ana = service.queries.members_at(stores[0].id)[0]
            with unit_of_work():
                service.start_picking(ana, order.id, now=utcnow())
        db.session.rollback()
        return order

    return make


def sign_in(page: Page, store: str = "near", pin: str = "1234") -> Page:
    page.goto("/staff")
    page.get_by_label("Store").fill(store)
    page.get_by_label("PIN").fill(pin)
    with page.expect_navigation():  # whole, with its scripts: what is typed before they are there is nobody's
        page.get_by_role("button", name="Sign in").click()
    return page


def card(page: Page, order):
    return page.get_by_role("article", name=str(order.number))


def section(page: Page, name: str):
    return page.get_by_role("region", name=name)


def toast(page: Page):
    """What has just happened; a moment later it is read out, too."""
    return page.locator(".toast")


def cannot_find(page: Page, order, product: str):
    line = card(page, order).get_by_role("listitem").filter(has_text=product)
    return line.get_by_role("button", name="Can't find it", exact=True)


# Short picks


@pytest.mark.parametrize(("size", "javascript"), [(size, True) for size in SIZES] + [(SIZES[0], False)])
def test_a_short_pick_goes_on_in_part(open_page, world, place, size, javascript):
    order = place({"MILK": 3}, picking=True)
    page = sign_in(open_page(viewport={"width": size[0], "height": size[1]}, java_script_enabled=javascript))
    cannot_find(page, order, "Fluid Milk").click()
    expect(page.get_by_role("heading", name="How many are missing?")).to_be_visible()
    expect(page.get_by_text("The customer takes the rest and does not pay for what is missing.")).to_be_visible()
    page.get_by_role("button", name="1 missing", exact=True).click()

    expect(toast(page)).to_contain_text(f"Order {order.number} goes on with 2 of 3 Fluid Milk White Only, 1 ga.")
    expect(section(page, "Picking").get_by_role("article")).to_contain_text(re.compile(r"2 of 3 ×.*1 not found", re.S))
    assert world.order(order.id).total_amount == 718
    card(page, order).get_by_role("button", name="Ready").click()
    page.get_by_label("Pickup code").fill(order.pickup_code)
    page.get_by_role("button", name="Hand over").click()
    expect(page.get_by_role("region", name="Hand out now")).to_contain_text(re.compile(r"2 items.*2 of 3 ×", re.S))
    assert differences() == []


def test_of_a_single_unit_it_is_only_confirmed(page, world, place):
    order = place({"MILK": 1}, picking=True)
    sign_in(page)
    cannot_find(page, order, "Fluid Milk").click()
    expect(page.get_by_role("heading", name="You can't find it?")).to_be_visible()
    page.get_by_role("link", name="it is there after all").click()
    assert world.order(order.id).lines[0].short == 0
    cannot_find(page, order, "Fluid Milk").click()
    page.get_by_role("button", name="It is missing").click()
    expect(toast(page)).to_contain_text("The customer is asked: another store, later, or cancel.")
    expect(card(page, order)).to_have_count(0)
    assert world.order(order.id).offer["options"].keys() == {"move", "wait"}


def test_a_short_pick_by_keyboard_alone(page, world, place):
    order = place({"MILK": 3}, picking=True)
    sign_in(page)
    press_by_keyboard(page, "Can't find it")
    expect(page.get_by_role("button", name="1 missing", exact=True)).to_be_focused()
    press_by_keyboard(page, "2 missing")
    expect(card(page, order)).to_contain_text("1 of 3")
    press_by_keyboard(page, "Ready")
    expect(section(page, "Ready").get_by_role("article")).to_have_count(1)


def press_by_keyboard(page: Page, name: str) -> None:
    for _ in range(30):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.textContent.trim()") == name:
            page.keyboard.press("Enter")
            return
    raise AssertionError(f"Tab does not lead to {name}")


@pytest.mark.parametrize(
    ("wish", "said", "now_is"),
    [
        ("move", "has left this board. The customer is asked: another store, later, or cancel.", "placed"),
        ("cancel", "is cancelled. Put its goods back on the shelf.", "cancelled"),
    ],
)
def test_what_the_customer_wanted_is_said_before_and_after(page, world, place, wish, said, now_is):
    order = place({"MILK": 3}, picking=True, if_short=wish)
    sign_in(page)
    cannot_find(page, order, "Fluid Milk").click()
    expect(page.get_by_text("The customer wants all of it or nothing")).to_be_visible()
    page.get_by_role("button", name="All 3 missing").click()
    expect(toast(page)).to_contain_text(f"Order {order.number} {said}")
    picking = page.get_by_role("region", name="Picking")
    expect(picking.get_by_role("article", name=str(order.number))).to_have_count(0)
    assert world.order(order.id).status == now_is


def test_of_many_the_number_is_typed(page, world, place):
    order = place({"MILK": 12}, picking=True)
    sign_in(page)
    cannot_find(page, order, "Fluid Milk").click()
    expect(page.get_by_label("Missing, of 12")).to_be_focused()
    page.keyboard.type("5")
    page.keyboard.press("Enter")
    expect(card(page, order)).to_contain_text("7 of 12")
    assert world.order(order.id).lines[0].short == 5


def test_only_what_is_being_picked_can_be_missing(page, world, place):
    order = place({"MILK": 3})
    sign_in(page)
    expect(page.get_by_role("button", name="Can't find it")).to_have_count(0)
    card(page, order).get_by_role("button", name="Start picking").click()
    cannot_find(page, order, "Fluid Milk").click()
    with unit_of_work():
        orders.mark_ready(queries.lock_order(order.id), actor=service.queries.members_at(1)[0].actor, now=utcnow())
    db.session.rollback()
    page.get_by_role("button", name="1 missing", exact=True).click()
    expect(toast(page)).to_contain_text(f"Order {order.number} is already ready by Ana")
    assert world.order(order.id).lines[0].short == 0


# Transfers


@pytest.mark.parametrize("size", SIZES)
def test_sent_on_one_tablet_and_taken_in_on_the_other(open_page, world, place, size):
    order = place({"MILK": 1, "WINE": 2})
    viewport = {"width": size[0], "height": size[1]}
    here, there = sign_in(open_page(viewport=viewport)), sign_in(open_page(viewport=viewport), "far", "2222")

    to_send = section(there, "To send").get_by_role("article", name=f"For order {order.number}")
    expect(to_send).to_contain_text(re.compile("there by .*to Rogers Supercenter.*2 ×.*Cabernet", re.S))
    expect(to_send).not_to_contain_text("Ada")
    coming = section(here, "On its way here").get_by_role("article", name=f"For order {order.number}")
    expect(coming).to_contain_text(re.compile("expected .*from Bentonville Market.*Not sent yet", re.S))
    expect(section(here, "To pick").get_by_role("article")).to_have_count(0)

    to_send.get_by_role("button", name="Sent").click()
    expect(toast(there)).to_contain_text(f"The goods for order {order.number} are on their way to Rogers")
    expect(section(there, "To send")).to_have_count(0)
    here.reload()
    expect(coming).to_contain_text("Sent ")
    coming.get_by_role("button", name="Arrived").click()
    expect(toast(here)).to_contain_text(f"Order {order.number} is complete. It is under To pick now.")
    expect(section(here, "To pick").get_by_role("article", name=str(order.number))).to_be_visible()
    expect(section(here, "On its way here")).to_have_count(0)
    assert differences() == []


def test_what_cannot_be_sent_comes_from_elsewhere(page, world, place):
    third = world.store("third", name="Fayetteville", lat=36.0)
    world.stock(third, db.session.query(Product).filter_by(sku="WINE").one(), 5)
    order = place({"WINE": 2})
    sign_in(page, "far", "2222")
    cannot_find(page, order, "Cabernet").click()
    page.get_by_role("button", name="All 2 missing").click()
    expect(toast(page)).to_contain_text(f"Order {order.number} is planned anew, and others may send it.")
    expect(section(page, "To send")).to_have_count(0)
    world.work()
    assert world.order(order.id).status == "in_transit"


def test_goods_of_a_cancelled_order_go_to_the_shelf(page, world, shop, place):
    order = place({"WINE": 2})
    there = sign_in(page, "far", "2222")
    there.get_by_role("button", name="Sent").click()
    expect(toast(there)).to_contain_text("on their way to Rogers")
    shop.post(f"/v1/orders/{order.id}/cancel")
    there.get_by_role("button", name="Sign out").click()
    here = sign_in(there)
    words = "Put these on the shelf: the order was cancelled."
    expect(section(here, "On its way here")).to_contain_text(words)
    here.get_by_role("button", name="Arrived").click()
    expect(toast(here)).to_have_text(words)


def test_a_warehouse_has_only_what_to_send(page, world, shop, stores):
    depot = world.store("depot", name="Depot", lat=36.4, kind="warehouse")
    world.stock(depot, world.product("BEAN", name="Beans"), 5)
    with unit_of_work():
        service.create_member(store_ref="depot", name="Cy", role="associate", pin="3333")
    sign_in(page, "depot", "3333")
    expect(page.get_by_text("Nothing to send.")).to_be_visible()
    expect(page.get_by_label("Pickup code")).to_have_count(0)
    world.place(shop, {"BEAN": 1}, {"store_ref": "near"})
    world.work()
    db.session.rollback()
    page.reload()
    page.get_by_role("button", name="Sent").click()
    expect(toast(page)).to_contain_text("on their way to Rogers")


# The order's page


def test_why_here(page, world, place, shop):
    order = place({"MILK": 1, "WINE": 2})
    sign_in(page)
    page.goto(f"/staff/orders/{order.id}")
    goods = section(page, "Goods from elsewhere")
    expect(goods).to_contain_text(re.compile("from Bentonville Market.*Not sent yet.*2 ×.*Cabernet", re.S))
    why = section(page, "Why here?")
    expect(why).to_contain_text("The customer chose the store. No shelf had everything")
    expect(why.get_by_role("listitem").filter(has_text="Rogers Supercenter")).to_contain_text("chosen")


@pytest.mark.parametrize("size", SIZES)
def test_every_state_is_accessible(open_page, world, place, size):
    in_part = place({"MILK": 3, "WINE": 2}, picking=False)
    picking = place({"MILK": 3}, picking=True)
    page = sign_in(open_page(viewport={"width": size[0], "height": size[1]}))
    assert_accessible(page)
    cannot_find(page, picking, "Fluid Milk").click()
    assert_accessible(page)
    page.get_by_role("button", name="1 missing", exact=True).click()
    expect(card(page, picking)).to_contain_text("2 of 3")
    assert_accessible(page)
    for order in (in_part, picking):
        page.goto(f"/staff/orders/{order.id}")
        assert_accessible(page)
    page.get_by_role("button", name="Sign out").click()
    sign_in(page, "far", "2222")
    assert_accessible(page)
    cannot_find(page, in_part, "Cabernet").click()
    assert_accessible(page)
