"""A till that asks for the price changes after the last version it saw misses none, whoever writes at the same time."""

import threading
from functools import partial

import pytest
from sqlalchemy import select

from pickup.core.clock import utcnow
from pickup.core.db import db, in_transaction
from pickup.core.types import Money
from pickup.pricing import queries, service
from pickup.pricing.models import Price
from pickup.pricing.service import PriceChange, record_all, state
from tests.concurrency.together import at_once, in_own_session, somebody_waits_for_a_lock, until

WRITERS = 4
BATCHES = 15


def change(amount):
    return PriceChange("A", Money(amount, "USD"), "", utcnow())


def record(*amounts):
    now = utcnow()
    changes = [change(amount) for amount in amounts]
    record_all(state(changes, now=now), begins=now, recorded_by="a writer")


def read_on(position):
    """The versions that a till learns of, from behind the last it knows."""
    db.session.rollback()
    return [change.version for change in queries.price_changes_after(position, "", limit=10)[1]]


def ledger():
    db.session.rollback()
    return list(db.session.scalars(select(Price.version).order_by(Price.version)))


def test_a_till_that_follows_several_writers_misses_nothing(world):
    world.product("A", price=None)
    writing = threading.Event()
    writing.set()

    def write():
        with world.app.app_context():
            for number in range(BATCHES):
                in_transaction(partial(record, *range(number, number + 3)))

    def write_all():
        at_once([write] * WRITERS)
        writing.clear()

    def follow():
        seen = [0]
        with world.app.app_context():
            while True:
                is_last = not writing.is_set()
                seen += (news := read_on(seen[-1]))
                if is_last and not news:
                    return seen[1:]

    _, seen = at_once([write_all, follow])

    assert seen == ledger()
    assert len(seen) == WRITERS * BATCHES * 3


@pytest.mark.parametrize(
    ("lock", "missed"),
    [(queries.lock_price_ledger, 0), (lambda: None, 1)],
    ids=["nothing is missed", "control: without the lock a version is missed"],
)
def test_a_lower_version_that_is_committed_after_a_higher_one(world, monkeypatch, lock, missed):
    world.product("A", price=None)
    monkeypatch.setattr(service, "lock_price_ledger", lock)
    slow_has_written, quick_is_done = threading.Event(), threading.Event()

    def quick_is_done_or_kept_out():
        return quick_is_done.is_set() or somebody_waits_for_a_lock(world.app)

    def slow():
        record(1)
        slow_has_written.set()
        until(quick_is_done_or_kept_out)
        with world.app.app_context():
            seen.extend(read_on(0))

    def quick():
        slow_has_written.wait()
        in_own_session(world.app, partial(record, 2))()
        quick_is_done.set()

    seen: list[int] = []
    at_once([in_own_session(world.app, slow), quick])
    seen += read_on(seen[-1] if seen else 0)

    assert len(set(ledger()) - set(seen)) == missed
