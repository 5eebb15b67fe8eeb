"""Events become public: each gets its place in the feed, and a delivery for every endpoint that wants it.

The ids of events are given before their commits, so whoever reads on after the greatest id may miss one that is
committed later. Places are given after the commits, by one process at a time: who has seen a place has seen all before
it. Of one order the events keep their order, since each of its steps holds its row until the commit.
"""

from datetime import datetime, timedelta

from sqlalchemy import ARRAY, BigInteger, DateTime, Text, bindparam, text

from pickup.core import signals
from pickup.core.db import run
from pickup.webhooks.event_types import PUBLIC
from pickup.webhooks.models import MAY_HEAR

AT_ONCE = 1000
# What is due later than this is in nobody's hands: it has failed before.
SOON = timedelta(minutes=2)
# Any number that no other lock of this kind has.
TURN = 7_301_124
TOPIC = "events"

_MY_TURN = text("""
    SELECT coalesce(
        CASE WHEN EXISTS (SELECT FROM events WHERE position IS NULL) THEN pg_try_advisory_xact_lock(:turn) END, false
    )
""").bindparams(bindparam("turn", type_=BigInteger()))
# What comes after one that is to be tried again in hours waits as long as that does: due, but not first in line, it
# would be looked at in vain with each look at what is due. Where the first is delivered sooner, the others are due.
_PUBLISH = text(f"""
    WITH last AS (
        SELECT coalesce(max(position), 0) AS position FROM events
    ), fresh AS (
        SELECT id, row_number() OVER (ORDER BY id) AS place
        FROM (SELECT id FROM events WHERE position IS NULL ORDER BY id LIMIT :limit) AS unnumbered
    ), numbered AS (
        UPDATE events SET position = last.position + fresh.place
        FROM fresh, last WHERE events.id = fresh.id
        RETURNING events.id, events.type, events.subject_id
    ), planned AS (
        INSERT INTO webhook_deliveries (endpoint_id, event_id, subject_id, due_at)
        SELECT endpoint.id, numbered.id, numbered.subject_id, greatest(:now, (
            SELECT due_at FROM webhook_deliveries AS first
            WHERE first.endpoint_id = endpoint.id AND first.subject_id = numbered.subject_id
              AND first.done_at IS NULL AND first.dead_at IS NULL AND first.due_at > :soon
            ORDER BY first.event_id LIMIT 1
        ))
        FROM numbered
        LEFT JOIN orders ON orders.id = numbered.subject_id
        JOIN webhook_endpoints AS endpoint
          ON endpoint.disabled_at IS NULL AND {MAY_HEAR}
         AND (endpoint.events = '{{}}' OR numbered.type = ANY(endpoint.events))
         AND (orders.client_id = endpoint.client_id OR orders.id IS NULL)
        WHERE numbered.type = ANY(:public)
        ORDER BY numbered.id
    )
    SELECT count(*) AS numbered, array_agg(DISTINCT subject_id) FILTER (WHERE type = ANY(:public)) AS told
    FROM numbered
""").bindparams(  # noqa: S608  put together from constants
    *(bindparam(name, type_=DateTime(timezone=True)) for name in ("now", "soon")),
    bindparam("public", type_=ARRAY(Text())),
    bindparam("limit", type_=BigInteger()),
)


def publish(now: datetime) -> int:
    """Give committed events their places and their deliveries, and wake who waits for them.

    Returns:
        How many there were; none, too, where another process is at it.
    """
    if not run(_MY_TURN, {"turn": TURN}).scalar_one():
        return 0
    # A statement of its own: it has to see what the one who had the turn before has committed.
    numbered, told = run(_PUBLISH, {"now": now, "soon": now + SOON, "public": list(PUBLIC), "limit": AT_ONCE}).one()
    if told:
        signals.after_commit(signals.NEWS, [TOPIC, *map(topic_of, told)])
    return int(numbered)


def topic_of(subject_id: object) -> str:
    """The subject of `signals.NEWS` for the events of one order."""
    return f"{TOPIC}:{subject_id}"
