"""Reserving the goods of placed orders, many in one transaction; and what becomes of those that came too late.

Two effects of one handler, each in a transaction of its own: while `reserve_stock` holds the locks of the shelves
nobody looks for another store, and while `route_on` looks no shelf is locked.
"""

import uuid
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ARRAY, Text, Uuid, bindparam, text

from pickup.core import signals
from pickup.core.db import run
from pickup.core.outbox import Task
from pickup.core.types import Actor
from pickup.inventory import service as inventory
from pickup.inventory import transfers
from pickup.inventory.allocation import Demand, Key, allocate
from pickup.orders import capacity, queries, rerouting
from pickup.orders.lifecycle import Status
from pickup.orders.models import Order
from pickup.orders.sourcing import Source
from pickup.orders.transitions import advance
from pickup.stores.directory import StoreDirectory, fresh_directory

WORKER = Actor("worker", "reservations")


@dataclass(frozen=True, slots=True)
class PlacedOrder:
    """The columns of a placed order that its reservation needs."""

    id: uuid.UUID
    number: int
    status: str
    store_id: int
    capacity_hour: datetime | None
    held_until: datetime | None
    """Set where its goods are kept for it already, since before it was paid."""
    sources: tuple[Source, ...]

    @property
    def hour(self) -> capacity.HourKey | None:
        """The hour of work that it needs a place in, if the store has a limit."""
        return (self.store_id, self.capacity_hour) if self.capacity_hour else None

    @property
    def is_sent_for(self) -> bool:
        """Whether some of it has to come from elsewhere."""
        return any(source.expected_at is not None for source in self.sources)

    def can_be_done_by(self, stores: StoreDirectory) -> bool:
        """Whether its pickup point, and whoever sends something, takes orders still."""
        involved = {self.store_id, *(source.store_id for source in self.sources)}
        return all(stores.by_id[store_id].takes_orders for store_id in involved)

    def goods(self) -> dict[Key, int]:
        """Units by the shelf that they lie on."""
        return {
            (source.store_id, product_id): quantity
            for source in self.sources
            for product_id, quantity in source.quantities.items()
        }

    def demand(self) -> Demand[uuid.UUID]:
        """The goods, and a place in the store's hour."""
        needs: dict[Hashable, int] = dict(self.goods().items())
        return Demand(self.id, needs | ({self.hour: 1} if self.hour else {}))


# The order of ids is the order in which several orders are locked, everywhere.
_LOCK_WAITING = text("""
    SELECT id, number, status, store_id, capacity_hour, held_until, sourcing,
           ARRAY(SELECT ARRAY[product_id, quantity] FROM order_lines WHERE order_id = orders.id)
    FROM orders
    WHERE id = ANY(:ids) AND status = :status AND offer IS NULL
    ORDER BY id
    FOR UPDATE
""").bindparams(bindparam("ids", type_=ARRAY(Uuid())), bindparam("status", type_=Text()))


def reserve_stock(tasks: Sequence[Task], now: datetime) -> Sequence[Task]:
    """Reserve for every order that is still `placed`, in the order in which they were placed.

    Returns:
        The tasks of the orders that found less than they need, or a store that takes no orders any more.
    """
    stores = fresh_directory()
    orders = lock_waiting([task.subject_id for task in tasks], "placed")
    met = _reserve([order for order in orders if order.can_be_done_by(stores)], stores, now)
    signals.after_commit(signals.ORDER_DECIDED, met)
    lost = {order.id for order in orders} - met
    return [task for task in tasks if task.subject_id in lost]


def route_on(tasks: Sequence[Task], now: datetime) -> Sequence[Task]:
    """Send the orders that lost the race on to another store, or cancel them."""
    orders = queries.lock_orders((task.subject_id for task in tasks), with_lines=True)
    placed = sorted((order for order in orders if order.status == "placed"), key=lambda order: order.number)
    let_go([order for order in placed if order.held_until], now)
    decided = rerouting.route_on(placed, actor=WORKER, now=now)
    signals.after_commit(signals.ORDER_DECIDED, decided)
    return ()


def lock_waiting(ids: Sequence[uuid.UUID], status: Status) -> list[PlacedOrder]:
    """Orders of a status that wait for their goods, locked, in the order in which they were placed."""
    orders = [_placed_order(*row) for row in run(_LOCK_WAITING, {"ids": ids, "status": status})]
    return sorted(orders, key=lambda order: order.number)


def _placed_order(
    order_id: uuid.UUID,
    number: int,
    status: str,
    store_id: int,
    capacity_hour: datetime | None,
    held_until: datetime | None,
    sourcing: Sequence[Mapping[str, Any]] | None,
    lines: Sequence[tuple[int, int]],
) -> PlacedOrder:
    own_shelf = Source(store_id, dict(lines), None)
    sources = tuple(Source.from_json(each) for each in sourcing) if sourcing else (own_shelf,)
    return PlacedOrder(order_id, number, status, store_id, capacity_hour, held_until, sources)


def _reserve(orders: Sequence[PlacedOrder], stores: StoreDirectory, now: datetime) -> set[uuid.UUID]:
    """What is kept for an order already is its own; the others take theirs from what is left."""
    met = keep([order for order in orders if not order.held_until], stores, now)
    met |= {order.id for order in orders if order.held_until}
    winners = [order for order in orders if order.id in met]
    transfers.request([request for order in winners for request in _requests(order)], now=now)
    advance([order for order in winners if not order.is_sent_for], "reserve", actor=WORKER, now=now)
    advance([order for order in winners if order.is_sent_for], "send_for", actor=WORKER, now=now)
    return met


def keep(orders: Sequence[PlacedOrder], stores: StoreDirectory, now: datetime) -> set[uuid.UUID]:
    """Keep the goods of orders for them, and a place in the store's hour; returns those for which there is enough."""
    demands = {order.id: order.demand() for order in orders}
    available: dict[Hashable, int] = {}
    available |= inventory.lock_available(
        [key for order in orders for key in order.goods()],
        lambda store_id: stores.by_id[store_id].safety_floor,
    )
    for key, taken in capacity.lock_taken(order.hour for order in orders if order.hour).items():
        limit = stores.by_id[key[0]].hourly_capacity
        available[key] = len(orders) if limit is None else limit - taken  # the limit may have been lifted
    met = {demand.owner for demand in allocate(demands.values(), available)}
    winners = [order for order in orders if order.id in met]
    inventory.hold([hold for order in winners for hold in _holds(order)], now=now)
    capacity.take_on(order.hour for order in winners if order.hour)
    return met


def let_go(orders: Sequence[Order], now: datetime) -> None:
    """The goods that were kept for orders before they were paid are free again. The orders are locked."""
    if orders:
        inventory.release([order.id for order in orders], now=now)
        capacity.give_back((order.store_id, order.capacity_hour) for order in orders if order.capacity_hour)
    for order in orders:
        order.held_until = None


def _holds(order: PlacedOrder) -> list[inventory.Hold]:
    return [
        inventory.Hold(order.id, store_id, product_id, quantity)
        for (store_id, product_id), quantity in order.goods().items()
    ]


def _requests(order: PlacedOrder) -> list[transfers.Request]:
    return [
        transfers.Request(order.id, source.store_id, order.store_id, source.quantities, source.expected_at)
        for source in order.sources
        if source.expected_at is not None
    ]
