"""The pages about webhooks: how it goes, what was sent, sending again, and who may."""

import uuid
from datetime import timedelta

import pytest
from sqlalchemy import select, update

from pickup.core import outbox
from pickup.core.clock import utcnow
from pickup.core.db import db, unit_of_work
from pickup.webhooks.models import WebhookAttempt, WebhookDelivery, WebhookEndpoint
from pickup.webhooks.publishing import publish
from tests.integration.managers import (
    HEAD_OFFICE,
    MANAGER,
    file_of,
    next_of,
    page,
    rows_of,
    send,
    signed_in,
    trail,
    two_stores,
    words_of,
)

LIST = "/admin/webhooks"
URL = "https://shop.example.com/hooks?key=hidden"


@pytest.fixture
def head_office(app, world):
    two_stores(world)
    return signed_in(app, HEAD_OFFICE)


@pytest.fixture
def order(world, shop, head_office):
    world.stock(world.store("3"), world.product("A"), 10)
    return world.place(shop, {"A": 1}, {"store_ref": "3"})


@pytest.fixture
def endpoint(shop, order):
    """One that has got an event, has given one up, and waits for another."""
    made = shop.post("/v1/webhook-endpoints", {"url": URL, "events": ["order.ready"]}).json
    now = utcnow()
    for number in range(3):
        with unit_of_work():
            outbox.emit("order.ready", {order.id: {"step": number}}, at=now)
    with unit_of_work():
        publish(now)
    with unit_of_work():
        done, dead, _ = deliveries()
        done.done_at, done.attempts, done.last_status = now, 1, 200
        dead.dead_at, dead.attempts, dead.last_error = now, 10, "timed out"
        db.session.add(WebhookAttempt(delivery_id=done.id, at=now, status=200, duration_ms=84))
        db.session.add(WebhookAttempt(delivery_id=dead.id, at=now, error="timed <out>", duration_ms=15_000))
        failing = update(WebhookEndpoint).values(failing_since=now - timedelta(hours=1))
        db.session.execute(failing)
    return made


def deliveries():
    db.session.rollback()
    wanted = select(WebhookDelivery).order_by(WebhookDelivery.event_id).execution_options(populate_existing=True)
    return db.session.scalars(wanted).all()


def states():
    return ["done" if each.done_at else "dead" if each.dead_at else "waiting" for each in deliveries()]


def test_the_list_says_how_it_goes(head_office, endpoint):
    html = page(head_office, LIST)

    (row,) = rows_of(html, "Webhook endpoints")
    assert URL in row
    assert "order.ready" in row
    assert "active" in row
    assert "failing" in row
    assert row.endswith("1 1"), "one waits, one was given up"
    assert endpoint["secret"] not in html
    (line,) = file_of(head_office, f"{LIST}?format=csv")
    assert {"url": URL, "state": "active", "waiting": "1", "given_up": "1"}.items() <= line.items()
    assert line["last_delivered_at"]
    assert "secret" not in "".join(line)


def test_nothing_is_there_yet(head_office):
    assert "No shop has asked" in page(head_office, LIST)
    page(head_office, f"{LIST}/{uuid.uuid4()}", 404)
    page(head_office, f"{LIST}/none", 404)
    page(head_office, f"{LIST}?after=nonsense", 422)


def test_the_log_has_every_attempt(head_office, endpoint, order):
    path = f"{LIST}/{endpoint['id']}"
    html = page(head_office, path)

    waiting, dead, done = rows_of(html, "Table of messages")
    assert "200, 84 ms" in done
    assert "arrived" in done
    assert "no answer, 15,000 ms, timed &lt;out&gt;" in dead
    assert "given up" in dead
    assert "waiting" in waiting
    assert f"/admin/orders/{order.id}" in html
    assert endpoint["secret"] not in html
    for state, row in (("waiting", waiting), ("dead", dead), ("done", done)):
        assert rows_of(page(head_office, f"{path}?state={state}"), "Table of messages") == [row]
    lines = file_of(head_office, f"{path}?format=csv&state=dead")
    assert [(line["order"], line["attempts"], line["last_error"]) for line in lines] == [
        (str(order.number), "10", "timed out")
    ]


def test_the_log_comes_in_pages(head_office, endpoint, order):
    for number in range(30):
        with unit_of_work():
            outbox.emit("order.ready", {order.id: {"step": number}}, at=utcnow())
    with unit_of_work():
        publish(utcnow())
    path = f"{LIST}/{endpoint['id']}"

    first = page(head_office, path)
    second = page(head_office, next_of(first))

    assert (len(rows_of(first, "Table of messages")), len(rows_of(second, "Table of messages"))) == (25, 8)
    assert len(file_of(head_office, f"{path}?format=csv")) == 33


def test_one_is_sent_again(head_office, endpoint):
    path = f"{LIST}/{endpoint['id']}"
    page(head_office, path)
    _, dead, waiting = deliveries()

    html = send(head_office, f"{path}/deliveries/{dead.id}/send-again")

    assert "1 is sent again." in words_of(html)
    assert states() == ["done", "waiting", "waiting"]
    assert deliveries()[1].attempts == 0
    send(head_office, f"{path}/deliveries/{waiting.id}/send-again", 404)
    assert [(who, action, detail) for who, action, _, detail in trail()] == [
        (
            "Olga",
            "send_webhooks_again",
            {"client": deliveries_client(endpoint), "url": "https://shop.example.com/hooks", "messages": 1},
        )
    ]


def deliveries_client(endpoint):
    from pickup.core.models import ApiClient

    row = db.session.get(WebhookEndpoint, uuid.UUID(endpoint["id"]))
    return db.session.get(ApiClient, row.client_id).name


def test_all_are_sent_again_and_none_of_another_endpoint(head_office, endpoint, world, order):
    other = world.client("shop")
    other.post("/v1/webhook-endpoints", {"url": "https://other.example.com/", "events": ["price.changed"]})
    with unit_of_work():
        outbox.emit("price.changed", {uuid.uuid4(): {}}, at=utcnow())
    with unit_of_work():
        publish(utcnow())
    with unit_of_work():
        for each in deliveries():
            each.done_at, each.dead_at = None, utcnow()
    path = f"{LIST}/{endpoint['id']}"
    page(head_office, path)
    theirs = deliveries()[-1]

    assert "3 are sent again." in words_of(send(head_office, f"{path}/send-again", state="dead"))
    assert states() == ["waiting"] * 3 + ["dead"]
    send(head_office, f"{path}/deliveries/{theirs.id}/send-again", 404)
    assert states()[-1] == "dead"


def test_it_is_paused_and_resumed(head_office, shop, endpoint):
    path, api = f"{LIST}/{endpoint['id']}", f"/v1/webhook-endpoints/{endpoint['id']}"
    page(head_office, path)

    assert "It is paused" in words_of(send(head_office, f"{path}/pause"))
    assert shop.get(api).json["status"] == "paused"
    assert "It is sent to again." in words_of(send(head_office, f"{path}/resume"))
    assert (shop.get(api).json["status"], shop.get(api).json["failing_since"]) == ("active", None)
    assert [action for _, action, _, _ in trail()] == ["pause_webhook_endpoint", "resume_webhook_endpoint"]


def test_one_that_said_it_is_gone_is_resumed(head_office, shop, endpoint):
    with unit_of_work():
        db.session.execute(update(WebhookEndpoint).values(disabled_at=utcnow(), disabled_why="gone"))
    path = f"{LIST}/{endpoint['id']}"

    assert "410" in page(head_office, path)
    send(head_office, f"{path}/resume")

    assert shop.get(f"/v1/webhook-endpoints/{endpoint['id']}").json["status"] == "active"


def test_one_that_the_shop_has_removed_is_not_there(head_office, shop, endpoint):
    shop.send("DELETE", f"/v1/webhook-endpoints/{endpoint['id']}", b"")

    assert "No shop has asked" in page(head_office, LIST)
    page(head_office, f"{LIST}/{endpoint['id']}", 404)


def test_a_manager_of_a_store_sees_and_changes_nothing(app, endpoint):
    manager, path = signed_in(app, MANAGER), f"{LIST}/{endpoint['id']}"
    for each in (LIST, path):
        page(manager, each, 403)
    page(manager, "/admin/stores")
    for each in ("pause", "resume", "send-again", "deliveries/1/send-again"):
        assert manager.post(f"{path}/{each}").status_code == 403
    assert states() == ["done", "dead", "waiting"]
    assert LIST not in page(manager, "/admin")
