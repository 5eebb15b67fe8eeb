"""The tablet in three languages: everything has its words and fits, and the switch reaches what works offline."""

import re

import pytest
from playwright.sync_api import expect

from pickup.core.clock import utcnow
from pickup.core.db import db, unit_of_work
from pickup.orders import queries
from pickup.orders.service import arrive
from pickup.staff import service
from tests.browser.accessibility import assert_accessible
from tests.browser.screenshots import shoot
from tests.browser.test_languages import ASKED_FOR, FITS, english_left

SIZES = [(390, 844), (768, 1024)]
SIGN_IN = {"en": "Sign in", "es": "Iniciar sesión", "zh": "登录"}
STORE = {"en": "Store", "es": "Tienda", "zh": "门店"}
TO_PICK = {"en": "To pick", "es": "Por preparar", "zh": "待拣货"}
NO_NETWORK = {"en": "No network.", "es": "Sin red.", "zh": "没有网络。"}
NOT_THE_CODE = {"en": "That is not the code", "es": "Ese no es el código", "zh": "这不是此订单的取货码"}
WAITS = {"es": r"espera \d+ min \d+ s", "zh": r"已等 \d+ 分 \d+ 秒"}

KEPT = """async (lang) => {
  await navigator.serviceWorker.ready;
  for (;;) {
    const shell = await caches.match("/staff/offline");
    if (shell && (await shell.text()).includes(`<html lang="${lang}"`)) return;
    await new Promise((go) => setTimeout(go, 50));
  }
}"""


@pytest.fixture
def orders(world, shop):
    """One in each column of the board, by its status, and of the ready ones a customer who is here."""
    store = world.store("1", name="Rogers Supercenter")
    world.stock(store, world.product("A", name="Milk", department="DAIRY", gtin="012345678905"), 50)
    world.stock(store, world.product("B", name="Pan", department="BAKERY", minimum_age=21), 50)
    with unit_of_work():
        ana = service.create_member(store_ref="1", name="Ana", role="manager", pin="1234")
    made = {status: world.place(shop, {"A": 2, "B": 1}) for status in ("reserved", "picking", "ready", "here")}
    world.work()
    steps = {"picking": [service.start_picking], "ready": [service.start_picking, service.mark_ready]}
    steps["here"] = steps["ready"]
    for status, order in made.items():
        for step in steps.get(status, ()):
            with unit_of_work():
                step(ana, order.id, now=utcnow())
    with unit_of_work():
        arrive(queries.lock_order(made["here"].id), bay="4", car="Kia", note=None, now=utcnow())
    with unit_of_work():
        found = {status: (order.id, queries.get_order(order.id).wave_id) for status, order in made.items()}
    db.session.rollback()
    return found


def sign_in(page, code):
    page.goto("/staff")
    page.get_by_label(STORE[code], exact=True).fill("1")
    page.get_by_label("PIN").fill("1234")
    page.get_by_role("button", name=SIGN_IN[code], exact=True).click()
    expect(page.get_by_role("region", name=TO_PICK[code])).to_be_visible()
    return page


@pytest.mark.parametrize("size", SIZES, ids=lambda size: f"{size[0]}x{size[1]}")
@pytest.mark.parametrize("code", ["es", "zh"])
def test_every_page_in_every_language(open_page, orders, code, size):
    page = open_page(viewport={"width": size[0], "height": size[1]}, locale=ASKED_FOR[code])

    def check(name):
        expect(page.locator("html")).to_have_attribute("lang", code)
        assert_accessible(page, f"tablet-{code}-{name}")
        assert english_left(page) == [], name

    page.goto("/staff/sign-in")
    check("sign-in")
    sign_in(page, code)
    expect(page.locator(".waits")).to_have_text(re.compile(WAITS[code]))
    check("board")
    for status in ("reserved", "picking", "ready"):
        page.goto(f"/staff/orders/{orders[status][0]}")
        check(f"order-{status}")
    page.locator("#code").fill("nothing")
    page.locator("#code").press("Enter")
    expect(page.get_by_role("alert")).to_contain_text(NOT_THE_CODE[code])
    check("wrong-code")
    for path, name in (
        (f"/staff/waves/{orders['picking'][1]}", "pick-list"),
        (f"/staff/orders/{orders['ready'][0]}/part", "part"),
        (f"/staff/orders/{orders['ready'][0]}/slip", "slip"),
        ("/staff/waves/new", "choose"),
        ("/staff/find?q=milk", "found"),
        ("/staff/device", "device"),
        ("/staff/orders/00000000-0000-0000-0000-000000000000", "unknown"),
    ):
        page.goto(path)
        check(name)
    page.goto(f"/staff/orders/{orders['picking'][0]}")
    page.locator(".missing button").first.click()
    expect(page.locator("#question")).to_be_visible()
    check("missing")


@pytest.mark.parametrize("size", SIZES, ids=lambda size: f"{size[0]}x{size[1]}")
@pytest.mark.parametrize("code", ["es", "zh"])
def test_the_page_without_a_network_follows_the_switch(open_page, orders, code, size):
    viewport = {"width": size[0], "height": size[1]}
    page = sign_in(open_page(viewport=viewport, locale="en-US", service_workers="allow"), "en")
    page.evaluate(KEPT, "en")
    page.locator(f".languages [lang={code}]").click()
    expect(page.get_by_role("region", name=TO_PICK[code])).to_be_visible()
    page.evaluate(KEPT, code)
    # The board goes there by itself; another page waits for somebody who opens it.
    page.goto(f"/staff/orders/{orders['reserved'][0]}")
    page.context.set_offline(True)
    page.goto("/staff")
    expect(page.locator("html")).to_have_attribute("lang", code)
    expect(page.locator("#network")).to_have_text(NO_NETWORK[code])
    expect(page.locator("#board article")).to_have_count(4)
    assert_accessible(page, f"tablet-{code}-offline")
    assert english_left(page) == []


def test_the_switch_is_at_the_door_too_and_counts_for_all_pages(page, orders):
    page.goto("/staff/device")
    page.get_by_role("link", name="Español").click()
    expect(page.get_by_role("button", name="Iniciar sesión")).to_be_visible()
    assert "next=" in page.url
    sign_in(page, "es")
    page.locator("#lock button").click()
    expect(page.get_by_role("button", name="Continuar")).to_be_visible()


@pytest.mark.parametrize("width", [390, 768])
@pytest.mark.parametrize("code", ["en", "es"])
def test_it_fits_from_right_to_left(open_page, orders, code, width):
    page = open_page(viewport={"width": width, "height": 1024}, locale=ASKED_FOR[code])

    def check(name):
        page.evaluate("document.documentElement.dir = 'rtl'")
        shoot(page, f"tablet-{code}-rtl-{name}")
        assert page.evaluate(FITS), name

    page.goto("/staff/sign-in")
    check("sign-in")
    sign_in(page, code)
    check("board")
    page.goto(f"/staff/orders/{orders['ready'][0]}")
    check("order")
    page.goto(f"/staff/waves/{orders['picking'][1]}")
    check("pick-list")
