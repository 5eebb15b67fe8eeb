"""Whether the books agree: every stock level against the movements and the reservations behind it."""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import func, select, text

from pickup.core.db import db, run
from pickup.inventory.models import StockLevel


@dataclass(frozen=True, slots=True)
class Difference:
    """A figure of a stock level that is not what its `source` says. None: there is no such level."""

    store_ref: str
    sku: str
    field: str
    figure: int | None
    source: str
    explained: int


@dataclass(frozen=True, slots=True)
class Comparison:
    """How many figures are not explained, and the first of them by store and SKU."""

    count: int
    first: Sequence[Difference]


# One statement sees one moment, so orders and sales may go on meanwhile. Movements and reservations name their store
# and product without a foreign key: what they name may be missing, and then the id has to do.
_DIFFERENCES = text("""
    WITH moved AS (
        SELECT store_id, product_id, sum(on_hand_change) AS on_hand, sum(reserved_change) AS reserved
        FROM stock_movements GROUP BY store_id, product_id
    ), held AS (
        SELECT store_id, product_id, sum(quantity) AS quantity
        FROM reservations GROUP BY store_id, product_id
    ), compared AS (
        SELECT store_id, product_id, level.on_hand, level.reserved,
               CASE WHEN level.on_hand IS NOT NULL THEN 0 END AS nothing,
               moved.on_hand AS moved_on_hand, moved.reserved AS moved_reserved, held.quantity AS held
        FROM stock_levels AS level
        FULL JOIN moved USING (store_id, product_id)
        FULL JOIN held USING (store_id, product_id)
    )
    SELECT coalesce(stores.ref, 'id ' || store_id), coalesce(products.sku, 'id ' || product_id),
           field, figure, source, explained, count(*) OVER () AS differences
    FROM compared
    CROSS JOIN LATERAL (VALUES
        ('on_hand', compared.on_hand, 'movements', coalesce(moved_on_hand, nothing)),
        ('reserved', compared.reserved, 'movements', coalesce(moved_reserved, nothing)),
        ('reserved', compared.reserved, 'open reservations', coalesce(held, nothing))
    ) AS figures (field, figure, source, explained)
    LEFT JOIN stores ON stores.id = store_id
    LEFT JOIN products ON products.id = product_id
    WHERE figure IS DISTINCT FROM explained
    ORDER BY 1, 2, field, source
    LIMIT :limit
""")


def compare(limit: int | None = None) -> Comparison:
    """The figures that their movements or their open reservations do not explain: how many, and the first ones.

    It reads every movement: some ten seconds for ten million of half a million levels.

    Args:
        limit: how many of them are wanted at most; all without it.
    """
    rows = run(_DIFFERENCES, {"limit": limit}).all()
    return Comparison(rows[0].differences if rows else 0, [Difference(*row[:-1]) for row in rows])


def differences() -> Sequence[Difference]:
    """Every figure that its movements or its open reservations do not explain; empty when the books agree."""
    return compare().first


def level_count() -> int:
    """How many stock levels there are."""
    return db.session.execute(select(func.count()).select_from(StockLevel)).scalar_one()
