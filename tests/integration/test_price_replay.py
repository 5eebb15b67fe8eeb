"""Thirteen weeks of a real chain: its shelf prices go into the ledger, its baskets over tills and the web.

The lines are those of `../shared/data/loyalty` (see PROVENANCE.md there); nothing of them is in this repository. By
default the baskets of a few stores; `PICKUP_TEST_REPLAY=all` for all of them.
"""

import os
from collections import Counter, defaultdict
from datetime import datetime, timedelta
from itertools import pairwise

import pytest
from sqlalchemy import func, insert, select

from pickup.catalog.models import Product
from pickup.core.db import db, in_transaction, unit_of_work
from pickup.core.idempotency import Attempt
from pickup.core.models import ApiClient as Client
from pickup.core.types import Actor, Money
from pickup.dev.till import TillPrices
from pickup.inventory.models import StockLevel
from pickup.orders import checkout
from pickup.orders.basket import Item
from pickup.orders.checkout import NewOrder, Person
from pickup.orders.finding import Pickup
from pickup.orders.models import Order, OrderLine
from pickup.orders.quoting import quote
from pickup.payments.declines import Payer
from pickup.pricing.models import Price
from pickup.pricing.queries import prices_at
from pickup.pricing.service import PriceChange, record_all, state
from pickup.stores.models import Store
from pickup.tills.models import ParityBreach, TillSale, TillSaleLine
from pickup.tills.selling import Line, Sale, record_sales
from tests.integration.real_prices import BEGINS, FILE, History, central_prices, read_baskets

IS_ALL = os.environ.get("PICKUP_TEST_REPLAY") == "all"
STORES = 3
SORTS = {"taken": 336346, "no whole cents": 4135, "too many units": 2884, "no units": 1768, "for nothing": 82}
REGISTERS = 2
# Of so many baskets one is also asked for, or ordered, on the web.
QUOTED, ORDERED = 10, 60
ON_HAND = 1_000_000
DAY = timedelta(days=1)

pytestmark = pytest.mark.timeout(3600 if IS_ALL else 300)


@pytest.fixture(scope="module")
def real(shared_data):
    if not (shared_data / FILE).is_file():
        pytest.skip(f"no {FILE} in ../shared/data")
    return read_baskets(shared_data)


@pytest.fixture(scope="module")
def baskets(real):
    """Those of the stores with the most lines."""
    lines = Counter()
    for basket in real[0]:
        lines[basket.store] += len(basket.lines)
    chosen = {store for store, _ in lines.most_common(None if IS_ALL else STORES)}
    return [basket for basket in real[0] if basket.store in chosen]


@pytest.fixture
def products(database, baskets):
    """The ids of the products by SKU."""
    skus = sorted({line.sku for basket in baskets for line in basket.lines})
    with unit_of_work():
        db.session.execute(insert(Product), [{"sku": sku, "name": sku} for sku in skus])
    return dict(db.session.execute(select(Product.sku, Product.id)).all())


def test_lines_that_have_no_shelf_price_are_counted(real):
    baskets, sorts = real

    assert sorts == SORTS
    assert sum(len(basket.lines) for basket in baskets) == SORTS["taken"]


class Chain:
    """The stores with their own prices, and the registers in them."""

    def __init__(self, world, baskets, products):
        self.history, self.products = History(baskets), products
        self.pos = world.client("pos")
        refs = sorted({basket.store for basket in baskets})
        self.stores = {ref: world.store(ref, price_zone=f"store {ref}").id for ref in refs}
        self.tills = {(ref, number): TillPrices() for ref in refs for number in range(REGISTERS)}
        self.cut_off = set()
        self.sold = self.unpriced = 0
        with unit_of_work():
            pairs = [(self.stores[store], products[sku]) for store, sku in self.history.points]
            db.session.execute(
                insert(StockLevel),
                [{"store_id": store, "product_id": product, "on_hand": ON_HAND} for store, product in pairs],
            )

    def record(self, news, now):
        """Price changes become known, all at once."""
        changes = [
            PriceChange(sku, Money(point.cents, "USD"), f"store {store}", point.valid_from)
            for store, sku, point in news
        ]
        in_transaction(lambda: record_all(state(changes, now=now), begins=now, recorded_by="replay"))

    def follow(self):
        """Every register that has network takes over what there is."""
        for (ref, number), prices in self.tills.items():
            while (ref, number) not in self.cut_off:
                after = {"after": prices.cursor} if prices.cursor else {}
                page = self.pos.get("/v1/pos/prices", store_ref=ref, limit=10_000, **after).json
                prices.take_over(page["data"], page["next"])
                if not page["data"]:
                    break

    def sell(self, baskets, now):
        """Registers sell baskets at their own prices, and tell of it."""
        queues = defaultdict(list)
        for basket in baskets:
            key = register_of(basket)
            priced = [(line, self.tills[key].price(line.sku, basket.at)) for line in basket.lines]
            lines = [Line(line.sku, line.units, Money(price.amount, price.currency)) for line, price in priced if price]
            self.sold += len(lines)
            self.unpriced += len(priced) - len(lines)
            if lines:
                queues[key].append(Sale(basket.ref, basket.at, lines))
        for (ref, number), sales in queues.items():
            done = in_transaction(lambda: record_sales(ref, str(number), sales, now=now))  # noqa: B023
            assert (done.accepted, done.repeated, done.ignored) == (len(sales), 0, [])


def register_of(basket):
    return basket.store, int(basket.ref) % REGISTERS


class Web:
    """Shoppers who ask for the same baskets in the same stores at the same instants."""

    def __init__(self, world, chain):
        world.client("shop")
        self.client_id = db.session.scalars(select(Client.id).order_by(Client.id.desc())).first()
        self.chain, self.quoted, self.ordered = chain, 0, 0

    def visit(self, baskets):
        for basket in baskets:
            if int(basket.ref) % ORDERED == 0:
                self.order(basket)
            elif int(basket.ref) % QUOTED == 0:
                self.quote(basket)
        db.session.rollback()

    def quote(self, basket):
        offer = quote(_items(basket), Pickup(None, basket.store), now=basket.at)
        assert {line.product.sku: line.unit_price.amount for line in offer.lines} == self.shelf(basket)
        self.quoted += 1

    def order(self, basket):
        email = f"{basket.ref}@example.com"
        items, pickup = _items(basket), Pickup(None, basket.store)
        wanted = NewOrder(Person("Ada", email, "+1"), "en-US", None, items, pickup, "sandbox", "tok_ok", None)
        payer = Payer(self.client_id, "127.0.0.1", email, None)
        attempt = Attempt(self.client_id, basket.ref, b"")
        opened = in_transaction(
            lambda: checkout.open_order(wanted, payer, attempt, Actor("shop", "replay"), now=basket.at)
        )
        view = checkout.ask_gateway(opened.payment)
        assert in_transaction(lambda: checkout.settle_order(opened, view, now=basket.at))
        assert opened.order.status == "placed"
        assert {line.product.sku: line.unit_amount for line in opened.order.lines} == self.shelf(basket)
        self.ordered += 1

    def shelf(self, basket):
        return {line.sku: self.chain.history.price(basket.store, line.sku, basket.at) for line in basket.lines}


def _items(basket):
    return [Item(line.sku, line.units) for line in basket.lines]


def recorded_breaches():
    """Sale, SKU, what was charged, what the ledger says: of each line."""
    db.session.rollback()
    rows = (
        select(TillSale.ref, Product.sku, ParityBreach.charged_amount, ParityBreach.ledger_amount)
        .join(TillSale, TillSale.id == ParityBreach.sale_id)
        .join(Product, Product.id == ParityBreach.product_id)
    )
    return Counter(tuple(row) for row in db.session.execute(rows))


def test_tills_and_web_charge_what_the_shelf_says(world, baskets, products):
    """In thirteen weeks not one line differs, but those of a register that could not know; and they are exact."""
    chain = Chain(world, baskets, products)
    web, news = Web(world, chain), chain.history.news()
    ((cut_off, _),) = Counter(map(register_of, baskets)).most_common(1)
    cut, back = BEGINS[6], BEGINS[6] + DAY
    instants = [*sorted({*news, cut, back}), BEGINS[-1] + 7 * DAY]
    for now, until in pairwise(instants):
        chain.cut_off = {cut_off} if cut <= now < back else set()
        if now in news:
            chain.record(news[now], now)
        chain.follow()
        meanwhile = [basket for basket in baskets if now <= basket.at < until]
        chain.sell(meanwhile, until)
        web.visit(meanwhile)

    breaches, unpriced = Counter(), 0
    for basket in baskets:
        if register_of(basket) == cut_off and cut <= basket.at < back:
            for line in basket.lines:
                told = chain.history.price(basket.store, line.sku, basket.at, told_before=cut)
                shelf = chain.history.price(basket.store, line.sku, basket.at)
                unpriced += told is None
                breaches[basket.ref, line.sku, told, shelf] += told not in (None, shelf)
    assert recorded_breaches() == +breaches
    assert breaches.total() > 0
    assert (chain.unpriced, chain.sold) == (unpriced, sum(len(basket.lines) for basket in baskets) - unpriced)
    assert db.session.scalar(select(func.count()).select_from(TillSaleLine)) == chain.sold
    for (store, _), prices in chain.tills.items():
        assert prices.as_json() == chain.tills[store, 0].as_json()
    assert_orders_follow_the_ledger(web.ordered)
    at_one_instant = select(func.count()).select_from(Price).group_by(Price.valid_from).order_by(func.count().desc())
    assert db.session.scalars(at_one_instant).first() > 1000
    assert web.quoted > 100
    print(f"{chain.sold} lines sold, {breaches.total()} breaches, {unpriced} unpriced")
    print(f"{sum(map(len, news.values()))} changes, {web.quoted} quotes, {web.ordered} orders")


def assert_orders_follow_the_ledger(ordered):
    """Each line has the very entry of the ledger that held in the store when the order was placed."""
    rows = select(Order.store_id, Order.placed_at, OrderLine.product_id, OrderLine.price_version, OrderLine.unit_amount)
    by_store = defaultdict(list)
    for store_id, placed_at, *line in db.session.execute(rows.join(Order, Order.id == OrderLine.order_id)):
        by_store[store_id].append((placed_at, *line))
    for store_id, lines in by_store.items():
        held = prices_at([(product_id, at) for at, product_id, *_ in lines], store_id)
        assert [(price.version, price.amount) for price in held] == [(version, cents) for *_, version, cents in lines]
    assert db.session.scalar(select(func.count()).select_from(Order)) == ordered > 20


def test_what_the_tills_really_charged_against_one_central_price(world, real, baskets, products):
    """Every line at another price is a breach, and no other."""
    central = central_prices(real[0])
    for ref in sorted({basket.store for basket in baskets}):
        world.store(ref)
    changes = [PriceChange(sku, Money(central[sku], "USD"), "", BEGINS[0]) for sku in products]
    in_transaction(lambda: record_all(state(changes, now=BEGINS[0]), begins=BEGINS[0], recorded_by="replay"))

    told, expected = 0, Counter()
    queues: dict[tuple[str, datetime], list[Sale]] = defaultdict(list)
    for basket in baskets:
        lines = [Line(line.sku, line.units, Money(line.cents, "USD")) for line in basket.lines]
        queues[basket.store, max(begin for begin in BEGINS if begin <= basket.at)].append(
            Sale(basket.ref, basket.at, lines)
        )
        for line in basket.lines:
            expected[basket.ref, line.sku, line.cents, central[line.sku]] += line.cents != central[line.sku]
    for (ref, begins), sales in queues.items():
        told += in_transaction(lambda: record_sales(ref, "1", sales, now=begins + 7 * DAY)).breaches  # noqa: B023

    assert told == expected.total() > 1000
    assert recorded_breaches() == +expected
    assert db.session.scalar(select(func.count()).select_from(Store)) == len({basket.store for basket in baskets})
    print(f"{sum(len(basket.lines) for basket in baskets)} lines, {told} breaches of one central price")
