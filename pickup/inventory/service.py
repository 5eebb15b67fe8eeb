"""Stock: reserve, release, consume, sell, count. Every change of a level leaves the movement that explains it."""

import uuid
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from operator import attrgetter
from typing import Any

from sqlalchemy import ARRAY, Uuid, any_, bindparam, delete
from sqlalchemy.dialects.postgresql import insert

from pickup.core.db import db, table_of
from pickup.inventory.allocation import Demand, Key, allocate
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
    is_counted: bool
    """Whether a stock take after `at` has seen the shelf without them: then the books have their number already."""


def reserve(demands: Sequence[Demand[uuid.UUID]], *, now: datetime) -> set[uuid.UUID]:
    """Hold the goods for as many orders as there are goods for, first come, first served.

    Args:
        demands: the orders' needs, in the order in which they were placed.

    Returns:
        The orders whose whole basket is reserved; for the others nothing is.
    """
    levels = lock_stock_levels(key for demand in demands for key in demand.quantities)
    available = {key: level.on_hand - level.reserved - level.safety_stock for key, level in levels.items()}
    met = allocate(demands, available)
    rows: list[dict[str, Any]] = [
        {"order_id": demand.owner, "store_id": store_id, "product_id": product_id, "quantity": quantity}
        for demand in met
        for (store_id, product_id), quantity in demand.quantities.items()
    ]
    for row in rows:
        levels[row["store_id"], row["product_id"]].reserved += row["quantity"]
    if rows:
        db.session.execute(insert(table_of(Reservation)), [row | {"reserved_at": now} for row in rows])
        _record("reservation", rows, on_hand=0, reserved=+1, now=now)
    return {demand.owner for demand in met}


def release(order_ids: Iterable[uuid.UUID], *, now: datetime) -> None:
    """Give up what is held for these orders; the goods are available again."""
    _end(order_ids, "release", on_hand=0, now=now)


def consume(order_ids: Iterable[uuid.UUID], *, now: datetime) -> None:
    """The goods of these orders leave the store."""
    _end(order_ids, "handover", on_hand=-1, now=now)


def _end(order_ids: Iterable[uuid.UUID], kind: MovementKind, *, on_hand: int, now: datetime) -> None:
    ids = bindparam("orders", list(order_ids), type_=ARRAY(Uuid()))
    ended = db.session.execute(
        delete(Reservation)
        .where(Reservation.order_id == any_(ids))
        .returning(Reservation.order_id, Reservation.store_id, Reservation.product_id, Reservation.quantity)
    ).mappings()
    rows = [dict(row) for row in ended]
    levels = lock_stock_levels((row["store_id"], row["product_id"]) for row in rows)
    for row in rows:
        level = levels[row["store_id"], row["product_id"]]
        level.reserved -= row["quantity"]
        level.on_hand += on_hand * row["quantity"]
    if rows:
        _lift_to_zero(levels, now=now)
        _record(kind, rows, on_hand=on_hand, reserved=-1, now=now)


def _lift_to_zero(levels: Mapping[Key, StockLevel], *, now: datetime) -> None:
    """Goods were handed over that the books did not know of any more (a till has sold their number): mend the books."""
    rows = [
        _on_hand_movement(key, "adjustment", -level.on_hand, now) for key, level in levels.items() if level.on_hand < 0
    ]
    for row in rows:
        levels[row["store_id"], row["product_id"]].on_hand = 0
    if rows:
        db.session.execute(insert(StockMovement), rows)


def _record(kind: MovementKind, rows: Sequence[dict[str, Any]], *, on_hand: int, reserved: int, now: datetime) -> None:
    db.session.execute(
        insert(table_of(StockMovement)),
        [
            {
                "store_id": row["store_id"],
                "product_id": row["product_id"],
                "order_id": row["order_id"],
                "kind": kind,
                "on_hand_change": on_hand * row["quantity"],
                "reserved_change": reserved * row["quantity"],
                "at": now,
            }
            for row in rows
        ],
    )


def hold_levels(keys: Iterable[Key]) -> dict[Key, StockLevel]:
    """The levels of (store id, product id), locked; those that are missing begin with nothing on hand."""
    ordered = sorted(set(keys))
    rows = [{"store_id": store_id, "product_id": product_id} for store_id, product_id in ordered]
    if rows:
        # In the order of the keys, like every lock: somebody else may be making the same ones.
        db.session.execute(insert(StockLevel).on_conflict_do_nothing(), rows)
    return lock_stock_levels(ordered)


def move(levels: Mapping[Key, StockLevel], changes: Iterable[ShelfChange]) -> None:
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
        rows.append(_on_hand_movement(change.key, change.kind, change.units, change.at))
        adjustment = after - (level.on_hand + change.units)
        if adjustment:
            rows.append(_on_hand_movement(change.key, "adjustment", adjustment, change.at))
        level.on_hand = after
    if rows:
        db.session.execute(insert(StockMovement), rows)


def count(levels: Mapping[Key, StockLevel], store_id: int, counts: Mapping[int, tuple[int, datetime]]) -> None:
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


def _within_bounds(on_hand: int) -> int:
    return min(max(on_hand, 0), ON_HAND_MAX)


def _on_hand_movement(key: Key, kind: MovementKind, units: int, at: datetime) -> dict[str, Any]:
    return {"store_id": key[0], "product_id": key[1], "kind": kind, "on_hand_change": units, "at": at}
