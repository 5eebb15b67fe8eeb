"""Stock that is promised: reserve, release, hand over. Each change is one statement, with its movements.

The statements are set-based: what many orders take from many shelves is one UPDATE, so a shelf that everybody wants is
locked and written once a transaction and not once an order.
"""

import uuid
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ARRAY, Integer, Uuid, bindparam, text

from pickup.core.db import run
from pickup.inventory.allocation import Key
from pickup.inventory.models import MovementKind


@dataclass(frozen=True, slots=True)
class Hold:
    """Units of one product that one store keeps for one order."""

    order_id: uuid.UUID
    store_id: int
    product_id: int
    quantity: int


class StockVanished(Exception):
    """Somebody took goods between the lock and the reservation: there was no lock. Nothing is written."""


_INTEGERS, _UUIDS = ARRAY(Integer()), ARRAY(Uuid())

# Levels are locked in the order of their keys, in every statement, so that two transactions never wait for each other.
_LOCK_AVAILABLE = text("""
    SELECT level.store_id, level.product_id,
           level.on_hand - level.reserved - greatest(level.safety_stock, wanted.floor) AS available
    FROM unnest(:store_ids, :product_ids, :floors) AS wanted (store_id, product_id, floor)
    JOIN stock_levels AS level USING (store_id, product_id)
    ORDER BY level.store_id, level.product_id
    FOR UPDATE OF level
""").bindparams(
    bindparam("store_ids", type_=_INTEGERS),
    bindparam("product_ids", type_=_INTEGERS),
    bindparam("floors", type_=_INTEGERS),
)

_HOLD = text("""
    WITH given AS (
        SELECT * FROM unnest(:order_ids, :store_ids, :product_ids, :quantities)
            AS given (order_id, store_id, product_id, quantity)
    ), wanted AS (
        SELECT store_id, product_id, sum(quantity) AS quantity FROM given GROUP BY store_id, product_id
    ), taken AS (
        UPDATE stock_levels AS level SET reserved = level.reserved + wanted.quantity
        FROM wanted
        WHERE level.store_id = wanted.store_id AND level.product_id = wanted.product_id
          AND level.on_hand - level.reserved - level.safety_stock >= wanted.quantity
        RETURNING 1
    ), held AS (
        INSERT INTO reservations (order_id, store_id, product_id, quantity, reserved_at)
        SELECT order_id, store_id, product_id, quantity, :now FROM given
    ), explained AS (
        INSERT INTO stock_movements (store_id, product_id, kind, reserved_change, order_id, at)
        SELECT store_id, product_id, 'reservation', quantity, order_id, :now FROM given
    )
    SELECT (SELECT count(*) FROM wanted) - (SELECT count(*) FROM taken)
""").bindparams(
    bindparam("order_ids", type_=_UUIDS),
    bindparam("store_ids", type_=_INTEGERS),
    bindparam("product_ids", type_=_INTEGERS),
    bindparam("quantities", type_=_INTEGERS),
)

# What leaves the store may be more than the books know of, where a till has sold its number: what happened counts in
# full, and an adjustment beside it puts the books right. Nothing has left of what is promised to others.
_END_HOLDS = text("""
    WITH ended AS (
        DELETE FROM reservations
        WHERE order_id = ANY(:order_ids) AND (CAST(:store_id AS integer) IS NULL OR store_id = :store_id)
        RETURNING order_id, store_id, product_id, quantity
    ), changes AS (
        SELECT store_id, product_id, sum(quantity) AS quantity FROM ended GROUP BY store_id, product_id
    ), levels AS (
        SELECT level.store_id, level.product_id, quantity, level.on_hand - :leaving * quantity AS left_behind,
               greatest(level.on_hand - :leaving * quantity, least(level.on_hand, level.reserved - quantity)) AS on_hand
        FROM changes JOIN stock_levels AS level USING (store_id, product_id)
        ORDER BY level.store_id, level.product_id
        FOR UPDATE OF level
    ), changed AS (
        UPDATE stock_levels AS level
        SET reserved = level.reserved - levels.quantity, on_hand = levels.on_hand
        FROM levels
        WHERE level.store_id = levels.store_id AND level.product_id = levels.product_id
    ), explained AS (
        INSERT INTO stock_movements (store_id, product_id, kind, on_hand_change, reserved_change, order_id, at)
        SELECT store_id, product_id, :kind, -:leaving * quantity, -quantity, order_id, :now FROM ended
    )
    INSERT INTO stock_movements (store_id, product_id, kind, on_hand_change, at)
    SELECT store_id, product_id, 'adjustment', on_hand - left_behind, :now
    FROM levels WHERE on_hand > left_behind
""").bindparams(bindparam("order_ids", type_=_UUIDS), bindparam("leaving", type_=Integer()))

# All that the order holds there is locked, also what stays: it goes next, and who locks in the order of the keys never
# waits for somebody who waits for them.
_LOCK_HELD = text("""
    SELECT level.product_id
    FROM reservations AS held JOIN stock_levels AS level USING (store_id, product_id)
    WHERE held.order_id = :order_id AND held.store_id = :store_id
    ORDER BY level.store_id, level.product_id
    FOR UPDATE OF level
""").bindparams(bindparam("order_id", type_=Uuid()))

_FREE = text("""
    WITH given AS (
        SELECT * FROM unnest(:product_ids, :quantities) AS given (product_id, quantity)
    ), gone AS (
        DELETE FROM reservations AS held USING given
        WHERE held.order_id = :order_id AND held.store_id = :store_id
          AND held.product_id = given.product_id AND held.quantity = given.quantity
    ), fewer AS (
        UPDATE reservations AS held SET quantity = held.quantity - given.quantity
        FROM given
        WHERE held.order_id = :order_id AND held.store_id = :store_id
          AND held.product_id = given.product_id AND held.quantity > given.quantity
    ), changed AS (
        UPDATE stock_levels AS level SET reserved = level.reserved - given.quantity
        FROM given
        WHERE level.store_id = :store_id AND level.product_id = given.product_id
    )
    INSERT INTO stock_movements (store_id, product_id, kind, reserved_change, order_id, at)
    SELECT :store_id, product_id, 'release', -quantity, :order_id, :now FROM given
""").bindparams(
    bindparam("order_id", type_=Uuid()),
    bindparam("store_id", type_=Integer()),
    bindparam("product_ids", type_=_INTEGERS),
    bindparam("quantities", type_=_INTEGERS),
)

_CALL_OFF = text("""
    UPDATE transfers SET status = 'cancelled' WHERE order_id = ANY(:order_ids) AND status = 'requested'
""").bindparams(bindparam("order_ids", type_=_UUIDS))


def lock_available(keys: Iterable[Key], floor_of: Callable[[int], int]) -> dict[Key, int]:
    """What can be promised of each (store id, product id), locked until the end of the transaction.

    Args:
        floor_of: the units of every product that a store keeps back from online.
    """
    ordered = sorted(set(keys))
    rows = run(
        _LOCK_AVAILABLE,
        {
            "store_ids": [store_id for store_id, _ in ordered],
            "product_ids": [product_id for _, product_id in ordered],
            "floors": [floor_of(store_id) for store_id, _ in ordered],
        },
    )
    return {(store_id, product_id): available for store_id, product_id, available in rows}


def hold(holds: Sequence[Hold], *, now: datetime) -> None:
    """Reserve goods that `lock_available` has shown to be there.

    Raises:
        StockVanished: they are not; roll back.
    """
    if not holds:
        return
    missing = run(
        _HOLD,
        {
            "order_ids": [each.order_id for each in holds],
            "store_ids": [each.store_id for each in holds],
            "product_ids": [each.product_id for each in holds],
            "quantities": [each.quantity for each in holds],
            "now": now,
        },
    ).scalar_one()
    if missing:
        raise StockVanished(f"{missing} stock levels have less than was locked")


def release(order_ids: Iterable[uuid.UUID], *, now: datetime) -> None:
    """Give up what is held for these orders, wherever it lies; the goods are available again.

    Transfers that have not left are called off. What is on the road arrives, and goes to the shelf there.
    """
    ids = list(order_ids)
    _end_holds(ids, "release", leaving=0, now=now)
    run(_CALL_OFF, {"order_ids": ids})


def release_part(order_id: uuid.UUID, store_id: int, units: Mapping[int, int], *, now: datetime) -> None:
    """Give up some of what a store holds for an order; they are available again, and the rest stays held.

    Args:
        units: by product id, of each no more than is held.
    """
    run(_LOCK_HELD, {"order_id": order_id, "store_id": store_id})
    what = {"product_ids": list(units), "quantities": list(units.values())}
    run(_FREE, {"order_id": order_id, "store_id": store_id, "now": now} | what)


def consume(order_ids: Iterable[uuid.UUID], *, now: datetime) -> None:
    """The goods of these orders leave the store."""
    _end_holds(list(order_ids), "handover", leaving=1, now=now)


def send_off(order_id: uuid.UUID, store_id: int, *, now: datetime) -> None:
    """What one store holds for an order leaves it, for another store."""
    _end_holds([order_id], "transfer_out", leaving=1, store_id=store_id, now=now)


def _end_holds(
    order_ids: Sequence[uuid.UUID], kind: MovementKind, *, leaving: int, now: datetime, store_id: int | None = None
) -> None:
    run(_END_HOLDS, {"order_ids": order_ids, "kind": kind, "leaving": leaving, "store_id": store_id, "now": now})
