"""Stock takes: what somebody counted, and what has happened on the shelf since."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from operator import attrgetter

from sqlalchemy.dialects.postgresql import insert

from pickup.core.db import db
from pickup.core.errors import FieldError
from pickup.inventory import shelf
from pickup.pricing.queries import product_ids
from pickup.stores.directory import StoreEntry, known_store
from pickup.tills import queries
from pickup.tills.models import TillCount
from pickup.tills.service import refuse_future, unknown_product


@dataclass(frozen=True, slots=True)
class Count:
    """So many of a product as somebody counted."""

    sku: str
    on_hand: int
    at: datetime


@dataclass(frozen=True, slots=True)
class CountsRecorded:
    """What became of a stock take."""

    accepted: int
    superseded: int
    ignored: Sequence[FieldError]


def take_stock(store_ref: str, counts: Sequence[Count], *, now: datetime) -> CountsRecorded:
    """Set stock levels to what was counted; sales and handovers after a count are kept on top of it.

    Of several counts of one product the latest holds, in whatever order they come in.

    Raises:
        InvalidFields: no such store, or a count that lies ahead.
    """
    store = known_store(store_ref)
    refuse_future("counts", [count.at for count in counts], now)
    products = product_ids({count.sku for count in counts})
    latest: dict[int, Count] = {}
    for count in sorted((count for count in counts if count.sku in products), key=attrgetter("at")):
        latest[products[count.sku]] = count
    levels = shelf.hold_levels((store.id, product_id) for product_id in latest)
    known = queries.counted_at(store.id, latest)
    newer = {
        product_id: count
        for product_id, count in latest.items()
        if product_id not in known or count.at >= known[product_id]
    }
    counted = {product_id: (count.on_hand, count.at) for product_id, count in newer.items()}
    shelf.count(levels, store.id, counted, now=now)
    _remember_counts(store, newer)
    ignored = [
        unknown_product(f"/counts/{number}/sku", count.sku)
        for number, count in enumerate(counts)
        if count.sku not in products
    ]
    return CountsRecorded(len(newer), len(counts) - len(newer) - len(ignored), ignored)


def _remember_counts(store: StoreEntry, counts: Mapping[int, Count]) -> None:
    rows = [
        {"store_id": store.id, "product_id": product_id, "on_hand": count.on_hand, "at": count.at}
        for product_id, count in counts.items()
    ]
    if rows:
        count = insert(TillCount)
        key = [TillCount.store_id, TillCount.product_id]
        changed = {"on_hand": count.excluded.on_hand, "at": count.excluded.at}
        db.session.execute(count.on_conflict_do_update(index_elements=key, set_=changed), rows)
