"""Named reads of products."""

from collections.abc import Iterable
from typing import NamedTuple

from sqlalchemy import ARRAY, Integer, Text, any_, bindparam, func, or_, select, text

from pickup.catalog.models import Product
from pickup.core.db import db, run


def products_by_sku(skus: Iterable[str]) -> dict[str, Product]:
    """The products with these SKUs; those that do not exist are absent."""
    wanted = bindparam("skus", list(skus), type_=ARRAY(Text()))
    return {product.sku: product for product in db.session.scalars(select(Product).where(Product.sku == any_(wanted)))}


class BasketProduct(NamedTuple):
    """The columns of a product that an order needs."""

    id: int
    sku: str
    name: str
    max_per_order: int | None
    hold_days: int | None


_BASKET_PRODUCTS = text(
    "SELECT id, sku, name, max_per_order, hold_days FROM products WHERE sku = ANY(:skus)"
).bindparams(bindparam("skus", type_=ARRAY(Text())))


def basket_products(skus: Iterable[str]) -> dict[str, BasketProduct]:
    """What an order needs of the products with these SKUs; those that do not exist are absent."""
    rows = run(_BASKET_PRODUCTS, {"skus": list(skus)})
    return {row.sku: row for row in map(BasketProduct._make, rows)}


def products_after(sku: str, limit: int, *, words: str = "", department: str = "") -> list[Product]:
    """Products in the order of their SKUs, from behind one.

    Args:
        words: a part of the name or the brand, or a whole SKU or GTIN; empty: any.
        department: the whole of it, however it is written; empty: any.
    """
    wanted = select(Product).where(Product.sku > sku).order_by(Product.sku).limit(limit)
    if words:
        parts = (Product.name.icontains(words, autoescape=True), Product.brand.icontains(words, autoescape=True))
        wanted = wanted.where(or_(*parts, Product.sku == words, Product.gtin == words))
    if department:
        wanted = wanted.where(func.lower(Product.department) == department.lower())
    return list(db.session.scalars(wanted))


def products_by_id(ids: Iterable[int]) -> dict[int, Product]:
    """The products with these ids."""
    wanted = bindparam("ids", list(ids), type_=ARRAY(Integer()))
    return {product.id: product for product in db.session.scalars(select(Product).where(Product.id == any_(wanted)))}
