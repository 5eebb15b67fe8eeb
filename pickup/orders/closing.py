"""A store closes with orders in it: a burst pipe, a strike. They go elsewhere, as far as nobody has begun with them."""

from collections.abc import Sequence
from datetime import datetime

from pickup.core.outbox import Task
from pickup.core.types import Actor
from pickup.orders import queries, rerouting
from pickup.orders.lifecycle import NOT_BEGUN

WORKER = Actor("worker", "closing")
# The rest is done with the next delivery: what is held is locked until the commit.
AT_ONCE = 100


def clear_store(tasks: Sequence[Task], now: datetime) -> Sequence[Task]:
    """Withdraw the orders to be collected at a store, and find other sources for what it was to send elsewhere.

    Returns:
        The tasks of stores that have more of them.
    """
    return [task for task in tasks if _clear(task.data["store_id"], now)]


def _clear(store_id: int, now: datetime) -> bool:
    """Take the next orders; whether there may be more."""
    here = queries.orders_not_begun_at(store_id, limit=AT_ONCE)
    orders = queries.lock_orders(here, with_lines=True)
    waiting = [order for order in orders if order.store_id == store_id and order.status in NOT_BEGUN]
    rerouting.withdraw(waiting, "store_closed", actor=WORKER, now=now)
    sending = queries.orders_sent_from(store_id, limit=AT_ONCE)
    for order in queries.lock_orders(sending, with_lines=True):
        if order.status == "in_transit":
            rerouting.replan(order, "source_closed", actor=WORKER, now=now)
    return max(len(here), len(sending)) == AT_ONCE
