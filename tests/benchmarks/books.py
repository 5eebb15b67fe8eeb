"""Reading the books of a large retailer: all levels against their movements, and the movements page by page."""

import os
from collections.abc import Callable
from pathlib import Path
from time import perf_counter

from pickup.core.db import unit_of_work
from pickup.core.pagination import encode_cursor
from pickup.inventory.reconciliation import differences
from tests.benchmarks.figures import Figure, percentile, ratio
from tests.benchmarks.instance import application, progress, running
from tests.benchmarks.shop import SKUS, STORES, seed, shop_key
from tests.system import System

MOVEMENTS = 10_000_000
PAGES = 30
# Pairs that cancel each other out, so that the books still agree.
MORE_MOVEMENTS = """
    INSERT INTO stock_movements (store_id, product_id, kind, reserved_change)
    SELECT store_id, product_id, kind, change
    FROM generate_series(1, {rounds}) CROSS JOIN stock_levels
    CROSS JOIN (VALUES ('reservation', 1), ('release', -1)) AS kinds (kind, change)
"""


def measure(folder: Path) -> list[Figure]:
    """Reconcile 500,000 levels; with BENCH_FULL=1 also with ten million movements, and page through those."""
    levels = STORES * SKUS
    progress(f"reconciling {levels:,} levels")
    with running(folder / "home") as system:
        with system.connected() as connection:
            seed(connection, stores=STORES, skus=SKUS)
        found = [_reconciled(system, levels)]
        if os.environ.get("BENCH_FULL") == "1":
            progress(f"writing {MOVEMENTS:,} movements")
            rounds = (MOVEMENTS - levels) // (2 * levels) + 1
            system.execute(MORE_MOVEMENTS.format(rounds=rounds), "VACUUM ANALYZE stock_movements")
            found += [_reconciled(system, levels), *_pages(system)]
    return found


def _reconciled(system: System, levels: int) -> Figure:
    ((movements,),) = system.select("SELECT count(*) FROM stock_movements")
    with application(system).app_context(), unit_of_work():
        started = perf_counter()
        wrong = differences()
        seconds = perf_counter() - started
    if wrong:
        raise RuntimeError(f"the books do not agree: {wrong[:3]}")
    return Figure(f"reconcile {levels:,} levels, {movements:,} movements", seconds, "s")


def _pages(system: System) -> list[Figure]:
    key = shop_key(system, scope="admin")
    ((last,),) = system.select("SELECT max(id) FROM stock_movements")
    deep = encode_cursor(last - 1000)
    first_page = _median_ms(lambda: _page(system, key, ""))
    deep_page = _median_ms(lambda: _page(system, key, f"?after={deep}"))
    return [
        Figure("GET /v1/stock/movements, first page", first_page, "ms"),
        Figure("GET /v1/stock/movements, last of all pages", deep_page, "ms"),
        Figure("  by the first", ratio(deep_page, first_page), "×"),
    ]


def _page(system: System, key: str, query: str) -> None:
    answer = system.call("GET", f"/v1/stock/movements{query}", headers={"Authorization": f"Bearer {key}"})
    if answer.status != 200 or not answer.json["data"]:
        raise RuntimeError(f"the page was answered {answer.status}")


def _median_ms(work: Callable[[], None]) -> float:
    found = []
    for _ in range(PAGES):
        started = perf_counter()
        work()
        found.append(1000 * (perf_counter() - started))
    return percentile(found, 0.5)
