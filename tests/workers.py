"""The real relay and real RQ workers, run in this process until nothing is left to do."""

import redis
from rq import Queue, SimpleWorker
from rq.serializers import JSONSerializer

from pickup.core.db import db

ROUNDS_MAX = 100


def drain() -> None:
    """Relay and work until no task is due any more; one that failed is due again after a second or more."""
    from worker.app import app
    from worker.handlers import QUEUES
    from worker.relay import relay_once

    db.session.rollback()
    connection = redis.Redis.from_url(app.extensions["settings"].queue_url)
    queues = [Queue(name, connection=connection, serializer=JSONSerializer) for name in QUEUES]
    with app.app_context():
        for _ in range(ROUNDS_MAX):
            if not relay_once():
                break
            for queue in (each for each in queues if not each.is_empty()):
                SimpleWorker([queue], connection=connection, serializer=JSONSerializer).work(
                    burst=True, logging_level="WARNING"
                )
        else:
            raise AssertionError("the outbox does not get empty")
    connection.close()
