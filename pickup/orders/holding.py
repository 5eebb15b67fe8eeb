"""Goods that are kept for a customer who has to confirm the payment first, for some minutes.

By the setting `PICKUP_HOLD_WHILE_PAYING_MINUTES`; without it goods are reserved once the money is held, and not before:
who fills a basket and never pays would keep others from buying.
"""

import uuid
from collections.abc import Sequence
from datetime import datetime, timedelta

from flask import current_app
from sqlalchemy import update

from pickup.config import Settings
from pickup.core import outbox
from pickup.core.db import db
from pickup.core.outbox import Task
from pickup.orders import reserving
from pickup.orders.due import work_off
from pickup.orders.models import Order
from pickup.stores.directory import fresh_directory


def ask_to_hold(order_id: uuid.UUID, *, now: datetime) -> None:
    """Have a worker keep the goods of an order that is not paid yet, if the retailer wants that."""
    if _minutes():
        outbox.emit("order.unpaid", {order_id: {}}, at=now)


def hold_stock(tasks: Sequence[Task], now: datetime) -> Sequence[Task]:
    """Keep the goods of orders that are still not paid; where there is too little, who pays first wins."""
    stores = fresh_directory()
    waiting = reserving.lock_waiting([task.subject_id for task in tasks], "awaiting_payment")
    new = [order for order in waiting if order.held_until is None and order.can_be_done_by(stores)]
    kept = reserving.keep(new, stores, now)
    until = now + timedelta(minutes=_minutes())
    db.session.execute(update(Order).where(Order.id.in_(kept)).values(held_until=until))
    return ()


def end_unpaid_holds(now: datetime) -> int:
    """Let go of what was kept for customers who took too long; they may still pay, and take what is left."""
    is_over = (Order.status == "awaiting_payment", Order.held_until < now)
    return work_off(lambda orders: reserving.let_go(orders, now), *is_over, by=Order.held_until)


def _minutes() -> int:
    settings: Settings = current_app.extensions["settings"]
    return settings.hold_while_paying_minutes
