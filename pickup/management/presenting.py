"""What the price pages show, as plain values."""

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any, NamedTuple

from sqlalchemy import Row

from pickup.core.pages import local, money
from pickup.core.types import Money
from pickup.management import plot, queries
from pickup.management.period import Period
from pickup.management.plot import Channel, Plot, Sold
from pickup.management.queries import Shown
from pickup.pricing.models import Price
from pickup.pricing.queries import EVERYWHERE, prices_in_force

ENTRIES_MAX, BREACHES_MAX = 500, 100
# More dots than these are gathered; more groups than those are left out of the plot.
DOTS_MAX, GROUPS_MAX = 300, 1000
# Up to so many days sales are gathered by the hour, then by the day.
DAYS_BY_HOUR_MAX = 12
CHARGED_ROWS_MAX = 20
NO_PRICE = "no price"


def moment(at: datetime) -> str:
    """An instant on these pages: they are about stores in many time zones, so it is UTC."""
    return local(at, "UTC", "d MMM yyyy, HH:mm")


def zone_words(zone: str) -> str:
    """A price zone as people say it."""
    return f"Zone {zone}" if zone else "Everywhere"


def amount_words(amount: int | None, currency: str | None) -> str:
    """An amount, or that there is none."""
    return NO_PRICE if amount is None or currency is None else money(amount, currency)


class Change(NamedTuple):
    """A price that is still ahead."""

    at: datetime
    price: str
    zone: str


def present_change(price: Price | None) -> Change | None:
    """An entry of the ledger that is still ahead."""
    return Change(price.valid_from, money(price.amount, price.currency), zone_words(price.zone)) if price else None


class EntryRow(NamedTuple):
    """An entry of the ledger; `state` is empty for those that are over."""

    valid_from: datetime
    price: str
    zone: str
    version: int
    recorded_by: str
    reason: str
    state: str


class BreachRow(NamedTuple):
    """A price at a till that was another than the ledger's."""

    at: datetime
    store_ref: str
    store_name: str
    register: str
    charged: str
    ledger: str


class ChargedRow(NamedTuple):
    """How many units were sold at a price."""

    price: str
    units: dict[Channel, int]


@dataclass(frozen=True, slots=True)
class History:
    """The page of one product, in one zone."""

    price: str
    change: Change | None
    plot: Plot | None
    amount_words: Callable[[int], str]
    words: str
    entries: Sequence[EntryRow]
    charged: Sequence[ChargedRow]
    units: dict[Channel, int]
    gathered_by: str
    left_out: Sequence[str]
    breaches: Sequence[BreachRow]
    breaches_total: int


def present_history(
    product_id: int, zone: str, period: Period, store_id: int | None = None, *, now: datetime
) -> History:
    """What a product cost, costs and will cost in a zone, what was charged for it, and where that was not the same.

    Args:
        store_id: the sales and breaches of this store only.
    """
    shown = Shown(product_id, zone, period.since, period.until, store_id)
    price = prices_in_force([product_id], zone, at=now).get(product_id)
    entries = queries.ledger_entries(product_id, zone, shown.since, shown.until, ENTRIES_MAX)
    currency = price.currency if price else entries[0].currency if entries else None
    rows, gathered_by = _sold(shown, period)
    sold = [
        Sold(row.channel, row.at, row.amount, row.units, row.sales)
        for row in rows
        if currency is None or row.currency == currency
    ]
    currency = currency or (rows[0].currency if rows else None)
    breaches = queries.breaches_of(shown, BREACHES_MAX)
    drawn = _draw(shown, entries, sold, breaches, currency, now) if currency else None
    units = _units(sold)
    change, _ = queries.changes_ahead(product_id, zone, now=now, until=shown.until)
    price_now = money(price.amount, price.currency) if price else NO_PRICE
    return History(
        price=price_now,
        change=present_change(change),
        plot=drawn,
        amount_words=partial(money, currency=currency or ""),
        words=_in_words(price_now, units, breaches),
        entries=[_present_entry(entry, price.version if price else None, now) for entry in entries],
        charged=_present_charged(sold, currency or ""),
        units=units,
        gathered_by=gathered_by,
        left_out=_left_out(rows, breaches, entries, currency),
        breaches=[_present_breach(row) for row in breaches],
        breaches_total=breaches[0].total if breaches else 0,
    )


def _present_breach(row: Row[Any]) -> BreachRow:
    return BreachRow(
        at=row.at,
        store_ref=row.store_ref,
        store_name=row.store_name,
        register=row.register,
        charged=money(row.charged_amount, row.charged_currency),
        ledger=amount_words(row.ledger_amount, row.ledger_currency),
    )


def _sold(shown: Shown, period: Period) -> tuple[Sequence[Row[Any]], str]:
    """What was sold, each by itself or gathered; and by what it was gathered."""
    rows = queries.sold_each(shown, DOTS_MAX + 1)
    if len(rows) <= DOTS_MAX:
        return rows, ""
    span = "hour" if period.days <= DAYS_BY_HOUR_MAX else "day"
    return queries.sold_gathered(shown, f"1 {span}", GROUPS_MAX), span


def _draw(
    shown: Shown,
    entries: Sequence[Price],
    sold: Sequence[Sold],
    breaches: Sequence[Row[Any]],
    currency: str,
    now: datetime,
) -> Plot | None:
    ledger = [
        plot.Entry(
            entry.valid_from,
            entry.version,
            entry.zone != EVERYWHERE,
            entry.amount if entry.currency == currency else None,
        )
        for entry in entries
    ]
    steps = plot.price_steps(ledger, since=shown.since, until=shown.until)
    crosses = [
        plot.Breach(row.at, row.charged_amount, row.ledger_amount)
        for row in breaches
        if row.charged_currency == currency and row.ledger_currency in (None, currency)
    ]
    if not (steps or sold or crosses):
        return None
    figures = plot.Figures(shown.since, shown.until, now, steps, sold, crosses)
    return plot.draw(figures, partial(money, currency=currency))


def _present_entry(entry: Price, version_in_force: int | None, now: datetime) -> EntryRow:
    state = "holds now" if entry.version == version_in_force else "ahead" if entry.valid_from > now else ""
    return EntryRow(
        valid_from=entry.valid_from,
        price=money(entry.amount, entry.currency),
        zone=zone_words(entry.zone),
        version=entry.version,
        recorded_by=entry.recorded_by,
        reason=entry.reason,
        state=state,
    )


def _present_charged(sold: Sequence[Sold], currency: str) -> list[ChargedRow]:
    """Units by price, the most first."""
    by_amount: dict[int, list[Sold]] = defaultdict(list)
    for each in sold:
        by_amount[each.amount].append(each)
    most = sorted(by_amount.items(), key=lambda item: (-sum(each.units for each in item[1]), item[0]))
    return [ChargedRow(money(amount, currency), _units(group)) for amount, group in most[:CHARGED_ROWS_MAX]]


def _units(sold: Sequence[Sold]) -> dict[Channel, int]:
    units: dict[Channel, int] = {"till": 0, "online": 0}
    for each in sold:
        units[each.channel] += each.units
    return units


def _in_words(price: str, units: dict[Channel, int], breaches: Sequence[Row[Any]]) -> str:
    """What somebody who does not see the plot is told of it."""
    count = breaches[0].total if breaches else 0
    return (
        f"The line is the price, now {price}. Sold: {units['till']:,} units at tills, {units['online']:,} online. "
        f"{count:,} {'breach' if count == 1 else 'breaches'} of parity. The tables below have the figures."
    )


def _left_out(
    rows: Sequence[Row[Any]], breaches: Sequence[Row[Any]], entries: Sequence[Price], currency: str | None
) -> list[str]:
    """What the plot does not show, in sentences."""
    others = {row.currency for row in rows} | {entry.currency for entry in entries}
    others |= {each for row in breaches for each in (row.charged_currency, row.ledger_currency) if each}
    said = []
    if currency and (others := others - {currency}):
        said.append(f"What was in another currency than {currency} is not drawn: {', '.join(sorted(others))}.")
    if len(rows) == GROUPS_MAX:
        said.append(f"Of the sales only the {GROUPS_MAX:,} largest groups are drawn and counted.")
    if breaches and breaches[0].total > len(breaches):
        said.append(f"Of {breaches[0].total:,} breaches the newest {len(breaches)} are drawn and listed.")
    if len(entries) == ENTRIES_MAX:
        said.append(f"Only the latest {ENTRIES_MAX} changes are drawn and listed. Choose fewer days to see others.")
    return said


ENTRY_COLUMNS = ("valid_from", "amount", "currency", "zone", "version", "recorded_by", "reason")


def entry_cells(entry: Price) -> Sequence[object]:
    """An entry of the ledger as a row of a file; the empty zone is everywhere."""
    amount = Money(entry.amount, entry.currency).major()
    return entry.valid_from, amount, entry.currency, entry.zone, entry.version, entry.recorded_by, entry.reason
