"""A store has less than it has promised: a till sold it, a stock take did not find it. Who came last goes elsewhere."""

import uuid
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

from sqlalchemy import ARRAY, Integer, bindparam, text

from pickup.core.db import run
from pickup.core.outbox import Task
from pickup.core.types import Actor
from pickup.inventory.allocation import Key
from pickup.inventory.queries import lock_stock_levels
from pickup.orders import queries, rerouting, reserving
from pickup.orders.models import Order

WORKER = Actor("worker", "shortages")

# Those that are not paid for yet come first, then the youngest; but goods that somebody has in hand are there, so those
# being picked come after all others, and those that stand ready are not touched.
_YOUNGEST_HOLDERS = text("""
    SELECT held.store_id, held.product_id, held.order_id, held.quantity
    FROM reservations AS held
    JOIN unnest(:store_ids, :product_ids) AS short (store_id, product_id) USING (store_id, product_id)
    JOIN orders ON orders.id = held.order_id
    WHERE orders.status IN ('in_transit', 'reserved', 'picking') OR orders.held_until IS NOT NULL
    ORDER BY orders.held_until IS NULL, orders.status = 'picking', held.reserved_at DESC, orders.number DESC
""").bindparams(bindparam("store_ids", type_=ARRAY(Integer())), bindparam("product_ids", type_=ARRAY(Integer())))


def cover_shortages(tasks: Sequence[Task], now: datetime) -> Sequence[Task]:
    """Withdraw the youngest orders that no longer fit, and ask their customers.

    The shelves are looked at twice: once to see whose orders to lock, and again with the orders and the shelves locked
    (in this order, as everywhere), since others may have changed them meanwhile.
    """
    keys = {(task.data["store_id"], product_id) for task in tasks for product_id in task.data["product_ids"]}
    holders = _youngest_holders(keys)
    locked = {order.id: order for order in queries.lock_orders({each[1] for each in holders}, with_lines=True)}
    excess = {key: level.reserved - level.on_hand for key, level in lock_stock_levels(keys).items()}
    leaving = _last_in(_youngest_holders(keys), locked, excess)
    unpaid = [order for order, _ in leaving if order.held_until]
    reserving.let_go(unpaid, now)
    leaving = [(order, store_id) for order, store_id in leaving if order not in unpaid]
    at_pickup_point = [order for order, store_id in leaving if order.store_id == store_id]
    if at_pickup_point:
        rerouting.withdraw(at_pickup_point, "sold_at_till", actor=WORKER, now=now)
    for order, store_id in leaving:
        if order.store_id != store_id:  # it was to be sent from there; somebody else may have it, too
            rerouting.replan(order, "sold_at_till", actor=WORKER, now=now)
    return ()


def _youngest_holders(keys: Iterable[Key]) -> list[tuple[Key, uuid.UUID, int]]:
    ordered = sorted(keys)
    rows = run(
        _YOUNGEST_HOLDERS, {"store_ids": [key[0] for key in ordered], "product_ids": [key[1] for key in ordered]}
    )
    return [((store_id, product_id), order_id, quantity) for store_id, product_id, order_id, quantity in rows]


def _last_in(
    holders: Sequence[tuple[Key, uuid.UUID, int]], locked: Mapping[uuid.UUID, Order], excess: Mapping[Key, int]
) -> list[tuple[Order, int]]:
    """The orders that lose their goods, youngest first, until what is left fits on every shelf; with the store's id."""
    left, leaving = dict(excess), {}
    held: dict[uuid.UUID, dict[Key, int]] = {}
    for key, order_id, quantity in holders:
        held.setdefault(order_id, {})[key] = quantity
    for key, order_id, _ in holders:
        if left.get(key, 0) > 0 and order_id in locked and order_id not in leaving:
            leaving[order_id] = locked[order_id], key[0]
            for other, units in held[order_id].items():
                left[other] = left.get(other, 0) - units
    return list(leaving.values())
