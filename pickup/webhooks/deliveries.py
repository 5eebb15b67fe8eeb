"""Deliveries in hand: taking those that are due, and writing down what came of them.

Of one subject an endpoint gets one event after the other: only the first in line is ever in hand. What is in hand is
leased, so that it is sent again when its process dies. `due_at`, which says when the lease ends, also says whose it is:
what somebody reports whose lease has gone to another is kept in the log of attempts, and changes nothing else.
"""

import random
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ARRAY, BigInteger, Boolean, DateTime, Integer, Text, TextClause, Uuid, bindparam, text

from pickup.core.db import in_transaction, run
from pickup.core.logging import log
from pickup.core.posting import GONE, Answer
from pickup.webhooks.models import MAY_HEAR
from pickup.webhooks.schedule import next_attempt

# At a time, of one endpoint, in one process: so many slow answers cannot take all the room that there is.
IN_HAND_MAX = 8
# Of one whose last attempt failed: it is asked whether it is back, and not more.
IN_HAND_WHILE_FAILING = 1
# More than an attempt takes, with the look-up of a name that does not answer either.
LEASE = timedelta(seconds=60)
KEEP = timedelta(days=30)
FORGOTTEN_AT_ONCE = 10_000
# Then the others of the schedule have their turn; the rest goes an hour later.
FORGOTTEN_ROUNDS_MAX = 50

_TIMES = ARRAY(DateTime(timezone=True))

# `= (SELECT min(…))`, and not `NOT EXISTS`: before the tables have statistics that would be a join of all with all.
_LEASE = text(f"""
    WITH busy AS (
        SELECT * FROM unnest(:busy, :in_hand) AS given (endpoint_id, in_hand)
    ), listening AS (
        SELECT endpoint.id, endpoint.failing_since IS NOT NULL AS fails,
            CASE WHEN endpoint.failing_since IS NULL THEN :most ELSE :least END - coalesce(busy.in_hand, 0) AS room
        FROM webhook_endpoints AS endpoint
        LEFT JOIN busy ON busy.endpoint_id = endpoint.id
        WHERE endpoint.disabled_at IS NULL AND {MAY_HEAR}
    ), due AS (
        SELECT first.id, first.due_at, listening.fails,
            row_number() OVER (PARTITION BY listening.id ORDER BY first.due_at, first.event_id) AS turn
        FROM listening CROSS JOIN LATERAL (
            SELECT delivery.id, delivery.event_id, delivery.due_at FROM webhook_deliveries AS delivery
            WHERE delivery.endpoint_id = listening.id AND delivery.due_at <= :now
              AND delivery.done_at IS NULL AND delivery.dead_at IS NULL AND delivery.event_id = (
                SELECT min(event_id) FROM webhook_deliveries AS waiting
                WHERE waiting.endpoint_id = delivery.endpoint_id AND waiting.subject_id = delivery.subject_id
                  AND waiting.done_at IS NULL AND waiting.dead_at IS NULL
            )
            ORDER BY delivery.due_at, delivery.event_id
            LIMIT listening.room
            FOR UPDATE SKIP LOCKED
        ) AS first
        WHERE listening.room > 0
    ), fair AS (
        SELECT id, turn, due_at, fails, row_number() OVER (PARTITION BY fails ORDER BY turn, due_at) AS place FROM due
    ), chosen AS (
        SELECT id FROM fair WHERE NOT fails OR place <= :limit_of_failing ORDER BY turn, due_at LIMIT :limit
    )
    UPDATE webhook_deliveries AS delivery SET due_at = :lease_until
    FROM chosen, webhook_endpoints AS endpoint
    WHERE delivery.id = chosen.id AND endpoint.id = delivery.endpoint_id
    RETURNING delivery.id, delivery.endpoint_id, delivery.event_id, delivery.attempts, delivery.due_at,
        endpoint.url, endpoint.failing_since IS NOT NULL, endpoint.secret,
        CASE WHEN endpoint.old_secret_until > :now THEN endpoint.old_secret END
""").bindparams(  # noqa: S608  put together from constants
    bindparam("busy", type_=ARRAY(Uuid())),
    bindparam("in_hand", type_=ARRAY(Integer())),
    bindparam("most", IN_HAND_MAX, type_=Integer()),
    bindparam("least", IN_HAND_WHILE_FAILING, type_=Integer()),
    bindparam("limit", type_=Integer()),
    bindparam("limit_of_failing", type_=Integer()),
    bindparam("now", type_=DateTime(timezone=True)),
    bindparam("lease_until", type_=DateTime(timezone=True)),
)

_NOTE = text("""
    INSERT INTO webhook_attempts (delivery_id, at, status, error, duration_ms)
    SELECT said.* FROM unnest(:ids, :at, :statuses, :errors, :durations) AS said (id, at, status, error, duration_ms)
    WHERE EXISTS (SELECT FROM webhook_deliveries WHERE id = said.id)
    ORDER BY at
""").bindparams(
    bindparam("ids", type_=ARRAY(BigInteger())),
    bindparam("at", type_=_TIMES),
    bindparam("statuses", type_=ARRAY(Integer())),
    bindparam("errors", type_=ARRAY(Text())),
    bindparam("durations", type_=ARRAY(Integer())),
)

# Those behind one that has failed would be looked at in vain until it is due again: they wait as long as it does. When
# it has come to its end, those that have only waited for it are due.
_SETTLE = text("""
    WITH said AS (
        SELECT * FROM unnest(:ids, :leases, :again, :statuses, :errors, :successes)
            AS given (id, lease, again, status, error, success)
    ), settled AS (
        UPDATE webhook_deliveries AS delivery SET
            attempts = delivery.attempts + 1,
            due_at = coalesce(said.again, :now),
            done_at = CASE WHEN said.success THEN :now END,
            dead_at = CASE WHEN NOT said.success AND said.again IS NULL THEN :now END,
            last_status = said.status,
            last_error = said.error
        FROM said
        WHERE delivery.id = said.id AND delivery.due_at = said.lease
          AND delivery.done_at IS NULL AND delivery.dead_at IS NULL
        RETURNING delivery.endpoint_id, delivery.subject_id, delivery.event_id, said.again
    )
    UPDATE webhook_deliveries AS later SET due_at = coalesce(settled.again, :now)
    FROM settled
    WHERE later.endpoint_id = settled.endpoint_id AND later.subject_id = settled.subject_id
      AND later.event_id > settled.event_id AND later.done_at IS NULL AND later.dead_at IS NULL
      AND CASE WHEN settled.again IS NULL THEN later.attempts = 0 AND later.due_at > :now
               ELSE later.due_at < settled.again END
""").bindparams(
    bindparam("ids", type_=ARRAY(BigInteger())),
    bindparam("leases", type_=_TIMES),
    bindparam("again", type_=_TIMES),
    bindparam("statuses", type_=ARRAY(Integer())),
    bindparam("errors", type_=ARRAY(Text())),
    bindparam("successes", type_=ARRAY(Boolean())),
    bindparam("now", type_=DateTime(timezone=True)),
)

# Only where something changes, and `gone` only counts for the address that said so.
_JUDGE = text("""
    WITH said AS (
        SELECT * FROM unnest(:ids, :failed_at, :gone) AS given (id, failed_at, gone)
    ), changed AS (
        SELECT endpoint.id, said.failed_at, coalesce(said.gone = endpoint.url, false) AS is_gone
        FROM webhook_endpoints AS endpoint JOIN said ON said.id = endpoint.id
        WHERE (endpoint.failing_since IS NULL) <> (said.failed_at IS NULL)
           OR (said.gone = endpoint.url AND endpoint.disabled_at IS NULL)
        ORDER BY endpoint.id
        FOR NO KEY UPDATE OF endpoint
    )
    UPDATE webhook_endpoints AS endpoint SET
        failing_since = CASE WHEN changed.failed_at IS NOT NULL
                             THEN coalesce(endpoint.failing_since, changed.failed_at) END,
        disabled_at = CASE WHEN changed.is_gone THEN coalesce(endpoint.disabled_at, :now)
                           ELSE endpoint.disabled_at END,
        disabled_why = CASE WHEN changed.is_gone THEN coalesce(endpoint.disabled_why, 'gone')
                            ELSE endpoint.disabled_why END
    FROM changed WHERE endpoint.id = changed.id
""").bindparams(
    bindparam("ids", type_=ARRAY(Uuid())),
    bindparam("failed_at", type_=_TIMES),
    bindparam("gone", type_=ARRAY(Text())),
    bindparam("now", type_=DateTime(timezone=True)),
)

# What has come to its end, and what waits in vain. An endpoint that is only paused gets what waits for it one day.
_OLD = (
    "SELECT id FROM webhook_deliveries WHERE done_at < :before LIMIT :limit",
    "SELECT id FROM webhook_deliveries WHERE dead_at < :before LIMIT :limit",
    """
        SELECT delivery.id FROM webhook_endpoints AS endpoint
        JOIN webhook_deliveries AS delivery ON delivery.endpoint_id = endpoint.id
        WHERE endpoint.disabled_why IN ('gone', 'removed') AND endpoint.disabled_at < :before
          AND delivery.done_at IS NULL AND delivery.dead_at IS NULL
        LIMIT :limit
    """,
)
_FORGET_DELIVERIES = tuple(
    text(f"""
        WITH forgotten AS (DELETE FROM webhook_deliveries WHERE id IN ({old}) RETURNING id)
        SELECT count(*) FROM forgotten
    """)  # noqa: S608  put together from constants
    for old in _OLD
)
_FORGET_ATTEMPTS = text("""
    WITH forgotten AS (
        DELETE FROM webhook_attempts
        WHERE id IN (SELECT id FROM webhook_attempts WHERE at < :before LIMIT :limit) RETURNING id
    )
    SELECT count(*) FROM forgotten
""")


@dataclass(frozen=True, slots=True)
class Leased:
    """A delivery that this process has in hand."""

    id: int
    endpoint_id: uuid.UUID
    event_id: int
    attempts: int
    """How often it has failed before."""
    until: datetime
    """When the lease ends, and the token that it is still ours."""
    url: str
    fails: bool
    """Whether the attempt before, of any of the endpoint's, has failed."""
    secrets: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of an attempt."""

    delivery: Leased
    at: datetime
    duration_ms: int
    answer: Answer


def lease(busy: Mapping[uuid.UUID, int], *, now: datetime, limit: int, limit_of_failing: int) -> list[Leased]:
    """Take what is due: of each subject the first in line, of each endpoint a few, in turn.

    Args:
        busy: how many of which endpoint this process has in hand already.
        limit: how many at most.
        limit_of_failing: and how many of them may be for endpoints that fail.
    """
    rows = run(
        _LEASE,
        {
            "busy": list(busy),
            "in_hand": list(busy.values()),
            "limit": limit,
            "limit_of_failing": max(0, limit_of_failing),
            "now": now,
            "lease_until": now + LEASE,
        },
    )
    return [
        Leased(*row[:7], tuple(filter(None, row[7:])))  # type: ignore[call-arg]
        for row in rows
    ]


def record(outcomes: Sequence[Outcome], *, now: datetime) -> None:
    """Write down what came of some attempts: in the log, at the deliveries, and at their endpoints."""
    if not outcomes:
        return
    run(
        _NOTE,
        {
            **_said(outcomes),
            "at": [each.at for each in outcomes],
            "durations": [each.duration_ms for each in outcomes],
        },
    )
    again = [_again(each, now) for each in outcomes]
    run(
        _SETTLE,
        {
            **_said(outcomes),
            "leases": [each.delivery.until for each in outcomes],
            "again": again,
            "successes": [_succeeded(each) for each in outcomes],
            "now": now,
        },
    )
    run(_JUDGE, _judgement(outcomes) | {"now": now})
    for each, due in zip(outcomes, again, strict=True):
        if due is None and not _succeeded(each):
            log.warning("webhook_given_up", delivery=each.delivery.id, endpoint=str(each.delivery.endpoint_id))
        if each.answer.status == GONE:
            log.warning("webhook_endpoint_gone", endpoint=str(each.delivery.endpoint_id))


def forget_attempts(now: datetime) -> int:
    """Drop what nobody looks up any more: attempts, and deliveries that have come to their end. A job of the clock."""
    return sum(_forget_all(statement, now - KEEP) for statement in (*_FORGET_DELIVERIES, _FORGET_ATTEMPTS))


def _forget_all(statement: TextClause, before: datetime) -> int:
    """Some after the other, each in a transaction of its own: of a busy day there are millions."""
    values = {"before": before, "limit": FORGOTTEN_AT_ONCE}
    forgotten = 0
    for _ in range(FORGOTTEN_ROUNDS_MAX):
        count = int(in_transaction(lambda: run(statement, values).scalar_one()))
        forgotten += count
        if count < FORGOTTEN_AT_ONCE:
            break
    return forgotten


def _succeeded(outcome: Outcome) -> bool:
    return outcome.answer.error is None


def _said(outcomes: Sequence[Outcome]) -> dict[str, Any]:
    return {
        "ids": [each.delivery.id for each in outcomes],
        "statuses": [each.answer.status for each in outcomes],
        "errors": [each.answer.error for each in outcomes],
    }


def _again(outcome: Outcome, now: datetime) -> datetime | None:
    if _succeeded(outcome):
        return None
    return next_attempt(
        outcome.delivery.attempts + 1,
        now,
        chance=random.random(),  # noqa: S311 - spreads, hides nothing
        status=outcome.answer.status,
        retry_after=outcome.answer.retry_after,
    )


def _judgement(outcomes: Sequence[Outcome]) -> dict[str, Any]:
    """Per endpoint: whether the newest attempt failed, and which address said that it is gone."""
    newest = {each.delivery.endpoint_id: each for each in sorted(outcomes, key=lambda each: each.at)}
    gone = {each.delivery.endpoint_id: each.delivery.url for each in outcomes if each.answer.status == GONE}
    return {
        "ids": list(newest),
        "failed_at": [None if _succeeded(each) else each.at for each in newest.values()],
        "gone": [gone.get(endpoint_id) for endpoint_id in newest],
    }
