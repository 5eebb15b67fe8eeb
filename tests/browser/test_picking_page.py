"""The pick list, the handover with its questions, the slip and the search, in a real browser on each size of screen."""

import os
import re
from dataclasses import replace
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from pickup.core.clock import utcnow
from pickup.core.db import db, unit_of_work
from pickup.orders import queries
from pickup.orders.service import arrive
from pickup.staff import service
from tests.browser.accessibility import assert_accessible
from tests.browser.test_staff_page import card, fits, hand_over, section, sign_in

SIZES = [(768, 1024), (1024, 768), (390, 844)]
GTIN = "012345678905"
PICTURES = os.environ.get("PICTURES")  # a folder for pictures of the pages, for whoever wants to look at them


@pytest.fixture
def store(world):
    made = world.store("1", name="Rogers Supercenter")
    goods = {
        "A": {"name": "Fluid Milk White Only, 1 ga", "department": "DAIRY", "gtin": GTIN},
        "B": {"name": "Sourdough Bread, Sliced, 24 oz", "department": "BAKERY"},
        "WINE": {"name": "Cabernet Sauvignon, 750 ml", "department": "WINE", "minimum_age": 21},
    }
    for sku, values in goods.items():
        world.stock(made, world.product(sku, **values), 50)
    with unit_of_work():
        service.create_member(store_ref="1", name="Ana", role="associate", pin="1234")
    return made


@pytest.fixture
def place(world, shop, store):
    def make(items=None, status="reserved", name="Ada Example"):
        customer = {"name": name, "email": "ada@example.com", "phone": "+1 479 555 0100"}
        order = world.place(shop, items or {"A": 2}, customer=customer)
        world.work()
        ana = service.queries.members_at(store.id)[0]
        if status != "reserved":
            with unit_of_work():
                service.start_picking(ana, order.id, now=utcnow())
        if status == "ready":
            with unit_of_work():
                service.mark_ready(ana, order.id, now=utcnow(), place="Shelf B3")
        db.session.rollback()
        return order

    return make


def picture(page: Page, name: str) -> None:
    if PICTURES:
        width = page.viewport_size["width"]
        page.screenshot(path=Path(PICTURES) / f"{name}-{width}.png", full_page=True)


def item(page: Page, name: str):
    return page.locator(".item", has_text=name)


@pytest.mark.parametrize(("size", "javascript"), [(size, True) for size in SIZES] + [(SIZES[0], False)])
def test_a_round_from_the_first_tap_to_the_shelf(open_page, world, place, size, javascript):
    first, second = place({"A": 1, "B": 1}), place({"A": 1}, name="Grace Hopper")
    page = sign_in(open_page(viewport={"width": size[0], "height": size[1]}, java_script_enabled=javascript))
    picture(page, "board")
    page.get_by_role("link", name="Pick several").click()
    expect(page.get_by_role("checkbox", checked=True)).to_have_count(2)
    if javascript:
        assert_accessible(page)
        picture(page, "choose")
    page.get_by_role("button", name="Begin the round").click()

    expect(page.get_by_role("heading", name="Round of 2 orders")).to_be_visible()
    expect(page.get_by_role("region", name="DAIRY")).to_contain_text("Fluid Milk White Only, 1 ga")
    expect(item(page, "Fluid Milk")).to_contain_text("2 ×")
    if javascript:
        assert_accessible(page)
        picture(page, "round")
    for order in (first, second):
        page.get_by_role("button", name=f"+1 Fluid Milk White Only, 1 ga, order {order.number}").click()
        expect(page.get_by_role("button", name=f"−1 Fluid Milk White Only, 1 ga, order {order.number}")).to_be_enabled()
    expect(page.locator(".progress")).to_have_text("2 of 3 counted")
    if javascript:
        expect(page.locator("#said")).to_have_text("Bag B: Fluid Milk White Only, 1 ga, 1 of 1.")
        picture(page, "round-counted")

    bag = page.locator(".bag-card", has_text=str(second.number))
    bag.get_by_label("Where does the bag stand?").fill("Shelf B3")
    bag.get_by_role("button", name="Ready").click()
    expect(page.get_by_role("heading", name="Round of 2 orders")).to_be_visible()
    page.locator(".bag-card", has_text=str(first.number)).get_by_role("button", name="Ready").click()
    expect(page.get_by_role("heading", name="1 of 2 not counted. Ready anyway?")).to_be_visible()
    if javascript:
        assert_accessible(page)
        picture(page, "not-counted")
    page.get_by_role("button", name="Ready anyway").click()
    expect(section(page, "Ready").get_by_role("article")).to_have_count(2)
    expect(card(page, second)).to_contain_text("Shelf B3")
    assert fits(page)
    assert {world.order(order.id).status for order in (first, second)} == {"ready"}


def test_what_cannot_be_found_leads_back_to_the_list(page, place):
    order = place({"A": 2, "B": 1})
    sign_in(page)
    card(page, order).get_by_role("button", name="Start picking").click()
    card(page, order).get_by_role("link", name="Pick list").click()
    item(page, "Fluid Milk").get_by_role("button", name="Can't find it").click()
    page.get_by_role("button", name="1 missing", exact=True).click()

    expect(page.get_by_role("heading", name="Pick list")).to_be_visible()
    expect(item(page, "Fluid Milk")).to_contain_text("1 not found")
    expect(page.locator(".toast")).to_contain_text("goes on with 1 of 2")


@pytest.mark.parametrize("size", SIZES)
def test_not_everything_is_taken(open_page, world, place, size):
    order = place({"A": 2, "B": 1}, status="ready")
    page = sign_in(open_page(viewport={"width": size[0], "height": size[1]}))
    card(page, order).get_by_role("link").first.click()
    expect(page.get_by_text("Shelf B3").first).to_be_visible()
    assert_accessible(page)
    picture(page, "order")
    page.get_by_role("link", name="Not everything is taken").click()
    page.get_by_label("Fluid Milk").fill("1")
    assert_accessible(page)
    picture(page, "part")
    hand_over(page, order.pickup_code)

    expect(page.get_by_text(re.compile("Back to the shelf: 1 × Fluid Milk.*They pay"))).to_be_visible()
    assert_accessible(page)
    picture(page, "handed-over")
    assert world.order(order.id).lines[0].refused == 1


@pytest.fixture
def signature_asked_for(database, monkeypatch):
    settings = replace(database.extensions["settings"], signature="ask")
    monkeypatch.setitem(database.extensions, "settings", settings)


@pytest.mark.parametrize("size", SIZES)
def test_a_signature(open_page, world, place, signature_asked_for, size):
    order = place(status="ready")
    page = sign_in(open_page(viewport={"width": size[0], "height": size[1]}))
    hand_over(page, order.pickup_code)
    expect(page.get_by_role("heading", name="Please sign")).to_be_visible()
    expect(page.get_by_role("button", name="Signed", exact=True)).to_be_disabled()
    box = page.locator("#pad").bounding_box()
    page.mouse.move(box["x"] + 20, box["y"] + 20)
    page.mouse.down()
    for step in range(1, 9):
        page.mouse.move(box["x"] + 20 + step * 25, box["y"] + 20 + (step % 3) * 30)
    page.mouse.up()
    assert_accessible(page)
    picture(page, "signature")
    page.get_by_role("button", name="Signed", exact=True).click()

    expect(page.get_by_role("heading", name="Hand out now")).to_be_visible()
    assert world.order(order.id).status == "collected"
    page.goto(f"/staff/orders/{order.id}")
    expect(page.get_by_role("img", name="The signature of whoever collected it")).to_be_visible()


def test_signed_on_paper_by_keyboard(page, world, place, signature_asked_for):
    order = place(status="ready")
    sign_in(page)
    hand_over(page, order.pickup_code)
    page.get_by_role("button", name="Signed on paper").focus()
    page.keyboard.press("Enter")

    expect(page.get_by_role("heading", name="Hand out now")).to_be_visible()
    assert world.order(order.id).status == "collected"


def test_the_slip_prints_without_the_bars_of_the_page(page, place):
    order = place({"A": 2, "B": 1}, status="ready")
    sign_in(page)
    page.goto(f"/staff/orders/{order.id}")
    page.get_by_role("link", name="Packing slip").click()
    assert_accessible(page)
    picture(page, "slip")
    expect(page.get_by_role("button", name="Print")).to_be_visible()

    page.emulate_media(media="print")

    expect(page.get_by_role("button", name="Print")).to_be_hidden()
    expect(page.locator("header.bar")).to_be_hidden()
    expect(page.get_by_role("heading", name=str(order.number))).to_be_visible()
    expect(page.get_by_text("Shelf B3")).to_be_visible()
    expect(page.get_by_text(order.pickup_code)).to_have_count(0)
    picture(page, "slip-print")


@pytest.mark.parametrize("size", SIZES)
def test_an_order_is_found_while_somebody_types(open_page, place, size):
    place(name="Ada Example")
    order = place(name="Grace Hopper", status="ready")
    page = sign_in(open_page(viewport={"width": size[0], "height": size[1]}))
    page.get_by_label("Find an order").fill("hopp")

    expect(page.locator("#found a")).to_have_count(1)
    expect(page.locator("#found a")).to_contain_text(re.compile(f"{order.number}.*Grace Hopper.*Ready.*Shelf B3", re.S))
    assert_accessible(page)
    picture(page, "found")
    page.get_by_label("Find an order").press("ArrowDown")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name=f"Order {order.number}")).to_be_visible()


def test_it_is_found_without_a_script(open_page, place):
    order = place()
    page = sign_in(open_page(java_script_enabled=False))
    page.get_by_label("Find an order").fill("ada")
    page.get_by_role("button", name="Find", exact=True).click()
    page.get_by_role("link", name=str(order.number)).click()

    expect(page.get_by_role("heading", name=f"Order {order.number}")).to_be_visible()


def test_the_clock_of_somebody_who_waits_runs(page, place):
    order = place(status="ready")
    with unit_of_work():
        arrive(queries.lock_order(order.id), None, now=utcnow())
    page.clock.install()
    sign_in(page)
    waits = card(page, order).locator(".waits")
    expect(waits).to_have_text(re.compile(r"waits 0 min \d+ s"))

    page.clock.run_for(61_000)

    expect(waits).to_have_text(re.compile(r"waits 1 min \d+ s"))
