"""Named reads and the named lock of the price ledger."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import (
    ARRAY,
    BigInteger,
    ColumnElement,
    DateTime,
    Integer,
    Text,
    and_,
    any_,
    bindparam,
    column,
    func,
    or_,
    select,
    text,
    true,
)
from sqlalchemy.dialects.postgresql import distinct_on
from sqlalchemy.orm import aliased

from pickup.catalog.models import Product
from pickup.core.db import db, run
from pickup.pricing.models import Price
from pickup.stores.models import StorePriceZone

EVERYWHERE = ""

# Any constant will do, as long as it is ours alone: "price" on a telephone keypad.
PRICE_LEDGER_LOCK = 77423


def lock_price_ledger() -> None:
    """Make the present transaction the only writer of prices until it ends.

    So versions become visible in the order of their numbers, and a reader that goes on after the last version it saw
    misses none. (A sequence alone does not give that: a later number may commit first.)
    """
    db.session.execute(select(func.pg_advisory_xact_lock(PRICE_LEDGER_LOCK)))


def price_ledger_is_free() -> bool:
    """Take the same lock if nobody has it just now; whether it is taken."""
    return bool(db.session.execute(select(func.pg_try_advisory_xact_lock(PRICE_LEDGER_LOCK))).scalar_one())


class PriceInForce(NamedTuple):
    """What a product costs, and the entry of the ledger that says so."""

    product_id: int
    version: int
    amount: int
    currency: str
    valid_from: datetime


def prices_in_force(product_ids: Iterable[int], zone: str, *, at: datetime) -> dict[int, PriceInForce]:
    """What each product costs in a zone at an instant; products without a price are absent.

    The zone's own price goes before the one that holds everywhere; within a zone the latest `valid_from` counts, and of
    two for the same instant the later entry. This is the one rule that shelf, shop, quote, order and till share.
    """
    rows = run(_IN_FORCE, {"products": list(product_ids), "zone": zone, "at": at})
    return {row.product_id: row for row in map(PriceInForce._make, rows)}


def prices_at(moments: Sequence[tuple[int, datetime]], store_id: int) -> list[Price | None]:
    """What the shelf of a store said about products, each at an instant of its own, by the rule of `prices_in_force`.

    The store's price zone is the one that it had at the instant.

    Args:
        moments: product ids with instants, in any order and as often as you like.

    Returns:
        The price of each, in the same order; None where there was none.
    """
    asked = (
        func.unnest(
            bindparam("products", [product_id for product_id, _ in moments], type_=ARRAY(Integer())),
            bindparam("instants", [at for _, at in moments], type_=ARRAY(DateTime(timezone=True))),
        )
        .table_valued(
            column("product_id", Integer),
            column("at", DateTime(timezone=True)),
            with_ordinality="position",
            name="asked",
        )
        .render_derived()
    )
    shelf = (
        select(StorePriceZone.zone)
        .where(StorePriceZone.store_id == store_id, StorePriceZone.valid_from <= asked.c.at)
        .order_by(StorePriceZone.valid_from.desc())
        .limit(1)
        .lateral("shelf")
    )
    held = aliased(
        Price,
        select(Price)
        .where(Price.product_id == asked.c.product_id, _has_begun(shelf.c.zone, asked.c.at))
        .order_by(*_precedence(shelf.c.zone))
        .limit(1)
        .lateral("held"),
    )
    told = select(held).select_from(asked).join(shelf, true(), isouter=True).join(held, true(), isouter=True)
    return list(db.session.scalars(told.order_by(asked.c.position)))


def _has_begun(zone: Any, at: Any) -> ColumnElement[bool]:
    return and_(or_(Price.zone == EVERYWHERE, Price.zone == zone), Price.valid_from <= at)


def _precedence(zone: Any) -> tuple[ColumnElement[Any], ...]:
    return (Price.zone == zone).desc(), Price.valid_from.desc(), Price.version.desc()


# Made once: with each order the making would cost more than the asking.
_IN_FORCE = (
    select(Price.product_id, Price.version, Price.amount, Price.currency, Price.valid_from)
    .ext(distinct_on(Price.product_id))
    .where(
        Price.product_id == any_(bindparam("products", type_=ARRAY(Integer()))),
        _has_begun(bindparam("zone", type_=Text()), bindparam("at", type_=DateTime(timezone=True))),
    )
    .order_by(Price.product_id, *_precedence(bindparam("zone", type_=Text())))
)


class PriceNews(NamedTuple):
    """A change of the ledger, as a till has to know it."""

    version: int
    sku: str
    zone: str
    amount: int
    currency: str
    valid_from: datetime


def price_changes_after(version: int, zone: str, limit: int) -> tuple[int, list[PriceNews]]:
    """The price changes that concern a zone, in the order of their versions; before them, the last version of all.

    Each comes once; a price of the zone's own also for each instant at which one that holds everywhere, and was told
    before, would begin in spite of it.

    The last version (0 while there is none) is read in the same statement: every change that it has seen is among
    these, as far as the limit lets them.
    """
    rows = run(_NEWS, {"version": version, "zone": zone, "limit": limit}).all()
    # One row without a change where there are none.
    return rows[0][0], [PriceNews(*row[1:]) for row in rows if row[1] is not None]


_NEWEST_VERSION = select(func.coalesce(func.max(Price.version), 0))


def newest_version() -> int:
    """The version of the last entry; 0 while there is none."""
    return int(run(_NEWEST_VERSION, {}).scalar_one())


# What concerns a zone: its own prices, and of those that hold everywhere the ones that can ever be on its shelf. Prices
# have a beginning and no end: once a zone has a price of its own, one that begins later everywhere is none of its
# business, and a till that charges the latest it was told of must not hear of it.
# A change of the zone's own is told for its own instant, and for those of prices that hold everywhere, were told before
# it, and would begin in spite of it: one is announced for Monday, then the zone gets a price of its own from Friday on.
# A till that goes by instants alone would change to the first one on Monday; told the second one for Monday, too, under
# its greater version, it stays.
_NEWS = text("""
    WITH newest AS (
        SELECT coalesce(max(version), 0) AS version FROM prices
    ), changes AS (
        SELECT version, product_id, zone, amount, currency, valid_from FROM prices AS change
        WHERE version > :version AND (zone = :zone OR zone = '' AND NOT EXISTS (
            SELECT FROM prices AS own
            WHERE own.product_id = change.product_id AND own.zone = :zone AND own.valid_from <= change.valid_from
        ))
        ORDER BY version LIMIT :limit
    ), told AS (
        SELECT version, sku, zone, amount, currency, begins.valid_from
        FROM changes AS change JOIN products ON products.id = product_id CROSS JOIN LATERAL (
            SELECT change.valid_from UNION SELECT announced.valid_from FROM prices AS announced
            WHERE change.zone <> '' AND announced.product_id = change.product_id AND announced.zone = ''
              AND announced.version < change.version AND announced.valid_from > change.valid_from
              AND NOT EXISTS (
                SELECT FROM prices AS own
                WHERE own.product_id = change.product_id AND own.zone = change.zone
                  AND own.valid_from <= announced.valid_from
                  AND (own.valid_from > change.valid_from OR own.version < announced.version)
            )
        ) AS begins
    )
    SELECT newest.version, told.* FROM newest LEFT JOIN told ON true ORDER BY told.version, told.valid_from
""").bindparams(
    bindparam("version", type_=BigInteger()), bindparam("zone", type_=Text()), bindparam("limit", type_=Integer())
)


def price_history(product_id: int, *, zone: str | None, before: int | None, limit: int) -> Sequence[Price]:
    """Every price a product has had, in one zone or in any, newest entry first, from before a version."""
    wanted = select(Price).where(Price.product_id == product_id)
    if zone is not None:
        wanted = wanted.where(Price.zone == zone)
    if before is not None:
        wanted = wanted.where(Price.version < before)
    return db.session.scalars(wanted.order_by(Price.version.desc()).limit(limit)).all()


def product_ids(skus: Iterable[str]) -> dict[str, int]:
    """The ids of the products with these SKUs; those that do not exist are absent."""
    wanted = bindparam("skus", list(skus), type_=ARRAY(Text()))
    return dict(db.session.execute(select(Product.sku, Product.id).where(Product.sku == any_(wanted))).all())
