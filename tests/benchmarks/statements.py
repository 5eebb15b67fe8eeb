"""How many statements and commits an order costs, counted by PostgreSQL in a pass of its own, which is not timed."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.benchmarks.figures import Figure, at_most
from tests.benchmarks.instance import progress, running, wait_until_done
from tests.benchmarks.load import fire
from tests.benchmarks.shop import CLIENTS, SKUS, Shop, grid, seed, shop_key
from tests.system import System

STORES, ORDERS = 500, 500
STATEMENTS_MAX = 12
COMMITS_MAX = 3
# They frame a transaction, and go along with its first or last statement.
FRAMES = ("BEGIN", "COMMIT", "ROLLBACK")
# What the bench itself asks is in autocommit and names this view or the two queries that it waits by.
COUNTED = """
    SELECT query, calls, mean_exec_time FROM pg_stat_statements
    WHERE dbid = (SELECT oid FROM pg_database WHERE datname = 'pickup')
      AND query NOT LIKE '%pg_stat_statements%' AND query NOT LIKE 'SELECT FROM %'
    ORDER BY calls * mean_exec_time DESC
"""
WROTE = "SELECT pg_snapshot_xmax(pg_current_snapshot())::text::bigint"


@dataclass(frozen=True)
class Statement:
    """A statement as PostgreSQL counts it: the parameters are not part of it."""

    text: str
    per_order: float
    mean_ms: float

    def as_json(self) -> dict[str, Any]:
        """As `var/bench.json` keeps it."""
        return {"per_order": self.per_order, "mean_ms": self.mean_ms, "statement": " ".join(self.text.split())}


def measure(folder: Path) -> tuple[list[Figure], list[Statement]]:
    """Count over some orders; the figures, and every statement, costliest first."""
    progress(f"counting the statements of {ORDERS} orders")
    with running(folder / "home") as system:
        system.execute("ALTER SYSTEM SET shared_preload_libraries = 'pg_stat_statements'")
        with system.connected() as connection:
            seed(connection, stores=STORES, skus=SKUS)
        key = shop_key(system)
        system.stop()
        system.start()
        system.execute("CREATE EXTENSION pg_stat_statements")
        points = [(lat, lon) for _, lat, lon in grid(STORES)]
        shop = Shop(system, key, points, [f"SKU-{number:03}" for number in range(SKUS)], 0)
        shop.warm_up()
        found, wrote = _count(system, shop)
    return _figures(found, wrote), found


def _count(system: System, shop: Shop) -> tuple[list[Statement], float]:
    system.execute("SELECT pg_stat_statements_reset()")
    ((before,),) = system.select(WROTE)
    taken = fire(system.port, "/v1/orders", shop.baskets(ORDERS), clients=CLIENTS, key=shop.key).taken
    wait_until_done(system)
    ((after,),) = system.select(WROTE)
    return [Statement(text, calls / taken, mean) for text, calls, mean in system.select(COUNTED)], (
        after - before
    ) / taken


def _figures(found: list[Statement], wrote: float) -> list[Figure]:
    framing = {frame: sum(each.per_order for each in found if each.text.upper().startswith(frame)) for frame in FRAMES}
    statements = sum(each.per_order for each in found) - sum(framing.values())
    return [
        Figure("SQL statements", statements, "per order", at_most(STATEMENTS_MAX), "all processes, messages too"),
        Figure("commits", framing["COMMIT"], "per order", at_most(COMMITS_MAX), "all processes, messages too"),
        Figure("  transactions that wrote", wrote, "per order"),
        Figure("  rollbacks of reads", framing["ROLLBACK"], "per order"),
        Figure("  time in PostgreSQL's executor", sum(each.per_order * each.mean_ms for each in found), "ms/order"),
    ]
