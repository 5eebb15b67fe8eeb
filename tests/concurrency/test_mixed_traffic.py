"""A busy Saturday on three shelves: shoppers, workers, tablets, tills, cancellations and stock imports, all at once."""

import csv
import threading
from collections import Counter
from contextlib import suppress
from functools import partial
from itertools import cycle, islice

import pytest
from sqlalchemy import func, select

from pickup.commands import PLANS
from pickup.core.clock import rfc3339, utcnow
from pickup.core.csv_import import CsvImport, Outcome
from pickup.core.db import db, in_transaction
from pickup.core.types import Actor
from pickup.inventory.models import Reservation
from pickup.inventory.reconciliation import differences
from pickup.orders import queries, service
from pickup.orders.errors import ActionNotAllowed
from pickup.orders.models import Order
from tests.concurrency.processes import running
from tests.concurrency.together import at_once, until
from tests.world import UNDECIDED

SKUS = "ABC"
SHOPPERS = 3
ORDERS_EACH = 18
ANA = Actor("staff", "Ana")


@pytest.fixture
def shelves(world):
    store = world.store("1")
    for sku in SKUS:
        world.stock(store, world.product(sku), 10_000)
    return store


class Saturday:
    """Everybody who moves the same three stock levels, each a method that goes on until the shoppers are done."""

    def __init__(self, world, folder):
        self.app = world.app
        self.world = world
        self.shop, self.pos, self.admin = (world.client(scope) for scope in ("shop", "pos", "admin"))
        self.folder = folder
        self.answers = Counter()
        self.imports = []
        self._shopping = SHOPPERS
        self._guard = threading.Lock()

    @property
    def is_over(self):
        return not self._shopping

    def note(self, answer):
        with self._guard:
            self.answers[answer.request.path.split("/")[2], answer.status_code] += 1
        return answer

    def shopper(self, skus):
        """Every third order is called off at once, while a worker may be reserving it."""
        for number in range(ORDERS_EACH):
            order = self.note(self.shop.order(self.world.order_body(dict.fromkeys(skus, 2), {"store_ref": "1"})))
            if number % 3 == 0:
                self.note(self.shop.post(f"/v1/orders/{order.json['id']}/cancel"))
        with self._guard:
            self._shopping -= 1

    def tablet(self):
        """Two of them take on, set ready and hand over whatever is reserved, often the same order."""
        with self.app.app_context():
            while not (self.is_over and not self._waiting(UNDECIDED | {"reserved", "picking", "ready"})):
                for order_id in self._waiting({"reserved", "picking", "ready"}):
                    for action in (service.start_picking, service.mark_ready, self._hand_over):
                        with suppress(ActionNotAllowed):
                            in_transaction(partial(self._act, order_id, action))

    def _waiting(self, statuses):
        db.session.rollback()
        return db.session.scalars(select(Order.id).where(Order.status.in_(statuses))).all()

    def _act(self, order_id, action):
        action(queries.lock_order(order_id), actor=ANA, now=utcnow())

    def _hand_over(self, order, *, actor, now):
        service.hand_over(order, order.pickup_code, actor=actor, is_manager=False, now=now)

    def till(self):
        number = 0
        while not self.is_over:
            number += 1
            lines = [
                {"sku": sku, "quantity": 1, "unit_price": {"amount": 359, "currency": "USD"}} for sku in reversed(SKUS)
            ]
            sale = {"id": f"s{number}", "at": rfc3339(utcnow()), "lines": lines}
            self.note(self.pos.post("/v1/pos/sales", {"store_ref": "1", "register": "r1", "sales": [sale]}))

    def stock_importer(self, name):
        """Counts the same levels again and again, in ever another order of rows."""
        for number, skus in enumerate(cycle(("CBA", "BAC", "ACB"))):
            if self.is_over:
                return
            path = self.folder / f"{name}.csv"
            with path.open("w", newline="") as file:
                csv.writer(file).writerows(
                    [("store_ref", "sku", "on_hand"), *(("1", sku, 9000 + number) for sku in skus)]
                )
            self._import(str(path))

    def _import(self, path):
        outcome = Outcome()
        with self.app.app_context():
            plan = in_transaction(lambda: PLANS["stock"](utcnow()))
            CsvImport(path, plan, outcome, lambda *problem: self.imports.append(problem), lambda position: None).run()
        self.imports.append((outcome.updated, outcome.rejected))

    def whole_day(self):
        shoppers = [partial(self.shopper, skus) for skus in islice(cycle(("ABC", "CBA", "BCA")), SHOPPERS)]
        importers = [partial(self.stock_importer, name) for name in ("count", "recount")]
        at_once([*shoppers, self.tablet, self.tablet, self.till, *importers])


def test_nobody_sees_a_deadlock_and_the_books_agree(world, shelves, tmp_path):
    day = Saturday(world, tmp_path)
    workers = ["worker.work reservations"] * 3 + ["worker.relay"]

    with running(tmp_path / "workers.log", *workers):
        day.whole_day()
        until(lambda: not day._waiting(UNDECIDED), what="a decision about every order")

    assert {status for _, status in day.answers} <= {200, 201, 409}, day.answers
    assert day.answers["orders", 201] == SHOPPERS * ORDERS_EACH
    assert set(day.imports) == {(len(SKUS), 0)}, day.imports
    db.session.rollback()
    assert set(db.session.scalars(select(Order.status))) == {"collected", "cancelled"}
    assert db.session.scalar(select(func.count()).select_from(Reservation)) == 0
    assert differences() == []
