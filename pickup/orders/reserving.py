"""Reserving the goods of placed orders, many in one transaction; and what becomes of those that came too late."""

import uuid
from collections import Counter
from collections.abc import Sequence
from datetime import datetime

from pickup.core import signals
from pickup.core.outbox import Task
from pickup.core.types import Actor
from pickup.inventory import service as inventory
from pickup.inventory.allocation import Demand
from pickup.orders import queries
from pickup.orders.models import Order
from pickup.orders.promising import hold_until_at
from pickup.orders.quoting import Pickup, route_basket
from pickup.orders.transitions import advance
from pickup.stores.geocoding import Coordinates

WORKER = Actor("worker", "reservations")


def reserve_stock(tasks: Sequence[Task], now: datetime) -> None:
    """Reserve for every order that is still `placed`, in the order in which they were placed.

    An order that finds less than it needs goes on to the next candidate, silently, since nobody has been told a store
    yet; it gets its turn there with the next batch, because levels are locked once a transaction. Without a candidate
    left it is cancelled, and the money is given back.
    """
    orders = queries.lock_orders((task.subject_id for task in tasks), with_lines=True)
    placed = sorted((order for order in orders if order.status == "placed"), key=lambda order: order.number)
    met = inventory.reserve([_demand(order) for order in placed], now=now)
    advance([order for order in placed if order.id in met], "reserve", actor=WORKER, now=now)
    for order in placed:
        if order.id not in met:
            _route_on(order, now)
    signals.after_commit(signals.ORDER_DECIDED, (order.id for order in placed))


def quantities_of(order: Order) -> Counter[int]:
    """Units by product id."""
    quantities: Counter[int] = Counter()
    for line in order.lines:
        quantities[line.product_id] += line.quantity
    return quantities


def _demand(order: Order) -> Demand[uuid.UUID]:
    needs = {(order.store_id, product_id): quantity for product_id, quantity in quantities_of(order).items()}
    return Demand(order.id, needs)


def _route_on(order: Order, now: datetime) -> None:
    """The race for the goods is lost: the next pickup point, if the customer left the choice to us and there is one."""
    lost = frozenset({order.store_id})
    verdicts = [
        {**each, "verdict": "reservation_lost"} if each["verdict"] == "chosen" else each for each in order.candidates
    ]
    if order.origin_lat is None or order.origin_lon is None:
        order.candidates = verdicts
        advance([order], "cancel", actor=WORKER, now=now, reason="out_of_stock", note="the last units went elsewhere")
        return
    near = Coordinates(order.origin_lat, order.origin_lon)
    route, stores = route_basket(quantities_of(order), Pickup(near, None), now=now, without=lost)
    seen = {each["store_ref"] for each in verdicts}
    order.candidates = verdicts + [
        each.as_json() for each in route.considered if each.candidate.ref not in seen or each.verdict == "chosen"
    ]
    if route.chosen is None or route.ready_by is None:
        advance([order], "cancel", actor=WORKER, now=now, reason="out_of_stock", note="no other store has all of it")
        return
    store = stores.by_id[route.chosen.store_id]
    order.store_id, order.distance_m = store.id, route.chosen.distance_m
    order.ready_by, order.hold_until = route.ready_by, hold_until_at(store, route.ready_by)
    advance([order], "reroute", actor=WORKER, now=now, note=f"to {store.ref}")
