"""What the parity page shows, as plain values."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, NamedTuple, cast

from sqlalchemy import Row

from pickup.core.pages import money
from pickup.core.types import Money
from pickup.management import parity_queries
from pickup.management.asking import all_cells
from pickup.management.presenting import amount_words
from pickup.stores.directory import StoreEntry, fresh_directory
from pickup.tills.queries import BreachFilter, breaches_before, registers
from pickup.tills.service import breach_page

REGISTERS_MAX = 100
BREACHES_MAX = 50
COUNT_DAYS, STORES_MAX = 7, 10
# A clock that is wrong by less makes no difference to which price holds.
CLOCK_OFF_MIN_MS = 1000


class RegisterRow(NamedTuple):
    """A till, and how far it has followed the prices."""

    store_ref: str
    store_name: str
    register: str
    version: int
    behind_by: int
    last_seen: datetime
    clock: str
    late_since: datetime | None


class BreachRow(NamedTuple):
    """A price at a till that was another than the ledger's."""

    at: datetime
    store_ref: str
    store_name: str
    register: str
    sku: str
    product_name: str
    charged: str
    ledger: str


class StoreCount(NamedTuple):
    """A store with its breaches; `part` is of the most that any store has, in per cent."""

    ref: str
    name: str
    breaches: int
    part: int


@dataclass(frozen=True, slots=True)
class Registers:
    """Those that are shown, the worst first, and how many there are."""

    rows: Sequence[RegisterRow]
    total: int
    behind: int
    late: int


def present_registers(store: StoreEntry | None, *, now: datetime) -> Registers:
    """The registers of a store, or of all: those that are late first, then those furthest behind."""
    stores = fresh_directory().by_ref
    rows = [
        _present_register(row, stores.get(row.store_ref))
        for row in registers(now=now, store_id=store.id if store else None)
    ]
    rows.sort(key=lambda row: (row.late_since is None, -row.behind_by))
    return Registers(
        rows=rows[:REGISTERS_MAX],
        total=len(rows),
        behind=sum(row.behind_by > 0 for row in rows),
        late=sum(row.late_since is not None for row in rows),
    )


def clock_words(ahead_ms: int | None) -> str:
    """How wrong a till's clock is."""
    if ahead_ms is None:
        return "not known"
    if abs(ahead_ms) < CLOCK_OFF_MIN_MS:
        return "right"
    return f"{timedelta(seconds=abs(ahead_ms) // 1000)} {'ahead' if ahead_ms > 0 else 'behind'}"


REGISTER_COLUMNS = (
    "store_ref", "register", "version", "behind_by", "late_since", "last_seen", "clock_ahead_ms",
)  # fmt: skip
BREACH_COLUMNS = (
    "at", "kind", "store_ref", "register", "sale", "sku", "product",
    "charged_amount", "charged_currency", "ledger_amount", "ledger_currency", "ledger_version",
)  # fmt: skip


def register_cells(store: StoreEntry | None, *, now: datetime) -> Iterator[Sequence[object]]:
    """Every register of a store, or of all, as rows of a file."""
    for row in registers(now=now, store_id=store.id if store else None):
        seen = (row.alarmed_since, row.last_seen, row.clock_ahead_ms)
        yield row.store_ref, row.register, row.version, row.behind_by, *seen


def breach_cells(wanted: BreachFilter) -> Iterator[Sequence[object]]:
    """Every breach that is meant as rows of a file, the newest first."""
    return all_cells(
        lambda position, limit: breaches_before(cast(tuple[datetime, int] | None, position), wanted, limit),
        lambda row: (row.at, row.id),
        _breach_cells,
    )


def _breach_cells(row: Row[Any]) -> Sequence[object]:
    ledger = None if row.ledger_amount is None else Money(row.ledger_amount, row.ledger_currency).major()
    what = (row.at, row.kind, row.store_ref, row.register, row.sale_ref, row.sku, row.product_name)
    charged = (Money(row.charged_amount, row.charged_currency).major(), row.charged_currency)
    return *what, *charged, ledger, row.ledger_currency, row.ledger_version


def present_breaches(wanted: BreachFilter, after: str | None) -> dict[str, Any]:
    """A page of breaches, the newest first.

    Raises:
        InvalidFields: `after` is not a cursor of this list.
    """
    shown = breach_page(wanted, after, BREACHES_MAX)
    return {"rows": [_present_breach(row) for row in shown["data"]], "next": shown["next"], "is_first": after is None}


def count_by_store(*, now: datetime) -> tuple[int, list[StoreCount]]:
    """How many breaches there were in the last days, and the stores that had the most."""
    rows = parity_queries.breaches_by_store(now - timedelta(days=COUNT_DAYS), STORES_MAX)
    if not rows:
        return 0, []
    return int(rows[0].total), [
        StoreCount(row.ref, row.name, row.breaches, max(1, round(100 * row.breaches / rows[0].breaches)))
        for row in rows
    ]


def _present_register(row: Row[Any], store: StoreEntry | None) -> RegisterRow:
    return RegisterRow(
        store_ref=row.store_ref,
        store_name=store.name if store else "",
        register=row.register,
        version=row.version,
        behind_by=row.behind_by,
        last_seen=row.last_seen,
        clock=clock_words(row.clock_ahead_ms),
        late_since=row.alarmed_since,
    )


def _present_breach(row: Any) -> BreachRow:
    return BreachRow(
        at=row.at,
        store_ref=row.store_ref,
        store_name=row.store_name,
        register=row.register,
        sku=row.sku,
        product_name=row.product_name,
        charged=money(row.charged_amount, row.charged_currency),
        ledger=amount_words(row.ledger_amount, row.ledger_currency),
    )
