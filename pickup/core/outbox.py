"""The outbox: what must happen later is a row in the transaction that makes it necessary.

`emit` writes an event and one task per handler that subscribed to it (`pickup/subscriptions.py`). The relay leases
due tasks and puts them on a queue; a handler `claim`s its tasks, has its effect, and `complete`s them in the same
transaction. A task whose handler died, or whose queue was wiped, falls due again when its lease ends.
"""

import random
import uuid
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from flask import current_app
from sqlalchemy import (
    ARRAY,
    BigInteger,
    BindParameter,
    DateTime,
    Text,
    Uuid,
    any_,
    bindparam,
    case,
    delete,
    or_,
    select,
    text,
    update,
)
from sqlalchemy.dialects.postgresql import JSONB, insert

from pickup.core.db import db, run, table_of
from pickup.core.logging import request_id
from pickup.core.models import Event, OutboxTask

# Three days: a gateway or a mail server may be away over a weekend, and nothing that waits for it is given up.
ATTEMPTS_MAX = 440
# A task that takes its worker with it is given up on sooner: each time, the queue stands still for a moment.
DEATHS_MAX = 5
BACKOFF_FIRST_SECONDS = 1
BACKOFF_MAX_SECONDS = 600
BACKOFF_JITTER = 0.2


@dataclass(frozen=True, slots=True)
class Task:
    """A claimed task: the event behind it and whom it concerns."""

    id: int
    handler: str
    event_id: int
    event_type: str
    subject_id: uuid.UUID
    at: datetime
    data: Mapping[str, Any]
    request_id: str
    attempts: int
    """How often it has failed."""


@dataclass(frozen=True, slots=True)
class Leased:
    """A task that the relay has leased and is about to enqueue."""

    id: int
    handler: str
    deaths: int
    ran_out: bool
    """Whether it was leased before, and nobody has said since what became of it."""


@dataclass(frozen=True, slots=True)
class Later:
    """A task whose time has not come."""

    at: datetime


@dataclass(frozen=True, slots=True)
class Hopeless:
    """A task that can only be done by a person."""

    reason: str


NotNow = Later | Hopeless


# Goes on from `told (subject_id, data, position)`, which a statement that changes something makes of what it changed:
# so the change and its event are one statement. See `emission`.
EMISSION = """
    happened AS (
        INSERT INTO events (type, subject_id, at, data, request_id)
        SELECT :event_type, subject_id, :now, data, :request_id FROM told ORDER BY position
        RETURNING id, subject_id
    )
    INSERT INTO outbox_tasks (event_id, handler, subject_id, request_id, due_at)
    SELECT happened.id, handler, happened.subject_id, :request_id, least(:now, now())
    FROM happened CROSS JOIN unnest(:handlers) AS handler
    ORDER BY happened.id
"""
EMISSION_PARAMETERS: tuple[BindParameter[Any], ...] = (
    bindparam("event_type", type_=Text()),
    bindparam("request_id", type_=Text()),
    bindparam("now", type_=DateTime(timezone=True)),
    bindparam("handlers", type_=ARRAY(Text())),
)

_TOLD = """
    WITH told AS (
        SELECT * FROM unnest(:subjects, :data) WITH ORDINALITY AS given (subject_id, data, position)
    ),
"""
_EMIT = text(_TOLD + EMISSION).bindparams(
    *EMISSION_PARAMETERS,
    bindparam("subjects", type_=ARRAY(Uuid())),
    bindparam("data", type_=ARRAY(JSONB())),
)

_PASS_ON = text("""
    INSERT INTO outbox_tasks (event_id, handler, subject_id, request_id, due_at)
    SELECT event_id, :handler, subject_id, request_id, least(:now, now()) FROM outbox_tasks WHERE id = ANY(:ids)
    ORDER BY event_id
    ON CONFLICT (event_id, handler) DO NOTHING
""").bindparams(
    bindparam("ids", type_=ARRAY(BigInteger())),
    bindparam("handler", type_=Text()),
    bindparam("now", type_=DateTime(timezone=True)),
)

_LEASE = text("""
    WITH due AS (
        SELECT id, leased FROM outbox_tasks AS task
        WHERE due_at <= :now AND dead_at IS NULL AND handler = ANY(:handlers) AND NOT EXISTS (
            SELECT FROM outbox_tasks AS earlier
            WHERE earlier.handler = task.handler AND earlier.subject_id = task.subject_id
              AND earlier.id < task.id AND earlier.dead_at IS NULL
        )
        ORDER BY id LIMIT :limit
        FOR UPDATE SKIP LOCKED
    )
    UPDATE outbox_tasks AS task SET due_at = :lease_until, leased = true
    FROM due WHERE task.id = due.id
    RETURNING task.id, task.handler, task.deaths, due.leased
""").bindparams(bindparam("handlers", type_=ARRAY(Text())))


def emit(event_type: str, subjects: Mapping[uuid.UUID, Mapping[str, Any]], *, at: datetime) -> None:
    """Record that something happened to each subject, and what every subscriber has to do about it.

    Args:
        event_type: a name of the table in `pickup/subscriptions.py`.
        subjects: per subject (an order's id, as a rule) the data of its event: ids and figures, no personal data.
        at: when it happened.
    """
    if subjects:
        data = [dict(data) for data in subjects.values()]
        run(_EMIT, emission(event_type, at) | {"subjects": list(subjects), "data": data})


def emission(event_type: str, at: datetime) -> dict[str, Any]:
    """The parameters of `EMISSION`."""
    handlers: Sequence[str] = current_app.extensions["subscriptions"][event_type]
    return {"event_type": event_type, "now": at, "request_id": request_id(), "handlers": list(handlers)}


def pass_on(tasks: Sequence[Task], handler: str, *, now: datetime) -> None:
    """Give another handler a task about the events of these; once per event, as long as it is not done."""
    run(_PASS_ON, {"ids": [task.id for task in tasks], "handler": handler, "now": now})


def lease(handlers: Iterable[str], *, now: datetime, lease_seconds: int, limit: int) -> list[Leased]:
    """Take due tasks of some handlers for one delivery, oldest first.

    Per handler and subject only the first in line is ever out.
    """
    rows = run(
        _LEASE,
        {
            "now": now,
            "lease_until": now + timedelta(seconds=lease_seconds),
            "limit": limit,
            "handlers": list(handlers),
        },
    )
    return sorted((Leased(*row) for row in rows), key=lambda task: task.id)


def claim(task_ids: Iterable[int]) -> list[Task]:
    """Lock the tasks of a job that are still to be done, in order; those done or in other hands are left out."""
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
        .where(OutboxTask.id == any_(_bigints(task_ids)), OutboxTask.dead_at.is_(None))
        .order_by(OutboxTask.id)
        .with_for_update(of=OutboxTask, skip_locked=True)
    )
    return [Task(*row) for row in rows]


def complete(tasks: Sequence[Task]) -> None:
    """The tasks are done, if the transaction commits."""
    db.session.execute(delete(OutboxTask).where(OutboxTask.id == any_(_bigints(task.id for task in tasks))))


def keep_leased(task_ids: Iterable[int], *, now: datetime, lease_seconds: int) -> None:
    """A long job begins: tasks that waited for it so long that their lease may end before it does get a new lease."""
    db.session.execute(
        update(OutboxTask)
        .where(
            OutboxTask.id == any_(_bigints(task_ids)), OutboxTask.due_at < now + timedelta(seconds=lease_seconds / 2)
        )
        .values(due_at=now + timedelta(seconds=lease_seconds))
        .execution_options(synchronize_session=False)
    )


def hand_back(task_ids: Iterable[int], *, now: datetime) -> None:
    """Nobody got round to these tasks: they are due as before, and have not failed."""
    db.session.execute(
        update(OutboxTask)
        .where(OutboxTask.id == any_(_bigints(task_ids)))
        .values(due_at=now, leased=False)
        .execution_options(synchronize_session=False)
    )


def defer(later: Mapping[int, Later]) -> None:
    """The time of these tasks has not come. What comes later of their subjects waits behind them."""
    for task_id, wanted in later.items():
        db.session.execute(
            update(OutboxTask)
            .where(OutboxTask.id == task_id)
            .values(due_at=wanted.at, leased=False)
            .execution_options(synchronize_session=False)
        )


def give_up(hopeless: Mapping[int, Hopeless], *, now: datetime) -> None:
    """Leave these tasks to a person. What comes later of their subjects goes on."""
    for task_id, found in hopeless.items():
        db.session.execute(
            update(OutboxTask)
            .where(OutboxTask.id == task_id)
            .values(dead_at=now, leased=False, last_error=found.reason[:2000])
            .execution_options(synchronize_session=False)
        )


def enqueue(event_id: int, handler: str, subject_id: uuid.UUID, *, now: datetime) -> None:
    """One more task about an event that happened before; none if there is one."""
    db.session.execute(
        insert(table_of(OutboxTask))
        .values(event_id=event_id, handler=handler, subject_id=subject_id, due_at=now)
        .on_conflict_do_nothing()
    )


def count_deaths(task_ids: Iterable[int], *, now: datetime) -> set[int]:
    """A worker died with each of these tasks in hand; returns those that are left to a person from now on."""
    deaths = OutboxTask.deaths + 1
    rows = db.session.execute(
        update(OutboxTask)
        .where(OutboxTask.id == any_(_bigints(task_ids)))
        .values(
            deaths=deaths,
            last_error="the worker died or hung",
            dead_at=case((deaths >= DEATHS_MAX, now), else_=OutboxTask.dead_at),
        )
        .returning(OutboxTask.id, OutboxTask.dead_at)
        .execution_options(synchronize_session=False)
    )
    return {row.id for row in rows if row.dead_at is not None}


def postpone(task_ids: Iterable[int], *, error: str, now: datetime) -> None:
    """A delivery failed: wait longer each time, and after the last attempt leave the task to a person."""
    for task in db.session.scalars(
        select(OutboxTask)
        .where(OutboxTask.id == any_(_bigints(task_ids)))
        .with_for_update(skip_locked=True)
        .execution_options(populate_existing=True)
    ):
        task.attempts += 1  # counted here and not by the lease: to wait in a long queue is not to fail
        task.last_error = error[:2000]
        task.leased = False
        if task.attempts >= ATTEMPTS_MAX:
            task.dead_at = now
        else:
            delay = min(BACKOFF_FIRST_SECONDS * 2 ** (task.attempts - 1), BACKOFF_MAX_SECONDS)
            # What failed together, when a provider went away, does not all come back together.
            spread = 1 + BACKOFF_JITTER * random.random()  # noqa: S311 - spreads, hides nothing
            task.due_at = now + timedelta(seconds=delay * spread)


def dead_tasks() -> Sequence[OutboxTask]:
    """Tasks that wait for a person, oldest first."""
    return db.session.scalars(select(OutboxTask).where(OutboxTask.dead_at.is_not(None)).order_by(OutboxTask.id)).all()


def revive(*, now: datetime) -> int:
    """Give every dead task a new set of attempts; returns how many there were."""
    result = db.session.execute(
        update(OutboxTask)
        .where(OutboxTask.dead_at.is_not(None))
        .values(dead_at=None, attempts=0, deaths=0, leased=False, due_at=now)
        .returning(OutboxTask.id)
    )
    return len(result.all())


def try_now(task_ids: Iterable[int], *, now: datetime) -> int:
    """Let tasks be due at once, and those that were given up have a new set of attempts; returns how many there were.

    Those that a worker has in hand at this moment are left alone.
    """
    is_dead = OutboxTask.dead_at.is_not(None)
    result = db.session.execute(
        update(OutboxTask)
        .where(OutboxTask.id == any_(_bigints(task_ids)), or_(is_dead, ~OutboxTask.leased))
        .values(
            due_at=now,
            leased=False,
            attempts=case((is_dead, 0), else_=OutboxTask.attempts),
            deaths=case((is_dead, 0), else_=OutboxTask.deaths),
            dead_at=None,
        )
        .returning(OutboxTask.id)
        .execution_options(synchronize_session=False)
    )
    return len(result.all())


def _bigints(ids: Iterable[int]) -> Any:
    """A bigint array parameter: one prepared statement however many ids there are."""
    return bindparam(None, list(ids), type_=ARRAY(BigInteger()), unique=True)
