"""Named reads of the dashboard: what happened in some days, each day by the clock of the store it happened in.

What happens to an order is in its history. It counts for the store that hands the order over; goods that were not
found, for the store that looked for them.
"""

from collections.abc import Sequence
from datetime import UTC, date, datetime, time, timedelta
from typing import Any, NamedTuple

from sqlalchemy import ARRAY, Date, DateTime, Float, Integer, Row, TextClause, bindparam, text
from sqlalchemy.types import TypeEngine

from pickup.core.db import db

# Somewhere a day begins 14 hours before it does in UTC, and elsewhere it ends 12 hours after.
EARLIEST, LATEST = timedelta(hours=14), timedelta(hours=12)
WORST_MAX = 8


class Days(NamedTuple):
    """From a day to another, of one store; or, where there is none, of all."""

    first: date
    last: date
    store: int | None

    def values(self) -> dict[str, Any]:
        """The parameters of the statements; the instants are for the indexes, the days are what counts."""
        begin, end = (datetime.combine(day, time(), UTC) for day in (self.first, self.last))
        return self._asdict() | {"since": begin - EARLIEST, "until": end + timedelta(days=1) + LATEST}


_TYPES: dict[str, TypeEngine[Any]] = {
    "first": Date(),
    "last": Date(),
    "store": Integer(),
    "since": DateTime(timezone=True),
    "until": DateTime(timezone=True),
    "bounds": ARRAY(Float()),
}


def _statement(sql: str) -> TextClause:
    return text(sql).bindparams(*(bindparam(name, type_=kind) for name, kind in _TYPES.items() if f":{name}" in sql))


_IN_THESE_DAYS = """
    step.at >= :since AND step.at < :until
    AND CAST(step.at AT TIME ZONE stores.timezone AS date) BETWEEN :first AND :last
"""
_STEPS = f"""
    FROM order_history AS step
    JOIN orders ON orders.id = step.order_id
    JOIN stores ON stores.id = orders.store_id
    WHERE {_IN_THESE_DAYS} AND (:store IS NULL OR orders.store_id = :store)
"""

_HAPPENED = _statement(f"""
    SELECT action, day, hour, count(*) AS orders
    FROM (
        SELECT step.action, CAST(step.at AT TIME ZONE stores.timezone AS date) AS day,
            CAST(extract(hour FROM step.at AT TIME ZONE stores.timezone) AS integer) AS hour
        {_STEPS} AND step.action IN ('pay', 'hand_over', 'expire')
    ) AS steps
    GROUP BY GROUPING SETS ((action, day), (action, hour))
""")  # noqa: S608  put together from constants


def happened(days: Days) -> Sequence[Row[Any]]:
    """How many orders were paid, handed over and expired: by day (`hour` is None) and by hour (`day` is None)."""
    return db.session.execute(_HAPPENED, days.values()).all()


# How the minutes between two instants are spread: one row for each part that has any, and one for all of them.
_SPREAD = """
    SELECT CAST(width_bucket(minutes, :bounds) AS integer) AS part, count(*) AS orders,
        percentile_cont(ARRAY[0.5, 0.9]) WITHIN GROUP (ORDER BY minutes) AS minutes,
        percentile_cont(0.5) WITHIN GROUP (ORDER BY taken) AS taken
    FROM (
        SELECT CAST(extract(epoch FROM {minutes}) / 60 AS float) AS minutes,
            CAST(extract(epoch FROM {taken}) / 60 AS float) AS taken
        {steps} AND step.action = '{action}' {condition}
    ) AS spans
    GROUP BY GROUPING SETS ((width_bucket(minutes, :bounds)), ())
"""
_READY = _statement(
    _SPREAD.format(
        minutes="step.at - orders.ready_by",
        taken="step.at - orders.placed_at",
        steps=_STEPS,
        action="mark_ready",
        condition="",
    )
)
_WAITED = _statement(
    _SPREAD.format(
        minutes="greatest(step.at - orders.arrived_at, '0')",
        taken="CAST(NULL AS interval)",
        steps=_STEPS,
        action="hand_over",
        condition="AND orders.arrived_at IS NOT NULL",
    )
)


class Spread(NamedTuple):
    """How minutes are spread: how many in each part, their median and 90th percentile; None where there are none."""

    counts: list[int]
    median: float | None
    most: float | None
    taken: float | None
    """The median of what it took in all, where that is something else."""


def ready_after_promise(days: Days, bounds: Sequence[float]) -> Spread:
    """By how many minutes orders were ready after they were promised to be; before it is less than nothing.

    Args:
        bounds: where a part ends and the next begins, rising.
    """
    return _spread(_READY, days, bounds)


def waited(days: Days, bounds: Sequence[float]) -> Spread:
    """How many minutes customers who said that they were there waited for their goods."""
    return _spread(_WAITED, days, bounds)


def _spread(statement: TextClause, days: Days, bounds: Sequence[float]) -> Spread:
    rows = db.session.execute(statement, days.values() | {"bounds": [float(bound) for bound in bounds]}).all()
    counts = {row.part: row.orders for row in rows if row.part is not None}
    every = next(row for row in rows if row.part is None)
    median, most = every.minutes or (None, None)
    return Spread([counts.get(part, 0) for part in range(len(bounds) + 1)], median, most, every.taken)


# An order that leaves a store forgets what was not found there: only its history knows, in the words of
# `orders/short_picks.py`. Where it was then, says the first event behind it.
_NOT_FOUND = f"""
    not_found AS (
        SELECT step.order_id, CAST(found[1] AS integer) AS units, found[2] AS sku
        FROM order_history AS step
        CROSS JOIN LATERAL regexp_match(step.note, '^(\\d+) of \\d+ × (.+) missing$') AS found
        JOIN orders ON orders.id = step.order_id
        JOIN stores ON stores.id = coalesce(
            (
                SELECT CAST(events.data ->> 'store_id' AS integer) FROM events
                WHERE events.subject_id = step.order_id AND events.at >= step.at
                    AND events.type IN ('order.withdrawn', 'order.ready', 'order.cancelled')
                ORDER BY events.id LIMIT 1
            ),
            orders.store_id
        )
        WHERE step.action = 'short_pick' AND {_IN_THESE_DAYS} AND (:store IS NULL OR stores.id = :store)
    )
"""  # noqa: S608
_WORST = _statement(f"""
    WITH {_NOT_FOUND}
    SELECT not_found.sku, coalesce(products.name, '') AS name, sum(units) AS units,
        count(DISTINCT order_id) AS orders, sum(sum(units)) OVER () AS all_units
    FROM not_found LEFT JOIN products ON products.sku = not_found.sku
    GROUP BY not_found.sku, products.name ORDER BY units DESC, not_found.sku LIMIT {WORST_MAX}
""")  # noqa: S608
# Each order is set ready once; of those that were not, or not in these days, only what was not found is known.
_LINES = _statement(f"""
    WITH {_NOT_FOUND}, ready AS MATERIALIZED (
        SELECT step.order_id {_STEPS} AND step.action = 'mark_ready'
    ), picked AS (
        SELECT order_id FROM ready
        UNION ALL SELECT DISTINCT order_id FROM not_found WHERE order_id NOT IN (SELECT order_id FROM ready)
    )
    SELECT (SELECT count(*) FROM picked JOIN order_lines ON order_lines.order_id = picked.order_id) AS lines,
        (SELECT count(DISTINCT (order_id, sku)) FROM not_found) AS short
""")  # noqa: S608


def worst_found(days: Days) -> Sequence[Row[Any]]:
    """The products of which most units were not found, those first; each with the units of all."""
    return db.session.execute(_WORST, days.values()).all()


def lines_picked(days: Days) -> tuple[int, int]:
    """How many lines were looked for, in orders that were set ready or not found, and of how many units missed."""
    row = db.session.execute(_LINES, days.values()).one()
    return row.lines, row.short


_BREACHES = _statement(f"""
    SELECT CAST(step.at AT TIME ZONE stores.timezone AS date) AS day, count(*) AS breaches
    FROM parity_breaches AS step JOIN stores ON stores.id = step.store_id
    WHERE {_IN_THESE_DAYS} AND (:store IS NULL OR step.store_id = :store)
    GROUP BY 1
""")  # noqa: S608


def breaches_by_day(days: Days) -> dict[date, int]:
    """How often tills charged something else than the ledger says; days without are absent."""
    return {row.day: row.breaches for row in db.session.execute(_BREACHES, days.values())}


_LATE = text("""
    SELECT count(*) FROM orders
    WHERE status IN ('in_transit', 'reserved', 'picking')
        AND ready_by < :now AND (:store IS NULL OR store_id = :store)
""").bindparams(bindparam("store", type_=Integer()), bindparam("now", type_=DateTime(timezone=True)))


def late_now(store_id: int | None, *, now: datetime) -> int:
    """How many orders should stand ready by now, and do not."""
    return db.session.scalar(_LATE, {"store": store_id, "now": now}) or 0
