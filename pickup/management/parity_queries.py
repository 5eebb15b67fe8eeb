"""Named reads of the parity page."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import Row, func, select, tuple_

from pickup.catalog.models import Product
from pickup.core.db import db
from pickup.stores.models import Store
from pickup.tills.models import ParityBreach, TillRegister


def register_states() -> dict[tuple[str, str], tuple[int | None, datetime | None]]:
    """By store and register: the milliseconds that its clock is ahead by, and since when it is late; both if known."""
    rows = db.session.execute(
        select(Store.ref, TillRegister.register, TillRegister.clock_ahead_ms, TillRegister.late_since)
        .select_from(TillRegister)
        .join(Store, Store.id == TillRegister.store_id)
    )
    return {(row.ref, row.register): (row.clock_ahead_ms, row.late_since) for row in rows}


def breaches_before(
    *, store_id: int | None, product_id: int | None, before: tuple[datetime, int] | None, limit: int
) -> Sequence[Row[ParityBreach, str, str, str, str]]:
    """Breaches, newest first, from before one, of a store and of a product, or of any."""
    wanted = (
        select(
            ParityBreach,
            Store.ref.label("store_ref"),
            Store.name.label("store_name"),
            Product.sku,
            Product.name.label("product_name"),
        )
        .join(Store, Store.id == ParityBreach.store_id)
        .join(Product, Product.id == ParityBreach.product_id)
    )
    if store_id is not None:
        wanted = wanted.where(ParityBreach.store_id == store_id)
    if product_id is not None:
        wanted = wanted.where(ParityBreach.product_id == product_id)
    if before is not None:
        wanted = wanted.where(tuple_(ParityBreach.at, ParityBreach.id) < before)
    order = ParityBreach.at.desc(), ParityBreach.id.desc()
    return db.session.execute(wanted.order_by(*order).limit(limit)).all()


def breaches_by_store(since: datetime, limit: int) -> Sequence[Row[str, str, int, int]]:
    """The stores with the most breaches, those first; each with how many there are in all stores."""
    breaches = func.count().label("breaches")
    return db.session.execute(
        select(Store.ref, Store.name, breaches, func.sum(func.count()).over().label("total"))
        .select_from(ParityBreach)
        .join(Store, Store.id == ParityBreach.store_id)
        .where(ParityBreach.at >= since)
        .group_by(Store.ref, Store.name)
        .order_by(breaches.desc(), Store.ref)
        .limit(limit)
    ).all()
