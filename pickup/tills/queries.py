"""Named reads of what tills have told us."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import ARRAY, Integer, Row, any_, bindparam, func, select

from pickup.catalog.models import Product
from pickup.core.db import db
from pickup.pricing.models import Price
from pickup.pricing.queries import concerns
from pickup.stores.models import Store
from pickup.tills.models import ParityBreach, TillCount, TillRegister


def counted_at(store_id: int, product_ids: Iterable[int]) -> dict[int, datetime]:
    """When each product was last counted at a store; those that never were are absent.

    To be read while the stock levels are locked: a count that comes in meanwhile waits for the same locks.
    """
    products = bindparam("products", list(product_ids), type_=ARRAY(Integer()))
    counted = select(TillCount.product_id, TillCount.at).where(
        TillCount.store_id == store_id, TillCount.product_id == any_(products)
    )
    return dict(db.session.execute(counted).all())


def newest_breaches(limit: int) -> Sequence[Row[ParityBreach, str, str]]:
    """The latest breaches with store and SKU, newest first."""
    return db.session.execute(
        select(ParityBreach, Store.ref, Product.sku)
        .join(Store, Store.id == ParityBreach.store_id)
        .join(Product, Product.id == ParityBreach.product_id)
        .order_by(ParityBreach.at.desc(), ParityBreach.id.desc())
        .limit(limit)
    ).all()


def registers() -> Sequence[Row[Any]]:
    """Every register with its store, its version, and how many price changes of its zone it is behind by."""
    # Most registers of a zone stand at the same few versions, so those are what is counted from.
    standing = (
        select(Store.price_zone, TillRegister.version)
        .join(Store, Store.id == TillRegister.store_id)
        .distinct()
        .subquery("standing")
    )
    changes = (
        select(func.count())
        .select_from(Price)
        .where(Price.version > standing.c.version, concerns(standing.c.price_zone))
        .correlate(standing)
        .scalar_subquery()
    )
    behind = select(standing, changes.label("behind_by")).subquery("behind")
    return db.session.execute(
        select(
            Store.ref.label("store_ref"),
            TillRegister.register,
            TillRegister.version,
            behind.c.behind_by,
            TillRegister.last_seen,
        )
        .join(Store, Store.id == TillRegister.store_id)
        .join(behind, (behind.c.price_zone == Store.price_zone) & (behind.c.version == TillRegister.version))
        .order_by(Store.ref, TillRegister.register)
    ).all()
