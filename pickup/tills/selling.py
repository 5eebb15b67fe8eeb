"""Sales as tills tell them: counted once, taken off the shelf, compared with the price ledger."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy.dialects.postgresql import insert

from pickup.core.db import db
from pickup.core.errors import FieldError
from pickup.core.types import Money
from pickup.inventory import shelf
from pickup.inventory.shelf import ShelfChange
from pickup.pricing.queries import product_ids
from pickup.stores.directory import StoreEntry, known_store
from pickup.tills import parity, queries
from pickup.tills.models import TillSale, TillSaleLine
from pickup.tills.parity import Sold
from pickup.tills.service import clock_ahead_of, milliseconds, refuse_future, see, unknown_product


@dataclass(frozen=True, slots=True)
class Line:
    """So many of one product, at what was charged."""

    sku: str
    quantity: int
    unit_price: Money


@dataclass(frozen=True, slots=True)
class Sale:
    """A sale as a till tells it."""

    id: str
    at: datetime
    lines: Sequence[Line]


@dataclass(frozen=True, slots=True)
class SalesRecorded:
    """What became of a batch of sales."""

    accepted: int
    repeated: int
    breaches: int
    ignored: Sequence[FieldError]


def record_sales(
    store_ref: str, register: str, sales: Sequence[Sale], *, now: datetime, sent_at: datetime | None = None
) -> SalesRecorded:
    """Count sales, each once, take them off the shelf, and compare what was charged with the ledger.

    A till sells more than the catalogue of the shop knows (bags, coffee), and it cannot mend what it has sold: lines of
    unknown SKUs are left out and reported, and the rest counts.

    Args:
        sent_at: the till's clock when it sent them.

    Raises:
        InvalidFields: no such store, or a sale that lies ahead.
    """
    store = known_store(store_ref)
    refuse_future("sales", [sale.at for sale in sales], now)
    products = product_ids({line.sku for sale in sales for line in sale.lines})
    first = {sale.id: sale for sale in reversed(sales)}
    clock_ahead = clock_ahead_of(sent_at, now)
    sale_ids = _claim(store, register, first.values(), clock_ahead)
    sold = [
        Sold(sale_id, position, products[line.sku], line.quantity, line.unit_price, first[ref].at)
        for ref, sale_id in sale_ids.items()
        for position, line in enumerate(first[ref].lines)
        if line.sku in products
    ]
    _keep_lines(sold)
    breaches = parity.record_breaches(store, register, sold, clock_ahead, now=now)
    _take_off_shelf(store, sold, now)
    see(store, register, 0, now=now, clock_ahead=clock_ahead)
    unknown = (
        unknown_product(f"/sales/{number}/lines/{position}/sku", line.sku)
        for number, sale in enumerate(sales)
        for position, line in enumerate(sale.lines)
        if line.sku not in products
    )
    return SalesRecorded(len(sale_ids), len(sales) - len(sale_ids), breaches, list(unknown))


def _claim(store: StoreEntry, register: str, sales: Iterable[Sale], clock_ahead: timedelta | None) -> dict[str, int]:
    """Make the sales that are not known yet ours, by the till's id; a rival with the same one waits for our commit."""
    rows = [
        {
            "store_id": store.id,
            "ref": sale.id,
            "register": register,
            "at": sale.at,
            "clock_ahead_ms": milliseconds(clock_ahead),
        }
        for sale in sorted(sales, key=lambda sale: sale.id)  # so that two rivals never wait for each other
    ]
    claim = insert(TillSale).on_conflict_do_nothing().returning(TillSale.ref, TillSale.id)
    return dict(db.session.execute(claim, rows).all())


def _keep_lines(sold: Sequence[Sold]) -> None:
    rows = [
        {
            "sale_id": line.sale_id,
            "position": line.position,
            "product_id": line.product_id,
            "quantity": line.quantity,
            "unit_amount": line.charged.amount,
            "currency": line.charged.currency,
        }
        for line in sold
    ]
    if rows:
        db.session.execute(insert(TillSaleLine), rows)


def _take_off_shelf(store: StoreEntry, sold: Sequence[Sold], now: datetime) -> None:
    product_ids = {line.product_id for line in sold}
    levels = shelf.hold_levels((store.id, product_id) for product_id in product_ids)
    counted = queries.counted_at(store.id, product_ids)
    shelf.move(
        levels,
        [
            ShelfChange(
                key=(store.id, line.product_id),
                kind="sale" if line.quantity > 0 else "return",
                units=-line.quantity,
                at=line.at,
                is_counted=line.product_id in counted and line.at <= counted[line.product_id],
            )
            for line in sold
        ],
        now=now,
    )
