"""A small world for a test: stores, products with prices and stock, and the workers that run when they are told to."""

import sys
import uuid
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

import redis
from flask import Flask
from sqlalchemy import text, update

from pickup.catalog.models import Product
from pickup.core import auth, revisions
from pickup.core.clock import utcnow
from pickup.core.db import Base, db, in_transaction, unit_of_work
from pickup.core.types import Actor
from pickup.inventory.models import StockLevel, StockMovement
from pickup.orders import queries, service
from pickup.orders.models import Order
from pickup.pricing.models import Price
from pickup.stores.models import Store
from pickup.stores.moves import await_moves
from tests.api_client import ApiClient

# The reservation of such an order is not decided yet.
UNDECIDED = frozenset({"awaiting_payment", "placed"})
BENTONVILLE = (36.3728, -94.2088)


def begin_anew(app: Flask) -> None:
    """Empty tables, an empty queue, and no store in anybody's memory."""
    db.session.rollback()
    names = ", ".join(f'"{table.name}"' for table in Base.metadata.sorted_tables)
    # A page of the test before may still be told something: it reads the same tables in another order.
    in_transaction(lambda: db.session.execute(text(f"TRUNCATE {names} RESTART IDENTITY")))
    client: redis.Redis = app.extensions["redis"]
    client.flushdb()
    for each in (app, *([sys.modules["worker.app"].app] if "worker.app" in sys.modules else ())):
        each.extensions["stores"].forget()


class World:
    """Everything it makes is committed."""

    def __init__(self, app: Flask) -> None:
        self.app = app

    def client(self, *scopes: auth.Scope) -> ApiClient:
        with unit_of_work():
            key = auth.create_key(f"test-{uuid.uuid4().hex[:8]}", list(scopes))
        return ApiClient(self.app, key)

    def store(
        self, ref: str = "1", *, lat: float = BENTONVILLE[0], lon: float = BENTONVILLE[1], **values: Any
    ) -> Store:
        defaults = {"name": f"Store {ref}", "country": "US", "timezone": "America/Chicago", "city": "Bentonville"}
        store = Store(ref=ref, lat=lat, lon=lon, **defaults | values)
        with unit_of_work():
            db.session.add(store)
            revisions.bump("stores")
        return store

    def move_to_zone(self, store: Store, zone: str) -> None:
        with unit_of_work():
            db.session.execute(update(Store).where(Store.id == store.id).values(price_zone=zone))
            revisions.bump("stores")
        await_moves()

    def product(self, sku: str = "A", *, price: int | None = 359, currency: str = "USD", **values: Any) -> Product:
        product = Product(sku=sku, **{"name": f"Product {sku}"} | values)
        with unit_of_work():
            db.session.add(product)
        if price is not None:
            self.price(product, price, currency=currency)
        return product

    def price(
        self,
        product: Product,
        amount: int,
        *,
        currency: str = "USD",
        zone: str = "",
        valid_from: datetime | None = None,
    ) -> Price:
        since = valid_from or utcnow() - timedelta(seconds=1)
        price = Price(product_id=product.id, zone=zone, amount=amount, currency=currency, valid_from=since)
        with unit_of_work():
            db.session.add(price)
        return price

    def stock(self, store: Store, product: Product, on_hand: int, *, safety_stock: int = 0) -> None:
        with unit_of_work():
            db.session.add(
                StockLevel(store_id=store.id, product_id=product.id, on_hand=on_hand, safety_stock=safety_stock)
            )
            db.session.add(
                StockMovement(store_id=store.id, product_id=product.id, kind="count", on_hand_change=on_hand)
            )

    def level(self, store: Store, product: Product) -> StockLevel:
        db.session.rollback()
        level = db.session.get(StockLevel, (store.id, product.id), populate_existing=True)
        assert level is not None
        return level

    def order_body(
        self,
        items: Mapping[str, int] | Sequence[tuple[str, int]],
        pickup: Mapping[str, Any] | None = None,
        *,
        token: str = "tok_ok",
        **extra: Any,
    ) -> dict[str, Any]:
        pairs = items.items() if isinstance(items, Mapping) else items
        return {
            "customer": {"name": "Ada Example", "email": "ada@example.com", "phone": "+14795550100"},
            "items": [{"sku": sku, "quantity": quantity} for sku, quantity in pairs],
            "pickup": dict(pickup or {"near": {"lat": BENTONVILLE[0], "lon": BENTONVILLE[1]}}),
            "payment": {"method": "sandbox", "token": token},
        } | extra

    def place(
        self, client: ApiClient, items: Mapping[str, int], pickup: Mapping[str, Any] | None = None, **extra: Any
    ) -> Order:
        """Place an order over the API; the workers have not seen it yet."""
        answer = client.order(self.order_body(items, pickup, **extra))
        assert answer.status_code == 201, answer.text
        return self.order(answer.json["id"])

    def offer(self, order: Order) -> None:
        """Put before the customer of a placed order what there is instead: the same store, in this case."""
        option = {"store_id": order.store_id, "store_ref": order.store.ref, "ready_by": order.ready_by.isoformat()}
        with unit_of_work():
            order.offer, order.offer_until = {"why": "short_pick", "options": {"move": option}}, order.hold_until

    def make_ready(self, order: Order) -> Order:
        """Let a placed order be reserved and picked."""
        self.work()
        sam = Actor("staff", "Sam")
        with unit_of_work():
            locked = queries.lock_order(order.id)
            service.start_picking(locked, actor=sam, now=utcnow())
            service.mark_ready(locked, actor=sam, now=utcnow())
        return self.order(order.id)

    def collect(self, order: Order) -> Order:
        """Let a placed order be reserved, picked and handed over; its money is still to be taken."""
        self.make_ready(order)
        sam = Actor("staff", "Sam")
        with unit_of_work():
            locked = queries.lock_order(order.id)
            assert service.hand_over(locked, locked.pickup_code, actor=sam, is_manager=False, now=utcnow())
        return self.order(order.id)

    def order(self, order_id: uuid.UUID | str) -> Order:
        """The order as the database has it now, with all that hangs on it."""
        db.session.rollback()
        return queries.get_order(uuid.UUID(str(order_id)), with_history=True)

    def work(self) -> None:
        """Let relay and workers do all there is to do: the real relay, real Redis, real RQ workers."""
        from tests.workers import drain

        drain()
