"""By which channel somebody is told: their wish, the quiet hours, and the next one where one fails."""

import base64
import hashlib
import hmac
import json
import os
import socket
import sys
import threading
from contextvars import Context
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import http_ece
import pytest
import time_machine
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from sqlalchemy import select, update

from pickup.core import outbox
from pickup.core.clock import utcnow
from pickup.core.db import db, unit_of_work
from pickup.core.models import OutboxTask
from pickup.core.types import new_id
from pickup.notifications import push, service
from pickup.notifications.channels import Busy
from pickup.notifications.models import Message, PushSubscription
from pickup.notifications.sms import STATUS_PATH, TwilioChannel, phone_number
from pickup.orders import telling
from pickup.staff import service as people
from pickup.staff import service as staff
from pickup.stores.models import Store
from tests.tablet import Tablet
from tests.twilio_stand_in import ACCOUNT, BAD_NUMBER, BUSY, SENDER, TOKEN, Twilio

NOON = datetime(2026, 6, 1, 17, tzinfo=UTC)  # in Chicago
FORM = "application/x-www-form-urlencoded"
ADA = {"name": "Ada", "email": "Ada@example.com", "phone": "(479) 273-4000"}


@pytest.fixture
def twilio():
    stand = Twilio().start()
    yield stand
    stand.stop()


@pytest.fixture
def jobs(services):
    from worker import jobs

    return jobs


@pytest.fixture
def channels(jobs, twilio, monkeypatch):
    """The workers have an account for text messages, and nobody is asleep."""
    settings = replace(
        jobs.app.extensions["settings"],
        twilio_account_sid=ACCOUNT,
        twilio_auth_token=TOKEN,
        twilio_api_base=twilio.url,
        sms_from=SENDER,
    )
    channels = {**jobs.app.extensions["channels"], "sms": TwilioChannel(settings)}
    monkeypatch.setitem(jobs.app.extensions, "channels", channels)
    monkeypatch.setitem(jobs.app.extensions, "quiet_hours", service.QuietHours.parse(""))
    return jobs.app.extensions


@pytest.fixture
def place(world, shop, channels):
    world.stock(world.store("1", timezone="America/Chicago", opening_hours="24/7"), world.product("A"), 50)
    return lambda **customer: world.place(shop, {"A": 1}, customer=ADA | customer)


def prefer(shop, **channels):
    answer = shop.put("/v1/contact-preferences", {"email": ADA["email"], "channels": channels})
    assert answer.status_code == 200, answer.text
    return answer.json


def messages():
    db.session.rollback()
    return db.session.scalars(select(Message).order_by(Message.created_at, Message.id)).all()


def tasks():
    db.session.rollback()
    return db.session.scalars(select(OutboxTask).where(OutboxTask.handler == "notify_customer")).all()


def test_who_has_said_nothing_gets_a_mail(world, place, mailbox, twilio):
    place()
    world.work()
    assert [mail["To"] for mail in mailbox.mails] == [ADA["email"]]
    assert twilio.sent == []


def test_who_wants_a_text_message_gets_one(world, shop, place, mailbox, twilio):
    prefer(shop, **{"*": ["sms"]})
    order = place()
    world.work()

    (sent,) = twilio.sent
    assert (sent["To"], sent["From"]) == ("+14792734000", SENDER)
    assert order.page_token in sent["Body"]
    assert mailbox.mails == []
    (message,) = messages()
    assert (message.channel, message.provider_id, message.failed_at) == ("sms", f"SM{1:032d}", None)
    assert message.sent_at
    assert tasks() == []


def test_each_kind_has_its_own_channels(world, shop, place, mailbox, twilio):
    prefer(shop, confirmed=[], ready=["sms"])
    place()
    world.work()
    assert (mailbox.mails, twilio.sent, tasks(), messages()) == ([], [], [], [])


def test_without_a_number_the_mail_is_next(world, shop, place, mailbox, twilio):
    prefer(shop, **{"*": ["sms", "email"]})
    place(phone="1234")
    world.work()
    assert (len(mailbox.mails), twilio.sent) == (1, [])


def test_a_number_that_twilio_refuses_is_left_for_the_mail(world, shop, place, mailbox, twilio):
    prefer(shop, **{"*": ["sms", "email"]})
    twilio.refuses = BAD_NUMBER
    place()
    world.work()
    world.work()

    assert len(mailbox.mails) == 1
    by_text, by_mail = sorted(messages(), key=lambda message: message.channel, reverse=True)
    assert "21211" in by_text.failure
    assert (by_text.sent_at, bool(by_mail.sent_at)) == (None, True)
    assert tasks() == []


def test_a_mailbox_that_does_not_exist_is_left_for_the_text_message(world, shop, place, mailbox, twilio):
    prefer(shop, **{"*": ["email", "sms"]})
    mailbox.unknown = {ADA["email"]}
    place()
    world.work()
    world.work()
    assert (len(mailbox.mails), len(twilio.sent)) == (0, 1)
    assert tasks() == []


def test_where_no_channel_is_left_the_task_waits_for_better_times(world, shop, place, twilio):
    prefer(shop, **{"*": ["sms"]})
    twilio.refuses = BAD_NUMBER
    place()
    world.work()
    (task,) = tasks()
    assert task.attempts >= 1
    assert "21211" in task.last_error


def test_a_busy_provider_is_tried_again_and_left_in_the_end(world, shop, place, mailbox, twilio):
    prefer(shop, **{"*": ["sms", "email"]})
    twilio.refuses = BUSY
    place()
    world.work()
    (task,) = tasks()
    assert task.attempts >= 1
    assert mailbox.mails == []

    with unit_of_work():
        db.session.execute(update(OutboxTask).values(attempts=service.TRIES_MAX, due_at=utcnow()))
    world.work()
    world.work()
    assert len(mailbox.mails) == 1
    assert tasks() == []


def test_a_text_message_waits_for_the_morning_of_the_store(world, shop, place, channels, monkeypatch, mailbox, twilio):
    monkeypatch.setitem(channels, "quiet_hours", service.QuietHours.parse("21:00-08:00"))
    prefer(shop, **{"*": ["sms"]})
    place()
    night = datetime(2026, 6, 2, 3, 30, tzinfo=UTC)  # half past ten in Chicago
    with time_machine.travel(night, tick=False):
        with unit_of_work():
            db.session.execute(update(OutboxTask).values(due_at=night))
        world.work()
        (task,) = tasks()
        assert task.due_at == datetime(2026, 6, 2, 13, tzinfo=UTC)
        assert (task.attempts, task.leased, messages()) == (0, False, [])
    with time_machine.travel(task.due_at, tick=False):
        world.work()
    assert (len(twilio.sent), tasks()) == (1, [])


def test_a_mail_does_not_wait(world, place, channels, monkeypatch, mailbox):
    monkeypatch.setitem(channels, "quiet_hours", service.QuietHours.parse("00:00-23:59"))
    place()
    world.work()
    assert len(mailbox.mails) == 1


# Twilio's own word


@pytest.fixture
def told(app, monkeypatch):
    """Twilio says what became of a message."""
    settings = replace(app.extensions["settings"], twilio_auth_token=TOKEN)
    monkeypatch.setitem(app.extensions, "settings", settings)

    def tell(message, status, token=TOKEN):
        path, form = f"{STATUS_PATH}/{message.id}", {"MessageStatus": status, "ErrorCode": "30005", "To": "+1"}
        said = settings.public_url + path + "".join(name + form[name] for name in sorted(form))
        signature = base64.b64encode(hmac.new(token.encode(), said.encode(), hashlib.sha1).digest()).decode()
        return app.test_client().post(path, data=form, headers={"X-Twilio-Signature": signature})

    return tell


def test_a_text_message_that_got_lost_is_told_by_mail(world, shop, place, mailbox, twilio, told):
    prefer(shop, **{"*": ["sms", "email"]})
    place()
    world.work()
    (message,) = messages()

    assert told(message, "delivered").status_code == 204
    assert told(message, "undelivered", token="not Twilio's").status_code == 400
    world.work()
    assert mailbox.mails == []

    for _ in range(2):  # it may say so twice
        assert told(message, "undelivered").status_code == 204
        world.work()
    assert len(mailbox.mails) == 1
    assert len(twilio.sent) == 1
    assert {each.channel: each.failure for each in messages()} == {"sms": "undelivered 30005", "email": None}


def test_a_message_that_got_lost_before_it_was_written_down_goes_elsewhere(
    world, shop, place, mailbox, jobs, told, monkeypatch
):
    prefer(shop, **{"*": ["sms", "email"]})
    write_down = telling.record

    def late(said, now):
        for _, outcome in said:
            if outcome.provider_id:
                message = next(each for each in messages() if each.id == outcome.message_id)
                assert told(message, "undelivered").status_code == 204
        return write_down(said, now)

    handler = replace(jobs.HANDLERS["notify_customer"], record=late)
    monkeypatch.setitem(jobs.HANDLERS, "notify_customer", handler)
    place()
    world.work()
    world.work()
    assert len(mailbox.mails) == 1
    assert {each.channel: each.failure for each in messages()} == {"sms": "undelivered 30005", "email": None}


def test_where_every_channel_has_failed_a_person_hears_of_it(world, shop, place, mailbox, twilio, told):
    prefer(shop, **{"*": ["sms"]})
    order = place()
    world.work()
    (message,) = messages()
    assert told(message, "undelivered").status_code == 204
    world.work()

    (task,) = tasks()
    assert (task.subject_id, task.last_error) == (order.id, "no channel is left: sms: undelivered 30005")
    assert task.dead_at
    prefer(shop, **{"*": ["sms", "email"]})
    with unit_of_work():
        assert outbox.try_now([task.id], now=utcnow()) == 1
    world.work()
    assert (len(mailbox.mails), len(twilio.sent), tasks()) == (1, 1, [])


@pytest.mark.parametrize(
    ("signature", "query"), [("é", ""), ("\xff\xfe", ""), ("x", "\xff=1"), ("", "%ff"), ("x", "a=\xe9&?")]
)
def test_odd_words_of_nobody_are_refused(app, told, signature, query):
    environ = {"QUERY_STRING": query, "HTTP_X_TWILIO_SIGNATURE": signature}
    answer = app.test_client().post(
        f"{STATUS_PATH}/{new_id()}", data=b"To=%ff%00", content_type=FORM, environ_overrides=environ
    )
    assert answer.status_code == 400


# Preferences


def test_who_can_be_reached_by_nothing_they_asked_for_gets_a_mail(world, shop, place, mailbox, twilio):
    prefer(shop, **{"*": ["sms"]})
    place(phone="1234")
    world.work()
    assert (len(mailbox.mails), twilio.sent) == (1, [])


def test_a_customer_who_writes_themselves_in_two_ways_has_one_wish(world, shop, place, mailbox):
    prefer(shop, **{"*": []})
    place(email="Ada@example.com")
    place(email="ada@example.com")
    world.work()
    assert mailbox.mails == []


def test_a_preference_is_kept_replaced_and_forgotten(shop, world):
    usual = {"email": ADA["email"], "channels": {"*": ["email"]}, "is_default": True}
    path = f"/v1/contact-preferences?email={ADA['email']}"
    assert shop.get(path).json == usual
    prefer(shop, ready=["sms"])
    assert prefer(shop, **{"*": ["sms", "email", "sms"][:2]})["channels"] == {"*": ["sms", "email"]}
    assert shop.get(path.lower()).json["is_default"] is False
    assert world.client("shop").get(path).json == usual, "another shop's word is its own"
    for _ in range(2):
        assert shop.delete(path).status_code == 204
    assert shop.get(path).json == usual


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({"channels": {}}, "/email"),
        ({"email": "nobody", "channels": {}}, "/email"),
        ({"email": ADA["email"]}, "/channels"),
        ({"email": ADA["email"], "channels": {"ready": ["pigeon"]}}, "/channels/ready/value/0"),
        ({"email": ADA["email"], "channels": {"redy": []}}, "/channels/redy/key"),
    ],
)
def test_what_cannot_be_wished_for_is_named(shop, body, pointer):
    answer = shop.put("/v1/contact-preferences", body)
    assert answer.status_code == 422
    assert [error["pointer"] for error in answer.json["errors"]] == [pointer]


@pytest.mark.parametrize(
    ("text", "country", "number"),
    [
        ("(479) 273-4000", "US", "+14792734000"),
        ("+49 30 123456", "US", "+4930123456"),
        ("030 123456", "DE", "+4930123456"),
        ("12", "US", None),
        ("call me", "US", None),
        ("0000", "ZZ", None),
    ],
)
def test_a_number_as_people_write_it(text, country, number):
    assert phone_number(text, country) == number


# Tablets


class PushService:
    """A browser's push service, and the browser behind it: it opens what was sealed for it."""

    def __init__(self):
        self.key, self.auth = ec.generate_private_key(ec.SECP256R1()), os.urandom(16)
        self.heard, self.headers, self.status = [], [], 201
        stand = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                if stand.status == 201:
                    stand.heard.append(json.loads(stand.opened(body)))
                stand.headers.append(dict(self.headers))
                self.send_response(stand.status)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def opened(self, body):
        return http_ece.decrypt(body, private_key=self.key, auth_secret=self.auth, version="aes128gcm")

    @property
    def keys(self):
        form = serialization.Encoding.X962, serialization.PublicFormat.UncompressedPoint
        point = self.key.public_key().public_bytes(*form)
        return tuple(base64.urlsafe_b64encode(each).rstrip(b"=").decode() for each in (point, self.auth))

    def url(self, name="tablet"):
        return f"http://127.0.0.1:{self.server.server_port}/{name}"


@pytest.fixture
def browser():
    stand = PushService()
    yield stand
    stand.server.shutdown()
    stand.server.server_close()


@pytest.fixture
def tablets(app, world, browser):
    """Two tablets of a store that can be woken."""
    store = world.store("1")
    with unit_of_work():
        for name in ("one", "two"):
            push.subscribe(store.id, None, browser.url(name), *browser.keys)
    return store


def wake(app, store):
    words = "Order 1000001\nReady by 14:00\n"
    message = Message(
        id=new_id(), event_id=1, order_id=new_id(), kind="store_new_order", channel="push", recipient=str(store.id),
        subject="", text_body=words, html_body="", created_at=utcnow(), sent_at=None,
    )  # fmt: skip
    with app.extensions["channels"]["push"].delivery() as delivery:
        delivery.send(message, {})
    return message


def test_all_tablets_of_a_store_are_woken(app, tablets, browser):
    message = wake(app, tablets)
    tag = f"store_new_order-{message.order_id}"
    assert browser.heard == [{"title": "Order 1000001", "body": "Ready by 14:00", "tag": tag}] * 2
    assert browser.headers[0]["Topic"] == message.order_id.hex
    assert browser.headers[0]["Authorization"].startswith("vapid t=")
    assert browser.headers[0]["Authorization"].endswith("k=" + app.extensions["channels"]["push"].public_key)


def test_a_new_order_wakes_its_store(world, place, browser):
    order = place()
    with unit_of_work():
        for name in ("one", "two"):
            push.subscribe(order.store_id, None, browser.url(name), *browser.keys)
    world.work()
    world.work()
    assert {each["title"] for each in browser.heard} == {browser.heard[0]["title"]}
    assert str(order.number) in browser.heard[0]["title"] + browser.heard[0]["body"]
    assert len(browser.heard) == 2
    (message,) = [each for each in messages() if each.channel == "push"]
    assert message.sent_at


def test_a_store_hears_of_it_by_mail_and_by_its_tablets(world, shop, channels, browser, mailbox):
    store = world.store("1", timezone="America/Chicago", opening_hours="24/7", email="store1@example.com")
    world.stock(store, world.product("A"), 50)
    with unit_of_work():
        push.subscribe(store.id, None, browser.url(), *browser.keys)
    order = world.place(shop, {"A": 1}, customer=ADA)
    for _ in range(3):
        world.work()
    assert sorted(mail["To"] for mail in mailbox.mails) == [ADA["email"], "store1@example.com"]
    assert len(browser.heard) == 1
    assert str(order.number) in browser.heard[0]["title"]


def test_a_tablet_does_not_sleep(world, place, browser, channels, monkeypatch):
    monkeypatch.setitem(channels, "quiet_hours", service.QuietHours.parse("00:00-23:59"))
    order = place()
    with unit_of_work():
        push.subscribe(order.store_id, None, browser.url(), *browser.keys)
    world.work()
    world.work()
    assert len(browser.heard) == 1


def test_a_tablet_that_is_gone_is_forgotten(app, tablets, browser):
    browser.status = 410
    wake(app, tablets)
    assert db.session.scalars(select(PushSubscription)).all() == []


def test_a_push_service_that_is_busy_is_asked_again(app, tablets, browser):
    browser.status = 503
    with pytest.raises(Busy):
        wake(app, tablets)
    assert len(db.session.scalars(select(PushSubscription)).all()) == 2


# What is never to be connected to: by what the URL says, and by what its name means.
METADATA = "https://169.254.169.254/latest/meta-data"
NEVER = (
    METADATA,
    "https://10.0.0.1/push",
    "https://localhost/push",
    "https://vault.internal/push",
    "https://vault/push",
)


@pytest.fixture
def connected():
    """Where sockets of this test have tried to connect to by TCP."""
    _watched.append([])
    yield _watched[-1]
    _watched.pop()


_watched: list[list] = []


def _watch(event, arguments):
    if event == "socket.connect" and _watched and isinstance(arguments[1], tuple):
        _watched[-1].append(arguments[1][:2])


sys.addaudithook(_watch)


def subscriptions():
    db.session.rollback()
    return db.session.scalars(select(PushSubscription)).all()


@pytest.fixture
def outside(app, world, monkeypatch):
    """As in production; and the store's tablet, which somebody holds in their hands."""
    settings = replace(app.extensions["settings"], post_to_loopback=False)
    monkeypatch.setitem(app.extensions, "settings", settings)
    channels = {**app.extensions["channels"], "push": push.PushChannel(settings)}
    monkeypatch.setitem(app.extensions, "channels", channels)
    world.store("1")
    with unit_of_work():
        staff.create_member(store_ref="1", name="Ana", role="associate", pin="1234")
    tablet = Tablet(app)
    assert tablet.sign_in("1").status_code == 303
    return tablet


def subscribe(tablet, browser, url):
    said = {"endpoint": url, "expirationTime": None, "keys": dict(zip(("p256dh", "auth"), browser.keys, strict=True))}
    headers = {"X-CSRFToken": tablet.token}
    return tablet.client.post("/staff/push", json=said, headers=headers)


@pytest.mark.parametrize("url", [*NEVER, "http://push.example.com/a", "https://push.example.com:8443/a", "push", ""])
def test_a_subscription_to_what_is_not_public_is_refused(outside, browser, url, connected):
    assert subscribe(outside, browser, url).status_code == 422
    assert subscriptions() == []
    assert connected == []


def test_one_to_a_push_service_is_taken(outside, browser):
    assert subscribe(outside, browser, "https://push.example.com/a").status_code == 204
    assert [each.url for each in subscriptions()] == ["https://push.example.com/a"]


def test_and_where_one_is_there_all_the_same_it_is_not_connected_to(app, outside, browser, connected, monkeypatch):
    """It may have been a public name when it was entered."""
    store_id = db.session.scalars(select(Store.id).where(Store.ref == "1")).one()
    with unit_of_work():
        for url in (*NEVER, browser.url(), "https://push.example.com/a"):
            values = {"public_key": browser.keys[0], "auth_secret": browser.keys[1]}
            db.session.add(PushSubscription(store_id=store_id, device_id=None, url=url, **values))
    looked_up = []

    def resolve(host, port, **_):
        looked_up.append(host)
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("169.254.169.254", port))]

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    with pytest.raises(Busy):
        wake(app, db.session.get(Store, store_id))

    assert (looked_up, connected, browser.headers) == (["push.example.com"], [], [])


def test_a_task_that_is_deferred_is_not_due(database, world):
    with unit_of_work():
        outbox.emit("order.ready", {new_id(): {}}, at=utcnow())
    (task,) = tasks()
    at = utcnow() + timedelta(hours=3)
    with unit_of_work():
        outbox.defer({task.id: outbox.Later(at)})
        assert outbox.lease(["notify_customer"], now=at - timedelta(seconds=1), lease_seconds=30, limit=9) == []
        assert len(outbox.lease(["notify_customer"], now=at, lease_seconds=30, limit=9)) == 1


@pytest.mark.parametrize(
    ("path", "status"), [("tablet", 204), ("a\x00b", 422), ("\ud800", 422), ("é", 422), ("x" * 2000, 422)]
)
def test_what_is_no_address_of_a_tablet_is_refused(world, browser, path, status):
    world.store("1")
    with unit_of_work():
        people.create_member(store_ref="1", name="Ana", role="associate", pin="1234")
    tablet = Tablet(world.app)
    tablet.sign_in()
    keys = dict(zip(("p256dh", "auth"), browser.keys, strict=True))
    said = {"endpoint": f"https://push.example.com/{path}", "keys": keys}
    headers = {"X-CSRFToken": tablet.token}
    assert Context().run(tablet.client.post, "/staff/push", json=said, headers=headers).status_code == status
