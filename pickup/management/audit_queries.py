"""Named reads of the audit trail."""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import exists, or_, select

from pickup.core.db import db
from pickup.orders.models import Order
from pickup.staff.models import AuditEntry
from pickup.stores.models import Store

ORDER_NUMBER_MAX = 2**63 - 1


@dataclass(frozen=True, slots=True)
class AuditFilter:
    """Which lines of the trail are wanted; None: whatever it says there."""

    store_id: int | None = None
    person: str = ""
    action: str = ""
    order_id: uuid.UUID | None = None
    since: datetime | None = None
    until: datetime | None = None


def find_entries(wanted: AuditFilter, *, before: int | None, limit: int) -> Sequence[Any]:
    """Lines of the trail, newest first, from behind the one with an id."""
    entries = (
        select(
            AuditEntry.id,
            AuditEntry.at,
            AuditEntry.member_name,
            AuditEntry.device_name,
            AuditEntry.action,
            AuditEntry.detail,
            Order.id.label("order_id"),
            Order.number.label("order_number"),
            Order.store_id.label("order_store_id"),
            Store.ref.label("store_ref"),
            Store.name.label("store_name"),
        )
        .outerjoin(Order, Order.id == AuditEntry.order_id)
        .outerjoin(Store, Store.id == AuditEntry.store_id)
        .order_by(AuditEntry.id.desc())
        .limit(limit)
    )
    if wanted.store_id is not None:
        entries = entries.where(AuditEntry.store_id == wanted.store_id)
    if wanted.person:
        entries = entries.where(AuditEntry.member_name.icontains(wanted.person, autoescape=True))
    if wanted.action:
        entries = entries.where(AuditEntry.action == wanted.action)
    if wanted.order_id is not None:
        entries = entries.where(AuditEntry.order_id == wanted.order_id)
    if wanted.since is not None:
        entries = entries.where(AuditEntry.at >= wanted.since)
    if wanted.until is not None:
        entries = entries.where(AuditEntry.at < wanted.until)
    if before is not None:
        entries = entries.where(AuditEntry.id < before)
    return db.session.execute(entries).all()


def order_id_of(number: int, *, store_id: int | None) -> uuid.UUID | None:
    """The order that people call by a number; of another store's, only one of which the store's own trail speaks.

    Args:
        store_id: of whoever asks; None for head office. That another store has an order is none of a manager's
            business, so it reads as if there were none.
    """
    if number > ORDER_NUMBER_MAX:
        return None
    wanted = select(Order.id).where(Order.number == number)
    if store_id is not None:
        did_something = exists().where(AuditEntry.order_id == Order.id, AuditEntry.store_id == store_id)
        wanted = wanted.where(or_(Order.store_id == store_id, did_something))
    return db.session.scalars(wanted).one_or_none()
