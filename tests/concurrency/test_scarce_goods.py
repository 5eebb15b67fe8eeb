"""Fifty clients who all want the same twenty scarce products, in five stores, while staff and tills do their part.

`SCARCE_ORDERS=1000` for the whole proof; by default as much of it as every change can wait for.
"""

import os
import threading
from collections import Counter
from contextlib import suppress
from functools import partial
from random import Random

import pytest
from sqlalchemy import func, select

from pickup.core.clock import rfc3339, utcnow
from pickup.core.db import db, in_transaction
from pickup.core.types import Actor
from pickup.inventory.models import Reservation, StockLevel, StockMovement, Transfer
from pickup.inventory.reconciliation import differences
from pickup.orders import queries, receiving, service, short_picks
from pickup.orders.errors import ActionNotAllowed, TransferOver
from pickup.orders.lifecycle import FINAL
from pickup.orders.models import Order, OrderLine
from pickup.payments.models import Payment
from tests.concurrency.processes import running
from tests.concurrency.together import at_once, until

ORDERS = int(os.environ.get("SCARCE_ORDERS", "100"))
CLIENTS, STORES, LINES_MAX = 50, 5, 8
SKUS = [f"S{number}" for number in range(20)]
# About half of what is wanted, spread over all shelves.
ON_EACH_SHELF = max(1, ORDERS * 34 // 1000)
CANCELS_ONE_IN, SHORT_ONE_IN = 5, 10
ANA = Actor("staff", "Ana")
WORKERS = ["worker.work reservations"] * 3 + ["worker.work payments", "worker.relay"]


class Rush:
    """Everybody who takes goods from the same hundred shelves, each a method on a thread of its own."""

    def __init__(self, world):
        self.app, self.world = world.app, world
        self.shop, self.pos = world.client("shop"), world.client("pos")
        self.seats = threading.BoundedSemaphore(world.app.extensions["settings"].web_threads)
        self.answers, self.sold = Counter(), 0
        self._shopping, self._guard = CLIENTS, threading.Lock()

    def client(self, number):
        chance = Random(number)
        for _ in range(ORDERS // CLIENTS):
            skus = chance.sample(SKUS, chance.randint(1, LINES_MAX))
            basket = [(sku, chance.randint(1, 2)) for sku in skus]
            pickup = {"store_ref": str(chance.randrange(STORES))} if chance.random() < 0.3 else None
            if_short = chance.choice(["part", "move", "cancel"])
            answer = self._ask(self.shop.order, self.world.order_body(basket, pickup, if_short=if_short))
            if answer.status_code == 201 and not chance.randrange(CANCELS_ONE_IN):
                self._ask(self.shop.post, f"/v1/orders/{answer.json['id']}/cancel")
        with self._guard:
            self._shopping -= 1

    def till(self, ref):
        chance, number = Random(ref), 0
        while self._shopping:
            number += 1
            lines = [
                {"sku": sku, "quantity": 1, "unit_price": {"amount": 359, "currency": "USD"}}
                for sku in chance.sample(SKUS, 2)
            ]
            sale = {"id": f"s{number}", "at": rfc3339(utcnow()), "lines": lines}
            self._ask(self.pos.post, "/v1/pos/sales", {"store_ref": ref, "register": "1", "sales": [sale]})
            self.sold += len(lines)

    def staff(self, number):
        """Two of them do whatever there is to do, often the same."""
        chance = Random(number)
        with self.app.app_context():
            while self._shopping or self._open_orders():
                for transfer_id, order_id in self._transfers():
                    with suppress(TransferOver):
                        self._take(order_id, receiving.receive, transfer_id, actor=ANA)
                for order_id in self._open_orders("reserved", "picking", "ready"):
                    with suppress(ActionNotAllowed):
                        self._fulfil(order_id, chance)

    def customers(self):
        """Whoever is asked answers: half of them go elsewhere."""
        chance = Random(0)
        with self.app.app_context():
            while self._shopping or self._open_orders():
                db.session.rollback()
                for order_id in db.session.scalars(select(Order.id).where(Order.offer.is_not(None))).all():
                    choice = chance.choice(["move", "cancel"])
                    self._ask(self.shop.post, f"/v1/orders/{order_id}/choice", {"choice": choice})

    def whole(self):
        clients = [partial(self.client, number) for number in range(CLIENTS)]
        staff = [partial(self.staff, number) for number in range(2)]
        at_once([*clients, *staff, self.customers, *(partial(self.till, str(ref)) for ref in range(2))])

    def _fulfil(self, order_id, chance):
        self._take(order_id, service.start_picking, actor=ANA)
        if not chance.randrange(SHORT_ONE_IN):
            line = db.session.scalars(select(OrderLine.product_id).where(OrderLine.order_id == order_id)).first()
            self._take(order_id, short_picks.short_pick, line, 1, actor=ANA)
        self._take(order_id, service.mark_ready, actor=ANA)
        self._take(order_id, self._hand_over)

    def _hand_over(self, order, *, now):
        service.hand_over(order, order.pickup_code, actor=ANA, is_manager=False, now=now)

    def _take(self, order_id, step, *args, **values):
        def work():
            (order,) = queries.lock_orders([order_id], with_lines=True)
            step(order, *args, now=utcnow(), **values)

        in_transaction(work)

    def _open_orders(self, *statuses):
        db.session.rollback()
        is_open = Order.status.in_(statuses) if statuses else Order.status.not_in(FINAL)
        return db.session.scalars(select(Order.id).where(is_open)).all()

    def _transfers(self):
        db.session.rollback()
        under_way = Transfer.status.in_(("requested", "sent"))
        return db.session.execute(select(Transfer.id, Transfer.order_id).where(under_way)).all()

    def _ask(self, request, *args):
        with self.seats:
            answer = request(*args)
        with self._guard:
            self.answers[answer.request.path.split("/")[2], answer.status_code] += 1
        return answer


@pytest.fixture
def shelves(world):
    products = [world.product(sku) for sku in SKUS]
    for number in range(STORES):
        store = world.store(str(number), lat=36.37 + number / 10)
        for product in products:
            world.stock(store, product, ON_EACH_SHELF)


def no_money_waits():
    db.session.rollback()
    return not db.session.scalar(select(func.count()).select_from(Payment).where(Payment.status == "authorised"))


def moved(*conditions):
    total = select(func.coalesce(func.sum(StockMovement.on_hand_change), 0))
    return db.session.scalar(total.where(*conditions))


@pytest.mark.timeout(120 + ORDERS)
def test_nobody_gets_what_is_not_there_and_nobody_is_left_waiting(world, shelves, tmp_path):
    rush = Rush(world)

    with running(tmp_path / "workers.log", *WORKERS):
        rush.whole()
        until(no_money_waits, within=60 + ORDERS, what="the money of every order taken or given back")

    print(dict(rush.answers), Counter(db.session.scalars(select(Order.status))))
    assert {status for _, status in rush.answers} <= {200, 201, 409}, "no fault, and no deadlock that a client sees"
    assert set(db.session.scalars(select(Order.status))) == {"collected", "cancelled"}, "every order is decided"
    assert differences() == []
    assert db.session.scalar(select(func.count()).select_from(Reservation)) == 0
    assert db.session.scalar(select(func.min(StockLevel.on_hand))) >= 0
    assert moved(StockMovement.kind.in_(("transfer_out", "transfer_in"))) == 0, "what was sent has come"
    handed_over = db.session.scalar(
        select(func.sum(OrderLine.quantity - OrderLine.short))
        .join(Order, Order.id == OrderLine.order_id)
        .where(Order.status == "collected")
    )
    assert moved(StockMovement.kind == "handover") == -handed_over
    books_were_wrong_by = moved(StockMovement.kind == "adjustment", StockMovement.on_hand_change > 0)
    assert books_were_wrong_by <= rush.sold, "only what a till sold can have been promised and not be there"
