"""A real shop's order lines, cancellations and negative quantities among them, through the tills and the web at once.

The lines are those of `../shared/data/orders` (see PROVENANCE.md there); nothing of them is in this repository. By
default a slice; `REPLAY_LINES=105335` for all of them.
"""

import csv
import gzip
import os
import threading
from collections import Counter, defaultdict
from datetime import UTC, datetime
from functools import partial
from itertools import islice

import pytest
from sqlalchemy import func, select

from pickup.catalog.models import Product
from pickup.core.clock import rfc3339
from pickup.core.db import db, unit_of_work
from pickup.core.models import OutboxTask
from pickup.inventory.models import Reservation, StockLevel, StockMovement
from pickup.inventory.reconciliation import differences
from pickup.orders.models import Order, OrderLine
from pickup.pricing.models import Price
from pickup.tills.models import TillSale
from tests.concurrency.processes import running
from tests.concurrency.together import at_once, until

LINES = int(os.environ.get("REPLAY_LINES", "3000"))
FILE = "orders/online_retail_2010-12_2011-02.csv.gz"
STORES = ("1", "2", "3")
SHOPPERS, UNITS_MAX, BATCH = 4, 10_000, 20
LONG_AGO = datetime(2010, 1, 1, tzinfo=UTC)
WORKERS = ["worker.work reservations"] * 2 + ["worker.work payments", "worker.relay"]


class Replay:
    """What the file says, as what shops and tills say. Every other invoice of goods was an order on the web."""

    def __init__(self, lines):
        self.at, self.prices, invoices = {}, {}, defaultdict(list)
        for line in lines:
            sku, amount = line["StockCode"].strip(), round(float(line["UnitPrice"]) * 100)
            self.prices[sku] = self.prices.get(sku) or max(amount, 0)
            self.at[line["InvoiceNo"]] = datetime.fromisoformat(line["InvoiceDate"]).replace(tzinfo=UTC)
            invoices[line["InvoiceNo"]] += [(sku, units) for units in _portions(int(line["Quantity"]))]
        are_goods = [number for number, lines in invoices.items() if all(units > 0 for _, units in lines)]
        self.ordered = {number: _added_up(invoices[number]) for number in are_goods[::2]}
        self.sold = {number: lines for number, lines in invoices.items() if number not in self.ordered}

    def wanted(self):
        """Units by SKU that go out, over all."""
        wanted = Counter(dict.fromkeys(self.prices, 0))
        for lines in (*self.ordered.values(), *self.sold.values()):
            wanted.update({sku: units for sku, units in _added_up(lines).items() if units > 0})
        return wanted

    def told(self):
        """Units by SKU that tills tell, returns taken off."""
        told = Counter()
        for lines in self.sold.values():
            for sku, units in lines:
                told[sku] += units
        return {sku: units for sku, units in told.items() if units}


def _portions(units):
    """As many lines as the interface needs for so many units."""
    sign = 1 if units > 0 else -1
    while units:
        portion = sign * min(abs(units), UNITS_MAX)
        units -= portion
        yield portion


def _added_up(lines):
    units_of = Counter()
    for sku, units in lines.items() if isinstance(lines, dict) else lines:
        units_of[sku] += units
    return dict(units_of)


@pytest.fixture
def replay(shared_data):
    file = shared_data / FILE
    if not file.is_file():
        pytest.skip(f"no {FILE} in ../shared/data")
    with gzip.open(file, "rt", encoding="utf-8", newline="") as text:
        return Replay(islice(csv.DictReader(text), LINES))


@pytest.fixture
def shelves(world, replay):
    """In each store a third of what is wanted over all: enough, but seldom where it is wanted."""
    ids = [world.store(ref, country="GB", timezone="Europe/London", lat=51.5 + int(ref) / 10).id for ref in STORES]
    wanted = replay.wanted()
    with unit_of_work():
        products = {sku: Product(sku=sku, name=sku) for sku in replay.prices}
        db.session.add_all(products.values())
        db.session.flush()
        for sku, product in products.items():
            price = Price(product_id=product.id, amount=replay.prices[sku], currency="GBP", valid_from=LONG_AGO)
            db.session.add(price)
            for store_id in ids:
                key = {"store_id": store_id, "product_id": product.id}
                db.session.add(StockLevel(**key, on_hand=wanted[sku] // 3 + 1))
                db.session.add(StockMovement(**key, kind="count", on_hand_change=wanted[sku] // 3 + 1))


class Traffic:
    """Four shoppers and the tills of three stores, all at once; each till tells everything twice."""

    def __init__(self, world, replay):
        self.world, self.replay = world, replay
        self.shop, self.pos = world.client("shop"), world.client("pos")
        self.answers, self.accepted, self._guard = Counter(), {}, threading.Lock()

    def shopper(self, number):
        for invoice, units_of in islice(self.replay.ordered.items(), number, None, SHOPPERS):
            items = {sku: min(units, UNITS_MAX) for sku, units in units_of.items()}
            near = {"near": {"lat": 51.5 + number / 10, "lon": -94.2088}}
            answer = self._note(self.shop.order(self.world.order_body(items, near)))
            if answer.status_code == 201:
                self.accepted[answer.json["id"]] = items
                if int(invoice) % 7 == 0:
                    self._note(self.shop.post(f"/v1/orders/{answer.json['id']}/cancel"))

    def till(self, number):
        invoices = iter(list(islice(self.replay.sold.items(), number, None, len(STORES))))
        while batch := list(islice(invoices, BATCH)):
            sales = [
                {"id": invoice, "at": rfc3339(self.replay.at[invoice]), "lines": [self._line(*line) for line in lines]}
                for invoice, lines in batch
            ]
            body = {"store_ref": STORES[number], "register": "1", "sales": sales}
            first, second = (self._note(self.pos.post("/v1/pos/sales", body)) for _ in range(2))
            assert (first.json["accepted"], second.json["repeated"]) == (len(sales), len(sales))

    def whole(self):
        shoppers = [partial(self.shopper, number) for number in range(SHOPPERS)]
        at_once([*shoppers, *(partial(self.till, number) for number in range(len(STORES)))])

    def _line(self, sku, units):
        price = {"amount": self.replay.prices[sku], "currency": "GBP"}
        return {"sku": sku, "quantity": units, "unit_price": price}

    def _note(self, answer):
        with self._guard:
            self.answers[answer.request.path.split("/")[2], answer.status_code] += 1
        return answer


def nothing_is_left_to_do():
    db.session.rollback()
    return not db.session.scalar(
        select(func.count()).select_from(OutboxTask).where(OutboxTask.handler != "notify_customer")
    )


def units_by_sku(units, *conditions):
    rows = select(Product.sku, func.sum(units)).where(*conditions).group_by(Product.sku)
    return {sku: int(total) for sku, total in db.session.execute(rows) if total}


@pytest.mark.timeout(180 + LINES // 50)
def test_nothing_is_negative_and_nothing_is_lost(world, replay, shelves, tmp_path):
    traffic = Traffic(world, replay)

    with running(tmp_path / "workers.log", *WORKERS):
        traffic.whole()
        until(nothing_is_left_to_do, within=60 + LINES / 100, what="an empty outbox")

    statuses = Counter(tuple(row) for row in db.session.execute(select(Order.status, Order.offer.is_not(None))))
    print(len(replay.sold), "sales", len(replay.ordered), "orders", dict(traffic.answers), dict(statuses))
    assert {status for _, status in traffic.answers} <= {200, 201, 409}
    assert statuses.keys() <= {("reserved", False), ("in_transit", False), ("placed", True), ("cancelled", False)}
    assert db.session.scalar(select(func.min(StockLevel.on_hand - StockLevel.reserved))) >= 0
    assert differences() == []

    assert db.session.scalar(select(func.count()).select_from(TillSale)) == len(replay.sold)
    of_product, at_tills = StockMovement.product_id == Product.id, StockMovement.kind.in_(("sale", "return"))
    assert units_by_sku(-StockMovement.on_hand_change, of_product, at_tills) == replay.told(), "each line once"
    kept = defaultdict(dict)
    for order_id, sku, units in db.session.execute(
        select(OrderLine.order_id, Product.sku, OrderLine.quantity).join(Product, Product.id == OrderLine.product_id)
    ):
        kept[str(order_id)][sku] = units
    assert kept == traffic.accepted, "each order as it was placed"
    open_lines = (OrderLine.product_id == Product.id, OrderLine.order_id == Order.id)
    waiting = units_by_sku(OrderLine.quantity, *open_lines, Order.status.in_(("reserved", "in_transit")))
    assert units_by_sku(Reservation.quantity, Reservation.product_id == Product.id) == waiting
