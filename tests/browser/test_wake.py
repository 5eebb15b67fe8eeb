"""A tablet that is called while it sleeps: what the service worker makes of a push message."""

import json

import pytest
from playwright.sync_api import expect

from pickup.core.db import unit_of_work
from pickup.staff import service


@pytest.fixture
def page(open_page, world):
    world.store("1", name="Rogers", opening_hours="24/7")
    with unit_of_work():
        service.create_member(store_ref="1", name="Ana", role="associate", pin="1234")
    page = open_page(service_workers="allow")
    page.goto("/staff")
    page.get_by_label("Store").fill("1")
    page.get_by_label("PIN").fill("1234")
    with page.expect_navigation():
        page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_label("Pickup code")).to_be_visible()
    # Only now, lest the page subscribes: a private window, as tests have it, has no push service.
    page.context.grant_permissions(["notifications"])
    return page


def test_it_says_who_calls(page):
    page.evaluate("navigator.serviceWorker.ready.then(() => true)")
    session = page.context.new_cdp_session(page)
    found = []
    session.on("ServiceWorker.workerRegistrationUpdated", lambda event: found.extend(event["registrations"]))
    session.send("ServiceWorker.enable")
    page.wait_for_function("navigator.serviceWorker.controller !== null")
    while not found:
        page.wait_for_timeout(20)
    worker = {"origin": page.evaluate("origin"), "registrationId": found[0]["registrationId"]}
    words = {"title": "Order 1000001", "body": "Ready by 14:00", "tag": "store_new_order-1"}
    for _ in range(2):  # of one order the newest replaces the one before
        session.send("ServiceWorker.deliverPushMessage", {**worker, "data": json.dumps(words)})
    shown = """
        navigator.serviceWorker.ready
            .then((it) => it.getNotifications())
            .then((all) => all.map(({ title, body }) => [title, body]))
    """
    page.wait_for_function(f"{shown}.then((all) => all.length > 0)")
    assert page.evaluate(shown) == [["Order 1000001", "Ready by 14:00"]]
