"""The one RQ job: a handler and the ids of its tasks."""

import time
from collections import defaultdict, deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import Any

import structlog
from rq.timeouts import JobTimeoutException
from sqlalchemy.exc import DBAPIError

from pickup.config import Settings
from pickup.core import outbox
from pickup.core.clock import utcnow
from pickup.core.db import BUSY_SQLSTATES, db, in_transaction, sqlstate, undo, unit_of_work
from pickup.core.logging import log
from pickup.core.metrics import TASKS
from pickup.core.outbox import Hopeless, Later, Task
from pickup.payments.gateway import GatewayRefused, GatewayUnreachable
from worker.app import app
from worker.handlers import HANDLERS, Batch, Effect, Remote

# The world outside is down now and then; everything else wants a stack trace.
EXPECTED_FAULTS = (OSError, DBAPIError, GatewayUnreachable, GatewayRefused)
# So long at most an answer waits for those after it before it is written down. Those of somebody quick are all one
# transaction; those of a slow gateway are not held up, nor to be asked for again after a crash, to save a few commits.
RECORD_AFTER_SECONDS = 1.0

# Where leases are long, RQ's time-out for the whole job is the limit.
ASK_SECONDS_MAX = 30.0


def run(handler_name: str, task_ids: list[int]) -> None:
    """Do what is still to be done of these tasks. Never raises: a failure postpones the task with its reason."""
    handler = HANDLERS[handler_name]
    with app.app_context():
        structlog.contextvars.clear_contextvars()
        structlog.contextvars.bind_contextvars(handler=handler_name)
        if isinstance(handler, Batch):
            _together(handler_name, task_ids, partial(_batch, handler_name, handler))
        else:
            _remote(handler_name, handler, task_ids)


def _together(name: str, task_ids: Sequence[int], work: Callable[[Sequence[int]], None]) -> None:
    """All in one transaction; if that fails, each alone, so that one bad task does not hold up the others."""
    try:
        work(task_ids)
        return
    except Exception as error:
        undo()
        if len(task_ids) == 1 or _concerns_all(error):
            _postpone(name, _failed(task_ids, error))
            return
        log.warning("batch_failed", tasks=len(task_ids), error=repr(error)[:500])
    for task_id in task_ids:
        try:
            work([task_id])
        except Exception as error:
            undo()
            _postpone(name, _failed([task_id], error))


def _concerns_all(error: Exception) -> bool:
    """Not one task's fault, or not to be found out now: each alone would wait as long as all together did."""
    busy = isinstance(error, DBAPIError) and sqlstate(error) in BUSY_SQLSTATES
    return busy or isinstance(error, JobTimeoutException)


def _batch(name: str, handler: Batch, task_ids: Sequence[int]) -> None:
    left = task_ids
    for effect in handler.effects:
        done, left = in_transaction(partial(_apply, effect, left)) if left else (0, left)
        TASKS.labels(name, "done").inc(done)


def _apply(effect: Effect, task_ids: Sequence[int]) -> tuple[int, Sequence[int]]:
    """One effect on those of the tasks that are still to be done; returns how many are, and which it leaves."""
    tasks = outbox.claim(task_ids)
    if not tasks:
        return 0, ()
    structlog.contextvars.bind_contextvars(request_id=tasks[0].request_id, tasks=len(tasks))
    left = {task.id for task in effect(tasks, utcnow())}
    outbox.complete([task for task in tasks if task.id not in left])
    return len(tasks) - len(left), sorted(left)


def _remote(name: str, handler: Remote, task_ids: Sequence[int]) -> None:
    """Prepare all, ask for each outside of any transaction, record all. What fails in between fails alone."""
    settings: Settings = app.extensions["settings"]
    waiting: deque[tuple[Task, Any]] = deque()
    _together(name, task_ids, partial(_prepare, name, handler, waiting))
    # After its lease a task is somebody else's, too: who is so slow takes fewer at a time.
    ends = time.monotonic() + min(settings.outbox_lease_seconds / 2, ASK_SECONDS_MAX)
    with handler.performing() as perform:
        while waiting and time.monotonic() < ends:
            answers, errors = _perform(perform, waiting)
            if answers:
                _together(name, list(answers), partial(_record, name, handler, answers))
            if errors:
                _postpone(name, errors)
    if waiting:
        rest = [task.id for task, _ in waiting]
        _leave_word(lambda: outbox.hand_back(rest, now=utcnow()), rest)


def _prepare(name: str, handler: Remote, waiting: deque[tuple[Task, Any]], task_ids: Sequence[int]) -> None:
    settings: Settings = app.extensions["settings"]

    def work() -> tuple[list[Task], Mapping[int, Any]]:
        tasks, now = outbox.claim(task_ids), utcnow()
        if not tasks:
            return [], {}
        structlog.contextvars.bind_contextvars(request_id=tasks[0].request_id)
        outbox.keep_leased((task.id for task in tasks), now=now, lease_seconds=settings.outbox_lease_seconds)
        wanted = handler.prepare(tasks, now)
        outbox.complete([task for task in tasks if task.id not in wanted])
        outbox.defer({task_id: each for task_id, each in wanted.items() if isinstance(each, Later)})
        outbox.give_up({task_id: each for task_id, each in wanted.items() if isinstance(each, Hopeless)}, now=now)
        return tasks, wanted

    tasks, wanted = in_transaction(work)
    # Kept as it was read: the rollback of another task would have it read again, in the midst of a call.
    db.session.expunge_all()
    waiting.extend(
        (task, wanted[task.id])
        for task in tasks
        if task.id in wanted and not isinstance(wanted[task.id], Later | Hopeless)
    )
    TASKS.labels(name, "done").inc(len(tasks) - len(wanted))


def _perform(
    perform: Callable[[Any], Any], waiting: deque[tuple[Task, Any]]
) -> tuple[dict[int, tuple[Task, Any]], dict[int, Exception]]:
    """Ask for one after the other until it is time to write down what came: answers and errors by task id."""
    answers: dict[int, tuple[Task, Any]] = {}
    errors: dict[int, Exception] = {}
    until = time.monotonic() + RECORD_AFTER_SECONDS
    while waiting:
        task, wanted = waiting.popleft()
        structlog.contextvars.bind_contextvars(request_id=task.request_id, subject=str(task.subject_id))
        try:
            answers[task.id] = task, perform(wanted)
        except Exception as error:
            errors |= _failed([task.id], error)
        if time.monotonic() > until:
            break
    return answers, errors


def _record(name: str, handler: Remote, answers: Mapping[int, tuple[Task, Any]], task_ids: Sequence[int]) -> None:
    def work() -> int:
        # Without those where another copy of this job was faster, and has recorded the same.
        tasks = outbox.claim(task_ids)
        left = {task.id for task in handler.record([answers[task.id] for task in tasks], utcnow()) or ()}
        outbox.hand_back(left, now=utcnow())
        outbox.complete([task for task in tasks if task.id not in left])
        return len(tasks) - len(left)

    TASKS.labels(name, "done").inc(in_transaction(work))


def _failed(task_ids: Sequence[int], error: Exception) -> dict[int, Exception]:
    """Say that tasks failed, while the log's context is still theirs."""
    expected = isinstance(error, EXPECTED_FAULTS)
    log.warning("task_failed", tasks=list(task_ids), error=repr(error)[:500], exc_info=None if expected else error)
    return dict.fromkeys(task_ids, error)


def _postpone(name: str, errors: Mapping[int, Exception]) -> None:
    """Each task with its own reason."""
    TASKS.labels(name, "failed").inc(len(errors))
    alike: dict[str, list[int]] = defaultdict(list)
    for task_id, error in errors.items():
        alike[repr(error)].append(task_id)

    def work() -> None:
        for reason, task_ids in alike.items():
            outbox.postpone(task_ids, error=reason, now=utcnow())

    _leave_word(work, errors)


def _leave_word(work: Callable[[], None], task_ids: Iterable[int]) -> None:
    try:
        with unit_of_work():
            work()
    except DBAPIError:
        # The database is away, too: the tasks come back when their lease ends.
        log.warning("not_postponed", tasks=list(task_ids))
