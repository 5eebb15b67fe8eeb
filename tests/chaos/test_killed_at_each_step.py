"""`kill -9` at every step from the intention to the outcome: one order, one charge, and the money where it belongs.

The process that dies is a real one, and dies by a real signal; the client repeats its request, the lease of the task
ends, the clock goes on.
"""

import json
import signal
import subprocess
import sys
import uuid
from datetime import timedelta

import pytest
from sqlalchemy import select, update

from pickup.config import ROOT
from pickup.core import idempotency
from pickup.core.clock import utcnow
from pickup.core.db import db, unit_of_work
from pickup.core.models import OutboxTask
from pickup.core.types import Actor
from pickup.orders import lapsing, queries, service, sweeping
from pickup.orders.models import Order
from pickup.payments.models import PaymentEntry, SandboxCharge
from pickup.payments.queries import payment_of
from pickup.payments.sandbox import HOLD

KILLED = -signal.SIGKILL
ANA = Actor("staff", "Ana")
GATEWAY = "pickup.payments.sandbox:SandboxGateway"
CHECKOUT = [
    ("pickup.orders.checkout:open_order", "before"),
    ("pickup.orders.checkout:open_order", "after"),
    ("pickup.orders.checkout:ask_gateway", "before"),
    (f"{GATEWAY}.authorise", "after"),
    ("pickup.orders.checkout:settle_order", "before"),
    ("pickup.orders.checkout:settle_order", "after"),
    ("pickup.core.idempotency:finish", "before"),
    ("pickup.core.idempotency:finish", "after"),
    ("pickup.app:Flask.full_dispatch_request", "after"),
]
AT_WORK = [
    ("pickup.core.outbox:claim", "after"),
    ("pickup.core.outbox:keep_leased", "after"),
    ("pickup.payments.service:perform", "before"),
    ("pickup.payments.service:perform", "after"),
    ("pickup.payments.recording:tell", "after"),
    ("pickup.core.outbox:complete", "after"),
    ("worker.jobs:_record", "after"),
]
# What is to be done, and what the ledger says when it is.
ENDS = {
    "capture": [("authorisation", 718), ("capture", 718)],
    "release": [("authorisation", 718), ("void", 718)],
    "refund": [("authorisation", 718), ("capture", 718), ("refund", 718)],
}

pytestmark = pytest.mark.timeout(240)


@pytest.fixture(scope="module")
def mortal(services):
    """Has something done by a process that dies of it, and says how it ended."""
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.chaos.mortal"],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )

    def do(work, death, **values):
        process.stdin.write(json.dumps({"work": work, "death": death, "with": values}) + "\n")
        process.stdin.flush()
        return int(process.stdout.readline())

    yield do
    process.stdin.close()
    process.stdout.close()
    assert process.wait(20) == 0


@pytest.fixture
def body(world):
    world.stock(world.store("1"), world.product("A"), 10)
    return world.order_body({"A": 2})


def ledger():
    db.session.rollback()
    rows = select(PaymentEntry.kind, PaymentEntry.amount).order_by(PaymentEntry.id)
    return [tuple(row) for row in db.session.execute(rows)]


def open_tasks():
    db.session.rollback()
    return db.session.scalars(select(OutboxTask.id).where(OutboxTask.handler == "settle_payment")).all()


@pytest.mark.parametrize("death", CHECKOUT, ids=lambda death: f"{death[1]} {death[0].rpartition(':')[2]}")
@pytest.mark.parametrize("who", ["client", "sweeper"])
def test_whoever_goes_on_there_is_one_order_and_one_charge(world, shop, body, mortal, monkeypatch, death, who):
    key = str(uuid.uuid4())
    assert mortal("place", death, key=shop.key, idempotency_key=key, body=body) == KILLED
    if who == "sweeper":
        sweeping.resolve_pending_payments(utcnow() + timedelta(minutes=1))
    monkeypatch.setattr(idempotency, "CLAIM_LEASE", timedelta(0))

    answers = [shop.order(body, key=key) for _ in range(2)]

    assert {answer.status_code for answer in answers} == {201}
    assert answers[0].data == answers[1].data
    assert answers[0].json["payment"]["status"] == "authorised"
    db.session.rollback()
    assert (db.session.query(Order).count(), db.session.query(SandboxCharge).count()) == (1, 1)
    assert ledger() == [("authorisation", 718)]
    world.work()
    assert world.order(answers[0].json["id"]).status == "reserved"


@pytest.fixture
def order_for(world, shop, body):
    """An order whose money is to be taken, or given back."""

    def make(end):
        order = world.order(shop.order(body).json["id"])
        world.work()
        if end == "capture":
            for step in (service.start_picking, service.mark_ready):
                with unit_of_work():
                    step(queries.lock_order(order.id), actor=ANA, now=utcnow())
            with unit_of_work():
                service.hand_over(
                    queries.lock_order(order.id), order.pickup_code, actor=ANA, is_manager=False, now=utcnow()
                )
            return order
        if end == "refund":
            lapsing.keep_holds(utcnow() + HOLD)
            world.work()
            assert payment_of(order.id).status == "captured"
        shop.post(f"/v1/orders/{order.id}/cancel")
        return order

    return make


@pytest.mark.parametrize("death", AT_WORK, ids=lambda death: f"{death[1]} {death[0].rpartition(':')[2]}")
@pytest.mark.parametrize("end", ENDS)
def test_the_money_moves_once(world, order_for, mortal, death, end):
    order_for(end)
    ended = mortal("work", death, handler="settle_payment", task_ids=open_tasks())
    assert ended == KILLED
    with unit_of_work():
        db.session.execute(update(OutboxTask).values(due_at=utcnow()))  # the lease ends

    world.work()

    assert not open_tasks()
    assert ledger() == ENDS[end]
    amounts = dict(ENDS[end])
    charge = db.session.query(SandboxCharge).one()
    assert (charge.captured, charge.voided, charge.refunded) == tuple(
        amounts.get(kind, 0) for kind in ("capture", "void", "refund")
    )
