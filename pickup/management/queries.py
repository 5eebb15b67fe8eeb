"""Named reads of the price pages."""

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Row, Select, and_, exists, func, or_, select, text
from sqlalchemy.dialects.postgresql import distinct_on
from sqlalchemy.orm import aliased

from pickup.catalog.models import Product
from pickup.core.db import db
from pickup.pricing.models import Price
from pickup.pricing.queries import EVERYWHERE
from pickup.tills.models import ParityBreach

# A page that looks at too much is given up rather than kept waiting for; it is a 503 then.
TIMEOUT_SECONDS = 5


def give_up_after_a_while() -> None:
    """Let no statement of the present transaction take longer than `TIMEOUT_SECONDS`."""
    db.session.execute(text(f"SET LOCAL statement_timeout = '{TIMEOUT_SECONDS}s'"))


def find_products(words: str, *, after: str, limit: int) -> Sequence[Product]:
    """Products whose SKU or name contains some words, in the order of their SKUs, from behind one."""
    wanted = select(Product).where(Product.sku > after).order_by(Product.sku).limit(limit)
    if words:
        wanted = wanted.where(
            or_(Product.sku.icontains(words, autoescape=True), Product.name.icontains(words, autoescape=True))
        )
    return db.session.scalars(wanted).all()


def own_prices(product_ids: Sequence[int], zones: Collection[str] | None, *, now: datetime) -> dict[int, int]:
    """In how many zones, of some or of all, each product has a price of its own; those without are absent."""
    counted = (
        select(Price.product_id, func.count(Price.zone.distinct()))
        .where(Price.product_id.in_(product_ids), Price.zone != EVERYWHERE, Price.valid_from <= now)
        .group_by(Price.product_id)
    )
    if zones is not None:
        counted = counted.where(Price.zone.in_(zones))
    return dict(db.session.execute(counted).all())


def next_changes(product_ids: Sequence[int], zones: Collection[str] | None, *, now: datetime) -> dict[int, Price]:
    """The next change ahead of each product, in some zones or, for None, in whatever zone; those without are absent."""
    ahead = (
        select(Price)
        .ext(distinct_on(Price.product_id))
        .where(Price.product_id.in_(product_ids), Price.valid_from > now)
        .order_by(Price.product_id, Price.valid_from, Price.zone, Price.version.desc())
    )
    if zones is not None:
        ahead = ahead.where(Price.zone.in_(zones))
    return {price.product_id: price for price in db.session.scalars(ahead)}


def breaches_since(product_ids: Sequence[int], since: datetime, *, store_id: int | None) -> dict[int, int]:
    """How many breaches each product has had in a store, or in all; those without are absent."""
    counted = (
        select(ParityBreach.product_id, func.count())
        .where(ParityBreach.product_id.in_(product_ids), ParityBreach.at >= since)
        .group_by(ParityBreach.product_id)
    )
    if store_id is not None:
        counted = counted.where(ParityBreach.store_id == store_id)
    return dict(db.session.execute(counted).all())


def zones_of(product_id: int) -> Sequence[str]:
    """The zones in which a product has, or will have, prices of its own."""
    found = select(Price.zone).where(Price.product_id == product_id, Price.zone != EVERYWHERE).distinct()
    return db.session.scalars(found.order_by(Price.zone)).all()


def changes_ahead(product_id: int, zone: str, *, now: datetime, until: datetime) -> tuple[Price | None, Price | None]:
    """The next change that concerns a zone, and the last one before an instant; None where there is none."""
    ahead = _entries(product_id, zone).where(Price.valid_from > now).limit(1)
    soonest, latest = (Price.valid_from, Price.version.desc()), (Price.valid_from.desc(), Price.version.desc())
    return (
        db.session.scalars(ahead.order_by(*soonest)).one_or_none(),
        db.session.scalars(ahead.where(Price.valid_from < until).order_by(*latest)).one_or_none(),
    )


def ledger_entries(
    product_id: int, zone: str, since: datetime, until: datetime, limit: int | None = None
) -> Sequence[Price]:
    """The entries that concern a zone in a time, with those that held when it began; the latest first."""
    held = (
        select(Price.version)
        .ext(distinct_on(Price.zone))
        .where(Price.product_id == product_id, Price.zone.in_({EVERYWHERE, zone}), Price.valid_from <= since)
        .order_by(Price.zone, Price.valid_from.desc(), Price.version.desc())
    )
    wanted = _entries(product_id, zone).where(
        Price.valid_from < until, or_(Price.valid_from > since, Price.version.in_(held))
    )
    return db.session.scalars(wanted.order_by(Price.valid_from.desc(), Price.version.desc()).limit(limit)).all()


def _entries(product_id: int, zone: str) -> Select[Price]:
    return select(Price).where(Price.product_id == product_id, _concerns(zone))


# The stores, with the times in which their shelves showed the price of a zone. Prices have no end: once a zone has one
# of its own, what holds everywhere is none of its business.
_SHELVES = """
    own AS (
        SELECT zone, min(valid_from) AS since FROM prices WHERE product_id = :product AND zone <> '' GROUP BY zone
    ), shelves AS (
        SELECT spans.store_id, spans.since, LEAST(spans.until, CASE WHEN :zone = '' THEN own.since END) AS until
        FROM (
            SELECT store_id, zone, valid_from AS since,
                lead(valid_from, 1, 'infinity') OVER (PARTITION BY store_id ORDER BY valid_from) AS until
            FROM store_price_zones
        ) AS spans
        LEFT JOIN own ON own.zone = spans.zone
        WHERE (:zone = '' OR spans.zone = :zone)
            AND (CAST(:store AS bigint) IS NULL OR spans.store_id = CAST(:store AS bigint))
    )
"""

_SOLD = f"""
    WITH {_SHELVES}, sold AS (
        SELECT 'till' AS channel, sales.at, lines.currency, lines.unit_amount AS amount, lines.quantity AS units
        FROM till_sale_lines AS lines
        JOIN till_sales AS sales ON sales.id = lines.sale_id
        JOIN shelves ON shelves.store_id = sales.store_id AND sales.at >= shelves.since AND sales.at < shelves.until
        WHERE lines.product_id = :product AND lines.quantity > 0 AND sales.at >= :since AND sales.at < :until
        UNION ALL
        SELECT 'online', orders.placed_at, orders.currency, lines.unit_amount,
            lines.quantity - lines.short - lines.refused
        FROM order_lines AS lines
        JOIN orders ON orders.id = lines.order_id
        JOIN shelves ON shelves.store_id = orders.store_id
            AND orders.placed_at >= shelves.since AND orders.placed_at < shelves.until
        WHERE lines.product_id = :product AND lines.quantity > lines.short + lines.refused
            AND orders.status NOT IN ('awaiting_payment', 'cancelled', 'expired')
            AND orders.placed_at >= :since AND orders.placed_at < :until
    )
"""  # noqa: S608  put together from constants
# Put together from constants.
_EACH = text(f"{_SOLD} SELECT channel, currency, at, amount, units, 1 AS sales FROM sold LIMIT :limit")  # noqa: S608
_GATHERED = text(f"""{_SOLD}
    SELECT channel, currency, min(at) + (max(at) - min(at)) / 2 AS at, amount, sum(units)::bigint AS units,
        count(*) AS sales
    FROM sold GROUP BY channel, currency, amount, date_bin(CAST(:width AS interval), at, to_timestamp(0))
    ORDER BY units DESC LIMIT :limit
""")  # noqa: S608
_BREACHES = text(f"""
    WITH {_SHELVES}
    SELECT breaches.at, stores.ref AS store_ref, stores.name AS store_name, breaches.register,
        charged_amount, charged_currency, ledger_amount, ledger_currency, count(*) OVER () AS total
    FROM parity_breaches AS breaches
    JOIN stores ON stores.id = breaches.store_id
    JOIN shelves ON shelves.store_id = stores.id AND breaches.at >= shelves.since AND breaches.at < shelves.until
    WHERE product_id = :product AND breaches.at >= :since AND breaches.at < :until
    ORDER BY breaches.at DESC, breaches.id DESC LIMIT :limit
""")  # noqa: S608


class Shown(NamedTuple):
    """What a plot looks at: a product, in a zone (or everywhere), from an instant until before another; and the store
    whose sales and breaches they are to be (None: of all)."""

    product: int
    zone: str
    since: datetime
    until: datetime
    store: int | None


def sold_each(shown: Shown, limit: int) -> Sequence[Row[Any]]:
    """Lines that were sold in the stores whose shelves showed that price then, at a till or online, in any order.

    Goods that came back are left out, and so are orders that were not paid or came to nothing. An order is of the time
    when it was placed, and of its pickup store.
    """
    return db.session.execute(_EACH, {**shown._asdict(), "limit": limit}).all()


def sold_gathered(shown: Shown, width: str, limit: int) -> Sequence[Row[Any]]:
    """The same, with all of one channel, price and span of time in one row; those with the most units first.

    Args:
        width: of the spans, as PostgreSQL says it: `1 hour`.
    """
    return db.session.execute(_GATHERED, {**shown._asdict(), "width": width, "limit": limit}).all()


def breaches_of(shown: Shown, limit: int) -> Sequence[Row[Any]]:
    """Breaches in those stores, newest first, each with how many there are in all."""
    return db.session.execute(_BREACHES, {**shown._asdict(), "limit": limit}).all()


def _concerns(zone: Any) -> ColumnElement[bool]:
    """Whether a price can ever be what the shelf shows in a zone: once it has one of its own, others are none of its
    business. The rule of the feed (`pricing.queries._NEWS`)."""
    own = aliased(Price, name="own")
    overruled = (
        exists()
        .where(own.product_id == Price.product_id, own.zone == zone, own.valid_from <= Price.valid_from)
        .correlate_except(own)
    )
    return or_(Price.zone == zone, and_(Price.zone == EVERYWHERE, ~overruled))
