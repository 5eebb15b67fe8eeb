"""An order from placing to handover, with real workers: goods, money and mail."""

from datetime import timedelta

import pytest
from sqlalchemy import update

from pickup.core.clock import utcnow
from pickup.core.db import db, unit_of_work
from pickup.core.models import OutboxTask
from pickup.core.types import Actor
from pickup.inventory.models import Reservation
from pickup.inventory.reconciliation import differences
from pickup.orders import queries, service
from pickup.orders.errors import ActionNotAllowed, PickupCodeLocked
from pickup.payments.models import Payment, PaymentEntry, SandboxCharge

ANA = Actor("staff", "Ana")


@pytest.fixture
def store(world):
    made = world.store("1")
    world.stock(made, world.product("A"), 10)
    return made


def act(order, action, *args, **kwargs):
    with unit_of_work():
        return action(queries.lock_order(order.id), *args, actor=ANA, now=utcnow(), **kwargs)


def make_ready(world, order):
    world.work()
    act(order, service.start_picking)
    act(order, service.mark_ready)
    world.work()


def test_the_whole_way(world, shop, store, mailbox):
    order = world.place(shop, {"A": 3})
    make_ready(world, order)
    assert act(order, service.hand_over, order.pickup_code.lower().replace("-", " "), is_manager=False)
    world.work()

    assert world.order(order.id).status == "collected"
    level = world.level(store, world.order(order.id).lines[0].product)
    assert (level.on_hand, level.reserved) == (7, 0)
    assert db.session.query(Reservation).count() == 0
    assert differences() == []
    assert db.session.query(Payment).one().status == "captured"
    assert [entry.kind for entry in db.session.query(PaymentEntry).order_by(PaymentEntry.id)] == [
        "authorisation",
        "capture",
    ]
    assert db.session.query(SandboxCharge).one().captured == 1077
    confirmed, ready, collected = mailbox.subjects()
    assert "ready by" in confirmed
    assert ready == f"Order {order.number} is ready: your code is {order.pickup_code}"
    assert "collected" in collected


def test_the_ready_mail_has_the_code_as_text_and_picture(world, shop, store, mailbox):
    order = world.place(shop, {"A": 1})
    make_ready(world, order)

    mail = mailbox.mails[-1]
    text, html = mail.get_body(("plain",)).get_content(), mail.get_body(("html",)).get_content()
    assert order.pickup_code in text
    assert order.pickup_code in html
    assert order.page_token in text
    assert [part.get_content_type() for part in mail.walk() if part.get_content_maintype() == "image"] == ["image/png"]
    assert mail["To"] == "ada@example.com"


def test_a_mail_that_is_refused_is_sent_later_and_once(world, shop, store, mailbox):
    mailbox.refusals = 1
    order = world.place(shop, {"A": 1})
    world.work()
    world_work_until(world, lambda: len(mailbox.mails) == 1)

    assert len({mail["Message-ID"] for mail in mailbox.mails}) == 1
    assert world.order(order.id).status == "reserved"


def world_work_until(world, condition):
    for _ in range(5):
        if condition():
            return
        with unit_of_work():
            db.session.execute(update(OutboxTask).values(due_at=utcnow() - timedelta(seconds=1)))
        world.work()
    assert condition()


def test_two_shoppers_one_unit_in_one_store(world, shop, store):
    rare = world.product("R")
    world.stock(store, rare, 1)
    first, second = (world.place(shop, {"R": 1}, {"store_ref": "1"}) for _ in range(2))
    world.work()

    assert world.order(first.id).status == "reserved"
    loser = world.order(second.id)
    assert (loser.status, loser.reason) == ("cancelled", "out_of_stock")
    assert [each["verdict"] for each in loser.candidates] == ["reservation_lost"]
    payments = {payment.order_id: payment.status for payment in db.session.query(Payment)}
    assert payments == {first.id: "authorised", second.id: "voided"}
    assert differences() == []


def test_two_shoppers_one_unit_here_and_one_further_on(world, shop, store):
    rare, far = world.product("R"), world.store("2", lat=36.5)
    world.stock(store, rare, 1)
    world.stock(far, rare, 1)
    first, second = (world.place(shop, {"R": 1}) for _ in range(2))
    world.work()

    assert [world.order(order.id).status for order in (first, second)] == ["reserved", "reserved"]
    moved = world.order(second.id)
    assert moved.store_id == far.id
    assert [(each["store_ref"], each["verdict"]) for each in moved.candidates] == [
        ("1", "reservation_lost"),
        ("2", "chosen"),
    ]
    assert [step.action for step in moved.history] == ["place", "pay", "reroute", "reserve"]


def test_five_wrong_codes_lock_the_order_to_a_manager(world, shop, store):
    order = world.place(shop, {"A": 1})
    make_ready(world, order)
    for _ in range(5):
        assert not act(order, service.hand_over, "AAA-AAA-AAA", is_manager=False)

    with pytest.raises(PickupCodeLocked):
        act(order, service.hand_over, order.pickup_code, is_manager=False)
    assert act(order, service.hand_over, order.pickup_code, is_manager=True)


def test_an_order_is_handed_over_once(world, shop, store):
    order = world.place(shop, {"A": 1})
    make_ready(world, order)
    act(order, service.hand_over, order.pickup_code, is_manager=False)

    with pytest.raises(ActionNotAllowed) as refusal:
        act(order, service.hand_over, order.pickup_code, is_manager=False)
    assert refusal.value.members["allowed_actions"] == []


def test_a_job_that_runs_twice_has_its_effect_once(world, shop, store, mailbox):
    from worker import jobs

    world.place(shop, {"A": 2})
    jobs.run("reserve_stock", [1])
    jobs.run("reserve_stock", [1])
    world.work()

    assert len(mailbox.mails) == 1
    assert db.session.query(Reservation).one().quantity == 2
    assert differences() == []


def test_a_wiped_queue_loses_nothing(world, shop, store, database):
    from worker.relay import relay_once

    order = world.place(shop, {"A": 2})
    relay_once()
    database.extensions["redis"].flushdb()
    world_work_until(world, lambda: world.order(order.id).status == "reserved")
