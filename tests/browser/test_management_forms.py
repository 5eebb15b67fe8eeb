"""The pages on which managers change something: by hand, by keyboard, on a desk, a tablet and a telephone."""

import re
from datetime import timedelta

import pytest
from playwright.sync_api import Page, expect

from pickup.core import outbox
from pickup.core.auth import create_key
from pickup.core.clock import utcnow
from pickup.core.db import db, unit_of_work
from pickup.core.models import OutboxTask
from pickup.staff.models import Device, StaffMember
from pickup.webhooks.models import WebhookAttempt, WebhookDelivery, WebhookEndpoint
from pickup.webhooks.publishing import publish
from tests.browser.accessibility import assert_accessible
from tests.integration.managers import HEAD_OFFICE, MANAGER, two_stores

SIZES = [(1024, 768), (768, 1024), (390, 844)]
ERROR = "SMTPRecipientsRefused: 550 ada@example.com: Requested action not taken: mailbox unavailable"


@pytest.fixture
def chain(world, shop):
    """A store with everything that these pages can show."""
    here, _ = two_stores(world)
    milk = world.product("MILK", name="Fluid milk, white only, from cows that are out on the meadow, one gallon")
    world.stock(here, milk, 1200, safety_stock=5)
    shop.post("/v1/webhook-endpoints", {"url": f"https://shop.example.com/hooks/{'of-a-long-address/' * 6}"})
    order = world.place(shop, {"MILK": 2})
    now = utcnow()
    with unit_of_work():
        outbox.emit("order.ready", {order.id: {}}, at=now)
        place = {"store_id": here.id, "enrolled_at": now, "enrolled_by": "Max", "seen_at": now}
        db.session.add(Device(**place, name="Counter, left", token_digest=b"1"))
        db.session.add(Device(**place, name="Back room", token_digest=b"2", revoked_at=now, revoked_by="Max"))
        create_key("till 7", ["pos"])
        create_key("till 7", ["pos"])
        publish(now)
    with unit_of_work():
        log = {"at": now, "error": ERROR, "duration_ms": 15_000}
        for delivery in db.session.query(WebhookDelivery):
            delivery.dead_at, delivery.attempts = now, 10
            db.session.add(WebhookAttempt(delivery_id=delivery.id, **log))
    ids = [id_ for (id_,) in db.session.query(OutboxTask.id)]
    for _ in range(4):
        with unit_of_work():
            outbox.postpone(ids, error=ERROR, now=now)
    with unit_of_work():
        db.session.get(OutboxTask, ids[-1], populate_existing=True).dead_at = now
    return here


def sign_in(page: Page, path: str, pin: str = MANAGER) -> Page:
    page.goto(path)
    page.get_by_label("Store").fill("1")
    page.get_by_label("PIN").fill(pin)
    page.get_by_role("button", name="Sign in").click()
    # On the page that was asked for, whole: who goes on before it is there breaks it off.
    expect(page.get_by_role("button", name="Sign in", exact=True)).to_have_count(0)
    page.wait_for_load_state()
    return page


def person(name: str) -> StaffMember:
    db.session.rollback()
    return db.session.query(StaffMember).filter_by(name=name).one()


@pytest.mark.parametrize("javascript", [True, False])
def test_a_manager_closes_a_day_and_pauses_the_store(open_page, chain, javascript):
    page = sign_in(open_page(java_script_enabled=javascript), "/admin/stores")
    page.get_by_role("link", name="Rogers").click()
    day = (utcnow() + timedelta(days=4)).date().isoformat()

    page.get_by_label("Day", exact=True).fill(day)
    page.get_by_label("Hours", exact=True).fill("sometimes")
    page.get_by_role("button", name="Add the day").click()
    expect(page.get_by_label("Hours", exact=True)).to_have_value("sometimes")
    expect(page.get_by_text("Not the hours of one day")).to_be_visible()
    if javascript:  # axe is a script
        assert_accessible(page)
    page.get_by_label("Hours", exact=True).fill("off")
    page.get_by_role("button", name="Add the day").click()
    expect(page.get_by_role("status")).to_contain_text(day)
    expect(page.get_by_role("row", name="special")).to_contain_text("closed")

    page.get_by_role("button", name="Pause the store").click()
    expect(page.get_by_text("by Max, until somebody resumes it.")).to_be_visible()
    page.get_by_role("button", name="Take orders again").click()
    expect(page.get_by_role("button", name="Pause the store")).to_be_visible()
    page.get_by_role("navigation", name="Management").get_by_role("link", name="People").click()
    page.get_by_role("navigation", name="Management").get_by_role("link", name="Audit").click()
    expect(page.get_by_role("row", name="Set special day")).to_contain_text("off")


def test_what_cannot_be_taken_back_is_asked_for_twice_by_keyboard(open_page, chain):
    page = sign_in(open_page(), f"/admin/staff/{person('Ana').id}")

    page.get_by_text("End Ana …").focus()
    expect(page.get_by_role("button", name="End Ana")).to_be_hidden()
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    expect(page.get_by_role("button", name="End Ana")).to_be_focused()
    assert_accessible(page)
    page.keyboard.press("Enter")

    expect(page.get_by_role("status")).to_contain_text("Ana cannot sign in any more.")


def test_head_office_makes_a_key_that_is_shown_once(open_page, chain):
    page = sign_in(open_page(), "/admin/clients", HEAD_OFFICE)
    page.get_by_label("Name", exact=True).last.fill("Back office")
    page.get_by_label("admin:").check()
    page.get_by_role("button", name="Create and show the key").click()

    expect(page.get_by_role("heading", name="The key of Back office")).to_be_visible()
    expect(page.get_by_text("pk_")).to_be_visible()
    assert_accessible(page)
    page.get_by_role("link", name="I have copied it").click()
    expect(page.get_by_role("row", name="Back office")).to_contain_text("admin")
    expect(page.get_by_text("pk_")).to_have_count(0)


def test_failed_work_is_tried_again(open_page, chain):
    page = sign_in(open_page(), "/admin/tasks")
    page.get_by_role("button", name=re.compile("^Try again now.*Tell the customer")).first.click()
    expect(page.get_by_role("status")).to_have_text("It is tried again now.")

    page.get_by_role("button", name=re.compile("Try all again now.*Reserve goods")).click()
    expect(page.get_by_role("status")).to_contain_text("tried again now: reserve goods")


def test_a_list_is_a_file_too(open_page, chain):
    page = sign_in(open_page(), "/admin/stock")
    with page.expect_download() as download:
        page.get_by_role("link", name="Download CSV").click()

    assert download.value.suggested_filename == "stock.csv"


@pytest.mark.parametrize("size", SIZES)
def test_everything_is_accessible(open_page, chain, size):
    page = sign_in(open_page(viewport={"width": size[0], "height": size[1]}), "/admin/stores", HEAD_OFFICE)
    for path in (
        "/admin/stores",
        "/admin/stores?q=nothing-like-it",
        "/admin/stores/1",
        "/admin/staff?left=1",
        "/admin/staff/new",
        f"/admin/staff/{person('Max').id}",
        f"/admin/staff/{person('Olga').id}",
        "/admin/staff/devices",
        "/admin/audit",
        "/admin/audit?order=1",
        "/admin/clients",
        "/admin/clients/1",
        "/admin/clients/2",
        "/admin/webhooks",
        f"/admin/webhooks/{db.session.query(WebhookEndpoint.id).first()[0]}",
        "/admin/stock",
        "/admin/stock/MILK",
        "/admin/stock/NONE",
        "/admin/tasks",
        "/admin/tasks?kind=clear_store",
    ):
        page.goto(path)
        for summary in page.locator("summary:visible").all():
            summary.click()
        assert_accessible(page)
