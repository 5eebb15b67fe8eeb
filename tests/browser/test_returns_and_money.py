"""Goods that come back, and money that does not: by touch and by keyboard, on a tablet and on a telephone."""

import re

import pytest
from playwright.sync_api import Page, expect
from sqlalchemy import update

from pickup.core.clock import utcnow
from pickup.core.db import db, unit_of_work
from pickup.core.models import OutboxTask
from pickup.inventory.reconciliation import differences
from pickup.orders import settling
from pickup.payments.queries import payment_of
from pickup.staff import service
from tests.browser.accessibility import assert_accessible

SIZES = [(768, 1024), (390, 844)]
MANAGER, ASSOCIATE = "998877", "1234"


@pytest.fixture
def store(world):
    made = world.store("1", name="Rogers Supercenter", city="Rogers")
    world.stock(made, world.product("MILK", name="Fluid Milk White Only, 1 ga", department="GROCERY"), 20)
    world.stock(made, world.product("TOWEL", name="Bath towel, 100 % cotton, 27 × 52 in", price=1299), 20)
    with unit_of_work():
        service.create_member(store_ref="1", name="Ana", role="associate", pin=ASSOCIATE)
        service.create_member(store_ref="1", name="Max", role="manager", pin=MANAGER)
    return made


@pytest.fixture
def collect(world, shop, store):
    """Orders that were handed over; what their money does, the workers have done."""

    def make(items, **extra):
        order = world.collect(world.place(shop, items, **extra))
        for _ in range(settling.TRIES_MAX):
            with unit_of_work():
                db.session.execute(update(OutboxTask).values(due_at=utcnow()))
            world.work()
        return world.order(order.id)

    return make


def sign_in(page: Page, pin: str = MANAGER) -> Page:
    page.goto("/staff")
    page.get_by_label("Store").fill("1")
    page.get_by_label("PIN").fill(pin)
    with page.expect_navigation():  # whole, with its scripts: what is typed before they are there is nobody's
        page.get_by_role("button", name="Sign in").click()
    return page


def type_code(page: Page, order) -> None:
    page.get_by_label("Pickup code").fill(order.pickup_code)
    page.get_by_role("button", name="Hand over").click()
    expect(page.get_by_role("heading", name=f"Order {order.number}")).to_be_visible()


def toast(page: Page):
    return page.locator(".toast")


def section(page: Page, name: str):
    return page.get_by_role("region", name=name)


@pytest.mark.parametrize(("size", "javascript"), [(size, True) for size in SIZES] + [(SIZES[0], False)])
def test_a_returning_customer(open_page, world, collect, size, javascript):
    order = collect({"MILK": 3, "TOWEL": 1})
    page = sign_in(open_page(viewport={"width": size[0], "height": size[1]}, java_script_enabled=javascript))
    type_code(page, order)
    expect(page.get_by_label("Fluid Milk")).to_have_value("0")
    expect(page.get_by_label("Back on the shelf")).to_be_checked()
    page.get_by_label("Fluid Milk").fill("2")
    page.get_by_label("Reason").fill("too much")
    page.get_by_role("button", name="Take back").click()

    expect(toast(page)).to_have_text("$7.18 goes back to the customer, the way they paid. Put the goods on the shelf.")
    expect(section(page, "Returns")).to_contain_text(re.compile(r"2 × Fluid Milk.*\$7\.18.*by Max.*too much", re.S))
    expect(page.get_by_role("article")).to_contain_text("2 came back")
    expect(page.get_by_label("Fluid Milk")).to_have_attribute("max", "1")
    world.work()
    assert payment_of(order.id).refunded == 718
    assert differences() == []
    page.goto(f"/p/{order.page_token}")
    expect(section(page, "Your items")).to_contain_text("We have sent $7.18 back the way you paid.")


def test_by_keyboard_alone(page, world, collect):
    order = collect({"MILK": 3})
    sign_in(page)
    expect(page.get_by_label("Pickup code")).to_be_focused()
    page.keyboard.type(order.pickup_code)
    page.keyboard.press("Enter")
    expect(page.get_by_label("Fluid Milk")).to_be_visible()
    page.get_by_label("Fluid Milk").focus()
    page.keyboard.press("ArrowUp")
    for _ in range(2):
        page.keyboard.press("Tab")
    expect(page.get_by_label("Back on the shelf")).to_be_focused()
    page.keyboard.press("Space")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(toast(page)).to_contain_text("Keep the goods off the shelf.")
    assert world.order(order.id).lines[0].returned == 1


def test_an_associate_finds_the_order_and_who_can_help(page, collect):
    order = collect({"MILK": 1})
    sign_in(page, ASSOCIATE)
    type_code(page, order)
    expect(section(page, "Returns")).to_contain_text("A manager has to take it back")
    expect(page.get_by_role("button", name="Take back")).to_have_count(0)


@pytest.mark.parametrize("size", SIZES)
def test_money_is_tried_again_and_settled_otherwise(open_page, world, collect, monkeypatch, size):
    first, second = (collect({"TOWEL": 1}, token="tok_capture_refused") for _ in range(2))
    page = sign_in(open_page(viewport={"width": size[0], "height": size[1]}))
    money = section(page, "Money")
    expect(money.get_by_role("article")).to_have_count(2)
    of_first, of_second = (money.get_by_role("article", name=str(order.number)) for order in (first, second))
    expect(of_first).to_contain_text(re.compile(r"Collected.*Ada Example.*\$12\.99 missing.*refuses to pay", re.S))

    monkeypatch.setattr("pickup.payments.sandbox.REFUSES_TO_CAPTURE", frozenset())
    of_first.get_by_role("button", name="Try again").click()
    expect(toast(page)).to_contain_text(f"Order {first.number}: the bank is asked once more.")
    expect(of_first).to_have_count(0)
    world.work()
    assert payment_of(first.id).captured == 1299

    of_second.get_by_role("button", name="Settled otherwise").click()
    expect(page.get_by_label("How")).to_be_focused()
    page.keyboard.type("paid in cash, receipt 4711")
    page.get_by_role("button", name="Settled otherwise").click()
    expect(toast(page)).to_have_text(f"Order {second.number}: noted as settled otherwise.")
    expect(money).to_have_count(0)
    world.work()
    assert (payment_of(second.id).status, payment_of(second.id).captured) == ("written_off", 0)


def test_an_associate_sees_no_money(page, collect):
    collect({"TOWEL": 1}, token="tok_capture_refused")
    sign_in(page, ASSOCIATE)
    expect(section(page, "To pick")).to_be_visible()
    expect(section(page, "Money")).to_have_count(0)


@pytest.mark.parametrize("size", SIZES)
def test_everything_is_accessible(open_page, world, shop, collect, size):
    order, unpaid = collect({"MILK": 3, "TOWEL": 1}), collect({"TOWEL": 1}, token="tok_capture_refused")
    shop.post(f"/v1/orders/{order.id}/returns", {"items": [{"sku": "MILK", "quantity": 1}], "reason": "too much"})
    world.work()
    page = sign_in(open_page(viewport={"width": size[0], "height": size[1]}))
    expect(section(page, "Money")).to_be_visible()
    for path in ("/staff", f"/staff/orders/{order.id}", f"/staff/orders/{unpaid.id}/money", f"/p/{order.page_token}"):
        page.goto(path)
        assert_accessible(page)
    page.goto(f"/staff/orders/{unpaid.id}/money")
    page.get_by_label("How").fill(" ")
    page.get_by_role("button", name="Settled otherwise").click()
    expect(page.get_by_role("alert")).to_have_text("Say how it was settled.")
    assert_accessible(page)
