"""Named reads of what tills have told us."""

import operator
from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import date, datetime, timedelta
from typing import Any, NamedTuple

from sqlalchemy import (
    ARRAY,
    ColumnElement,
    Date,
    DateTime,
    Integer,
    Row,
    Select,
    any_,
    bindparam,
    case,
    cast,
    func,
    literal,
    null,
    select,
    tuple_,
)

from pickup.catalog.models import Product
from pickup.core.db import db
from pickup.pricing.models import Price
from pickup.pricing.queries import concerns
from pickup.stores.models import SpecialDay, Store
from pickup.tills.models import ParityBreach, TillCount, TillRegister, TillSale


def counted_at(store_id: int, product_ids: Iterable[int]) -> dict[int, datetime]:
    """When each product was last counted at a store; those that never were are absent.

    To be read while the stock levels are locked: a count that comes in meanwhile waits for the same locks.
    """
    products = bindparam("products", list(product_ids), type_=ARRAY(Integer()))
    counted = select(TillCount.product_id, TillCount.at).where(
        TillCount.store_id == store_id, TillCount.product_id == any_(products)
    )
    return dict(db.session.execute(counted).all())


def last_words() -> dict[int, datetime]:
    """When each store was last heard of, by any of its tills; those that never were are absent."""
    heard = select(TillRegister.store_id, func.max(TillRegister.last_seen)).group_by(TillRegister.store_id)
    return dict(db.session.execute(heard).all())


def special_days_since_last_words(*, until: date) -> dict[int, dict[date, str]]:
    """By store id, the special days that lie between the last word of its tills and a date, with a day or two around.

    The directory has only those of late, and a store may have been silent for longer.
    """
    heard = (
        select(TillRegister.store_id, cast(func.max(TillRegister.last_seen), Date).label("day"))
        .group_by(TillRegister.store_id)
        .subquery("heard")
    )
    wanted = (
        select(SpecialDay.store_id, SpecialDay.day, SpecialDay.hours)
        .join(heard, heard.c.store_id == SpecialDay.store_id)
        .where(SpecialDay.day >= heard.c.day - 2, SpecialDay.day <= until + timedelta(days=1))
    )
    days: dict[int, dict[date, str]] = defaultdict(dict)
    for store_id, day, hours in db.session.execute(wanted):
        days[store_id][day] = hours
    return days


def lock_last_words(store_ids: Iterable[int]) -> dict[int, datetime]:
    """What `last_words` says of these stores, with their registers locked in the order of their keys.

    So a till that speaks meanwhile waits, or its word is among these.
    """
    stores = bindparam("stores", list(store_ids), type_=ARRAY(Integer()))
    locked = db.session.execute(
        select(TillRegister.store_id, TillRegister.last_seen)
        .where(TillRegister.store_id == any_(stores))
        .order_by(TillRegister.store_id, TillRegister.register)
        .with_for_update()
    )
    words: dict[int, datetime] = {}
    for store_id, last_seen in locked:
        words[store_id] = max(last_seen, words.get(store_id, last_seen))
    return words


class BreachFilter(NamedTuple):
    """Which breaches are meant; None: any."""

    store_id: int | None = None
    register: str | None = None
    product_id: int | None = None
    since: datetime | None = None
    until: datetime | None = None

    def conditions(self) -> list[ColumnElement[bool]]:
        """The same, for a statement."""
        columns = ParityBreach.store_id, ParityBreach.register, ParityBreach.product_id
        equal = [column == value for column, value in zip(columns, self[:3], strict=True) if value is not None]
        spans = (self.since, operator.ge), (self.until, operator.lt)
        return equal + [compare(ParityBreach.at, instant) for instant, compare in spans if instant is not None]


def breaches_before(position: tuple[datetime, int] | None, wanted: BreachFilter, limit: int) -> Sequence[Any]:
    """Breaches with store, product and the till's id of the sale, newest first, from before one."""
    conditions = wanted.conditions()
    if position is not None:
        conditions.append(tuple_(ParityBreach.at, ParityBreach.id) < position)
    return db.session.execute(
        select(
            *ParityBreach.__table__.columns,
            Store.ref.label("store_ref"),
            Store.name.label("store_name"),
            Product.sku.label("sku"),
            Product.name.label("product_name"),
            TillSale.ref.label("sale_ref"),
        )
        .join(Store, Store.id == ParityBreach.store_id)
        .join(Product, Product.id == ParityBreach.product_id)
        .join(TillSale, TillSale.id == ParityBreach.sale_id)
        .where(*conditions)
        .order_by(ParityBreach.at.desc(), ParityBreach.id.desc())
        .limit(limit)
    ).all()


def count_breaches(wanted: BreachFilter) -> int:
    """How many breaches there are."""
    return db.session.scalar(select(func.count()).select_from(ParityBreach).where(*wanted.conditions())) or 0


def registers(*, now: datetime, store_id: int | None = None, seen_since: datetime | None = None) -> Sequence[Row[Any]]:
    """Every register with its store, its version, how many price changes of its zone it is behind by, and since when a
    price is in force that it has not acknowledged.

    Args:
        store_id: only those of one store.
        seen_since: only those that were heard of since then.
    """
    behind = _behind(now).subquery("behind")
    wanted = (
        select(
            TillRegister.store_id,
            Store.ref.label("store_ref"),
            TillRegister.register,
            TillRegister.version,
            behind.c.behind_by,
            behind.c.late_since,
            TillRegister.late_since.label("alarmed_since"),
            TillRegister.clock_ahead_ms,
            TillRegister.last_seen,
        )
        .join(Store, Store.id == TillRegister.store_id)
        .join(behind, (behind.c.price_zone == Store.price_zone) & (behind.c.version == TillRegister.version))
        .order_by(Store.ref, TillRegister.register)
    )
    if store_id is not None:
        wanted = wanted.where(TillRegister.store_id == store_id)
    if seen_since is not None:
        wanted = wanted.where(TillRegister.last_seen >= seen_since)
    return db.session.execute(wanted).all()


def _behind(now: datetime) -> Select[str, int, int, datetime | None]:
    """For each price zone and each version that a register in it stands at, the number of later changes, and since
    when the first of them has been in force.

    All of them in one walk through the ledger, from its end: a register at a version has as many changes before it as
    the walk has met so far. (To count them for each version anew takes minutes once many registers are far behind.)
    """
    standing = (
        select(
            Store.price_zone,
            TillRegister.version,
            literal(0).label("is_change"),
            cast(null(), DateTime(timezone=True)).label("in_force_since"),
        )
        .join(Store, Store.id == TillRegister.store_id)
        .distinct()
        .cte("standing")
    )
    zones = (
        select(standing.c.price_zone, func.min(standing.c.version).label("version"))
        .group_by(standing.c.price_zone)
        .subquery("zones")
    )
    in_force_since = case((Price.valid_from <= now, func.greatest(Price.valid_from, Price.recorded_at)))
    changes = (
        select(zones.c.price_zone, Price.version, literal(1), in_force_since)
        .select_from(zones)
        .join(Price, (Price.version > zones.c.version) & concerns(zones.c.price_zone))
    )
    ledger = select(standing).union_all(changes).subquery("ledger")
    met_so_far: dict[str, Any] = {
        "partition_by": ledger.c.price_zone,
        "order_by": [ledger.c.version.desc(), ledger.c.is_change],
        "rows": (None, 0),
    }
    walk = select(
        ledger,
        func.sum(ledger.c.is_change).over(**met_so_far).label("behind_by"),
        func.min(ledger.c.in_force_since).over(**met_so_far).label("late_since"),
    ).subquery("walk")
    return select(walk.c.price_zone, walk.c.version, walk.c.behind_by, walk.c.late_since).where(walk.c.is_change == 0)
