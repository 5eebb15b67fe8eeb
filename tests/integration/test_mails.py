"""Mails of one job: over one connection, and each for itself where something is wrong. The server is a real one."""

import time
from dataclasses import replace
from email import message_from_bytes
from email.policy import default
from functools import partial

import pytest
from sqlalchemy import event, select, update

from pickup.core import outbox
from pickup.core.clock import utcnow
from pickup.core.db import db, unit_of_work
from pickup.core.models import OutboxTask
from pickup.core.types import Actor, new_id
from pickup.notifications import email
from pickup.notifications.models import Message
from pickup.orders import service
from pickup.orders.models import Order
from pickup.orders.queries import lock_order
from pickup.payments import sandbox
from pickup.payments.models import Payment
from tests.mailbox import Mailbox

ORDERS = 10


@pytest.fixture
def jobs(services):
    """The module of the workers' job. It makes an app of its own, so it must not be imported before the servers run."""
    from worker import jobs

    return jobs


@pytest.fixture
def orders(world, shop):
    """Orders whose customers are about to be told that they are confirmed; each customer has an address of its own."""
    world.stock(world.store("1"), world.product("A"), 2 * ORDERS)
    placed = [world.place(shop, {"A": 1}).id for _ in range(ORDERS)]
    with unit_of_work():
        for number, order_id in enumerate(placed):
            db.session.execute(update(Order).where(Order.id == order_id).values(customer_email=address(number)))
    return placed


@pytest.fixture
def tell(orders, jobs, mailbox):
    """The job that tells them all."""
    jobs.run("reserve_stock", ids_of("reserve_stock"))
    task_ids = ids_of("notify_customer")
    assert len(task_ids) == ORDERS
    return partial(jobs.run, "notify_customer", task_ids)


def address(number):
    return f"customer{number}@example.com"


def ids_of(handler):
    db.session.rollback()
    ids = list(db.session.scalars(select(OutboxTask.id).where(OutboxTask.handler == handler).order_by(OutboxTask.id)))
    db.session.rollback()
    return ids


def left():
    """The tasks that are still to be done."""
    db.session.rollback()
    return db.session.scalars(select(OutboxTask).where(OutboxTask.handler == "notify_customer")).all()


def recipients(mailbox):
    return [mail["To"] for mail in mailbox.mails]


def everybody(*, but=()):
    return [address(number) for number in range(ORDERS) if number not in but]


def test_many_mails_go_over_one_connection(tell, mailbox):
    tell()

    assert recipients(mailbox) == everybody()
    assert mailbox.connections == 1
    assert left() == []
    messages = db.session.scalars(select(Message)).all()
    assert all(message.sent_at for message in messages)
    assert {mail["Message-ID"] for mail in mailbox.mails} == {f"<{each.id}@example.com>" for each in messages}


def test_a_job_costs_as_many_statements_for_many_as_for_one(tell, jobs):
    task_ids = ids_of("notify_customer")
    with jobs.app.app_context():
        engine = db.engine
    statements = []

    def count(connection, cursor, statement, *rest):
        statements.append(statement)

    event.listen(engine, "before_cursor_execute", count)
    try:
        jobs.run("notify_customer", task_ids[:1])
        for_one = len(statements)
        jobs.run("notify_customer", task_ids[1:])
    finally:
        event.remove(engine, "before_cursor_execute", count)

    assert len(statements) == 2 * for_one


def test_a_recipient_that_is_refused_stops_nobody_else(tell, mailbox):
    mailbox.unknown = {address(4)}

    tell()

    assert recipients(mailbox) == everybody(but=[4])
    assert mailbox.connections == 1
    (task,) = left()
    assert (task.attempts, task.leased) == (1, False)
    assert "nobody here of that name" in task.last_error


@pytest.mark.parametrize("broken", ["no address", "ada@example.com\nBcc: eve@example.com"])
def test_a_broken_address_stops_nobody_else(orders, tell, mailbox, broken):
    with unit_of_work():
        db.session.execute(update(Order).where(Order.id == orders[3]).values(customer_email=broken))
    mailbox.unknown = {"no"}  # as smtplib reads it

    tell()

    assert recipients(mailbox) == everybody(but=[3])
    assert [task.attempts for task in left()] == [1]


def test_where_the_server_closes_the_connection_another_one_is_opened(tell, mailbox):
    mailbox.hangs_up_after = 4

    tell()

    assert recipients(mailbox) == everybody()
    assert mailbox.connections == 2
    assert left() == []


def test_a_mail_at_which_the_server_hangs_up_each_time_stops_nobody_else(tell, mailbox):
    mailbox.hangs_up_on = {address(0), address(5)}

    tell()

    assert recipients(mailbox) == everybody(but=[0, 5])
    assert [task.attempts for task in left()] == [1, 1]


def channel_to(url, jobs, monkeypatch):
    channel = email.EmailChannel(replace(jobs.app.extensions["settings"], smtp_url=url))
    monkeypatch.setitem(jobs.app.extensions, "channels", {"email": channel})


def test_a_server_that_goes_away_gets_the_rest_later(tell, jobs, monkeypatch, mailbox):
    leaving = Mailbox()
    with monkeypatch.context() as outage:
        channel_to(leaving.start(), jobs, outage)
        leaving.leaves_after = 3
        tell()
    leaving.stop()

    assert recipients(leaving) == everybody()[:3]
    assert [(task.attempts, task.leased) for task in left()] == [(1, False)] * (ORDERS - 3)
    tell()
    assert recipients(mailbox) == everybody()[3:]
    assert left() == []


def test_a_silent_server_is_waited_for_once(tell, jobs, monkeypatch, mailbox):
    monkeypatch.setattr(email, "TIMEOUT_SECONDS", 0.5)
    mailbox.silent_seconds = 1.5

    started = time.monotonic()
    tell()

    assert time.monotonic() - started < 0.5 * ORDERS / 2
    assert [task.attempts for task in left()] == [1] * ORDERS
    assert mailbox.connections == 1


def test_a_message_is_written_once_and_keeps_its_id(tell, mailbox):
    mailbox.refusals = ORDERS
    tell()
    written = {message.id: message.text_body for message in db.session.scalars(select(Message))}

    tell()

    db.session.rollback()
    assert {message.id: message.text_body for message in db.session.scalars(select(Message))} == written
    assert {mail["Message-ID"] for mail in mailbox.mails} == {f"<{each}@example.com>" for each in written}


def test_a_task_that_cannot_be_prepared_stops_nobody_else(tell, jobs, mailbox):
    with unit_of_work():
        outbox.emit("order.ready", {new_id(): {}}, at=utcnow())

    jobs.run("notify_customer", list(reversed(ids_of("notify_customer"))))

    assert sorted(recipients(mailbox)) == everybody()
    (task,) = left()
    assert "KeyError" in task.last_error


def test_what_another_copy_of_the_job_has_done_is_not_done_again(tell, jobs, monkeypatch, mailbox):
    task_ids = ids_of("notify_customer")
    tell()
    tell()
    jobs.run("notify_customer", task_ids)

    assert len(mailbox.mails) == ORDERS


def test_who_does_not_get_round_to_a_task_gives_it_back_at_once(tell, jobs, monkeypatch, mailbox):
    with monkeypatch.context() as hurry:
        no_time = replace(jobs.app.extensions["settings"], outbox_lease_seconds=0)
        hurry.setitem(jobs.app.extensions, "settings", no_time)
        tell()

    assert mailbox.mails == []
    assert all(task.due_at <= utcnow() and not task.leased and not task.attempts for task in left())
    assert len(left()) == ORDERS


def test_an_answer_does_not_wait_for_a_slow_gateway(world, shop, jobs, monkeypatch):
    world.stock(world.store("1"), world.product("A"), 3)
    for _ in range(3):
        order = world.place(shop, {"A": 1})
        with unit_of_work():
            service.cancel(lock_order(order.id), actor=Actor("customer"), reason="customer", now=utcnow())
    seen = []

    def slow(gateway, charge):
        with db.engine.connect() as other:
            seen.append(sorted(other.scalars(select(Payment.status))))
        time.sleep(0.02)
        return release(gateway, charge)

    release = sandbox.SandboxGateway.release
    monkeypatch.setattr(sandbox.SandboxGateway, "release", slow)
    monkeypatch.setattr(jobs, "RECORD_AFTER_SECONDS", 0.01)
    jobs.run("settle_payment", ids_of("settle_payment"))

    assert [statuses.count("voided") for statuses in seen] == [0, 1, 2]


def test_a_mail_says_what_the_message_says():
    text = "Größe: 3 €  \n=_alternative\n--=_alternative--\n.\nFrom here " + "on " * 60
    message = Message(
        id=new_id(),
        recipient="ada@example.com",
        subject="Bestellung 1: fertig in Tübingen",
        text_body=text,
        html_body=f"<p>{text}</p>",
        created_at=utcnow(),
    )
    sent = email.compose(message, "Abholung <abholung@example.com>", {"code": b"PNG"}).as_bytes()

    mail = message_from_bytes(sent, policy=default)
    assert max(map(len, sent.splitlines())) <= 78
    assert mail["Subject"] == message.subject
    assert [part.get_content_type() for part in mail.walk()] == [
        "multipart/alternative",
        "text/plain",
        "multipart/related",
        "text/html",
        "image/png",
    ]
    shown = [
        part.get_content().replace("\r\n", "\n").rstrip("\n")
        for part in mail.walk()
        if part.get_content_maintype() == "text"
    ]
    assert shown == [text, f"<p>{text}</p>"]
