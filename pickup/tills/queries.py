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
    any_,
    bindparam,
    cast,
    func,
    select,
    text,
    tuple_,
)

from pickup.catalog.models import Product
from pickup.core.db import db, run
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


# How far each register is behind. What everybody has acknowledged is left out; the other changes are counted once for
# each zone that they concern (by the rule of `pricing.queries._NEWS`), between the versions at which its registers
# stand, and added up from the end. To count them for each register anew takes minutes once many are far behind.
_REGISTERS = text("""
    WITH meant AS (
        SELECT register.*, stores.ref AS store_ref, price_zone AS zone
        FROM till_registers AS register JOIN stores ON stores.id = store_id
        WHERE (store_id = :store_id OR :store_id IS NULL)
          AND (:gone_since IS NULL OR last_seen >= :gone_since OR late_since IS NOT NULL)
    ), zones AS (
        SELECT zone, min(version) AS version, array_agg(version ORDER BY version) AS versions
        FROM (SELECT DISTINCT zone, version FROM meant) AS standing GROUP BY zone
    ), own AS (
        SELECT product_id, zone, min(valid_from) AS since FROM prices
        WHERE zone <> '' AND zone IN (SELECT zone FROM zones) GROUP BY product_id, zone
    ), steps AS (
        SELECT zones.zone, width_bucket(price.version - 1, versions) AS position, count(*) AS changes,
               min(CASE WHEN valid_from <= :now THEN greatest(valid_from, recorded_at) END) AS in_force_since
        FROM zones JOIN prices AS price ON price.version > zones.version AND price.zone IN ('', zones.zone)
        LEFT JOIN own ON own.product_id = price.product_id AND own.zone = zones.zone
        WHERE price.zone = zones.zone OR own.since IS NULL OR own.since > valid_from
        GROUP BY zones.zone, position
    ), behind AS (
        SELECT zone, standing.version, coalesce(sum(changes) OVER later, 0)::bigint AS behind_by,
               min(in_force_since) OVER later AS late_since
        FROM zones CROSS JOIN LATERAL unnest(versions) WITH ORDINALITY AS standing (version, position)
        LEFT JOIN steps USING (zone, position)
        WINDOW later AS (PARTITION BY zone ORDER BY position DESC)
    )
    SELECT store_id, store_ref, register, version, behind_by, behind.late_since, meant.late_since AS alarmed_since,
           clock_ahead_ms, last_seen
    FROM meant JOIN behind USING (zone, version)
    ORDER BY store_ref, register
""").bindparams(
    bindparam("store_id", type_=Integer()),
    bindparam("gone_since", type_=DateTime(timezone=True)),
    bindparam("now", type_=DateTime(timezone=True)),
)


def registers(*, now: datetime, store_id: int | None = None, gone_since: datetime | None = None) -> Sequence[Row[Any]]:
    """Every register with its store, its version, how many price changes of its zone it is behind by, and since when a
    price is in force that it has not acknowledged.

    Args:
        store_id: only those of one store.
        gone_since: without those that nobody has heard of since then, unless there is an alarm for them. (Who has not
            followed for years makes it a long way back through the ledger.)
    """
    return run(_REGISTERS, {"now": now, "store_id": store_id, "gone_since": gone_since}).all()
