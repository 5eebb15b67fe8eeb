"""The customer's page in three languages and three sizes: everything has its words, and all of it fits."""

import re

import pytest
from playwright.sync_api import expect

from pickup.core import languages
from pickup.core.clock import utcnow
from pickup.core.db import db, unit_of_work
from pickup.core.types import Actor
from pickup.orders import collectors, queries, service
from tests.browser.accessibility import assert_accessible
from tests.browser.screenshots import shoot

ANA = Actor("staff", "Ana")
PHONE = (390, 844)
SIZES = [(768, 1024), (1024, 768), PHONE]
READY = {"en": "Ready for you", "es": "Listo para usted", "zh": "已为您备好"}
ASKED_FOR = {"en": "en-GB", "es": "es-MX", "zh": "zh-CN"}
FITS = "document.documentElement.scrollWidth <= document.documentElement.clientWidth"


@pytest.fixture
def order(world, shop):
    """From a place near the store, of somebody who reads whatever their browser asks for."""
    store = world.store("1", name="Rogers Supercenter", street="2110 West Walnut Street", phone="+1 479 555 0100")
    world.stock(store, world.product("A", name="Fluid Milk White Only, 1 ga"), 50)
    placed = world.place(shop, {"A": 2}, {"near": {"lat": 36.33, "lon": -94.13}})
    db.session.rollback()
    world.work()
    return placed


def act(order, *actions):
    for action in actions:
        with unit_of_work():
            action(queries.lock_order(order.id), actor=ANA, now=utcnow())


def hand_over(order, *, actor, now):
    service.hand_over(order, order.pickup_code, actor=actor, is_manager=False, now=now)


def name_bo(order):
    with unit_of_work():
        bo = {"name": "Bo Collector", "email": "bo@example.com"}
        collectors.name_collector(queries.lock_order(order.id), bo, actor=Actor("customer"), now=utcnow())


def english_left(page):
    """Messages of the pages that are shown in English, though they have a translation."""
    catalogue = languages.words_of(page.locator("html").get_attribute("lang"))
    shown = page.locator("body").inner_text()
    wholes = [each for each in catalogue._catalog if isinstance(each, str) and len(each) > 7 and "%" not in each]
    return [each for each in wholes if re.search(rf"\b{re.escape(each)}\b", shown) and catalogue.gettext(each) != each]


@pytest.mark.parametrize("size", SIZES, ids=lambda size: f"{size[0]}x{size[1]}")
@pytest.mark.parametrize("code", languages.LANGUAGES)
def test_every_stage_in_every_language(open_page, world, order, code, size):
    page = open_page(
        viewport={"width": size[0], "height": size[1]}, locale={"es": "es-MX", "zh": "zh-CN"}.get(code, code)
    )
    stages = {
        "reserved": (),
        "ready": (service.start_picking, service.mark_ready),
        "collected": (hand_over,),
    }
    name_bo(order)
    token, theirs = order.page_token, world.order(order.id).collector_token

    def check(path, name, everywhere=False):
        if not everywhere and size != PHONE:
            return
        page.goto(path)
        expect(page.locator("html")).to_have_attribute("lang", code)
        assert_accessible(page, f"customer-{code}-{name}")
        assert code == "en" or english_left(page) == []

    for stage, steps in stages.items():
        act(order, *steps)
        check(f"/p/{token}", stage, everywhere=True)
        check(f"/p/{theirs}", f"{stage}-collector")
        if stage == "reserved":
            check(f"/p/{token}/cancel", "cancel")
            check(f"/p/{token}/collector", "who-collects")
    check(f"/p/{token}/receipt", "receipt", everywhere=True)
    check("/p/nobody-has-this-token-at-all", "unknown")
    check("/nowhere", "error")


@pytest.mark.parametrize("javascript", [True, False])
def test_the_switch_leads_back_to_the_page_and_counts_from_then_on(open_page, order, javascript):
    page = open_page(viewport={"width": 390, "height": 844}, java_script_enabled=javascript)
    act(order, service.start_picking, service.mark_ready)
    page.goto(f"/p/{order.page_token}")
    for code, language in reversed(languages.LANGUAGES.items()):
        page.get_by_role("link", name=language.name, exact=True).click()
        expect(page.get_by_role("heading", level=1)).to_have_text(READY[code])
        expect(page).to_have_url(re.compile(rf"/p/{order.page_token}$"))
        expect(page.locator(".languages [aria-current]")).to_have_text(language.name)
    page.get_by_role("link", name="Español").click()
    page.goto(f"/p/{order.page_token}/collector")
    expect(page.get_by_role("heading", level=1)).to_have_text("¿Quién recogerá?")


def test_the_switch_works_by_keyboard(page, order):
    page.goto(f"/p/{order.page_token}")
    page.get_by_role("link", name="Español").focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_have_text("La tienda tiene sus artículos")


def test_an_order_knows_its_customers_language_and_the_switch_knows_better(page, world, order):
    with unit_of_work():
        queries.lock_order(order.id).locale = "es"
    page.goto(f"/p/{order.page_token}")
    expect(page.locator("html")).to_have_attribute("lang", "es")
    page.get_by_role("link", name="English").click()
    expect(page.locator("html")).to_have_attribute("lang", "en")


def test_the_page_renews_itself_in_its_language(open_page, order):
    page = open_page(locale="es-US")
    page.clock.install()
    page.goto(f"/p/{order.page_token}")
    act(order, service.start_picking)
    page.clock.run_for(11_000)
    expect(page.locator("#news")).to_have_text("Estamos preparando sus artículos")
    page.context.set_offline(True)
    expect(page.locator("#stale")).to_contain_text("Sin conexión")


@pytest.mark.parametrize("width", [320, 390, 768])
@pytest.mark.parametrize("code", ["es-MX", "zh-CN", "en"])
def test_it_fits_from_left_to_right_and_from_right_to_left(open_page, world, order, code, width):
    page = open_page(viewport={"width": width, "height": 844}, locale=code)
    name_bo(order)
    act(order, service.start_picking, service.mark_ready)
    page.goto(f"/p/{order.page_token}")
    for direction in ("ltr", "rtl"):
        page.evaluate("direction => (document.documentElement.dir = direction)", direction)
        shoot(page, f"customer-{code}-{direction}")
        assert page.evaluate(FITS), direction


def test_the_way_is_drawn_for_the_customer_and_not_for_the_collector(page, world, order):
    name_bo(order)
    page.goto(f"/p/{order.page_token}")
    drawing = page.get_by_role("img", name="Map")
    expect(drawing).to_be_visible()
    expect(drawing).to_contain_text("You")
    expect(drawing).to_have_accessible_description(re.compile(r"^\d+(\.\d)? mi to the [a-z-]+$"))
    page.goto(f"/p/{world.order(order.id).collector_token}")
    expect(page.get_by_role("img", name="Map")).to_be_visible()
    expect(page.get_by_role("img", name="Map")).not_to_contain_text("You")
