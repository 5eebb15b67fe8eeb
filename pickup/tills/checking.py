"""Whether everybody has charged what the ledger says: each line of orders and tills, reckoned once more.

The past of the ledger never changes, so what comes out today comes out in a year.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import BigInteger, DateTime, bindparam, text

from pickup.core.db import run
from pickup.tills.parity import CLOCK_SKEW_MAX
from pickup.tills.service import milliseconds

# What the shelf of a store said: the rule of `pricing.queries.prices_in_force` once more, on purpose in other words.
_SHELF = """
    SELECT version, amount, currency FROM prices AS price
    WHERE price.product_id = line.product_id AND price.valid_from <= {at} AND price.zone IN ('', {zone})
    ORDER BY price.zone = {zone} DESC, valid_from DESC, version DESC LIMIT 1
"""
_ZONE = """
    SELECT zone FROM store_price_zones AS period
    WHERE period.store_id = {store} AND period.valid_from <= {at} ORDER BY valid_from DESC LIMIT 1
"""
# An order that went to another store keeps its prices: of it only the entry that it names is compared.
_ORDER_LINES = text(f"""
    SELECT 'order ' || orders.number AS whose, stores.ref AS store_ref, sku, line.unit_amount AS charged,
           shelf.amount AS ledger, 'its entry is not what held' AS what
    FROM orders
    JOIN stores ON stores.id = orders.store_id
    JOIN order_lines AS line ON line.order_id = orders.id
    JOIN products ON products.id = line.product_id
    LEFT JOIN LATERAL ({_ZONE.format(store="orders.store_id", at="orders.placed_at")}) AS there ON true
    LEFT JOIN LATERAL ({_SHELF.format(at="orders.placed_at", zone="coalesce(there.zone, '')")}) AS shelf ON true
    LEFT JOIN prices AS entry ON entry.version = line.price_version
    WHERE orders.placed_at >= :since AND (
        (entry.product_id, entry.amount, entry.currency) IS DISTINCT FROM
            (line.product_id, line.unit_amount, orders.currency)
        OR entry.valid_from > orders.placed_at
        OR (entry.version IS DISTINCT FROM shelf.version AND NOT EXISTS (
            SELECT FROM order_history WHERE order_history.order_id = orders.id AND action IN ('reroute', 'withdraw')
        ))
    )
    ORDER BY orders.number, line.position
""").bindparams(bindparam("since", type_=DateTime(timezone=True)))  # noqa: S608  put together from constants

_TILL_LINES = text(f"""
    SELECT 'sale ' || sale.ref AS whose, stores.ref AS store_ref, sku, line.unit_amount AS charged,
           shelf.amount AS ledger,
           CASE WHEN breaches.count > 0 THEN 'is no breach, and is kept as one' ELSE 'is a breach, and is not kept' END
               AS what
    FROM till_sales AS sale
    JOIN stores ON stores.id = sale.store_id
    JOIN till_sale_lines AS line ON line.sale_id = sale.id
    JOIN products ON products.id = line.product_id
    LEFT JOIN LATERAL ({_ZONE.format(store="sale.store_id", at="sale.at")}) AS there ON true
    LEFT JOIN LATERAL ({_SHELF.format(at="sale.at", zone="coalesce(there.zone, '')")}) AS shelf ON true
    CROSS JOIN LATERAL (
        SELECT sale.at - CASE WHEN abs(clock_ahead_ms) <= :skew AND sale.at > 'epoch' THEN clock_ahead_ms ELSE 0 END
            * interval '1 ms' AS at
    ) AS ours
    LEFT JOIN LATERAL ({_ZONE.format(store="sale.store_id", at="ours.at")}) AS there_by_ours ON true
    LEFT JOIN LATERAL ({_SHELF.format(at="ours.at", zone="coalesce(there_by_ours.zone, '')")}) AS by_ours ON true
    CROSS JOIN LATERAL (
        SELECT count(*) FROM parity_breaches AS breach
        WHERE breach.sale_id = sale.id AND breach.product_id = line.product_id
          AND (breach.charged_amount, breach.charged_currency) = (line.unit_amount, line.currency)
    ) AS breaches
    WHERE sale.recorded_at >= :since AND (breaches.count > 0) = (
        (line.unit_amount, line.currency) IS NOT DISTINCT FROM (shelf.amount, shelf.currency)
        OR (line.unit_amount, line.currency) IS NOT DISTINCT FROM (by_ours.amount, by_ours.currency)
    )
    ORDER BY sale.id, line.position
""").bindparams(  # noqa: S608  put together from constants
    bindparam("since", type_=DateTime(timezone=True)), bindparam("skew", type_=BigInteger())
)


@dataclass(frozen=True, slots=True)
class Difference:
    """A line that does not agree with the ledger, and that nobody knows of. Amounts in minor units."""

    whose: str
    store_ref: str
    sku: str
    charged: int
    ledger: int | None
    what: str

    def __str__(self) -> str:
        ledger = "no price" if self.ledger is None else self.ledger
        line = f"{self.whose}, store {self.store_ref}, sku {self.sku}"
        return f"{line}: charged {self.charged}, the ledger says {ledger}: {self.what}"


def differences(since: datetime) -> Iterator[Difference]:
    """Lines of orders placed since then that the ledger contradicts, and lines of sales told since then that it
    contradicts without a breach, or agrees with in spite of one."""
    for statement in (_ORDER_LINES, _TILL_LINES):
        values = {"since": since} | ({"skew": milliseconds(CLOCK_SKEW_MAX)} if statement is _TILL_LINES else {})
        for row in run(statement, values):
            yield Difference(*row)
