"""The outbox under several relays and workers: every task is out once, in order, and its effect is there once."""

import subprocess
import sys
from datetime import timedelta
from functools import partial

import pytest
import redis
from sqlalchemy import func, select, update

from pickup.config import ROOT
from pickup.core import outbox
from pickup.core.clock import utcnow
from pickup.core.db import db, unit_of_work
from pickup.core.models import Event, OutboxTask
from pickup.core.types import new_id
from pickup.inventory.models import StockMovement
from pickup.inventory.reconciliation import differences
from pickup.notifications.models import Message
from tests.concurrency.together import Rendezvous, at_once, in_own_session
from worker.handlers import HANDLERS

RELAYS = 4
TASKS = 300
AT_A_TIME = 7


def emitted(count, event_type="order.reserved"):
    subjects = [new_id() for _ in range(count)]
    with unit_of_work():
        outbox.emit(event_type, {subject: {} for subject in subjects}, at=utcnow())
    return subjects


def lease_until_nothing_is_due(app):
    mine = []
    with app.app_context():
        while True:
            with unit_of_work():
                leased = outbox.lease(HANDLERS, now=utcnow(), lease_seconds=60, limit=AT_A_TIME)
            if not leased:
                return mine
            mine += [task.id for task in leased]


def test_four_relays_at_once_never_take_the_same_task(database):
    emitted(TASKS)

    taken = at_once([partial(lease_until_nothing_is_due, database)] * RELAYS)

    everything = [task_id for mine in taken for task_id in mine]
    assert len(everything) == len(set(everything)) == TASKS


def test_a_task_that_waits_in_a_long_queue_loses_none_of_its_attempts(database):
    emitted(1)
    for turn in range(2 * outbox.ATTEMPTS_MAX):
        later = utcnow() + timedelta(minutes=turn)
        (task,) = outbox.lease(HANDLERS, now=later, lease_seconds=1, limit=1)
    outbox.postpone([task.id], error="the first real failure", now=later)

    assert db.session.scalars(select(OutboxTask.dead_at)).one() is None


def test_while_the_queue_is_away_nothing_is_leased(world, shop, monkeypatch, jobs):
    from worker.relay import relay_once

    world.stock(world.store("1"), world.product("A"), 1)
    world.place(shop, {"A": 1})
    with monkeypatch.context() as outage:
        outage.setitem(jobs.app.extensions, "redis", redis.Redis.from_url("unix:///nowhere"))
        with pytest.raises(redis.ConnectionError):
            relay_once()

    assert sum(relay_once().values()) == 1, "as soon as it is back, and not when a lease ends"


def test_four_relays_at_once_let_only_the_first_event_of_an_order_out(database):
    orders = emitted(TASKS // 10)
    with unit_of_work():
        outbox.emit("order.ready", {order: {} for order in orders}, at=utcnow())

    taken = at_once([partial(lease_until_nothing_is_due, database)] * RELAYS)

    out = db.session.scalars(
        select(Event.type)
        .join(OutboxTask, OutboxTask.event_id == Event.id)
        .where(OutboxTask.id.in_([task_id for mine in taken for task_id in mine]))
    ).all()
    assert out == ["order.reserved"] * len(orders)


def test_workers_that_claim_the_same_tasks_share_them(database):
    emitted(TASKS)
    ids = list(db.session.scalars(select(OutboxTask.id)))
    db.session.rollback()
    met = Rendezvous(database)

    def claim():
        claimed = outbox.claim(ids)
        met.wait()
        return {task.id for task in claimed}

    first, second = at_once([in_own_session(database, claim)] * 2)

    assert not first & second
    assert first | second == set(ids)


@pytest.fixture
def jobs(services):
    """The module of the workers' job. It makes an app of its own, so it must not be imported before the servers run."""
    from worker import jobs

    return jobs


@pytest.fixture
def a_job_with_an_effect(world, jobs, monkeypatch):
    """A job that nothing but its claim keeps from having its effect twice: it puts a unit on a shelf."""
    store, product = world.store("1"), world.product("A")
    world.stock(store, product, 0)
    shelf = {"store_id": store.id, "product_id": product.id}

    def put_one_on_the_shelf(tasks, now):
        for _ in tasks:
            db.session.add(StockMovement(**shelf, kind="receipt", on_hand_change=1, at=now))
        db.session.flush()
        return ()

    handler = jobs.Batch("notifications", (put_one_on_the_shelf,))
    monkeypatch.setitem(jobs.HANDLERS, "notify_customer", handler)
    emitted(1)
    task_id = db.session.scalars(select(OutboxTask.id)).one()
    db.session.rollback()
    return partial(jobs.run, "notify_customer", [task_id])


def effects():
    db.session.rollback()
    return db.session.scalar(
        select(func.coalesce(func.sum(StockMovement.on_hand_change), 0)).where(StockMovement.kind == "receipt")
    )


def claim_without_a_lock(task_ids):
    """What `outbox.claim` would be without FOR UPDATE SKIP LOCKED."""
    rows = db.session.execute(
        select(
            OutboxTask.id,
            OutboxTask.handler,
            OutboxTask.event_id,
            Event.type,
            OutboxTask.subject_id,
            Event.at,
            Event.data,
            OutboxTask.request_id,
            OutboxTask.attempts,
        )
        .join(Event, Event.id == OutboxTask.event_id)
        .where(OutboxTask.id.in_(list(task_ids)))
    )
    return [outbox.Task(*row) for row in rows]


@pytest.mark.parametrize(
    ("claim", "times"),
    [(outbox.claim, 1), (claim_without_a_lock, 2)],
    ids=["one effect", "control: two without the lock"],
)
def test_two_copies_of_one_job_at_once(world, a_job_with_an_effect, monkeypatch, claim, times):
    monkeypatch.setattr(outbox, "claim", Rendezvous(world.app).after(claim))

    at_once([a_job_with_an_effect] * 2)

    assert effects() == times
    assert db.session.query(OutboxTask).count() == 0


def test_ten_copies_of_the_job_that_reserves_reserve_once(world, shop, jobs):
    store, product = world.store("1"), world.product("A")
    world.stock(store, product, 100)
    for _ in range(10):
        world.place(shop, {"A": 1})
    ids = list(db.session.scalars(select(OutboxTask.id)))
    db.session.rollback()

    at_once([partial(jobs.run, "reserve_stock", ids)] * 10)

    assert world.level(store, product).reserved == 10
    assert differences() == []


def test_two_copies_of_a_job_that_write_the_same_messages_at_once(world, shop, jobs, mailbox, monkeypatch):
    """Even where no lock keeps the copies apart: the customer may get a message twice, but it is one message."""
    world.stock(world.store("1"), world.product("A"), 10)
    for _ in range(5):
        world.place(shop, {"A": 1})
    jobs.run("reserve_stock", list(db.session.scalars(select(OutboxTask.id))))
    ids = list(db.session.scalars(select(OutboxTask.id)))
    db.session.rollback()
    monkeypatch.setattr(outbox, "claim", Rendezvous(world.app).after(claim_without_a_lock))

    at_once([partial(jobs.run, "notify_customer", ids)] * 2)

    messages = db.session.scalars(select(Message)).all()
    assert len(messages) == 5
    assert len(mailbox.mails) == 10
    assert {mail["Message-ID"] for mail in mailbox.mails} == {f"<{each.id}@example.com>" for each in messages}
    assert tasks_left() == {}


# A worker of the real queue. One of its tasks kills it, as running out of memory would.
MORTAL = """
import os, sys
import redis
from rq import Queue, SimpleWorker
from rq.serializers import JSONSerializer
from worker.app import app
from worker.handlers import HANDLERS, Batch
import worker.jobs

def die(tasks, now):
    if str(sys.argv[1]) in {str(task.subject_id) for task in tasks}:
        os._exit(9)
    return ()

HANDLERS["notify_customer"] = Batch("notifications", (die,))
connection = redis.Redis.from_url(app.extensions["settings"].queue_url)
queue = Queue("notifications", connection=connection, serializer=JSONSerializer)
SimpleWorker([queue], connection=connection, serializer=JSONSerializer).work(burst=True, logging_level="WARNING")
"""


def mortal_worker(poison):
    """Work until the queue is empty or the worker is dead; whether it died."""
    done = subprocess.run([sys.executable, "-c", MORTAL, str(poison)], cwd=ROOT, timeout=60, check=False)
    assert done.returncode in (0, 9)
    return done.returncode == 9


def leases_end():
    with unit_of_work():
        db.session.execute(update(OutboxTask).values(due_at=utcnow()))


def tasks_left():
    db.session.rollback()
    return {task.subject_id: task for task in db.session.scalars(select(OutboxTask))}


def test_a_task_that_kills_its_worker_is_sent_alone_and_given_up_on(database, jobs, monkeypatch):
    from worker.relay import relay_once

    monkeypatch.setattr(outbox, "DEATHS_MAX", 2)
    first, poison, last = emitted(3)
    relay_once()
    assert mortal_worker(poison)
    assert tasks_left().keys() == {first, poison, last}, "all three were in its hands"

    leases_end()
    relay_once()
    assert {task.deaths for task in tasks_left().values()} == {1}
    assert mortal_worker(poison)
    assert not mortal_worker(poison)
    assert tasks_left().keys() == {poison}, "nothing went down with it this time"

    leases_end()
    assert sum(relay_once().values()) == 1
    task = tasks_left()[poison]
    assert (task.deaths, task.dead_at is None) == (2, False)
    assert database.extensions["redis"].llen("rq:queue:notifications") == 0, "it is not enqueued any more"
    with unit_of_work():
        assert outbox.revive(now=utcnow()) == 1
    assert tasks_left()[poison].deaths == 0


def test_a_task_that_no_worker_has_begun_has_killed_none(database, jobs):
    from worker.relay import relay_once

    emitted(3)
    for _ in range(2 * outbox.DEATHS_MAX):
        assert sum(relay_once().values()) == 3
        assert relay_once() == {}, "while jobs wait for workers, tasks wait for jobs"
        leases_end()
        database.extensions["redis"].flushdb()

    assert {(task.deaths, task.attempts, task.dead_at) for task in tasks_left().values()} == {(0, 0, None)}
