"""Whether the books of the money agree: every payment with its ledger, and with what its gateway says.

However many payments there are, only some hundred are in memory at a time: what a gateway lists goes into a temporary
table, and the database compares. No transaction is open while a gateway is asked.
"""

import time
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from itertools import islice
from typing import Any, cast

import psycopg
from psycopg.rows import namedtuple_row

from pickup.core.db import db, unit_of_work
from pickup.core.types import first_id_at
from pickup.payments import queries, service
from pickup.payments.differences import AMOUNTS, BOOKED, Difference, Kind, money_words
from pickup.payments.gateway import ChargeView, GatewayUnreachable
from pickup.payments.models import EntryKind, Payment, PaymentStatus
from pickup.payments.recording import RANK, status_of

# What a gateway calls the time of a charge is its own, a moment after that of our payment.
SKEW = timedelta(minutes=5)
# Younger than this, a pending payment is in the hands of the request that opened it, or of the sweeper.
IN_FLIGHT = timedelta(minutes=1)
LISTED_AT_ONCE, LOOKED_AT_AT_ONCE = 5000, 1000
# A charge may move while we read: what differs is looked at again, so much later.
PAUSE_SECONDS = 2.0

ENTRY_OF: dict[str, EntryKind] = {
    "authorised": "authorisation",
    "captured": "capture",
    "voided": "void",
    "refunded": "refund",
    "written_off": "write_off",
}
# Which payments are looked at: those of a span, and of older ones those where something is still to come.
_SCOPE = "(payments.id >= %(first)s OR payments.status IN ('pending', 'authorised') OR payments.problem IS NOT NULL)"
# Which amounts go with each status.
_NOTHING = "authorised = 0 AND captured = 0"
_DONE = "captured > 0 AND captured + voided = authorised"
FITTING: dict[PaymentStatus, str] = {
    "pending": _NOTHING,
    "requires_action": _NOTHING,
    "declined": _NOTHING,
    "authorised": "captured = 0 AND (voided < authorised OR amount = 0)",
    "captured": f"{_DONE} AND refunded = 0",
    "voided": "captured = 0 AND voided = authorised",
    "partially_refunded": f"{_DONE} AND refunded BETWEEN 1 AND captured - 1",
    "refunded": f"{_DONE} AND refunded = captured",
    "written_off": "true",
}
_FITS = "CASE status {} END AND authorised IN (0, amount) AND (written_off = 0 OR status = 'written_off')".format(
    " ".join(f"WHEN '{status}' THEN {condition}" for status, condition in FITTING.items())
)
# ruff: noqa: S608  statements put together from constants
_COUNT = f"SELECT count(*) FROM payments WHERE {_SCOPE}"
# One statement sees one moment, and a payment changes together with its entries.
_UNEXPLAINED = """
    WITH looked_at AS (SELECT * FROM payments WHERE {scope}), booked AS (
        SELECT payment_id, ARRAY[{sums}]::bigint[] AS entries FROM payment_entries
        WHERE payment_id >= %(first)s OR payment_id IN (SELECT id FROM looked_at WHERE id < %(first)s)
        GROUP BY payment_id
    ), compared AS (
        SELECT looked_at.*, coalesce(id, payment_id) AS payment_id, ARRAY[{columns}] AS amounts,
               coalesce(entries, '{{0,0,0,0,0}}') AS entries
        FROM looked_at FULL JOIN booked ON booked.payment_id = looked_at.id
    )
    SELECT payment_id, order_id, status, amount, currency, amounts, entries FROM compared
    WHERE id IS NULL OR amounts <> entries OR NOT ({fits})
""".format(
    scope=_SCOPE,
    sums=", ".join(f"coalesce(sum(amount) FILTER (WHERE kind = '{ENTRY_OF[name]}'), 0)" for name in BOOKED),
    columns=", ".join(BOOKED),
    fits=_FITS,
)
_LIST = f"""
    CREATE TEMPORARY TABLE listed (
        method text, key uuid, reference text, status text, currency text,
        {", ".join(f"{name} bigint" for name in AMOUNTS)}
    )
"""
# A charge is a payment's if it has its key, and is the one that we know: of two with one key, one is nobody's.
_IS_ITS_CHARGE = """
    listed.key = payments.id AND listed.method = payments.method
    AND coalesce(payments.gateway_reference, '') IN ('', listed.reference)
"""
_SUSPECTS = f"""
    SELECT DISTINCT payments.id FROM payments LEFT JOIN listed ON {_IS_ITS_CHARGE}
    WHERE {_SCOPE} AND (
        (listed.key IS NULL AND (payments.authorised > 0 OR payments.status IN ('pending', 'requires_action')))
        OR listed.currency <> payments.currency
        OR (payments.status <> 'written_off' AND payments.status <> listed.status)
        OR ({", ".join(f"payments.{name}" for name in AMOUNTS)}) <> ({", ".join(f"listed.{name}" for name in AMOUNTS)})
    )
"""
_STRANGERS = f"""
    SELECT * FROM listed
    WHERE (authorised > 0 OR status = 'requires_action') AND NOT EXISTS (SELECT FROM payments WHERE {_IS_ITS_CHARGE})
"""

Driver = psycopg.Connection[Any]


def differences(since: datetime, *, now: datetime) -> Iterator[Difference]:
    """Compare payments with their entries, and with what each gateway lists of the time since then.

    Looked at are the payments that were opened since then, and whatever its age each that is pending, held, or before
    a manager. What differs twice, and no worker is about to settle, is a difference.

    Raises:
        GatewayUnreachable: nothing is proven.
    """
    since = max(since, queries.EARLIEST)
    first = {"first": first_id_at(since)}
    with _own_connection() as driver:
        for rows in _pages(driver, _UNEXPLAINED, first):
            yield from map(_unexplained, rows)
        _list_charges(driver, since - SKEW, now + SKEW)
        for rows in _pages(driver, _SUSPECTS, first):
            yield from _confirmed([row.id for row in rows], now)
        for rows in _pages(driver, _STRANGERS, {}):
            yield from map(_stranger, rows)


def payment_count(since: datetime) -> int:
    """How many payments `differences` looks at."""
    with _own_connection() as driver:
        ((count,),) = driver.execute(_COUNT, {"first": first_id_at(max(since, queries.EARLIEST))})
    return int(count)


def view_of(payment: Payment) -> ChargeView | None:
    """What its gateway says of a payment; None if it knows of none. To be called outside of any transaction.

    Raises:
        GatewayUnreachable: it says nothing now.
    """
    return service.gateway_of(payment).view(service.charge_of(payment))


def judge(payment: Payment, view: ChargeView | None) -> Kind | None:
    """What kind of a difference there is between a payment and its gateway's view; None if there is none. Pure."""
    if view is None:
        is_due_there = payment.authorised or payment.status == "requires_action"
        return "unknown_to_gateway" if is_due_there else None
    ours, theirs = _amounts(payment), _amounts(view)
    behind = RANK[status_of(view)] - RANK[cast(PaymentStatus, payment.status)]
    if payment.status == "written_off":
        behind = 0  # that is our word alone
    if (
        view.currency != payment.currency
        or any(there < here for here, there in zip(ours, theirs, strict=True))
        or behind < 0
    ):
        return "gateway_contradicts"
    return "gateway_is_ahead" if behind or theirs != ours else None


def _confirmed(payment_ids: Sequence[uuid.UUID], now: datetime) -> Iterator[Difference]:
    """The differences among suspects: those that are there now, and still after a pause."""
    suspects = [difference.payment_id for difference in _look(payment_ids, now)]
    if suspects:
        time.sleep(PAUSE_SECONDS)
        yield from _look([each for each in suspects if each], now)


def _look(payment_ids: Sequence[uuid.UUID], now: datetime) -> list[Difference]:
    with unit_of_work():
        payments = queries.fresh_payments(payment_ids)
        settling = queries.being_settled([payment.order_id for payment in payments])
    to_ask = [each for each in payments if each.order_id not in settling and not _is_in_flight(each, now)]
    return [difference for difference in map(_compared, to_ask) if difference]


def _compared(payment: Payment) -> Difference | None:
    try:
        view = view_of(payment)
    except GatewayUnreachable:
        if payment.status in service.OPEN:
            return None  # it was there a moment ago, to list its charges: of this one, nobody has decided yet
        raise
    kind = judge(payment, view)
    if kind is None:
        return None
    return Difference(
        kind,
        ours=f"ours says {_said(payment.status, _amounts(payment), payment.currency)}",
        theirs=f"{payment.method} says {_view_said(view)}",
        order_id=payment.order_id,
        payment_id=payment.id,
    )


def _is_in_flight(payment: Payment, now: datetime) -> bool:
    return payment.status == "pending" and payment.created_at > now - IN_FLIGHT


def _unexplained(row: Any) -> Difference:
    if row.status is None:
        ours, kind = "there is no such payment", "not_its_entries"
    else:
        ours = f"ours says {_said(row.status, row.amounts, row.currency, BOOKED)}"
        kind = "not_its_entries" if row.amounts != row.entries else "status_does_not_fit"
    if kind == "not_its_entries":
        theirs = f"its entries make {money_words(BOOKED, row.entries, row.currency or '')}"
    else:
        theirs = f"{money_words(['asked for'], [row.amount], row.currency)}: this does not go together"
    return Difference(cast(Kind, kind), ours, theirs, order_id=row.order_id, payment_id=row.payment_id)


def _stranger(row: Any) -> Difference:
    theirs = f"{row.method} says of {row.reference} {_said(row.status, _amounts(row), row.currency)}"
    return Difference("unknown_to_us", "ours has no such charge", theirs, payment_id=row.key)


def _amounts(book: Any) -> tuple[int, ...]:
    return tuple(getattr(book, name) for name in AMOUNTS)


def _view_said(view: ChargeView | None) -> str:
    return "it knows of none" if view is None else _said(status_of(view), _amounts(view), view.currency)


def _said(status: str, amounts: Sequence[int], currency: str, names: Sequence[str] = AMOUNTS) -> str:
    return f"{status} ({money_words(names, amounts, currency)})"


@contextmanager
def _own_connection() -> Iterator[Driver]:
    """A connection for one reconciliation, each statement its own transaction; temporary tables go with it."""
    connection = db.engine.connect().execution_options(isolation_level="AUTOCOMMIT")
    try:
        yield cast(Driver, connection.connection.driver_connection)
    finally:
        connection.invalidate()
        connection.close()


def _pages(driver: Driver, sql: str, values: Mapping[str, Any]) -> Iterator[list[Any]]:
    """What a statement finds, page by page. The database keeps the rest: no transaction is open between two pages."""
    with driver.cursor("found", withhold=True, row_factory=namedtuple_row) as cursor:
        cursor.execute(sql.encode(), values)
        while rows := cursor.fetchmany(LOOKED_AT_AT_ONCE):
            yield rows


def _list_charges(driver: Driver, since: datetime, until: datetime) -> None:
    driver.execute(_LIST.encode())
    for method, gateway in service.GATEWAYS.items():
        charges = iter(gateway.charges(since, until))
        while views := list(islice(charges, LISTED_AT_ONCE)):
            with driver.cursor() as cursor, cursor.copy("COPY listed FROM STDIN") as copy:
                for view in views:
                    row = (method, view.key, view.reference, status_of(view), view.currency, *_amounts(view))
                    copy.write_row(row)
    driver.execute("ANALYZE listed")
