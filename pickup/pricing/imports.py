"""Prices from a CSV file."""

import re
from collections.abc import Callable, Mapping
from datetime import datetime
from functools import partial

from pickup.core.csv_columns import Column, instant, key, lookup, quoted
from pickup.core.csv_import import FieldProblem, Plan, Row, Stage
from pickup.core.types import Money, minor_unit_digits
from pickup.pricing.beginning import record_at_once
from pickup.pricing.models import Price
from pickup.pricing.service import FUTURE_MAX, PAST_MAX, append_changed

RECORDED_BY = "import"

# Narrower than Decimal, which takes "1e3", "NaN" and "1_000", and rounds beyond 28 digits.
_AMOUNT = re.compile(r"[0-9]{1,16}(?:\.[0-9]{1,10})?|\.[0-9]{1,10}")
_CURRENCY = re.compile(r"[A-Z]{3}")


def plan(product_ids: Mapping[str, int], *, now: datetime, reason: str = "", all_or_none: bool = False) -> Plan:
    """New versions of prices by `sku`, `zone` and `valid_from`; all of a file holds from one instant on.

    Args:
        product_ids: the id of each SKU.
        now: the present instant; what is valid from then on, or does not say, holds once the file is in.
        reason: why, for the history.
        all_or_none: whether nothing is recorded where a row is wrong.
    """
    ledger = Price.__table__.c
    columns = [
        Column(
            name="sku", staged_as="product_id", parse=lookup(product_ids, "product"), sql_type=ledger.product_id.type
        ),
        Column(name="currency", parse=_currency, sql_type=ledger.currency.type),
        Column(name="amount", parse=_amount, sql_type=ledger.amount.type),
        Column(name="zone", parse=key(empty=True), sql_type=ledger.zone.type, required=False, always=True),
        Column(name="valid_from", parse=_from_now(now), sql_type=ledger.valid_from.type, required=False, always=True),
    ]
    return Plan(
        columns=columns,
        key=("product_id", "zone", "valid_from"),
        complete=_complete,
        store=partial(_store, reason=reason),
        at_once=True,
        all_or_none=all_or_none,
    )


def _store(stage: Stage, count: int, *, reason: str) -> int:
    record = partial(append_changed, recorded_by=RECORDED_BY, reason=reason)
    return record_at_once(count, stage, lambda stated, begins: record(stated, begins=begins))


def _complete(row: Row) -> None:
    try:
        row["amount"] = Money.from_major(row["amount"], row["currency"]).amount
    except ValueError as error:
        raise FieldProblem("amount", str(error)) from None


def _currency(cell: str) -> str:
    currency = cell.upper()
    if not _CURRENCY.fullmatch(currency):
        raise ValueError(f"must be the three letters of ISO 4217, not {quoted(cell)}")
    minor_unit_digits(currency)
    return currency


def _amount(cell: str) -> str:
    """Still text: how many decimals it may have is the currency's matter."""
    if not _AMOUNT.fullmatch(cell):
        raise ValueError(f"must be a decimal number such as 3.59, not {quoted(cell)}")
    return cell


def _from_now(now: datetime) -> Callable[[str], datetime]:
    parse = instant(default=now)

    def parse_from_now(cell: str) -> datetime:
        at: datetime = parse(cell)
        if at < now - PAST_MAX:
            raise ValueError(f"{quoted(cell)} is past: a price that held once is never changed afterwards")
        if at > now + FUTURE_MAX:
            raise ValueError(f"{quoted(cell)} is more than ten years ahead")
        # A clock that is slow: what has held stays true.
        return max(at, now)

    return parse_from_now
