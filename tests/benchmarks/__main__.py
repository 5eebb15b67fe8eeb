"""`make bench`: how fast, against what the machine can do. Prints a table and writes `var/bench.json`.

Machines differ and drift; read the ratios, which are taken within one run.

    BENCH_ORDERS=500           orders a measurement takes (2000)
    BENCH_ONLY=intake,nearest  only these parts, of: intake, flash, latency, old, nearest, books, prices
    BENCH_OLD_ORDERS=100000    how many orders are old ones (1000000)
    BENCH_FULL=1               ten million movements, too
"""

import os
import signal
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from time import perf_counter
from typing import Any

from pickup.config import ROOT
from tests.benchmarks import books, flash_sale, intake, latency, nearest, old_orders, prices, statements
from tests.benchmarks.figures import Figure, table, write
from tests.benchmarks.instance import progress
from tests.benchmarks.shop import Shop, opened

ORDERS = int(os.environ.get("BENCH_ORDERS", "2000"))
PARTS = ("intake", "flash", "latency", "old", "nearest", "books", "prices")
IN_THE_SHOP = frozenset({"intake", "flash", "latency", "old"})


def main() -> int:
    """Run what is wanted; the exit code is 0 whether goals are met or not: speed is read, not tested."""
    wanted = [part for part in os.environ.get("BENCH_ONLY", "").split(",") if part] or list(PARTS)
    if not set(wanted) <= set(PARTS):
        print(f"BENCH_ONLY names some of {', '.join(PARTS)}", file=sys.stderr)
        return 2
    # Otherwise what was started would live on.
    signal.signal(signal.SIGTERM, lambda number, _: sys.exit(128 + number))
    started, found, details = perf_counter(), list[Figure](), dict[str, Any]()
    if IN_THE_SHOP & set(wanted):
        with _folder() as folder, opened(folder) as shop:
            found += _in_the_shop(shop, wanted)
    if "intake" in wanted:
        with _folder() as folder:
            counted, details["statements"] = _statements(folder)
            found += counted
    for part, measure in (("nearest", nearest.measure), ("books", books.measure), ("prices", prices.measure)):
        if part in wanted:
            with _folder() as folder:
                found += measure(folder)
    progress(f"done in {perf_counter() - started:.0f} s")
    print(table(found))
    target = ROOT / "var" / "bench.json"
    write(found, details, target)
    print(f"\nwritten to {target.relative_to(ROOT)}")
    return 0


def _in_the_shop(shop: Shop, wanted: list[str]) -> Iterator[Figure]:
    """The parts that take orders, in one shop. The others need to know how many it can take."""
    none = intake.measure(shop, ORDERS) if {"intake", "latency", "old"} & set(wanted) else None
    if "intake" in wanted:
        yield Figure("stock rows imported", shop.rows_per_second, "rows/s")
        yield from intake.figures(none)
    if "flash" in wanted:
        yield from flash_sale.measure(shop, ORDERS)
    if "latency" in wanted:
        yield from latency.measure(shop, ORDERS, rate_max=none.rate)
    if "old" in wanted:
        seconds = old_orders.make(shop.system)
        shop.warm_up()
        yield from old_orders.figures(shop, none, intake.measure(shop, ORDERS), seconds)


def _statements(folder: Path) -> tuple[list[Figure], list[dict[str, Any]]]:
    found, counted = statements.measure(folder)
    return found, [statement.as_json() for statement in counted]


@contextmanager
def _folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="pickup-bench-") as folder:
        yield Path(folder)


if __name__ == "__main__":
    sys.exit(main())
