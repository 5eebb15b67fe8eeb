"""Named reads of products."""

from collections.abc import Iterable

from sqlalchemy import ARRAY, Integer, Text, any_, bindparam, select

from pickup.catalog.models import Product
from pickup.core.db import db


def products_by_sku(skus: Iterable[str]) -> dict[str, Product]:
    """The products with these SKUs; those that do not exist are absent."""
    wanted = bindparam("skus", list(skus), type_=ARRAY(Text()))
    return {product.sku: product for product in db.session.scalars(select(Product).where(Product.sku == any_(wanted)))}


def products_after(sku: str, limit: int) -> list[Product]:
    """Products in the order of their SKUs, from behind one."""
    return list(db.session.scalars(select(Product).where(Product.sku > sku).order_by(Product.sku).limit(limit)))


def products_by_id(ids: Iterable[int]) -> dict[int, Product]:
    """The products with these ids."""
    wanted = bindparam("ids", list(ids), type_=ARRAY(Integer()))
    return {product.id: product for product in db.session.scalars(select(Product).where(Product.id == any_(wanted)))}
