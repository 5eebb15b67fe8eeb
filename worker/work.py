"""An RQ worker for one queue. `python -m worker.work QUEUE`

It listens on exactly one queue: with two, RQ pops by BLPOP, and a job popped by a worker that dies is gone at once.
(The outbox would enqueue it again after its lease; with one queue RQ does not lose it in the first place.)

It works in its own process, without a fork per job: the jobs are short and ours, one job serves many orders, and a
fork costs 10 ms each time and a new database connection. What a work-horse would be for, the supervisor does: a worker
that dies is started again, and its tasks come back when their lease ends.
"""

import os
import sys

import redis
from rq import Queue, SimpleWorker
from rq.serializers import JSONSerializer

from pickup.config import Settings
from pickup.core.types import new_id
from worker.app import app
from worker.handlers import QUEUES
from worker.jobs import run  # noqa: F401  loaded before the first job, not with it

# Under load an order goes before a mail: a mail that comes seconds later is not late.
NICENESS = {"notifications": 10}


def main(queue_name: str) -> None:
    """Work until SIGTERM, which lets the present job end."""
    os.nice(NICENESS.get(queue_name, 0))
    # A connection of its own: RQ blocks on it for minutes, the application's gives up after seconds.
    settings: Settings = app.extensions["settings"]
    connection = redis.Redis.from_url(settings.queue_url)
    queue = Queue(queue_name, connection=connection, serializer=JSONSerializer)
    rq_worker = SimpleWorker(
        [queue], connection=connection, serializer=JSONSerializer, name=f"{queue_name}-{new_id().hex[-12:]}"
    )
    rq_worker.work(logging_level="WARNING", with_scheduler=False)


if __name__ == "__main__":
    if len(sys.argv) != 2 or sys.argv[1] not in QUEUES:
        sys.exit(f"usage: python -m worker.work {'|'.join(QUEUES)}")
    main(sys.argv[1])
