"""Named reads of the parity page."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import Row, func, select

from pickup.core.db import db
from pickup.stores.models import Store
from pickup.tills.models import ParityBreach


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
