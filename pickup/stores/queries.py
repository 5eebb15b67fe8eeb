"""Named reads of stores."""

from collections import defaultdict
from datetime import date, datetime

from sqlalchemy import func, select

from pickup.core import revisions
from pickup.core.db import db, run
from pickup.stores.models import SpecialDay, Store, StorePriceZone

REVISION = "stores"

# Older special days are history: nobody promises anything for them, whatever the time zone.
SPECIAL_DAYS_KEPT_DAYS = 7


_REVISION = select(revisions.current(REVISION))


def revision() -> int:
    """The number of changes that any store has seen."""
    return int(run(_REVISION, {}).scalar_one())


def all_stores() -> list[Store]:
    """Every store, by reference, fresh from the database: a session that lives long may remember others."""
    return list(db.session.scalars(select(Store).order_by(Store.ref).execution_options(populate_existing=True)))


def price_zones_of_moved() -> dict[int, list[tuple[datetime, str]]]:
    """Of the stores that have been in several price zones: since when in which, oldest first, by store id."""
    moved = select(StorePriceZone.store_id).group_by(StorePriceZone.store_id).having(func.count() > 1)
    periods = select(StorePriceZone.store_id, StorePriceZone.valid_from, StorePriceZone.zone).where(
        StorePriceZone.store_id.in_(moved)
    )
    zones: dict[int, list[tuple[datetime, str]]] = defaultdict(list)
    for store_id, valid_from, zone in db.session.execute(periods.order_by(StorePriceZone.valid_from)):
        zones[store_id].append((valid_from, zone))
    return zones


def latest_move() -> datetime | None:
    """Since when, or from when on, the store that moved last is in its price zone; None while there is no store."""
    return db.session.execute(select(func.max(StorePriceZone.valid_from))).scalar_one()


def store_by_ref(ref: str) -> Store | None:
    """The store with this reference, fresh from the database."""
    return db.session.scalars(select(Store).where(Store.ref == ref)).one_or_none()


def all_special_days() -> dict[int, dict[date, str]]:
    """The special days of every store that has any, by store id: those to come, and the last few."""
    days: dict[int, dict[date, str]] = defaultdict(dict)
    recent = SpecialDay.day >= func.current_date() - SPECIAL_DAYS_KEPT_DAYS
    for special in db.session.scalars(select(SpecialDay).where(recent).order_by(SpecialDay.day)):
        days[special.store_id][special.day] = special.hours
    return dict(days)
