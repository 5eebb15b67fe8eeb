"""The outbox: every task is done once, in order, whatever dies in between."""

from datetime import timedelta

from sqlalchemy import select

from pickup.core import outbox
from pickup.core.clock import utcnow
from pickup.core.db import db
from pickup.core.models import Event, OutboxTask
from pickup.core.types import new_id
from worker.handlers import HANDLERS


def emitted(event_type="order.ready", subject=None):
    subject = subject or new_id()
    outbox.emit(event_type, {subject: {"number": 1}}, at=utcnow())
    db.session.commit()
    return subject


def leased(seconds=30, now=None):
    tasks = outbox.lease(HANDLERS, now=now or utcnow(), lease_seconds=seconds, limit=10)
    db.session.commit()
    return tasks


def test_an_event_leaves_a_task_for_each_subscriber(database):
    emitted("order.collected")

    assert {task.handler for task in leased()} == {"settle_payment", "notify_customer"}


def test_a_rolled_back_transaction_leaves_nothing(database):
    outbox.emit("order.ready", {new_id(): {}}, at=utcnow())
    db.session.rollback()

    assert leased() == []
    assert db.session.query(Event).count() == 0


def test_a_leased_task_is_not_given_twice_until_its_lease_ends(database):
    emitted()

    assert len(leased()) == 1
    assert leased() == []
    assert len(leased(now=utcnow() + timedelta(seconds=31))) == 1


def test_a_claimed_task_is_gone_with_its_effect(database):
    emitted()
    ids = [task.id for task in leased()]

    outbox.complete(outbox.claim(ids))
    db.session.commit()

    assert outbox.claim(ids) == []
    assert db.session.query(OutboxTask).count() == 0


def test_an_effect_that_is_rolled_back_leaves_the_task(database):
    emitted()
    ids = [task.id for task in leased()]

    outbox.complete(outbox.claim(ids))
    db.session.rollback()

    assert len(outbox.claim(ids)) == 1


def test_tasks_in_other_hands_are_left_out(database):
    emitted()
    ids = [task.id for task in leased()]
    with db.engine.connect() as other:
        other.execute(select(OutboxTask.id).with_for_update())

        assert outbox.claim(ids) == []


def test_events_of_one_order_keep_their_order(database):
    order = emitted("order.reserved")
    emitted("order.ready", order)
    stranger = emitted("order.ready")

    first = leased()
    claimed = outbox.claim([task.id for task in first])
    assert [(task.event_type, task.subject_id) for task in claimed] == [
        ("order.reserved", order),
        ("order.ready", stranger),
    ]
    outbox.complete(claimed)
    db.session.commit()

    assert [task.event_type for task in outbox.claim([task.id for task in leased()])] == ["order.ready"]


def test_a_failed_task_waits_longer_each_time_and_ends_before_a_person(database):
    emitted()
    now, waits = utcnow() + timedelta(seconds=1), []
    while tasks := leased(now=now):
        outbox.postpone([task.id for task in tasks], error="no", now=now)
        db.session.commit()
        task = db.session.query(OutboxTask).one()
        if task.dead_at is None:
            waits.append((task.due_at - now).total_seconds())
        now += timedelta(days=1)

    shortest = [min(2.0**number, outbox.BACKOFF_MAX_SECONDS) for number in range(len(waits))]
    assert all(least <= wait < 1.2 * least for least, wait in zip(shortest, waits, strict=True))
    assert len({wait / least for least, wait in zip(shortest, waits, strict=True)}) > 10, "each a little different"
    assert len(waits) == outbox.ATTEMPTS_MAX - 1
    assert db.session.query(OutboxTask).one().last_error == "no"
    assert outbox.revive(now=now) == 1
    assert len(leased(now=now)) == 1


def test_a_dead_task_does_not_hold_up_the_ones_behind_it(database):
    order = emitted("order.reserved")
    emitted("order.ready", order)
    db.session.query(OutboxTask).order_by(OutboxTask.id).first().dead_at = utcnow()
    db.session.commit()

    assert len(leased()) == 1


def test_a_lease_that_ran_out_is_told_from_one_that_was_answered(database):
    emitted()
    now = utcnow()
    assert [task.ran_out for task in leased(now=now)] == [False]
    assert [task.ran_out for task in leased(now=now + timedelta(minutes=1))] == [True]

    outbox.postpone([1], error="no", now=now)
    db.session.commit()
    (again,) = leased(now=now + timedelta(minutes=1))
    assert not again.ran_out

    outbox.hand_back([1], now=now)
    db.session.commit()
    (again,) = leased(now=now)
    assert not again.ran_out


def test_a_lease_that_would_end_soon_is_made_longer(database):
    emitted()
    emitted()
    now = utcnow()
    (first,) = outbox.lease(HANDLERS, now=now, lease_seconds=10, limit=1)
    (second,) = outbox.lease(HANDLERS, now=now, lease_seconds=29, limit=1)
    outbox.keep_leased([first.id, second.id], now=now, lease_seconds=30)

    ends = {task.id: (task.due_at - now).total_seconds() for task in db.session.query(OutboxTask)}
    assert ends == {first.id: 30, second.id: 29}
