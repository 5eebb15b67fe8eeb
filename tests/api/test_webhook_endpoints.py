"""Webhook endpoints over the API: made, changed, removed, their secrets, what is replayed, and the log."""

import base64
import uuid
from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import select, update

from pickup.core import outbox
from pickup.core.clock import rfc3339, utcnow
from pickup.core.db import db, unit_of_work
from pickup.core.models import Event
from pickup.webhooks import service
from pickup.webhooks.models import WebhookAttempt, WebhookDelivery, WebhookEndpoint
from pickup.webhooks.publishing import publish

PATH = "/v1/webhook-endpoints"
URL = "https://shop.example.com/hooks"


def add(client, url=URL, **body):
    answer = client.post(PATH, {"url": url, **body})
    assert answer.status_code == 201, answer.text
    return answer.json


def patch(client, endpoint, body):
    headers = {"Authorization": f"Bearer {client.key}"}
    return client.app.test_client().patch(f"{PATH}/{endpoint['id']}", json=body, headers=headers)


def delete(client, endpoint):
    return client.send("DELETE", f"{PATH}/{endpoint['id']}", b"")


def happen(*events):
    """Events, committed and public; their ids."""
    with unit_of_work():
        for event_type, subject in events:
            outbox.emit(event_type, {subject: {}}, at=utcnow())
    with unit_of_work():
        publish(utcnow())
    return list(db.session.scalars(select(Event.id).order_by(Event.id.desc()).limit(len(events))))[::-1]


def deliveries(endpoint):
    db.session.rollback()
    wanted = select(WebhookDelivery).where(WebhookDelivery.endpoint_id == uuid.UUID(endpoint["id"]))
    return db.session.scalars(wanted.order_by(WebhookDelivery.event_id).execution_options(populate_existing=True)).all()


def change_all(**values):
    with unit_of_work():
        db.session.execute(update(WebhookDelivery).values(**values))


def row(endpoint):
    db.session.rollback()
    return db.session.get(WebhookEndpoint, uuid.UUID(endpoint["id"]), populate_existing=True)


@pytest.fixture
def order(world, shop):
    world.stock(world.store(), world.product("A"), 10)
    return world.place(shop, {"A": 1})


def test_an_endpoint_has_a_secret_that_is_shown_once(shop):
    made = add(shop, events=["order.ready", "order.placed", "order.ready"])

    assert made["secret"].startswith("whsec_")
    assert len(base64.b64decode(made["secret"].removeprefix("whsec_"), validate=True)) == 32
    assert (made["url"], made["status"], made["events"]) == (URL, "active", ["order.placed", "order.ready"])
    shown = shop.get(f"{PATH}/{made['id']}").json
    assert shown == {name: value for name, value in made.items() if name != "secret"}
    assert shop.get(PATH).json == {"data": [shown], "next": None}


def test_the_list_comes_in_pages(shop):
    ids = [add(shop)["id"] for _ in range(3)]

    first = shop.get(PATH, limit=2).json
    second = shop.get(PATH, limit=2, after=first["next"]).json

    assert [each["id"] for each in first["data"] + second["data"]] == ids
    assert second["next"] is None
    assert shop.get(PATH, after="nonsense").status_code == 422


def test_another_clients_endpoint_is_not_there(world, shop):
    made = add(shop)
    other = world.client("shop")
    path = f"{PATH}/{made['id']}"

    answers = [
        other.get(path),
        other.get(f"{path}/deliveries"),
        patch(other, made, {"url": "https://evil.example.com/"}),
        delete(other, made),
        other.post(f"{path}/rotate-secret"),
        other.post(f"{path}/replay", {"since": rfc3339(utcnow())}),
        shop.get(f"{PATH}/none"),
    ]

    assert {(each.status_code, each.json["code"]) for each in answers} == {(404, "webhook_endpoint_not_found")}
    assert other.get(PATH).json["data"] == []
    assert row(made).url == URL
    assert row(made).secret == made["secret"]


def test_shops_only(world):
    for scope in ("pos", "admin"):
        assert world.client(scope).get(PATH).status_code == 403


def test_twenty_are_enough(world, shop):
    made = [add(shop) for _ in range(service.ENDPOINTS_MAX)]

    answer = shop.post(PATH, {"url": URL})
    assert (answer.status_code, answer.json["code"]) == (409, "too_many_webhook_endpoints")
    add(world.client("shop"))
    delete(shop, made[0])
    add(shop)


# What its name leads to is looked at when something is sent (tests/unit/test_posting.py); here is what it says itself.
REFUSED = (
    "",
    "shop.example.com/hooks",
    "ftp://shop.example.com/",
    "http://shop.example.com/",
    "https://",
    "https:///hooks",
    "https://user@shop.example.com/",
    "https://user:word@shop.example.com/",
    "https://shop.example.com/#part",
    "https://shop.example.com/#",
    "https://shop.example.com:8443/",
    "https://shop.example.com:99999/",
    "https://[::1/",
    "https://shop.example.com/a b",
    "https://shop.example.com\\@evil.example.com/",
    "https://shop.example.com/é",
    "https://localhost/",
    "https://LOCALHOST./",
    "https://a.localhost/",
    "https://127.0.0.1/",
    "https://[::1]/",
    "https://10.0.0.1/",
    "https://192.168.1.1/",
    "https://169.254.169.254/latest/meta-data",
    "https://[fd00::1]/",
    "https://2130706433/",
    "https://0x7f.1/",
    "https://intranet/",
    "https://nas.local/",
    "https://metadata.google.internal/",
    "https://shop.example.com/" + "x" * 2000,
)


@pytest.mark.parametrize("url", REFUSED, ids=lambda url: url[:40])
def test_an_address_that_nothing_may_be_sent_to_is_refused_by_name(shop, monkeypatch, url):
    settings = replace(shop.app.extensions["settings"], post_to_loopback=False)
    monkeypatch.setitem(shop.app.extensions, "settings", settings)
    made = add(shop)

    for answer in (shop.post(PATH, {"url": url}), patch(shop, made, {"url": url})):
        assert answer.status_code == 422
        assert [error["pointer"] for error in answer.json["errors"]] == ["/url"]
    assert len(shop.get(PATH).json["data"]) == 1


@pytest.mark.parametrize("url", ["http://127.0.0.1:9000/hooks", "http://localhost/", "http://[::1]:1/"])
def test_for_development_it_may_be_this_machine(shop, monkeypatch, url):
    settings = replace(shop.app.extensions["settings"], post_to_loopback=True)
    monkeypatch.setitem(shop.app.extensions, "settings", settings)

    assert add(shop, url)["url"] == url
    assert shop.post(PATH, {"url": "https://10.0.0.1/"}).status_code == 422


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({}, "/url"),
        ({"url": None}, "/url"),
        ({"url": 5}, "/url"),
        ({"url": URL, "events": ["order.lost"]}, "/events/0"),
        ({"url": URL, "events": "order.ready"}, "/events"),
        ({"url": URL, "events": None}, "/events"),
        ({"url": URL, "secret": "mine"}, "/secret"),
    ],
)
def test_a_bad_field_is_named(shop, body, pointer):
    answer = shop.post(PATH, body)

    assert answer.status_code == 422
    assert [error["pointer"] for error in answer.json["errors"]] == [pointer]


def test_what_is_left_out_of_a_change_stays(shop):
    made = add(shop, events=["order.ready"])

    assert patch(shop, made, {}).json["events"] == ["order.ready"]
    assert patch(shop, made, {"events": []}).json["events"] == []
    changed = patch(shop, made, {"url": "https://other.example.com/"}).json

    assert (changed["url"], changed["events"], changed["status"]) == ("https://other.example.com/", [], "active")
    assert patch(shop, made, {"status": "gone"}).status_code == 422


def test_one_that_is_removed_is_gone_and_its_row_stays(shop, order):
    made = add(shop)
    happen(("order.ready", order.id))

    assert delete(shop, made).status_code == 204
    assert delete(shop, made).status_code == 404

    assert shop.get(PATH).json["data"] == []
    left = row(made)
    assert (left.disabled_why, left.secret) == ("removed", "")
    assert all(each.dead_at for each in deliveries(made))
    happen(("order.collected", order.id))
    assert len(deliveries(made)) == 2, "what was placed before, and what was ready: nothing after that"


def test_the_old_secret_goes_on_for_a_while(shop):
    made = add(shop)

    rotated = shop.post(f"{PATH}/{made['id']}/rotate-secret", {"overlap_hours": 2}).json
    left = row(made)
    assert rotated["secret"] == left.secret != made["secret"] == left.old_secret
    assert rotated["old_secret_until"] == rfc3339(left.old_secret_until)
    assert timedelta(hours=1, minutes=59) < left.old_secret_until - utcnow() <= timedelta(hours=2)
    assert "secret" not in shop.get(f"{PATH}/{made['id']}").json

    again = shop.post(f"{PATH}/{made['id']}/rotate-secret").json
    left = row(made)
    assert (left.old_secret, left.secret) == (rotated["secret"], again["secret"])
    assert left.old_secret_until - utcnow() > timedelta(hours=23)

    lost = shop.post(f"{PATH}/{made['id']}/rotate-secret", {"overlap_hours": 0}).json
    left = row(made)
    assert (left.old_secret, left.old_secret_until, lost["old_secret_until"]) == (None, None, None)
    assert shop.post(f"{PATH}/{made['id']}/rotate-secret", {"overlap_hours": 1000}).status_code == 422


def test_what_happens_while_it_is_paused_is_not_planned_and_can_be_replayed_in_order(shop, order):
    begun = utcnow()
    made = add(shop, events=["order.reserved", "order.ready", "order.collected"])
    (first,) = happen(("order.reserved", order.id))
    change_all(done_at=utcnow(), attempts=1, last_status=200)
    assert patch(shop, made, {"status": "paused"}).json["status"] == "paused"
    (second,) = happen(("order.ready", order.id))
    assert patch(shop, made, {"status": "active"}).json["status"] == "active"
    (third,) = happen(("order.collected", order.id))
    assert [each.event_id for each in deliveries(made)] == [first, third]

    answer = shop.post(f"{PATH}/{made['id']}/replay", {"since": rfc3339(begun)})

    assert (answer.status_code, answer.json) == (202, {"count": 3})
    found = deliveries(made)
    assert [each.event_id for each in found] == [first, second, third]
    assert all(each.done_at is None and each.dead_at is None and each.attempts == 0 for each in found)


def test_a_replay_is_of_its_span_and_of_what_the_endpoint_is_for(world, shop, order):
    made = add(shop, events=["order.ready"])
    with unit_of_work():
        db.session.execute(update(Event).values(at=utcnow() - timedelta(days=3)))
    other = world.client("shop")
    theirs = world.place(other, {"A": 1})
    happen(
        ("order.ready", order.id), ("order.placed", order.id), ("order.ready", theirs.id), ("order.unpaid", order.id)
    )
    now, path = utcnow(), f"{PATH}/{made['id']}/replay"

    assert shop.post(path, {"since": rfc3339(now - timedelta(hours=1))}).json == {"count": 1}
    span = {"since": rfc3339(now - timedelta(days=4)), "until": rfc3339(now - timedelta(days=2))}
    assert shop.post(path, span).json == {"count": 0}
    for wrong in ({"since": rfc3339(now), "until": rfc3339(now)}, {}, {"since": "yesterday"}):
        assert shop.post(path, wrong).status_code == 422


def test_a_replay_leaves_what_is_in_hand_and_hastens_what_waits(shop, order):
    made = add(shop, events=["order.ready", "order.collected"])
    happen(("order.ready", order.id), ("order.collected", order.id))
    now = utcnow()
    in_hand, waits = now + timedelta(seconds=60), now + timedelta(hours=20)
    with unit_of_work():
        first, second = deliveries(made)
        first.due_at, first.attempts = in_hand, 3
        second.due_at, second.attempts = waits, 8

    assert shop.post(f"{PATH}/{made['id']}/replay", {"since": rfc3339(now - timedelta(hours=1))}).json == {"count": 2}

    first, second = deliveries(made)
    assert (first.due_at, first.attempts) == (in_hand, 3)
    assert (second.attempts, second.due_at < now + timedelta(minutes=1)) == (0, True)


def test_too_much_is_not_replayed_at_once(shop, order, monkeypatch):
    monkeypatch.setattr(service, "REPLAYED_MAX", 2)
    made = add(shop, events=["order.ready"])
    change_all(done_at=utcnow())
    happen(*[("order.ready", order.id)] * 3)
    change_all(done_at=utcnow())

    answer = shop.post(f"{PATH}/{made['id']}/replay", {"since": rfc3339(utcnow() - timedelta(hours=1))})

    assert (answer.status_code, answer.json["errors"][0]["pointer"]) == (422, "/since")
    assert all(each.done_at for each in deliveries(made))


def test_the_log_tells_each_attempt(shop, order):
    made = add(shop, events=["order.ready", "order.collected", "price.changed"])
    ready, collected, changed = happen(
        ("order.ready", order.id), ("order.collected", order.id), ("price.changed", uuid.uuid4())
    )
    now = utcnow()
    with unit_of_work():
        done, dead, _ = deliveries(made)
        done.done_at, done.attempts = now, 2
        dead.dead_at, dead.attempts = now, 10
        for status, error in ((None, "timed out"), (204, None)):
            db.session.add(WebhookAttempt(delivery_id=done.id, at=now, status=status, error=error, duration_ms=15_000))
    path = f"{PATH}/{made['id']}/deliveries"

    log = shop.get(path).json["data"]

    assert [(each["id"], each["type"], each["status"]) for each in log] == [
        (f"msg_{changed}", "price.changed", "waiting"),
        (f"msg_{collected}", "order.collected", "dead"),
        (f"msg_{ready}", "order.ready", "done"),
    ]
    assert [each["order_id"] for each in log] == [None, str(order.id), str(order.id)]
    assert [each["next_attempt_at"] is None for each in log] == [False, True, True]
    assert log[2]["attempts"] == [
        {"at": rfc3339(now), "status": None, "error": "timed out", "duration_ms": 15_000},
        {"at": rfc3339(now), "status": 204, "error": None, "duration_ms": 15_000},
    ]
    for status, position in (("waiting", 0), ("dead", 1), ("done", 2)):
        assert shop.get(path, status=status).json["data"] == [log[position]]
    first = shop.get(path, limit=2).json
    assert shop.get(path, limit=2, after=first["next"]).json == {"data": log[2:], "next": None}
    assert shop.get(path, status="lost").status_code == 422
