"""Named reads of the pages about stock."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import or_, select, tuple_

from pickup.catalog.models import Product
from pickup.core.db import db
from pickup.inventory.models import StockLevel, StockMovement
from pickup.orders.models import Order


def find_levels(words: str, *, store_id: int | None, after: tuple[str, int], limit: int) -> Sequence[Any]:
    """Levels of products whose SKU or name contains some words, by SKU and store, from behind one.

    Args:
        store_id: of this store only.
    """
    wanted = (
        select(
            Product.sku,
            Product.name,
            StockLevel.store_id,
            StockLevel.on_hand,
            StockLevel.reserved,
            StockLevel.safety_stock,
        )
        .join(StockLevel, StockLevel.product_id == Product.id)
        # The first on its own, for the index; the pair finds the place.
        .where(Product.sku >= after[0], tuple_(Product.sku, StockLevel.store_id) > after)
        .order_by(Product.sku, StockLevel.store_id)
        .limit(limit)
    )
    if store_id is not None:
        wanted = wanted.where(StockLevel.store_id == store_id)
    if words:
        wanted = wanted.where(
            or_(Product.sku.icontains(words, autoescape=True), Product.name.icontains(words, autoescape=True))
        )
    return db.session.execute(wanted).all()


def levels_of(product_id: int, *, store_id: int | None) -> Sequence[StockLevel]:
    """The levels of a product in a store, or in all."""
    wanted = select(StockLevel).where(StockLevel.product_id == product_id)
    if store_id is not None:
        wanted = wanted.where(StockLevel.store_id == store_id)
    return db.session.scalars(wanted).all()


def movements_before(product_id: int, *, store_id: int | None, before: int | None, limit: int) -> Sequence[Any]:
    """Movements of a product in a store, or in all, newest first, from behind one, with the orders' numbers."""
    wanted = select(StockMovement.id).where(StockMovement.product_id == product_id)
    if store_id is not None:
        wanted = wanted.where(StockMovement.store_id == store_id)
    if before is not None:
        wanted = wanted.where(StockMovement.id < before)
    # First the ids, which an index holds in this order.
    ids = wanted.order_by(StockMovement.id.desc()).limit(limit).subquery("ids")
    page = (
        select(
            StockMovement.id,
            StockMovement.at,
            StockMovement.store_id,
            StockMovement.kind,
            StockMovement.on_hand_change,
            StockMovement.reserved_change,
            Order.id.label("order_id"),
            Order.number.label("order_number"),
            Order.store_id.label("order_store_id"),
        )
        .join(ids, ids.c.id == StockMovement.id)
        .outerjoin(Order, Order.id == StockMovement.order_id)
        .order_by(StockMovement.id.desc())
    )
    return db.session.execute(page).all()
