"""Named reads and the lock of the pages about stores."""

from collections.abc import Sequence
from datetime import date

from sqlalchemy import or_, select

from pickup.core.db import db
from pickup.staff.models import AuditEntry
from pickup.stores.models import SpecialDay, Store


def find_stores(words: str, *, only: int | None, after: str, limit: int) -> Sequence[Store]:
    """Stores whose reference, name, city or postcode contains some words, in the order of their references.

    Args:
        only: the id of the one store that may be found.
        after: from behind this reference on.
    """
    wanted = select(Store).where(Store.ref > after).order_by(Store.ref).limit(limit)
    if only is not None:
        wanted = wanted.where(Store.id == only)
    if words:
        columns = (Store.ref, Store.name, Store.city, Store.postcode)
        wanted = wanted.where(or_(*(column.icontains(words, autoescape=True) for column in columns)))
    return db.session.scalars(wanted).all()


def lock_store(store_id: int) -> Store:
    """A store as it is now, that nobody else changes meanwhile; its orders go on."""
    return db.session.scalars(
        select(Store)
        .where(Store.id == store_id)
        .with_for_update(key_share=True)
        .execution_options(populate_existing=True)
    ).one()


def special_days(store_id: int, since: date) -> Sequence[SpecialDay]:
    """The special days of a store from a date on, in order."""
    return db.session.scalars(
        select(SpecialDay)
        .where(SpecialDay.store_id == store_id, SpecialDay.day >= since)
        .order_by(SpecialDay.day)
        .execution_options(populate_existing=True)
    ).all()


def who_paused(store: Store) -> str:
    """Who paused a store on these pages, if it was somebody here; else it was a program."""
    found = db.session.scalars(
        select(AuditEntry.member_name)
        .where(AuditEntry.store_id == store.id, AuditEntry.action == "pause_store", AuditEntry.at == store.paused_at)
        .order_by(AuditEntry.id.desc())
        .limit(1)
    ).one_or_none()
    return found or ""
