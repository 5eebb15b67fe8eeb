"""The relay: due tasks of the outbox onto their queues. `python -m worker.relay`

Several may run. A task that is enqueued is leased, not done: it is enqueued again when its lease ends before its
handler has committed. So Redis may lose everything, and a relay may die between the commit and the enqueueing.
"""

import signal
import threading
from collections import defaultdict
from collections.abc import Iterator, Sequence

import redis
from redis.exceptions import RedisError
from rq import Queue
from rq.serializers import JSONSerializer
from sqlalchemy.exc import SQLAlchemyError

from pickup.config import Settings
from pickup.core import outbox
from pickup.core.clock import utcnow
from pickup.core.db import db, unit_of_work
from pickup.core.logging import log
from worker.app import app
from worker.handlers import HANDLERS

LEASED_AT_ONCE = 1000
# The pause grows from the first to the second while nothing happens: under load many tasks make one job, and the night
# is quiet.
PAUSE_MIN_SECONDS = 0.02
PAUSE_MAX_SECONDS = 0.1
PAUSE_AFTER_FAULT_SECONDS = 1.0
JOB_TIMEOUT_SECONDS = 120
RESULT_TTL_SECONDS = 0

stopping = threading.Event()


def relay_once() -> int:
    """Lease what is due and enqueue it; returns how many tasks that were."""
    settings: Settings = app.extensions["settings"]
    app.extensions["redis"].ping()  # while the queue is away nothing is leased: it would wait for its lease to end
    with unit_of_work():
        leased = outbox.lease(now=utcnow(), lease_seconds=settings.outbox_lease_seconds, limit=LEASED_AT_ONCE)
    by_handler: dict[str, list[int]] = defaultdict(list)
    for task in leased:
        by_handler[task.handler].append(task.id)
    for name, task_ids in by_handler.items():
        _enqueue(name, task_ids)
    return len(leased)


def _enqueue(name: str, task_ids: Sequence[int]) -> None:
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
            for chunk in _chunks(task_ids, handler.size)
        ]
    )


def _chunks(task_ids: Sequence[int], size: int) -> Iterator[list[int]]:
    for start in range(0, len(task_ids), size):
        yield list(task_ids[start : start + size])


def main() -> None:
    """Relay until SIGTERM or SIGINT."""
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopping.set())
    pause = PAUSE_MIN_SECONDS
    with app.app_context():
        log.info("relay_started")
        while not stopping.wait(pause):
            try:
                pause = PAUSE_MIN_SECONDS if relay_once() else min(pause * 1.5, PAUSE_MAX_SECONDS)
            except (SQLAlchemyError, RedisError, redis.exceptions.ConnectionError) as error:
                db.session.rollback()
                log.warning("relay_fault", error=str(error)[:300])
                pause = PAUSE_AFTER_FAULT_SECONDS


if __name__ == "__main__":
    main()
