"""The one RQ job: a handler and the ids of its tasks."""

from collections.abc import Callable
from functools import partial

import structlog
from sqlalchemy.exc import DBAPIError

from pickup.core import outbox
from pickup.core.clock import utcnow
from pickup.core.db import BUSY_SQLSTATES, db, in_transaction, sqlstate, unit_of_work
from pickup.core.logging import log
from pickup.core.metrics import TASKS
from pickup.payments.errors import GatewayUnreachable
from worker.app import app
from worker.handlers import HANDLERS, Batch, Effect, Remote

# The world outside is down now and then; everything else wants a stack trace.
EXPECTED_FAULTS = (OSError, DBAPIError, GatewayUnreachable)


def run(handler_name: str, task_ids: list[int]) -> None:
    """Do what is still to be done of these tasks. Never raises: a failure postpones the task with its reason."""
    handler = HANDLERS[handler_name]
    with app.app_context():
        structlog.contextvars.clear_contextvars()
        structlog.contextvars.bind_contextvars(handler=handler_name)
        if isinstance(handler, Batch):
            _run_batch(handler_name, handler, task_ids)
        else:
            for task_id in task_ids:
                _guarded(handler_name, [task_id], partial(_run_remote, handler, task_id))


def _run_batch(name: str, handler: Batch, task_ids: list[int]) -> None:
    """All in one transaction; if that fails, each alone, so that one bad task does not hold up the others."""
    try:
        _batch(handler, task_ids)
        TASKS.labels(name, "done").inc(len(task_ids))
    except Exception as error:
        db.session.rollback()
        log.warning("batch_failed", tasks=len(task_ids), error=repr(error)[:500])
        if isinstance(error, DBAPIError) and sqlstate(error) in BUSY_SQLSTATES:
            # Not one task's fault: each alone would wait as long as all together did.
            _postpone(task_ids, error)
            return
        for task_id in task_ids:
            _guarded(name, [task_id], partial(_batch, handler, [task_id]))


def _batch(handler: Batch, task_ids: list[int]) -> None:
    left = task_ids
    for effect in handler.effects:
        left = in_transaction(partial(_apply, effect, left)) if left else left


def _apply(effect: Effect, task_ids: list[int]) -> list[int]:
    """One effect on those of the tasks that are still to be done; returns what it leaves."""
    tasks = outbox.claim(task_ids)
    if not tasks:
        return []
    structlog.contextvars.bind_contextvars(request_id=tasks[0].request_id, tasks=len(tasks))
    left = {task.id for task in effect(tasks, utcnow())}
    outbox.complete([task for task in tasks if task.id not in left])
    return sorted(left)


def _run_remote(handler: Remote, task_id: int) -> None:
    with unit_of_work():
        tasks = outbox.claim([task_id])
        if not tasks:
            return
        task = tasks[0]
        structlog.contextvars.bind_contextvars(request_id=task.request_id, subject=str(task.subject_id))
        wanted = handler.prepare(task, utcnow())
    answer = handler.perform(wanted) if wanted is not None else None

    def work() -> None:
        if outbox.claim([task_id]):  # else another copy of this job was faster and has recorded the same
            if wanted is not None:
                handler.record(task, answer, utcnow())
            outbox.complete([task])

    in_transaction(work)


def _guarded(name: str, task_ids: list[int], work: Callable[[], None]) -> None:
    try:
        work()
        TASKS.labels(name, "done").inc(len(task_ids))
    except Exception as error:
        db.session.rollback()
        expected = isinstance(error, EXPECTED_FAULTS)
        log.warning("task_failed", tasks=task_ids, error=repr(error)[:500], exc_info=None if expected else error)
        TASKS.labels(name, "failed").inc(len(task_ids))
        _postpone(task_ids, error)


def _postpone(task_ids: list[int], error: Exception) -> None:
    try:
        with unit_of_work():
            outbox.postpone(task_ids, error=repr(error), now=utcnow())
    except DBAPIError:
        # The database is away, too: the tasks come back when their lease ends.
        log.warning("not_postponed", tasks=task_ids)
