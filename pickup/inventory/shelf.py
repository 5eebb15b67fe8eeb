"""The shelves: what tills sold, what was counted, what could not be found.

Every change of a level leaves the movement that explains it.
"""

import uuid
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from operator import attrgetter
from typing import Any

from sqlalchemy.dialects.postgresql import insert

from pickup.core import outbox
from pickup.core.db import db
from pickup.inventory.allocation import Key
from pickup.inventory.models import MovementKind, Reservation, StockLevel, StockMovement
from pickup.inventory.queries import lock_stock_levels, physical_changes_after

# Far from what a shelf holds, and as far from what an integer column holds.
ON_HAND_MAX = 1_000_000_000


@dataclass(frozen=True, slots=True)
class ShelfChange:
    """So many units that came to a shelf (or, negative, left it), when they did, whenever we hear of it."""

    key: Key
    kind: MovementKind
    units: int
    at: datetime
    is_counted: bool = False
    """Whether a stock take after `at` has seen the shelf without them: then the books have their number already."""
    order_id: uuid.UUID | None = None
    """The order that they belong to, if any."""


def hold_levels(keys: Iterable[Key]) -> dict[Key, StockLevel]:
    """The levels of (store id, product id), locked; those that are missing begin with nothing on hand."""
    ordered = sorted(set(keys))
    rows = [{"store_id": store_id, "product_id": product_id} for store_id, product_id in ordered]
    if rows:
        # In the order of the keys, like every lock: somebody else may be making the same ones.
        db.session.execute(insert(StockLevel).on_conflict_do_nothing(), rows)
    return lock_stock_levels(ordered)


def move(levels: Mapping[Key, StockLevel], changes: Iterable[ShelfChange], *, now: datetime) -> None:
    """Book what happened on the shelves, in the order in which it happened.

    More sold than the books knew of means that the books were wrong. What happened counts in full, and an adjustment
    beside it puts the books right: on hand is never below zero, and still the sum of its movements.

    Args:
        levels: from `hold_levels`.
    """
    rows = []
    for change in sorted(changes, key=attrgetter("at")):
        level = levels[change.key]
        after = level.on_hand if change.is_counted else _within_bounds(level.on_hand + change.units)
        rows.append(_on_hand_movement(change.key, change.kind, change.units, change.at, change.order_id))
        adjustment = after - (level.on_hand + change.units)
        if adjustment:
            rows.append(_on_hand_movement(change.key, "adjustment", adjustment, change.at))
        level.on_hand = after
    if rows:
        db.session.execute(insert(StockMovement), rows)
    _report_shortages(levels, now=now)


def put_back(order_id: uuid.UUID, store_id: int, units: Mapping[int, int], *, now: datetime) -> None:
    """Goods of an order have come back to a shelf, and can be promised again.

    Args:
        units: by product id.
    """
    levels = hold_levels((store_id, product_id) for product_id in units)
    came = [ShelfChange(key, "return", units[key[1]], now, order_id=order_id) for key in levels]
    move(levels, came, now=now)


def count(
    levels: Mapping[Key, StockLevel], store_id: int, counts: Mapping[int, tuple[int, datetime]], *, now: datetime
) -> None:
    """Set levels to what was counted; what came to the shelf or left it after the count is kept on top.

    Args:
        levels: from `hold_levels`.
        counts: by product id how many there were, and when.
    """
    since = physical_changes_after(store_id, {product_id: at for product_id, (_, at) in counts.items()})
    rows = []
    for product_id, (counted, at) in counts.items():
        key = store_id, product_id
        after = _within_bounds(counted + since.get(product_id, 0))
        if after != levels[key].on_hand:
            rows.append(_on_hand_movement(key, "count", after - levels[key].on_hand, at))
        levels[key].on_hand = after
    if rows:
        db.session.execute(insert(StockMovement), rows)
    _report_shortages(levels, now=now)


def _within_bounds(on_hand: int) -> int:
    return min(max(on_hand, 0), ON_HAND_MAX)


def _on_hand_movement(
    key: Key, kind: MovementKind, units: int, at: datetime, order_id: uuid.UUID | None = None
) -> dict[str, Any]:
    store_id, product_id = key
    return {
        "store_id": store_id,
        "product_id": product_id,
        "kind": kind,
        "on_hand_change": units,
        "order_id": order_id,
        "at": at,
    }


def correct_shortfall(order_id: uuid.UUID, store_id: int, product_id: int, missing: int, *, now: datetime) -> None:
    """Somebody looked for an order's goods and did not find so many of them.

    Whoever cannot find three of a product has looked at the whole shelf: what is left there is what is promised to
    others, and nothing that could be promised again. So the level falls by what is missing, and to what is reserved
    where the books said more.
    """
    level = lock_stock_levels([(store_id, product_id)])[store_id, product_id]
    held = db.session.get(Reservation, (order_id, product_id, store_id), populate_existing=True)
    missing = min(missing, held.quantity if held else 0)
    if held is None or not missing:
        return
    if held.quantity == missing:
        db.session.delete(held)
    else:
        held.quantity -= missing
    level.reserved -= missing
    after = max(min(level.on_hand - missing, level.reserved), 0)
    freed = {"store_id": store_id, "product_id": product_id, "order_id": order_id, "at": now}
    rows = [freed | {"kind": "release", "on_hand_change": 0, "reserved_change": -missing}]
    if after != level.on_hand:
        change = after - level.on_hand
        rows.append(freed | {"kind": "adjustment", "on_hand_change": change, "reserved_change": 0})
    level.on_hand = after
    db.session.execute(insert(StockMovement), rows)
    _report_shortages({(store_id, product_id): level}, now=now)


def _report_shortages(levels: Mapping[Key, StockLevel], *, now: datetime) -> None:
    db.session.flush()
    report_shortages([key for key, level in levels.items() if level.on_hand < level.reserved], now=now)


def report_shortages(short: Iterable[Key], *, now: datetime) -> None:
    """Say that there is less on these shelves than is promised from them: see `orders/shortages.py`."""
    by_store: dict[int, list[int]] = defaultdict(list)
    for store_id, product_id in short:
        by_store[store_id].append(product_id)
    # One subject a store, so that the shortages of a store are dealt with one after the other.
    outbox.emit(
        "stock.short",
        {
            uuid.uuid5(uuid.NAMESPACE_OID, f"store {store_id}"): {"store_id": store_id, "product_ids": product_ids}
            for store_id, product_ids in by_store.items()
        },
        at=now,
    )
