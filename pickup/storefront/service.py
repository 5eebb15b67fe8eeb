"""Reads for the shop, put together from stores, stock, prices and promises."""

from collections.abc import Sequence
from datetime import datetime
from itertools import islice
from typing import Any

from pickup.catalog.models import Product
from pickup.catalog.queries import products_after, products_by_sku
from pickup.core.errors import NotFound
from pickup.orders.basket import Item, read_basket
from pickup.orders.finding import promises_from_shelf
from pickup.pricing.queries import EVERYWHERE, PriceInForce, prices_in_force
from pickup.stores.directory import StoreEntry, fresh_directory, known_store
from pickup.stores.geocoding import Coordinates
from pickup.stores.nearest import Neighbour


def near_stores(
    place: Coordinates, *, limit: int, radius_metres: float, items: Sequence[Item] | None, now: datetime
) -> list[dict[str, Any]]:
    """Pickup points near a place, nearest first; with items, whether each has all of them and when.

    Raises:
        InvalidFields: unknown SKUs.
    """
    reachable = fresh_directory().walk(place.lat, place.lon, radius_metres=radius_metres)
    near = list(islice(reachable, limit))
    shown = [_present_store(store, neighbour) for store, neighbour in near]
    if items is None:
        return shown
    promises = promises_from_shelf([store for store, _ in near], read_basket(items).quantities, now=now)
    for (store, _), answer in zip(near, shown, strict=True):
        answer["available"], answer["ready_by"] = store.id in promises, promises.get(store.id)
    return shown


def products_page(
    after: str, limit: int, store_ref: str | None, *, words: str = "", department: str = "", now: datetime
) -> list[dict[str, Any]]:
    """Products by SKU with the price on the shelf of a store, or the one that holds everywhere.

    Args:
        words, department: which of them; see `catalog.queries.products_after`.
    """
    zone = _zone_of(store_ref, now)
    products = products_after(after, limit, words=words, department=department)
    prices = prices_in_force([product.id for product in products], zone, at=now)
    return [_present_product(product, prices.get(product.id)) for product in products]


def product(sku: str, store_ref: str | None, *, now: datetime) -> dict[str, Any]:
    """One product with its price.

    Raises:
        NotFound: there is no such SKU.
    """
    zone = _zone_of(store_ref, now)
    found = products_by_sku([sku]).get(sku)
    if found is None:
        raise NotFound("There is no product of this SKU.")
    return _present_product(found, prices_in_force([found.id], zone, at=now).get(found.id))


def _zone_of(store_ref: str | None, now: datetime) -> str:
    return EVERYWHERE if store_ref is None else known_store(store_ref).price_zone_at(now)


def _present_store(store: StoreEntry, neighbour: Neighbour) -> dict[str, Any]:
    shown = {name: getattr(store, name) for name in _SHOWN_OF_STORE}
    return {
        **shown,
        "distance_m": neighbour.distance_m,
        "paused": not store.takes_orders,
        "till_feed": store.feed_state,
    }


_SHOWN_OF_STORE = ("ref", "name", "address", "phone", "lat", "lon", "opening_hours", "timezone")
_SHOWN_OF_PRODUCT = ("gtin", "department", "brand", "image_url", "minimum_age", "max_per_order")


def _present_product(product: Product, price: PriceInForce | None) -> dict[str, Any]:
    details = {name: getattr(product, name) or None for name in _SHOWN_OF_PRODUCT}
    return {"sku": product.sku, "name": product.name, **details, "price": price}
