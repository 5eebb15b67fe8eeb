"""The list of prices as plain values: rows of the page, and rows of its CSV."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

from pickup.catalog.models import Product
from pickup.core.types import Money
from pickup.management import queries
from pickup.management.presenting import Change, amount_words, present_change
from pickup.pricing.models import Price
from pickup.pricing.queries import EVERYWHERE, PriceInForce, prices_in_force
from pickup.stores.directory import StoreEntry

BREACH_DAYS = 30
COLUMNS = (
    "sku", "name", "department", "currency", "everywhere", "on_the_shelf", "zones_with_own_price",
    "next_amount", "next_currency", "next_zone", "next_from", f"breaches_in_{BREACH_DAYS}_days",
)  # fmt: skip


class ProductRow(NamedTuple):
    """A product in the list."""

    product: Product
    everywhere: PriceInForce | None
    shelf: PriceInForce | None
    """What it costs in the store that is looked at; None also where it is none, or all of them."""
    own_prices: int
    """In how many zones it has a price of its own; of a store's, whether in its zone."""
    ahead: Price | None
    breaches: int

    @property
    def price(self) -> str:
        """What it costs everywhere, in words."""
        return _words(self.everywhere)

    @property
    def shelf_price(self) -> str:
        """What it costs in the store, in words."""
        return _words(self.shelf)

    @property
    def change(self) -> Change | None:
        """The next change, in words."""
        return present_change(self.ahead)


def present_products(products: Sequence[Product], store: StoreEntry | None, *, now: datetime) -> list[ProductRow]:
    """Products with what their prices are, were and will be: in a store, or in all of them."""
    ids = [product.id for product in products]
    zone = store.price_zone_at(now) if store else EVERYWHERE
    everywhere = prices_in_force(ids, EVERYWHERE, at=now)
    shelf = prices_in_force(ids, zone, at=now) if store else {}
    own = queries.own_prices(ids, {zone} if store else None, now=now)
    ahead = queries.next_changes(ids, {EVERYWHERE, zone} if store else None, now=now)
    since, store_id = now - timedelta(days=BREACH_DAYS), store.id if store else None
    breaches = queries.breaches_since(ids, since, store_id=store_id)
    return [
        ProductRow(
            product,
            everywhere.get(product.id),
            shelf.get(product.id),
            own.get(product.id, 0),
            ahead.get(product.id),
            breaches.get(product.id, 0),
        )
        for product in products
    ]


def position(row: ProductRow) -> tuple[str]:
    """Where a row stands in the list."""
    return (row.product.sku,)


def cells(row: ProductRow) -> Sequence[object]:
    """A product as a row of a file; the empty zone is everywhere."""
    product, ahead = row.product, row.ahead
    price = row.shelf or row.everywhere
    change = (_major(ahead), ahead.currency, ahead.zone, ahead.valid_from) if ahead else (None, None, None, None)
    prices = (price.currency if price else None, _major(row.everywhere), _major(row.shelf), row.own_prices)
    return product.sku, product.name, product.department, *prices, *change, row.breaches


def _words(price: PriceInForce | None) -> str:
    return amount_words(price.amount, price.currency) if price else amount_words(None, None)


def _major(price: PriceInForce | Price | None) -> object:
    return Money(price.amount, price.currency).major() if price else None
