"""HTTP of stock, for management."""

from collections.abc import Mapping
from typing import Any

from pickup.catalog.queries import products_by_id, products_by_sku
from pickup.core.api import Blueprint, requires
from pickup.core.errors import InvalidFields
from pickup.core.pagination import decode_cursor, page
from pickup.inventory import queries
from pickup.inventory.models import StockLevel, StockMovement
from pickup.inventory.schemas import StockLevelPageSchema, StockMovementPageSchema, StockQuery
from pickup.stores.directory import StoreEntry, fresh_directory, known_store

blueprint = Blueprint(
    "inventory", __name__, url_prefix="/v1/stock", description="How many there are of what, and what explains it."
)


@blueprint.get("")
@requires("admin")
@blueprint.arguments(StockQuery, location="query")
@blueprint.response(200, StockLevelPageSchema)
def list_stock_levels(query: dict[str, Any]) -> dict[str, Any]:
    """List stock levels.

    Of every store and product, or of one store, one product, or both. The safety stock is what counts now: the level's
    own, or the store's where that is more, as while its tills are not heard of.
    """
    position = decode_cursor(query["after"], int, int) or (0, 0)
    levels = queries.levels_after((position[0], position[1]), **_filters(query), limit=query["limit"] + 1)
    shown = page(levels, query["limit"], lambda level: (level.store_id, level.product_id))
    stores = fresh_directory().by_id
    rows = zip(shown["data"], _names(shown["data"], stores), strict=True)
    return {**shown, "data": [{**_present_level(level, stores[level.store_id]), **name} for level, name in rows]}


@blueprint.get("/movements")
@requires("admin")
@blueprint.arguments(StockQuery, location="query")
@blueprint.response(200, StockMovementPageSchema)
def list_stock_movements(query: dict[str, Any]) -> dict[str, Any]:
    """List stock movements, oldest first.

    Each says why a level changed; the sum of all movements of a product in a store is its level there.
    """
    position = decode_cursor(query["after"], int) or (0,)
    movements = queries.movements_after(position[0], **_filters(query), limit=query["limit"] + 1)
    shown = page(movements, query["limit"], lambda movement: (movement.id,))
    rows = zip(shown["data"], _names(shown["data"], fresh_directory().by_id), strict=True)
    return {**shown, "data": [{**_present_movement(movement), **name} for movement, name in rows]}


def _filters(query: dict[str, Any]) -> dict[str, int | None]:
    store_ref, sku = query["store_ref"], query["sku"]
    store = known_store(store_ref) if store_ref is not None else None
    product = products_by_sku([sku]).get(sku) if sku is not None and sku.isprintable() else None
    if sku is not None and product is None:
        raise InvalidFields.at("/sku", f"{sku[:60]!r} is not a product we sell")
    return {"store_id": store.id if store else None, "product_id": product.id if product else None}


def _names(rows: list[StockLevel | StockMovement], stores: Mapping[int, StoreEntry]) -> list[dict[str, str]]:
    products = products_by_id({row.product_id for row in rows})
    return [{"store_ref": stores[row.store_id].ref, "sku": products[row.product_id].sku} for row in rows]


def _present_level(level: StockLevel, store: StoreEntry) -> dict[str, int]:
    safety_stock = max(level.safety_stock, store.safety_floor)
    return {
        "on_hand": level.on_hand,
        "reserved": level.reserved,
        "safety_stock": safety_stock,
        "available": level.on_hand - level.reserved - safety_stock,
    }


def _present_movement(movement: StockMovement) -> dict[str, Any]:
    return {
        "id": str(movement.id),
        "kind": movement.kind,
        "on_hand_change": movement.on_hand_change,
        "reserved_change": movement.reserved_change,
        "order_id": movement.order_id,
        "at": movement.at,
    }
