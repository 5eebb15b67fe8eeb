"""The tablet in a real browser: by the names that are fixed, by keyboard, on small screens, without JavaScript."""

import re

import pytest
from playwright.sync_api import Page, expect

from pickup.core.clock import utcnow
from pickup.core.db import db, unit_of_work
from pickup.orders import queries
from pickup.orders.service import arrive
from pickup.staff import service

SIZES = [(768, 1024), (1024, 768), (390, 844)]
LONG_NAME = "Wolfeschlegelsteinhausenbergerdorff-Hohenstaufen Maximiliane Friederike"


@pytest.fixture
def store(world):
    made = world.store("1", name="Rogers Supercenter")
    world.stock(made, world.product("A", name="Fluid Milk White Only, 1 ga", department="GROCERY"), 50)
    world.stock(made, world.product("WINE", name="Cabernet Sauvignon, 750 ml", minimum_age=21), 50)
    with unit_of_work():
        service.create_member(store_ref="1", name="Ana", role="associate", pin="1234")
    return made


@pytest.fixture
def place(world, shop, store):
    """Places orders and lets the workers reserve the goods."""

    def make(items=None, status="reserved", **extra):
        order = world.place(shop, items or {"A": 2}, **extra)
        world.work()
        ana = service.queries.members_at(store.id)[0]
        for step in {"reserved": (), "picking": ("start_picking",), "ready": ("start_picking", "mark_ready")}[status]:
            with unit_of_work():
                getattr(service, step)(ana, order.id, now=utcnow())
        db.session.rollback()  # the test waits for the browser now, not the database for the test
        return order

    return make


def sign_in(page: Page, pin: str = "1234") -> Page:
    page.goto("/staff")
    page.get_by_label("Store").fill("1")
    page.get_by_label("PIN").fill(pin)
    with page.expect_navigation():  # whole, with its scripts: what is typed before they are there is nobody's
        page.get_by_role("button", name="Sign in").click()
    return page


def card(page: Page, order):
    return page.get_by_role("article", name=str(order.number))


def section(page: Page, name: str):
    return page.get_by_role("region", name=name)


def hand_over(page: Page, code: str) -> None:
    page.get_by_label("Pickup code").fill(code)
    page.get_by_role("button", name="Hand over").click()


def fits(page: Page) -> bool:
    return page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth")


@pytest.mark.parametrize(("size", "javascript"), [(size, True) for size in SIZES] + [(SIZES[0], False)])
def test_the_way_over_the_counter(open_page, world, place, size, javascript):
    order = place()
    page = sign_in(open_page(viewport={"width": size[0], "height": size[1]}, java_script_enabled=javascript))
    expect(section(page, "To pick").get_by_role("article")).to_contain_text("Fluid Milk White Only, 1 ga")
    expect(card(page, order)).to_contain_text(re.compile("ready by .*Ada Example.*2 ×.*A · GROCERY", re.S))

    card(page, order).get_by_role("button", name="Start picking").click()
    expect(section(page, "Picking").get_by_role("article")).to_have_count(1)
    card(page, order).get_by_role("button", name="Ready").click()
    expect(section(page, "Ready").get_by_role("article")).to_have_count(1)
    expect(page.locator(".toast", has_text=f"Order {order.number} is ready.")).to_be_visible()

    hand_over(page, order.pickup_code.lower().replace("-", " "))
    expect(page.get_by_role("heading", name="Hand out now Ada Example")).to_be_visible()
    expect(page.locator("main").get_by_text(f"Order {order.number}, 2 items. Collected.")).to_be_visible()
    expect(card(page, order)).to_have_count(0)
    if javascript:
        expect(page.locator("#news")).to_have_text("Hand out now Ada Example")
    assert world.order(order.id).status == "collected"
    page.get_by_role("link", name="Done").click()
    expect(page.get_by_text("Hand out now")).to_have_count(0)


def test_by_keyboard_alone(page, world, place):
    order = place()
    page.goto("/staff")
    expect(page.get_by_label("Store")).to_be_focused()
    for keys in ("1", "Tab", "1234", "Enter"):
        page.keyboard.press(keys) if keys in ("Tab", "Enter") else page.keyboard.type(keys)
    expect(page.get_by_label("Pickup code")).to_be_focused()
    for name in ("Start picking", "Ready"):
        press_by_keyboard(page, name)
        expect(page.get_by_role("button", name=name)).to_have_count(0)
    expect(page.get_by_label("Pickup code")).to_be_focused()
    page.keyboard.type(order.pickup_code)
    page.keyboard.press("Enter")
    expect(page.get_by_role("region", name="Hand out now")).to_be_visible()


def press_by_keyboard(page: Page, name: str) -> None:
    for _ in range(30):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.textContent.trim()") == name:
            page.keyboard.press("Enter")
            return
    raise AssertionError(f"Tab does not lead to {name}")


def test_there_is_one_code_field_and_one_button(page, place):
    place(), place(status="ready")
    sign_in(page)
    expect(page.get_by_label("Pickup code")).to_have_count(1)
    expect(page.get_by_role("button", name="Hand over")).to_have_count(1)


def test_a_wrong_pin_keeps_the_store(page, store):
    sign_in(page, "0000")
    expect(page.get_by_role("alert")).to_have_text("Store and PIN do not belong together.")
    expect(page.get_by_label("Store")).to_have_value("1")
    expect(page.get_by_label("PIN")).to_have_value("")
    expect(page.get_by_label("PIN")).to_be_focused()


def test_a_wrong_code_stays_to_be_mended(page, world, place):
    order = place(status="ready")
    sign_in(page)
    hand_over(page, "qqq qqq qqq")
    field = page.get_by_label("Pickup code")
    expect(page.get_by_role("alert")).to_have_text("No order here has the code QQQ-QQQ-QQQ.")
    expect(field).to_be_focused()
    expect(field).to_have_value("qqq qqq qqq")
    assert page.evaluate("getSelection().toString()").lower() == "qqq qqq qqq"
    assert world.order(order.id).status == "ready"
    page.reload()
    expect(page.get_by_role("alert")).to_have_count(0)


def test_the_age_is_asked_before_anything_is_handed_over(page, world, place):
    order = place({"WINE": 1}, status="ready")
    sign_in(page)
    hand_over(page, order.pickup_code)
    expect(page.get_by_role("heading", name="21 or older?")).to_be_visible()
    assert world.order(order.id).status == "ready"
    db.session.rollback()
    page.get_by_role("link", name="keep the goods").click()
    expect(card(page, order)).to_be_visible()
    hand_over(page, order.pickup_code)
    page.get_by_role("button", name="Age checked").click()
    expect(page.get_by_role("region", name="Hand out now")).to_be_visible()
    assert world.order(order.id).status == "collected"


def test_the_order_page_has_its_history_and_its_own_code_form(page, world, place):
    order = place(status="ready")
    sign_in(page)
    card(page, order).get_by_role("link", name=f"Order {order.number}").click()
    expect(page.get_by_role("region", name="What happened")).to_contain_text("Picking started by Ana")
    hand_over(page, "QQQ-QQQ-QQQ")
    expect(page.get_by_role("alert")).to_contain_text("4 tries left")
    hand_over(page, order.pickup_code)
    expect(page.get_by_role("region", name="Hand out now")).to_be_visible()


def test_the_board_refreshes_while_somebody_types(page, place):
    first = place()
    sign_in(page)
    page.get_by_label("Pickup code").press_sequentially("K7M")
    second = place(customer={"name": LONG_NAME, "email": "l@example.com"})
    with unit_of_work():
        arrive(queries.lock_order(first.id), "bay 4, red car", now=utcnow())
    db.session.rollback()
    expect(card(page, second)).to_be_visible()
    here = section(page, "Customer is here")
    expect(here.get_by_role("article", name=str(first.number))).to_contain_text("bay 4, red car")
    expect(page.get_by_label("Pickup code")).to_have_value("K7M")
    expect(page.get_by_label("Pickup code")).to_be_focused()
    expect(page.locator("#news")).to_have_text("A customer is here.")


def test_a_refresh_leaves_the_focus_where_it_is(page, place):
    order = place()
    sign_in(page)
    card(page, order).get_by_role("button").focus()
    other = place()
    expect(card(page, other)).to_be_visible()
    expect(card(page, order).get_by_role("button")).to_be_focused()


def test_a_lost_connection_is_said(page, place):
    with page.expect_response("**/staff/board"):
        sign_in(page)
    page.context.set_offline(True)
    expect(page.get_by_text("No connection.")).to_be_visible()
    page.context.set_offline(False)
    expect(page.get_by_text("No connection.")).to_be_hidden()


def test_who_is_signed_out_elsewhere_is_asked_again(page, store):
    page.clock.install()
    sign_in(page)
    expect(page.get_by_label("Pickup code")).to_be_focused()
    page.context.clear_cookies()
    page.clock.run_for(16000)
    expect(page.get_by_label("PIN")).to_be_visible()


@pytest.mark.parametrize("size", SIZES)
def test_everything_fits_and_fingers_find_it(open_page, place, size):
    order = place(customer={"name": LONG_NAME, "email": "l@example.com"})
    place(status="ready")
    page = sign_in(open_page(viewport={"width": size[0], "height": size[1]}))
    for path in ("/staff", f"/staff/orders/{order.id}"):
        page.goto(path)
        assert fits(page)
        for control in page.get_by_role("button").all() + page.get_by_role("link").all():
            box = control.bounding_box()
            assert box is None or box["height"] >= 44 or "skip" in (control.get_attribute("class") or "")


def test_an_empty_board_says_so(page, store):
    sign_in(page)
    expect(page.get_by_text("Nothing to pick.")).to_be_visible()
    expect(section(page, "Customer is here")).to_have_count(0)


def test_sign_out(page, store):
    sign_in(page)
    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_label("Store")).to_have_value("1")
    page.goto("/staff")
    expect(page.get_by_role("button", name="Sign in")).to_be_visible()


def test_a_new_order_is_there_at_once(page, place):
    with page.expect_response("**/staff/board"):
        sign_in(page)
    # It was told where it stands. From now on it asks by itself only every 15 seconds: what appears was told.
    order = place()

    expect(card(page, order)).to_be_visible()
    expect(page.locator("#news")).to_have_text("1 new to pick.")


def test_where_nobody_tells_it_asks(page, place):
    page.route("**/staff/stream", lambda route: route.abort())
    sign_in(page)

    order = place()

    expect(card(page, order)).to_be_visible(timeout=20_000)


def test_the_tablet_remembers_whether_it_may_ring(page, store):
    sign_in(page)
    sound = page.get_by_role("button", name="Sound")
    expect(sound).to_have_attribute("aria-pressed", "false")

    sound.click()

    expect(sound).to_have_attribute("aria-pressed", "true")
    page.reload()
    expect(page.get_by_role("button", name="Sound")).to_have_attribute("aria-pressed", "true")


def test_a_page_that_nobody_touches_locks_itself(page, store):
    page.clock.install()
    sign_in(page)
    page.clock.fast_forward("04:30")
    page.get_by_label("Pickup code").click()
    page.clock.fast_forward("04:30")
    expect(page.get_by_label("Pickup code")).to_be_visible()
    page.clock.fast_forward("00:40")
    expect(page.get_by_text("This tablet is locked")).to_be_visible()
    page.get_by_label("PIN").fill("1234")
    page.get_by_role("button", name="Go on").click()
    expect(page.get_by_label("Pickup code")).to_be_visible()


def test_what_is_typed_before_the_page_is_ready_stays(page, store):
    sign_in(page)
    expect(page.get_by_label("Pickup code")).to_be_focused()
    held = []
    page.route("**/staff.js*", lambda route: held.append(route))
    page.reload(wait_until="commit")
    expect(page.get_by_label("Pickup code")).to_be_focused()
    page.keyboard.type("K7")
    held.pop().continue_()
    page.wait_for_load_state("load")
    page.keyboard.type("M-2")
    expect(page.get_by_label("Pickup code")).to_have_value("K7M-2")
