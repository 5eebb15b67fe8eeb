"""People who do their part: they receive, pick, hand over, and choose, until every order has come to its end."""

import threading
import uuid

from flask import Flask
from sqlalchemy import select
from sqlalchemy.exc import SQLAlchemyError

from pickup.app import create_app
from pickup.catalog.models import Product
from pickup.config import Settings
from pickup.core.clock import utcnow
from pickup.core.db import db, unit_of_work
from pickup.core.types import Actor
from pickup.inventory import transfers
from pickup.orders import queries, receiving, rerouting, service, short_picks
from pickup.orders.lifecycle import FINAL, OPEN_AT_STORE
from pickup.orders.models import Order, OrderHistory
from tests.chaos.good_shop import life_of, rare

PAUSE_SECONDS = 0.2
STAFF, CUSTOMER = Actor("staff", "Sam"), Actor("customer")
AT_WORK = ("in_transit", *OPEN_AT_STORE)


class GoodStaff(threading.Thread):
    """Takes each order a step further, each step a transaction; where the database is away, tries again."""

    def __init__(self, settings: Settings) -> None:
        super().__init__(name="staff")
        self._app: Flask = create_app(settings)
        self._stopping = threading.Event()
        self._may_work = threading.Event()
        self._may_work.set()
        self.faults: list[BaseException] = []

    def run(self) -> None:
        with self._app.app_context():
            while not self._stopping.wait(PAUSE_SECONDS):
                if not self._may_work.is_set():
                    continue
                try:
                    self._round()
                except SQLAlchemyError:
                    db.session.rollback()
                except BaseException as fault:
                    self.faults.append(fault)
                    raise

    def pause(self) -> None:
        """Leave every order where it is; a step that has begun may still end."""
        self._may_work.clear()

    def go_on(self) -> None:
        """Work again."""
        self._may_work.set()

    def stop(self) -> None:
        """Go home."""
        self._stopping.set()
        self.join()
        self._app.extensions["order_waiters"].stop()

    def _round(self) -> None:
        with unit_of_work():
            open_orders = db.session.scalars(
                select(Order.id).where(Order.status.not_in(FINAL)).order_by(Order.id)
            ).all()
        for order_id in open_orders:
            if self._stopping.is_set() or not self._may_work.is_set():
                return
            with unit_of_work():
                self._step(order_id)

    def _step(self, order_id: uuid.UUID) -> None:
        db.session.expunge_all()  # others have changed what this session remembers
        (order,) = queries.lock_orders([order_id], with_lines=True)
        number = int(order.customer_name.removeprefix("Customer "))
        now = utcnow()
        if order.offer:
            rerouting.choose(order, "move", actor=CUSTOMER, now=now)
        elif order.status == "in_transit":
            for transfer in transfers.transfers_of([order.id]):
                if transfer.status in transfers.ON_THE_WAY:
                    receiving.receive(order, transfer.id, actor=STAFF, now=now)
        elif order.status == "reserved":
            service.start_picking(order, actor=STAFF, now=now)
        elif order.status == "picking" and life_of(number).startswith("found") and not _was_short(order):
            product_id = db.session.scalars(select(Product.id).where(Product.sku == rare(number))).one()
            short_picks.short_pick(order, product_id, 1, actor=STAFF, now=now)
        elif order.status == "picking":
            service.mark_ready(order, actor=STAFF, now=now)
        elif order.status == "ready" and life_of(number) != "called off":
            assert service.hand_over(order, order.pickup_code, actor=STAFF, is_manager=False, now=now)


def _was_short(order: Order) -> bool:
    steps = select(OrderHistory.id).where(OrderHistory.order_id == order.id, OrderHistory.action == "short_pick")
    return db.session.scalars(steps).first() is not None
