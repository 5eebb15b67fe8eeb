"""Whether the orders' money is as the orders say; and with the payments' own books, the whole check of the money.

What the lines of an order cost, cost less since the handover, and what came back of them must make the sums that the
order names. By what it has come to, and what is left of it after returns, a sum is due (`settling.due_of`). What its
payments hold, have taken and not given back, and what was written off must make that sum.
"""

import time
import uuid
from collections.abc import Iterator, Sequence
from dataclasses import asdict, replace
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from sqlalchemy import ARRAY, BindParameter, DateTime, Text, TextClause, Uuid, bindparam, text

from pickup.core.db import in_transaction, run, unit_of_work
from pickup.core.logging import log
from pickup.orders import confirming
from pickup.orders.lifecycle import FINAL, INITIAL
from pickup.orders.settling import NOT_DUE, PAID_FOR
from pickup.payments import checking, reconciliation
from pickup.payments import queries as payment_queries
from pickup.payments import service as payments
from pickup.payments.differences import Difference, Kind, money_words
from pickup.payments.queries import MONEY_HANDLERS

# How far back a check looks: a hold lasts seven days.
SPAN = timedelta(days=8)
# So long the workers may take until what was handed over is paid.
TAKEN_WITHIN = timedelta(minutes=5)
AT_ONCE = 1000

# In the order of the table, the first that is true is what is wrong. `due` is none while the order is open. What was
# written off came, or went back, some other way: it makes up for too little as for too much.
_WRONG: dict[Kind, str] = {
    "not_its_lines": "(total, reduced, returned) <> (lines_total, lines_reduced, lines_returned)",
    "no_payment": "payments = 0",
    "outcome_unknown": "is_over AND is_unknown",
    "not_taken": "kept + written_off < due AND changed_at < :patience",
    "still_held": "is_over AND held > 0 AND NOT is_settled_otherwise AND kept + written_off >= due OR held_beside > 0",
    "kept_too_much": "kept - written_off > due",
    "not_covered": "NOT is_over AND status <> :initial AND held + kept + written_off < total",
    "not_placed": "status = :initial AND held + kept > 0",
}
_SETTLED_BY_WORKERS = frozenset({"outcome_unknown", "not_taken", "still_held", "kept_too_much"})
_STANDING = """
    SELECT orders.id, number, orders.status, orders.currency, orders.changed_at,
           total_amount AS total, reduced_amount AS reduced, returned_amount AS returned,
           orders.status = ANY(:final) AS is_over,
           CASE WHEN orders.status = ANY(:paid_for) THEN total_amount - returned_amount
                WHEN orders.status = ANY(:not_due) THEN 0 END AS due,
           count(payments.id) AS payments,
           bool_or(payments.status IN ('pending', 'requires_action')) AS is_unknown,
           coalesce(sum(authorised - captured - voided), 0)::bigint AS held,
           coalesce(sum(authorised - captured - voided) FILTER (WHERE NOT is_current), 0) AS held_beside,
           bool_or(payments.status = 'written_off') AS is_settled_otherwise,
           coalesce(sum(captured - refunded), 0)::bigint AS kept,
           coalesce(sum(written_off), 0)::bigint AS written_off
    FROM orders LEFT JOIN payments ON payments.order_id = orders.id
    WHERE {which}
    GROUP BY orders.id
"""
_OF_LINES = """
    SELECT coalesce(sum((quantity - short - refused) * coalesce(reduced_to, unit_amount)), 0)::bigint AS lines_total,
           coalesce(sum((quantity - short - refused) * (unit_amount - reduced_to)), 0)::bigint AS lines_reduced,
           coalesce(sum(order_lines.returned * coalesce(reduced_to, unit_amount)), 0)::bigint AS lines_returned
    FROM order_lines WHERE order_id = standing.id
"""
_DIFFERENT = """
    SELECT standing.*, of_lines.*, wrong,
           (SELECT id FROM payments WHERE order_id = standing.id AND is_current) AS payment_id
    FROM ({standing}) AS standing
    CROSS JOIN LATERAL ({of_lines}) AS of_lines
    CROSS JOIN LATERAL (SELECT CASE {cases} END AS wrong) AS judged
    WHERE wrong IS NOT NULL AND NOT EXISTS (
        SELECT FROM outbox_tasks
        WHERE handler = ANY(:handlers) AND subject_id = standing.id AND dead_at IS NULL
    )
    ORDER BY standing.id LIMIT :limit
"""
_CASES = " ".join(f"WHEN {condition} THEN '{kind}'" for kind, condition in _WRONG.items())
_PARAMETERS: tuple[BindParameter[Any], ...] = (
    *(bindparam(name, type_=ARRAY(Text())) for name in ("final", "paid_for", "not_due", "handlers")),
    bindparam("patience", type_=DateTime(timezone=True)),
)
# What is open whatever its age, and what has ended, or come back, since a time.
_SINCE = """
    orders.id > :after AND (
        orders.changed_at >= :since OR orders.status <> ALL(:final)
        OR orders.id IN (SELECT order_id FROM returns WHERE at >= :since)
    )
"""


def _statement(which: str, **types: Any) -> TextClause:
    query = _DIFFERENT.format(standing=_STANDING.format(which=which), of_lines=_OF_LINES, cases=_CASES)
    return text(query).bindparams(*_PARAMETERS, *(bindparam(name, type_=type_) for name, type_ in types.items()))


_ALL = _statement(_SINCE, after=Uuid(), since=DateTime(timezone=True))
_SOME = _statement("orders.id = ANY(:ids)", ids=ARRAY(Uuid()))


def differences(since: datetime, *, now: datetime) -> Iterator[Difference]:
    """Whatever does not agree: payments with their ledger, with their gateways, and with their orders.

    Args:
        since: payments opened and orders changed since then; whatever is still open is looked at in any case.

    Raises:
        GatewayUnreachable: nothing is proven.
    """
    for difference in reconciliation.differences(since, now=now):
        yield replace(difference, order_number=_number_of(difference.order_id))
    yield from _of_orders(since, now)


def mend(difference: Difference, *, now: datetime) -> bool:
    """Write down what the gateway knows, where that is all there is to do; True if the two agree now.

    Where the order's money has not followed the order, a worker gets the task to look at it once more.

    Raises:
        GatewayUnreachable: it says nothing now.
    """
    if difference.kind in _SETTLED_BY_WORKERS and difference.order_id is not None:
        in_transaction(partial(payments.unsettle, difference.order_id, now=now))
    if difference.kind != "gateway_is_ahead" or difference.payment_id is None:
        return False
    (payment,) = in_transaction(partial(payment_queries.fresh_payments, [difference.payment_id]))
    view = reconciliation.view_of(payment)
    in_transaction(partial(confirming.take_view, payment, view, now=now))
    (payment,) = in_transaction(partial(payment_queries.fresh_payments, [difference.payment_id]))
    return reconciliation.judge(payment, view) is None


def check_money(now: datetime) -> int:
    """Compare all books once a day, and keep what was found; returns the number of differences.

    Each of the first differences is a line in the log; the numbers are for `/metrics`.

    Raises:
        GatewayUnreachable: nothing is proven, so nothing is kept either.
    """
    with checking.turn(now) as is_due:
        if not is_due:
            return 0
        since, count, first = now - SPAN, 0, []
        for difference in differences(since, now=now):
            count += 1
            if count <= checking.FIRST_MAX:
                log.error("money_difference", **asdict(difference))
                first.append(str(difference))
        total = reconciliation.payment_count(since)
        in_transaction(partial(checking.keep, count, first, payments=total, now=now))
    return count


def _of_orders(since: datetime, now: datetime) -> Iterator[Difference]:
    after = uuid.UUID(int=0)
    while rows := _different(_ALL, now, after=after, since=since):
        suspects = {row.id: row.wrong for row in rows}
        time.sleep(reconciliation.PAUSE_SECONDS)
        yield from (
            _as_difference(row) for row in _different(_SOME, now, ids=list(suspects)) if row.wrong == suspects[row.id]
        )
        after = rows[-1].id


def _different(statement: Any, now: datetime, **values: Any) -> Sequence[Any]:
    constants = {
        "final": sorted(FINAL),
        "paid_for": sorted(PAID_FOR),
        "not_due": sorted(NOT_DUE),
        "handlers": list(MONEY_HANDLERS),
        "initial": INITIAL,
        "patience": now - TAKEN_WITHIN,
        "limit": AT_ONCE,
    }
    with unit_of_work():
        return run(statement, constants | values).all()


def _as_difference(row: Any) -> Difference:
    ours, theirs = (_lines_words if row.wrong == "not_its_lines" else _payment_words)(row)
    return Difference(
        row.wrong,
        ours=f"the order is {row.status} ({ours})",
        theirs=theirs,
        order_id=row.id,
        payment_id=row.payment_id,
        order_number=row.number,
    )


def _lines_words(row: Any) -> tuple[str, str]:
    names = ("total", "reduced", "returned")
    ours = money_words(names, [getattr(row, name) for name in names], row.currency)
    theirs = money_words(names, [getattr(row, f"lines_{name}") for name in names], row.currency)
    return ours, f"its lines make {theirs}"


def _payment_words(row: Any) -> tuple[str, str]:
    name, amount = ("total", row.total) if row.due is None else ("due", row.due)
    owed = money_words([name], [amount], row.currency) if amount else f"nothing {name}"
    names = ("held", "kept", "written_off")
    theirs = money_words(names, [getattr(row, name) for name in names], row.currency)
    return owed, f"its payment has {theirs}"


_NUMBER = text("SELECT number FROM orders WHERE id = :id").bindparams(bindparam("id", type_=Uuid()))


def _number_of(order_id: uuid.UUID | None) -> int | None:
    if order_id is None:
        return None
    with unit_of_work():
        number: int | None = run(_NUMBER, {"id": order_id}).scalar_one_or_none()
    return number
