"""Webhooks are sent: to real servers, which take them, refuse them, hang, drip, redirect and go away."""

import base64
import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
from contextlib import ExitStack, closing, suppress
from datetime import timedelta

import pytest
from sqlalchemy import select, text, update
from sqlalchemy.exc import DBAPIError, OperationalError
from standardwebhooks import Webhook, WebhookVerificationError

from pickup.config import ROOT
from pickup.core import auth, outbox
from pickup.core.clock import rfc3339, utcnow
from pickup.core.db import db, in_transaction, undo, unit_of_work
from pickup.core.models import ApiClient, Event
from pickup.core.posting import Answer
from pickup.core.types import new_id
from pickup.webhooks import deliveries, queries, service
from pickup.webhooks.deliveries import Outcome
from pickup.webhooks.gauges import webhook_gauges
from pickup.webhooks.models import WebhookAttempt, WebhookDelivery, WebhookEndpoint
from pickup.webhooks.publishing import publish
from tests.concurrency.together import in_own_session
from tests.receiver import FINE, receiving

SECRET, OLD_SECRET = (f"whsec_{base64.b64encode(bytes([each]) * 32).decode()}" for each in (1, 2))
PATIENCE_SECONDS = 60


@pytest.fixture
def client_id(world):
    with unit_of_work():
        client = ApiClient(name="shop")
        db.session.add(client)
    return client.id


@pytest.fixture
def endpoint(client_id):
    """Makes endpoints."""

    def make(url, **values):
        made = WebhookEndpoint(
            id=new_id(),
            client_id=client_id,
            url=url,
            **{"events": [], "secret": SECRET, "created_at": utcnow()} | values,
        )
        with unit_of_work():
            db.session.add(made)
        return made

    return make


@pytest.fixture
def sender(world):
    """One whose attempts end after a second, in place of fifteen."""
    from worker.webhooks import Sender

    return Sender(loopback=True, total_seconds=1.0)


@pytest.fixture
def patient_sender(world):
    from worker.webhooks import Sender

    return Sender(loopback=True, total_seconds=PATIENCE_SECONDS)


def happened(*subjects, **data):
    """An event of each subject, in this order, with its place in the feed; their ids."""
    for subject in subjects:
        with unit_of_work():
            outbox.emit("payment.captured", {subject: data}, at=utcnow())
    with unit_of_work():
        publish(utcnow())
    return list(db.session.scalars(select(Event.id).order_by(Event.id)))[-len(subjects) :]


def work(sender, until):
    """Let it send until that holds, and then finish what is under way."""
    ended = threading.Event()
    timer = threading.Timer(PATIENCE_SECONDS, ended.set)
    timer.start()
    while not until():
        assert not ended.is_set()
        sender.turn()
        sender.wake.wait(0.05)
        sender.wake.clear()
    timer.cancel()
    finish(sender)


def finish(sender):
    while not sender.is_idle:
        sender.wake.wait(0.05)
        sender.wake.clear()
        sender.turn(takes_more=False)


def once(sender):
    """Each endpoint's first few, and what came of them."""
    sender.turn()
    finish(sender)


def all_due():
    """As if the time had come for each delivery that waits."""
    with unit_of_work():
        db.session.execute(
            update(WebhookDelivery)
            .where(WebhookDelivery.done_at.is_(None), WebhookDelivery.dead_at.is_(None))
            .values(due_at=utcnow())
        )


def delivery(event_id, endpoint=None):
    query = select(WebhookDelivery).where(WebhookDelivery.event_id == event_id)
    if endpoint is not None:
        query = query.where(WebhookDelivery.endpoint_id == endpoint.id)
    return db.session.scalars(query.execution_options(populate_existing=True)).one()


def now_of(endpoint):
    db.session.rollback()
    return db.session.get(WebhookEndpoint, endpoint.id, populate_existing=True)


def attempts_of(event_id):
    return db.session.scalars(
        select(WebhookAttempt)
        .join(WebhookDelivery, WebhookDelivery.id == WebhookAttempt.delivery_id)
        .where(WebhookDelivery.event_id == event_id)
        .order_by(WebhookAttempt.id)
    ).all()


def test_a_shop_gets_a_message_that_its_library_verifies(endpoint, sender):
    subject = new_id()
    with receiving() as shop:
        endpoint(shop.url)
        [event_id] = happened(subject, number=1)
        once(sender)

    [heard] = shop.heard
    event = db.session.get(Event, event_id)
    body = Webhook(SECRET).verify(heard.body, dict(heard.headers))
    assert heard.headers["webhook-id"] == f"msg_{event_id}"
    assert heard.headers["content-type"] == "application/json"
    assert heard.headers["host"] == shop.url.split("/")[2]
    assert (body["type"], body["timestamp"]) == ("payment.captured", rfc3339(event.at))
    assert (body["data"]["order_id"], body["data"]["number"]) == (str(subject), 1)
    done = delivery(event_id)
    assert (bool(done.done_at), done.attempts, done.last_status, done.last_error) == (True, 1, 204, None)
    [attempt] = attempts_of(event_id)
    assert (attempt.status, attempt.error) == (204, None)
    assert attempt.duration_ms >= 0


def test_while_a_secret_is_changed_both_are_valid_and_then_one(endpoint, sender):
    with receiving() as shop:
        made = endpoint(shop.url, old_secret=OLD_SECRET, old_secret_until=utcnow() + timedelta(hours=1))
        happened(new_id())
        once(sender)
        with unit_of_work():
            made.old_secret_until = utcnow() - timedelta(seconds=1)
        happened(new_id())
        once(sender)

    both, one = shop.heard
    for secret in (SECRET, OLD_SECRET):
        Webhook(secret).verify(both.body, dict(both.headers))
    Webhook(SECRET).verify(one.body, dict(one.headers))
    with pytest.raises(WebhookVerificationError):
        Webhook(OLD_SECRET).verify(one.body, dict(one.headers))


def answers(status, **headers):
    return lambda heard, connection: (status, {name.replace("_", "-"): value for name, value in headers.items()})


def says(raw):
    """These bytes, and the end."""

    def conduct(heard, connection):
        connection.sendall(raw)

    return conduct


def hangs(heard, connection):
    """Says nothing until the other side has gone."""
    connection.recv(1)


def drips(raw):
    """A byte at a time, faster than any time-out of a socket, and without an end."""

    def conduct(heard, connection):
        with suppress(OSError):
            connection.sendall(raw)
            while True:
                connection.sendall(b"a")
                threading.Event().wait(0.01)

    return conduct


@pytest.mark.parametrize(
    ("conduct", "status", "error"),
    [
        (answers(500), 500, "answered 500"),
        (answers(404), 404, "answered 404"),
        (answers(301, Location="http://127.0.0.1:1/"), 301, "answered 301"),
        (answers(307, Location="/elsewhere"), 307, "answered 307"),
        (answers(429), 429, "answered 429"),
        (hangs, None, "no answer in time"),
        (drips(b""), None, "no answer in time"),
        (drips(b"HTTP/1.1 200 Fine\r\nA: "), None, "no answer in time"),
        (says(b""), None, "the connection failed"),
        (says(b"220 mail.example ESMTP\r\n"), None, "that was no answer in HTTP"),
        (says(b"HTTP/1.1 two hundred\r\n\r\n"), None, "that was no answer in HTTP"),
        (says(b"HTTP/1.1 200 Fine\r\n" + b"A: b\r\n" * 200 + b"\r\n"), None, "that was no answer in HTTP"),
    ],
)
def test_what_is_not_2xx_is_a_failure_and_sent_again(endpoint, sender, conduct, status, error):
    with receiving(conduct) as shop:
        made = endpoint(shop.url)
        [event_id] = happened(new_id())
        before = utcnow()
        once(sender)
        failed = delivery(event_id)
        assert (failed.attempts, failed.done_at, failed.dead_at) == (1, None, None)
        if "failed" in error:  # depending on who is quicker
            assert failed.last_error in (error, "that was no answer in HTTP")
        else:
            assert (failed.last_status, failed.last_error) == (status, error)
        assert failed.due_at - before >= timedelta(seconds=4.5)
        assert now_of(made).failing_since is not None

        shop.conduct = answers(200)
        once(sender)
        assert len(shop.heard) == 1  # it is not due yet
        all_due()
        once(sender)

    assert [each.headers["webhook-id"] for each in shop.heard] == [f"msg_{event_id}"] * 2
    assert [each.status for each in attempts_of(event_id)] == [status, 200]
    assert delivery(event_id).done_at is not None
    assert now_of(made).failing_since is None


def test_nobody_listens(endpoint, sender):
    with closing(socket.create_server(("127.0.0.1", 0))) as closed:
        port = closed.getsockname()[1]
    endpoint(f"http://127.0.0.1:{port}/")
    [event_id] = happened(new_id())
    once(sender)

    assert delivery(event_id).last_error == "nobody listens there"


def test_a_receiver_may_ask_for_patience(endpoint, sender):
    with receiving(answers(429, Retry_After="600")) as shop:
        endpoint(shop.url)
        [event_id] = happened(new_id())
        before = utcnow()
        once(sender)

    assert timedelta(seconds=600) <= delivery(event_id).due_at - before < timedelta(seconds=700)


def test_an_answer_without_end_is_cut(endpoint, patient_sender):
    cut = threading.Event()

    def floods(heard, connection):
        connection.sendall(b"HTTP/1.1 200 Fine\r\n\r\n")
        try:
            while True:
                connection.sendall(b"a" * 65536)
        except OSError:
            cut.set()

    with receiving(floods) as shop:
        endpoint(shop.url)
        [event_id] = happened(new_id())
        once(patient_sender)
        assert cut.wait(PATIENCE_SECONDS)

    assert delivery(event_id).done_at is not None


def test_410_disables_the_endpoint_and_nothing_more_is_sent(endpoint, sender):
    with receiving(answers(410)) as shop:
        made = endpoint(shop.url)
        event_ids = happened(*[new_id()] * 3)
        once(sender)
        all_due()
        once(sender)
        happened(new_id())
        once(sender)

    assert [each.event_id for each in shop.heard] == event_ids[:1]
    assert (now_of(made).disabled_why, bool(now_of(made).disabled_at)) == ("gone", True)
    assert delivery(event_ids[0]).last_status == 410


def test_410_of_an_address_that_was_left_meanwhile_disables_nothing(endpoint, sender):
    may_answer = threading.Event()

    def answers_late(heard, connection):
        may_answer.wait(PATIENCE_SECONDS)
        return 410, {}

    with receiving(answers_late) as old, receiving() as new:
        made = endpoint(old.url)
        [event_id] = happened(new_id())
        sender.turn()
        old.wait_for(lambda shop: shop.heard)
        with unit_of_work():
            now_of(made).url = new.url
        may_answer.set()
        finish(sender)
        assert now_of(made).disabled_at is None
        all_due()
        once(sender)

    assert new.taken == [event_id]


@pytest.mark.parametrize("why", ["paused", "removed", "gone"])
def test_an_endpoint_that_is_disabled_gets_nothing_until_it_is_enabled(endpoint, sender, why):
    with receiving() as shop:
        made = endpoint(shop.url)
        event_ids = happened(new_id(), new_id())
        with unit_of_work():
            made.disabled_at, made.disabled_why = utcnow(), why
        once(sender)
        assert shop.heard == []
        with unit_of_work():
            made.disabled_at, made.disabled_why = None, None
        once(sender)

    assert sorted(shop.taken) == event_ids


def test_a_client_whose_keys_are_revoked_hears_nothing_any_more(endpoint, sender):
    def create_key():
        with unit_of_work():
            auth.create_key("shop", ["shop"])

    create_key()
    with receiving() as shop:
        endpoint(shop.url)
        (waiting,) = happened(new_id())
        with unit_of_work():
            auth.revoke_keys("shop", now=utcnow())
        happened(new_id())
        once(sender)
        assert shop.heard == []
        create_key()
        once(sender)

    assert shop.taken == [waiting], "what happened meanwhile is not planned"


def refuses(event_id, *, times=1):
    """An order's event that fails, so many times."""
    left = [times]

    def conduct(heard, connection):
        if heard.event_id == event_id and left[0]:
            left[0] -= 1
            return 500, {}
        return FINE

    return conduct


def test_events_of_one_order_keep_their_order_and_others_go_on(endpoint, sender):
    one, other = new_id(), new_id()
    with receiving() as shop:
        endpoint(shop.url)
        first, second, third, *others = happened(one, one, one, other, other, other)
        shop.conduct = refuses(first, times=2)
        for _ in range(4):
            once(sender)
        assert shop.taken == others
        all_due()
        once(sender)
        all_due()
        work(sender, lambda: len(shop.taken) == 6)

    assert shop.taken == [*others, first, second, third]


def test_control_without_the_rule_the_order_breaks(endpoint, sender, monkeypatch):
    """The same turn of events, and nothing holds the second back while the first has failed."""
    monkeypatch.setattr(deliveries, "_LEASE", without_the_rule())
    with receiving() as shop:
        endpoint(shop.url)
        first, second = happened(*[new_id()] * 2)
        shop.conduct = refuses(first)
        work(sender, lambda: shop.taken)
        all_due()
        work(sender, lambda: len(shop.taken) == 2)

    assert shop.taken == [second, first]


def without_the_rule():
    head, _, rest = deliveries._LEASE.text.partition("AND delivery.event_id = (")
    loose = text(head + rest.partition("            )\n")[2])
    return loose.bindparams(*deliveries._LEASE._bindparams.values())


def test_an_event_that_is_replayed_goes_before_those_that_wait(endpoint, sender):
    with receiving() as shop:
        made = endpoint(shop.url)
        first, second = happened(*[new_id()] * 2)
        once(sender)
        assert shop.taken == [first]
        with unit_of_work():
            delivery(first).done_at = None
        work(sender, lambda: len(shop.taken) == 3)

    assert shop.taken == [first, first, second]
    assert now_of(made).failing_since is None


def test_those_that_only_waited_are_due_when_the_first_is_delivered_sooner_than_it_would_be(endpoint, sender):
    """Somebody presses `Send again` on a delivery that would have waited for hours."""
    with receiving(answers(500)) as shop:
        endpoint(shop.url)
        first, second = happened(*[new_id()] * 2)
        with unit_of_work():
            delivery(first).attempts = 6
        once(sender)
        assert delivery(second).due_at == delivery(first).due_at > utcnow() + timedelta(hours=10)
        shop.conduct = answers(200)
        with unit_of_work():
            delivery(first).due_at = utcnow()
        work(sender, lambda: len(shop.taken) == 2)

    assert shop.taken == [first, second]


def test_what_comes_behind_one_that_has_failed_waits_as_long(endpoint):
    endpoint("http://127.0.0.1:9/")
    subject, other = new_id(), new_id()
    first, second = happened(subject, subject)
    again = utcnow() + timedelta(hours=5)
    with unit_of_work():
        delivery(first).due_at = again
    third, free = happened(subject, other)
    assert delivery(third).due_at == again
    assert delivery(free).due_at < utcnow()

    with unit_of_work():
        delivery(first).due_at = delivery(second).due_at = utcnow()
    for event_id in (first, second, third):
        (taken,) = [each for each in leased() if each.event_id != free]
        assert taken.event_id == event_id
        with unit_of_work():
            deliveries.record([Outcome(taken, utcnow(), 1, Answer(200))], now=utcnow())


def test_an_endpoint_that_hangs_delays_no_other(endpoint, patient_sender):
    let_go = threading.Event()

    def hangs_until_told(heard, connection):
        let_go.wait(PATIENCE_SECONDS)
        return FINE

    with receiving(hangs_until_told) as slow, receiving() as quick:
        endpoint(slow.url)
        endpoint(quick.url)
        event_ids = happened(*[new_id() for _ in range(100)])
        while len(quick.taken) < 100:
            patient_sender.turn()
            patient_sender.wake.wait(0.05)
            patient_sender.wake.clear()
        assert slow.taken == []
        assert 0 < len(slow.heard) <= deliveries.IN_HAND_MAX
        let_go.set()
        work(patient_sender, lambda: len(slow.taken) == 100)

    assert sorted(quick.taken) == sorted(slow.taken) == event_ids


def test_however_many_endpoints_fail_there_is_room_for_those_that_do_not(endpoint, patient_sender):
    from worker.webhooks import ATTEMPTS_AT_ONCE, FAILING_AT_ONCE

    let_go = threading.Event()

    def hangs_until_told(heard, connection):
        let_go.wait(PATIENCE_SECONDS)
        return FINE

    with receiving(hangs_until_told) as slow, receiving() as quick:
        for _ in range(ATTEMPTS_AT_ONCE + 1):
            endpoint(slow.url, failing_since=utcnow())
        happened(new_id())
        patient_sender.turn()
        slow.wait_for(lambda shop: len(shop.heard) == FAILING_AT_ONCE)
        endpoint(quick.url)
        [event_id] = happened(new_id())
        while event_id not in quick.taken:
            patient_sender.turn()
            patient_sender.wake.wait(0.05)
            patient_sender.wake.clear()
        assert slow.taken == []
        assert len(slow.heard) == FAILING_AT_ONCE
        let_go.set()
        finish(patient_sender)


def test_after_three_days_it_is_given_up_and_the_next_one_goes_on(endpoint, sender):
    with receiving() as shop:
        endpoint(shop.url)
        first, second = happened(*[new_id()] * 2)
        shop.conduct = refuses(first, times=99)
        for _ in range(10):
            all_due()
            once(sender)
        given_up = delivery(first)
        assert (given_up.attempts, bool(given_up.dead_at), given_up.done_at) == (10, True, None)
        once(sender)

    assert shop.taken == [second]
    assert len(attempts_of(first)) == 10


def leased(now=None):
    with unit_of_work():
        return deliveries.lease({}, now=now or utcnow(), limit=32, limit_of_failing=16)


def test_what_is_in_hand_is_given_to_nobody_else_until_the_lease_ends(endpoint):
    endpoint("http://127.0.0.1:9/")
    happened(new_id())

    [first] = leased()
    assert leased() == []
    [again] = leased(utcnow() + timedelta(seconds=61))
    assert (again.id, again.attempts) == (first.id, 0)


def test_who_comes_at_the_same_moment_takes_something_else(endpoint):
    endpoint("http://127.0.0.1:9/")
    happened(new_id(), new_id())
    everything = {each.id for each in db.session.scalars(select(WebhookDelivery))}
    with db.engine.connect() as other:
        [locked] = other.execute(select(WebhookDelivery.id).order_by(WebhookDelivery.id).limit(1).with_for_update())
        taken = {each.id for each in leased()}

    assert taken == everything - {locked.id}


def outcome(lease, answer):
    return Outcome(lease, utcnow(), 5, answer)


@pytest.mark.parametrize("late", [Answer(None, "no answer in time"), Answer(200)])
@pytest.mark.parametrize("is_first", [True, False])
def test_what_is_reported_after_the_lease_went_to_another_changes_nothing(endpoint, late, is_first):
    endpoint("http://127.0.0.1:9/")
    first, second = happened(*[new_id()] * 2)
    [slow] = leased()
    [quick] = leased(utcnow() + timedelta(seconds=61))
    reports = [outcome(slow, late), outcome(quick, Answer(200))]
    for each in reports if is_first else reports[::-1]:
        before = delivery(first).done_at, delivery(first).due_at
        in_transaction(lambda each=each: deliveries.record([each], now=utcnow()))
        db.session.rollback()
        if each.delivery is slow:
            assert (delivery(first).done_at, delivery(first).due_at) == before

    assert (bool(delivery(first).done_at), delivery(first).attempts, delivery(first).last_status) == (True, 1, 200)
    assert [each.event_id for each in leased()] == [second]
    assert len(attempts_of(first)) == 2


def test_one_event_that_cannot_be_shown_keeps_no_other(endpoint, sender):
    with receiving() as shop:
        endpoint(shop.url)
        [bad] = happened(new_id(), store_id=999_999)
        [good] = happened(new_id())
        once(sender)

    assert shop.taken == [good]
    assert delivery(bad).last_error == "a fault of ours"


def test_what_came_of_an_attempt_is_not_forgotten_while_the_database_is_away(endpoint, sender):
    with receiving() as shop:
        endpoint(shop.url)
        [event_id] = happened(new_id())
        sender.turn()
        shop.wait_for(lambda each: each.taken)
        sender.wake.wait(PATIENCE_SECONDS)
        own = db.session.scalar(text("SELECT pg_backend_pid()"))
        with db.engine.connect() as other:
            other.execute(text("SELECT pg_terminate_backend(:own)"), {"own": own})
        with pytest.raises(DBAPIError):
            sender.turn()
        undo()
        sender.turn()

    assert len(shop.heard) == 1
    assert delivery(event_id).done_at is not None
    assert sender.is_idle


def test_old_attempts_and_deliveries_are_forgotten(endpoint, sender):
    with receiving() as shop:
        made = endpoint(shop.url)
        event_ids = happened(*[new_id() for _ in range(4)])
        once(sender)
        waiting = happened(new_id())
        old, young = utcnow() - timedelta(days=31), utcnow() - timedelta(days=29)
        with unit_of_work():
            delivery(event_ids[0]).done_at = old
            delivery(event_ids[1]).done_at = young
            given_up = delivery(event_ids[2])
            given_up.dead_at, given_up.done_at = old, None
            attempts_of(event_ids[3])[0].at = old
            delivery(waiting[0]).due_at = old
        assert deliveries.forget_attempts(utcnow()) == 3

    left = set(db.session.scalars(select(WebhookDelivery.event_id)))
    assert left == {event_ids[1], event_ids[3], *waiting}
    assert attempts_of(event_ids[3]) == []
    with unit_of_work():
        removed = now_of(made)
        removed.disabled_at, removed.disabled_why = old, "removed"
    assert deliveries.forget_attempts(utcnow()) == 1


def test_however_many_are_old_all_are_forgotten(endpoint, monkeypatch):
    monkeypatch.setattr(deliveries, "FORGOTTEN_AT_ONCE", 2)
    endpoint("http://127.0.0.1:9/")
    event_ids = happened(*[new_id() for _ in range(5)])
    with unit_of_work():
        for event_id in event_ids:
            delivery(event_id).done_at = utcnow() - timedelta(days=31)
    assert deliveries.forget_attempts(utcnow()) == 5


def test_prometheus_hears_of_it(endpoint):
    endpoint("http://127.0.0.1:9/", failing_since=utcnow())
    endpoint("http://127.0.0.1:9/", disabled_at=utcnow(), disabled_why="gone")
    event_ids = happened(new_id(), new_id(), new_id())
    with unit_of_work():
        delivery(event_ids[0]).dead_at = utcnow()
        delivery(event_ids[1]).due_at = utcnow() - timedelta(hours=1)

    values = {family.name: family.samples[0].value for family in webhook_gauges()}
    assert values.pop("pickup_webhooks_oldest_seconds") >= 3600
    assert values == {
        "pickup_webhooks_waiting": 2,
        "pickup_webhooks_dead": 1,
        "pickup_webhook_endpoints_failing": 1,
        "pickup_webhook_endpoints_gone": 1,
    }


def test_what_waited_for_an_endpoint_that_is_removed_is_no_dead_letter(endpoint):
    made = endpoint("http://127.0.0.1:9/")
    event_ids = happened(new_id(), new_id())
    with unit_of_work():
        delivery(event_ids[0]).dead_at = utcnow()
        service.remove(now_of(made), now=utcnow())

    assert delivery(event_ids[1]).dead_at
    values = {family.name: family.samples[0].value for family in webhook_gauges()}
    assert (values["pickup_webhooks_dead"], values["pickup_webhooks_waiting"]) == (0, 0)
    assert deliveries.forget_attempts(utcnow() + timedelta(days=31)) == 2


def test_the_examples_of_the_documentation_take_what_is_sent(endpoint, sender):
    """Both are run as they stand there: the receiver with the library, and the check by hand."""
    receiver, by_hand = re.findall(r"```python\n(.*?)```", (ROOT / "docs/webhooks.md").read_text(), re.DOTALL)
    kept = {}
    here = {"SECRET": SECRET, "__name__": "example", "keep": kept.__setitem__}
    exec(receiver, here)
    exec(by_hand, here)
    is_genuine, client = here["is_genuine"], here["app"].test_client()

    def hear(heard, connection):
        return client.post("/hooks", data=heard.body, headers=heard.headers).status_code, {}

    with receiving(hear) as shop:
        endpoint(shop.url)
        [event_id] = happened(new_id())
        once(sender)

    [heard] = shop.heard
    assert shop.taken == [event_id]
    assert kept[f"msg_{event_id}"]["type"] == "payment.captured"
    assert is_genuine(SECRET, heard.headers, heard.body)
    assert not is_genuine(SECRET, heard.headers, heard.body + b" ")
    assert not is_genuine(SECRET, {}, heard.body)
    old = str(int(heard.headers["webhook-timestamp"]) - 301)
    assert not is_genuine(SECRET, {**heard.headers, "webhook-timestamp": old}, heard.body)
    assert client.post("/hooks", data=heard.body + b" ", headers=heard.headers).status_code == 400


def test_a_process_that_is_asked_to_end_finishes_what_it_has_in_hand(endpoint, tmp_path):
    with ExitStack() as stack:
        asked, may_answer = threading.Event(), threading.Event()

        def waits(heard, connection):
            asked.set()
            may_answer.wait(PATIENCE_SECONDS)
            return FINE

        shop = stack.enter_context(receiving(waits))
        endpoint(shop.url)
        [event_id] = happened(new_id())
        log = stack.enter_context((tmp_path / "log").open("wb"))
        process = subprocess.Popen(
            [sys.executable, "-m", "worker.webhooks"],
            cwd=ROOT,
            env=os.environ | {"PICKUP_POST_TO_LOOPBACK": "true"},
            stdout=log,
            stderr=log,
        )
        stack.callback(process.kill)
        assert asked.wait(PATIENCE_SECONDS)
        process.send_signal(signal.SIGTERM)
        may_answer.set()
        assert process.wait(PATIENCE_SECONDS) == 0

    db.session.rollback()
    assert shop.taken == [event_id]
    assert delivery(event_id).done_at is not None
    assert json.loads(shop.heard[0].body)["type"] == "payment.captured"


# Orders go on


def test_orders_do_not_wait_for_whoever_changes_an_endpoint(app, client_id, endpoint):
    made = endpoint("http://127.0.0.1:9/")
    with unit_of_work():
        outbox.emit("price.changed", {new_id(): {}}, at=utcnow())
    changing, may_commit = threading.Event(), threading.Event()

    def replay():
        queries.lock_client(client_id)
        queries.get_endpoint(made.id, lock=True)
        changing.set()
        assert may_commit.wait(PATIENCE_SECONDS)

    thread = threading.Thread(target=in_own_session(app, replay))
    thread.start()
    assert changing.wait(PATIENCE_SECONDS)
    try:
        with unit_of_work():
            db.session.execute(text("SET LOCAL lock_timeout = '1s'"))
            assert publish(utcnow()) == 1
            # As an order of this client does.
            db.session.add(
                WebhookEndpoint(id=new_id(), client_id=client_id, url="", secret="", events=[], created_at=utcnow())
            )
    finally:
        may_commit.set()
        thread.join()


def test_orders_do_not_wait_for_events_that_cannot_be_published(world, shop, monkeypatch):
    from worker import relay

    def fails():
        raise OperationalError("publish", {}, Exception("canceling statement due to lock timeout"))

    monkeypatch.setattr(relay, "publish_once", fails)
    world.stock(world.store(), world.product("A"), 1)
    world.place(shop, {"A": 1})
    rested = dict.fromkeys(relay.HANDLERS, 0.0)
    assert relay.turn(rested) is None
    assert [name for name, at in rested.items() if at] == ["reserve_stock"]
