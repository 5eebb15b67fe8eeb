"""The relay: due tasks of the outbox onto their queues, events into their feed. `python -m worker.relay`

Several may run. A task that is enqueued is leased, not done: it is enqueued again when its lease ends before its
handler has committed. So Redis may lose everything, and a relay may die between the commit and the enqueueing.
"""

import signal
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TypeVar

from redis.exceptions import RedisError
from rq import Queue
from rq.job import Job
from rq.registry import StartedJobRegistry
from rq.serializers import JSONSerializer
from sqlalchemy.exc import SQLAlchemyError

from pickup.config import Settings
from pickup.core import outbox
from pickup.core.clock import utcnow
from pickup.core.db import undo, unit_of_work
from pickup.core.logging import log
from pickup.core.outbox import Leased
from pickup.webhooks.publishing import publish
from worker.app import app
from worker.handlers import HANDLERS

Done = TypeVar("Done")

LEASED_AT_ONCE = 1000
# The pause grows from the first to the second while nothing happens: under load many tasks make one job, and the night
# is quiet.
PAUSE_MIN_SECONDS = 0.02
PAUSE_MAX_SECONDS = 0.1
PAUSE_AFTER_FAULT_SECONDS = 1.0
JOB_TIMEOUT_SECONDS = 120
RESULT_TTL_SECONDS = 0

stopping = threading.Event()


def relay_once(names: Iterable[str] = HANDLERS) -> dict[str, int]:
    """Lease what is due of some handlers and enqueue it; returns how many tasks of which handler."""
    settings: Settings = app.extensions["settings"]
    free = _whose_queue_is_empty(names)
    if not free:
        return {}
    with unit_of_work():
        leased = outbox.lease(free, now=utcnow(), lease_seconds=settings.outbox_lease_seconds, limit=LEASED_AT_ONCE)
    suspects = _suspects(leased)
    by_handler: dict[str, list[int]] = defaultdict(list)
    for task in leased:
        by_handler[task.handler].append(task.id)
    for name, task_ids in by_handler.items():
        together = [task_id for task_id in task_ids if task_id not in suspects]
        alone = [[task_id] for task_id in task_ids if suspects.get(task_id)]
        _enqueue(name, [*_chunks(together, HANDLERS[name].size), *alone])
    return {name: len(task_ids) for name, task_ids in by_handler.items()}


def publish_once() -> int:
    """Events that were committed meanwhile become public; returns how many."""
    with unit_of_work():
        return publish(utcnow())


def _whose_queue_is_empty(names: Iterable[str]) -> list[str]:
    """The handlers whose workers wait for work.

    Where jobs wait for workers, tasks wait better in the outbox: what comes meanwhile goes into one job with them. And
    while the queue is away this fails, before anything is leased that would wait for its lease to end.
    """
    asked = list(names)
    pipeline = app.extensions["redis"].pipeline(transaction=False)
    for name in asked:
        pipeline.llen(Queue(HANDLERS[name].queue, connection=app.extensions["redis"]).key)
    return [name for name, waiting in zip(asked, pipeline.execute(), strict=True) if not waiting]


def _suspects(leased: Sequence[Leased]) -> dict[int, bool]:
    """Tasks that may have killed a worker, and whether they get another: alone, so that nothing goes down with them."""
    died = _died_with(leased)
    dead: set[int] = set()
    if died:
        with unit_of_work():
            dead = outbox.count_deaths(died, now=utcnow())
        log.warning("workers_died", tasks=sorted(died), dead=sorted(dead))
    return {task.id: task.id not in dead for task in leased if task.deaths or task.id in died}


def _died_with(leased: Sequence[Leased]) -> set[int]:
    """Those of the tasks that a job had begun when their lease ran out. To wait in a long queue is not to fail.

    RQ keeps a job that was begun and not ended for a while. Of a task that has been suspected before only its own jobs
    count, lest one death of many together is held against each of them twice.
    """
    ran_out = [task for task in leased if task.ran_out]
    queues = {HANDLERS[task.handler].queue for task in ran_out}
    begun = [job.args[1] for queue in queues for job in _begun_jobs(queue)]
    alone = {task_ids[0] for task_ids in begun if len(task_ids) == 1}
    together = {task_id for task_ids in begun for task_id in task_ids}
    return {task.id for task in ran_out if task.id in (alone if task.deaths else together)}


def _begun_jobs(queue: str) -> list[Job]:
    connection = app.extensions["redis"]
    registry = StartedJobRegistry(queue, connection=connection, serializer=JSONSerializer)
    jobs = Job.fetch_many(registry.get_job_ids(cleanup=False), connection=connection, serializer=JSONSerializer)
    return [job for job in jobs if job is not None]


def _enqueue(name: str, chunks: Sequence[list[int]]) -> None:
    handler, connection = HANDLERS[name], app.extensions["redis"]
    queue = Queue(handler.queue, connection=connection, serializer=JSONSerializer)
    queue.enqueue_many(
        [
            Queue.prepare_data(
                "worker.jobs.run",
                args=(name, chunk),
                timeout=JOB_TIMEOUT_SECONDS,
                result_ttl=RESULT_TTL_SECONDS,
                failure_ttl=RESULT_TTL_SECONDS,
            )
            for chunk in chunks
        ]
    )


def _chunks(task_ids: Sequence[int], size: int) -> Iterator[list[int]]:
    for start in range(0, len(task_ids), size):
        yield list(task_ids[start : start + size])


def turn(rested: dict[str, float]) -> int | None:
    """Enqueue what is due of the handlers that have rested, and publish: orders go on where their events cannot.

    Args:
        rested: by handler until when it rests, on the monotonic clock; changed.

    Returns:
        How much there was to do; None where something is away.
    """
    now = time.monotonic()
    busy = _unless_away(lambda: relay_once([name for name, at in rested.items() if at <= now]))
    rested |= {name: now + HANDLERS[name].pace_seconds for name in busy or ()}
    published = _unless_away(publish_once)
    return None if busy is None or published is None else len(busy) + published


def _unless_away(work: Callable[[], Done]) -> Done | None:
    try:
        return work()
    except (SQLAlchemyError, RedisError) as error:
        undo()
        log.warning("relay_fault", error=str(error)[:300])
        return None


def main() -> None:
    """Relay until SIGTERM or SIGINT."""
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopping.set())
    pause = PAUSE_MIN_SECONDS
    rested = dict.fromkeys(HANDLERS, 0.0)
    with app.app_context():
        log.info("relay_started")
        while not stopping.wait(pause):
            done = turn(rested)
            if done is None:
                pause = PAUSE_AFTER_FAULT_SECONDS
            else:
                pause = PAUSE_MIN_SECONDS if done else min(pause * 1.5, PAUSE_MAX_SECONDS)


if __name__ == "__main__":
    main()
