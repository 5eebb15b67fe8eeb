"""`make bench`: how fast, against what the machine can do. Prints a table and writes `var/bench.json`.

Machines differ and drift; read the ratios, which are taken within one run.
"""

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import psutil

from pickup.config import ROOT
from pickup.stores.nearest import NearestIndex, Place
from tests.benchmarks.instance import command, cpu_of, load, running, spent, with_children
from tests.benchmarks.load import Result, baskets, fire
from tests.benchmarks.reference import TABLES
from tests.system import System

STORES, SKUS, CLIENTS = 2000, 100, 8
ORDERS = int(os.environ.get("BENCH_ORDERS", "2000"))
STORE_COLUMNS = (
    "ref",
    "name",
    "street",
    "city",
    "state",
    "postcode",
    "country",
    "lat",
    "lon",
    "opening_hours",
    "timezone",
)
DECIDED_SECONDS_MAX = 300


@dataclass(frozen=True)
class Figure:
    """One line of the table."""

    name: str
    value: float
    unit: str
    note: str = ""


def main() -> None:
    """Run everything."""
    figures = [*nearest(), *orders()]
    width = max(len(figure.name) for figure in figures)
    for figure in figures:
        print(f"{figure.name:<{width}}  {figure.value:>10,.2f} {figure.unit:<12} {figure.note}")
    target = ROOT / "var" / "bench.json"
    target.parent.mkdir(exist_ok=True)
    target.write_text(json.dumps([asdict(figure) for figure in figures], indent=2) + "\n")
    print(f"\nwritten to {target.relative_to(ROOT)}")


def grid(count: int) -> list[tuple[str, float, float]]:
    """Stores spread evenly over a country, by the R2 sequence (M. Roberts, 2018): no two alike, no clusters."""
    across, along = 0.5698402909980532, 0.7548776662466927
    return [(str(n), 30 + 15 * (n * across % 1), -120 + 40 * (n * along % 1)) for n in range(count)]


def nearest() -> list[Figure]:
    """The exact nearest search in process."""
    figures = []
    for count in (5_000, 100_000):
        index = NearestIndex([Place(ref, lat, lon, number) for number, (ref, lat, lon) in enumerate(grid(count))])
        for limit in (1, 10):
            spent = per_call(lambda index=index, limit=limit: index.nearest(36.37, -94.21, limit=limit))
            figures.append(Figure(f"nearest {limit} of {count:,} stores", spent * 1e6, "µs"))
    return figures


def per_call(work: Callable[[], object], calls: int = 300) -> float:
    """Seconds a call: the best of five rounds, since everything else on the machine only adds."""
    rounds = []
    for _ in range(5):
        started = time.perf_counter()
        for _ in range(calls):
            work()
        rounds.append((time.perf_counter() - started) / calls)
    return min(rounds)


def orders() -> list[Figure]:
    """Orders taken and reserved by the whole system, beside the bare endpoint on the same database."""
    with tempfile.TemporaryDirectory(prefix="pickup-bench-") as folder, running(Path(folder) / "home") as system:
        stores, skus = grid(STORES), [f"SKU-{number:03}" for number in range(SKUS)]
        load(
            system,
            "stores",
            STORE_COLUMNS,
            [(ref, f"Store {ref}", "", "", "", "", "US", lat, lon, "", "America/Chicago") for ref, lat, lon in stores],
        )
        load(system, "products", ["sku", "name"], [(sku, f"Product {sku}") for sku in skus])
        load(system, "prices", ["sku", "currency", "amount"], [(sku, "USD", "4.99") for sku in skus])
        rows = [(ref, sku, 100_000) for ref, _, _ in stores for sku in skus]
        import_seconds = load(system, "stock", ["store_ref", "sku", "on_hand"], rows)
        key = command(system, "client", "create", "bench", "--scope", "shop")
        system.execute("VACUUM ANALYZE")
        points = [(lat, lon) for _, lat, lon in stores]
        bodies = baskets(ORDERS, skus, points, lines=3)
        fire(system.port, "/v1/orders", bodies[:200], clients=CLIENTS, key=key)
        settled(system)
        reference, reference_cpu = run_reference(system, bodies, skus)
        before, started = spent(system), time.perf_counter()
        ours = fire(system.port, "/v1/orders", bodies, clients=CLIENTS, key=key)
        settled(system)
        seconds = time.perf_counter() - started
        after = spent(system)
        latency = decision_latency(system, bodies[:200], key)
    return [
        Figure("stock rows imported", len(rows) / import_seconds, "rows/s"),
        Figure(
            "reference: bare endpoint",
            reference.rate(),
            "orders/s",
            f"{1000 * reference_cpu / ORDERS:.2f} ms CPU each",
        ),
        Figure("orders taken", ours.rate(), "orders/s", f"answers {ours.codes}, p99 {ours.percentile(0.99):.0f} ms"),
        Figure("orders taken and reserved", ORDERS / seconds, "orders/s"),
        Figure("  as a part of the reference", ORDERS / seconds / reference.rate(), ""),
        Figure("  CPU of all processes", 1000 * (after.cpu_seconds - before.cpu_seconds) / ORDERS, "ms/order"),
        Figure("  commits", (after.commits - before.commits) / ORDERS, "per order"),
        Figure("  load client's own CPU", 1000 * ours.client_cpu_seconds / ORDERS, "ms/order"),
        Figure("from order to decision, one at a time, median", latency.percentile(0.5), "ms"),
        Figure("from order to decision, one at a time, p99", latency.percentile(0.99), "ms"),
    ]


def settled(system: System) -> None:
    """Wait until every order is decided."""
    deadline = time.monotonic() + DECIDED_SECONDS_MAX
    while system.select("SELECT FROM orders WHERE status IN ('awaiting_payment', 'placed') LIMIT 1"):
        if time.monotonic() > deadline:
            raise RuntimeError("orders stay undecided")
        time.sleep(0.1)


def run_reference(system: System, bodies: list[bytes], skus: list[str]) -> tuple[Result, float]:
    """The bare endpoint under the same web server, on the same database, with the same load."""
    system.execute(TABLES)
    values = ", ".join(f"('{sku}', 499, 1000000, 0)" for sku in skus)
    system.execute(f"INSERT INTO reference_stock VALUES {values}")
    port = system.port + 1
    server = f"gunicorn tests.benchmarks.reference:app --bind 127.0.0.1:{port} --worker-class gthread --workers 2"
    web = subprocess.Popen(
        [sys.executable, "-m", *server.split(), "--threads", "16", "--log-level", "error", "--no-control-socket"],
        cwd=ROOT,
        env=os.environ | {"REFERENCE_DATABASE_URL": system.database_url},
    )
    try:
        time.sleep(2)
        fire(port, "/reference", bodies[:200], clients=CLIENTS)
        before = spent(system).cpu_seconds + web_cpu(web)
        result = fire(port, "/reference", bodies, clients=CLIENTS)
        return result, spent(system).cpu_seconds + web_cpu(web) - before
    finally:
        web.terminate()
        web.wait()


def web_cpu(web: subprocess.Popen[bytes]) -> float:
    """Seconds of CPU of the reference's web server."""
    return sum(cpu_of(process) for process in with_children(psutil.Process(web.pid)))


def decision_latency(system: System, bodies: list[bytes], key: str) -> Result:
    """One client that waits for each decision."""
    return fire(system.port, "/v1/orders", bodies, clients=1, key=key, wait=10)


if __name__ == "__main__":
    main()
