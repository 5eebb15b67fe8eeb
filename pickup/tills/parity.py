"""Parity: a till charges what the ledger says. Where it does not, the breach is kept, and the sale counts all the same.

A till goes by its own clock. One that is fast or slow, within bounds, switches prices a little early or late without
anybody's fault: so a price is right that held at the time of the sale by the till's clock, or by ours.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from sqlalchemy import insert

from pickup.core import outbox
from pickup.core.db import db
from pickup.core.types import Money, new_id
from pickup.pricing.models import Price
from pickup.pricing.queries import prices_at
from pickup.stores.directory import StoreEntry
from pickup.tills.models import ParityBreach

# A clock that is further off than that is not allowed for, but shown: somebody has to set it right.
CLOCK_SKEW_MAX = timedelta(minutes=5)
# Before that there is no calendar to reckon with.
EARLIEST = datetime.min.replace(tzinfo=UTC) + CLOCK_SKEW_MAX


@dataclass(frozen=True, slots=True)
class Sold:
    """A line of a sale that counts."""

    sale_id: int
    position: int
    product_id: int
    quantity: int
    charged: Money
    at: datetime
    """By the till's clock."""


def record_breaches(
    store: StoreEntry, register: str, sold: Sequence[Sold], clock_ahead: timedelta | None, *, now: datetime
) -> int:
    """Keep where a till charged something else than the ledger says; returns how often that was.

    Args:
        clock_ahead: by how much the till's clock is fast (less than nothing: slow), where it has told us.
    """
    breaches = _breaches(store, sold, clock_ahead)
    if not breaches:
        return 0
    db.session.execute(insert(ParityBreach), [_row(store, register, line, price) for line, price in breaches])
    news = {"store_ref": store.ref, "register": register, "count": len(breaches)}
    outbox.emit("price.breached", {new_id(): news}, at=now)
    return len(breaches)


def _breaches(
    store: StoreEntry, sold: Sequence[Sold], clock_ahead: timedelta | None
) -> list[tuple[Sold, Price | None]]:
    """Lines whose price held neither by the till's clock nor by ours, with what held by the till's."""
    by_its_clock = prices_at([(line.product_id, line.at) for line in sold], store.id)
    differing = [pair for pair in zip(sold, by_its_clock, strict=True) if not _agree(*pair)]
    if not differing or not clock_ahead or abs(clock_ahead) > CLOCK_SKEW_MAX:
        return differing
    instants = [line.at - clock_ahead if line.at > EARLIEST else line.at for line, _ in differing]
    by_ours = prices_at([(line.product_id, at) for (line, _), at in zip(differing, instants, strict=True)], store.id)
    return [pair for pair, price in zip(differing, by_ours, strict=True) if not _agree(pair[0], price)]


def _agree(line: Sold, price: Price | None) -> bool:
    return price is not None and line.charged == Money(price.amount, price.currency)


def _row(store: StoreEntry, register: str, line: Sold, price: Price | None) -> dict[str, object]:
    return {
        "kind": "price" if price else "no_price",
        "sale_id": line.sale_id,
        "store_id": store.id,
        "register": register,
        "product_id": line.product_id,
        "charged_amount": line.charged.amount,
        "charged_currency": line.charged.currency,
        "ledger_amount": price.amount if price else None,
        "ledger_currency": price.currency if price else None,
        "ledger_version": price.version if price else None,
        "at": line.at,
    }
