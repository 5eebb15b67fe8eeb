"""Measures the bare endpoint of `reference.py`: the unit in which our own figures are given."""

import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import psutil

from pickup.config import ROOT
from tests.benchmarks.instance import cpu_of, spent, with_children
from tests.benchmarks.load import fire
from tests.benchmarks.reference import TABLES
from tests.benchmarks.shop import CLIENTS, WARM_UP_ORDERS, Shop
from tests.system import System, until

SERVER = (
    *("gunicorn", "tests.benchmarks.reference:app", "--worker-class", "gthread", "--workers", "2", "--threads", "16"),
    # Not by the checkout's own settings, which are the product's.
    *("--config", "python:tests.benchmarks", "--log-level", "error", "--no-control-socket"),
)


@dataclass(frozen=True)
class Yardstick:
    """What the bare endpoint did."""

    orders: int
    seconds: float
    cpu_seconds: float

    @property
    def rate(self) -> float:
        """Orders a second."""
        return self.orders / self.seconds

    @property
    def cpu_ms(self) -> float:
        """Milliseconds of CPU an order: its web server and PostgreSQL."""
        return 1000 * self.cpu_seconds / self.orders

    def __add__(self, other: "Yardstick") -> "Yardstick":
        return Yardstick(self.orders + other.orders, self.seconds + other.seconds, self.cpu_seconds + other.cpu_seconds)


class Reference:
    """The bare endpoint under the same web server, on the same database."""

    def __init__(self, system: System, port: int, web: psutil.Process) -> None:
        self._system, self._port, self._web = system, port, web

    def measure(self, bodies: Sequence[bytes]) -> Yardstick:
        """Give it the same load."""
        before = self._cpu()
        result = fire(self._port, "/reference", bodies, clients=CLIENTS)
        return Yardstick(result.taken, result.seconds, self._cpu() - before)

    def _cpu(self) -> float:
        return spent(self._system)["PostgreSQL"] + sum(cpu_of(process) for process in with_children(self._web))


@contextmanager
def reference(shop: Shop) -> Iterator[Reference]:
    """The bare endpoint, warm; idle it costs nothing."""
    system, port = shop.system, shop.system.port + 1
    system.execute(TABLES)
    values = ", ".join(f"('{sku}', 499, 1000000, 0)" for sku in shop.skus)
    system.execute(f"INSERT INTO reference_stock VALUES {values} ON CONFLICT DO NOTHING")
    web = subprocess.Popen(
        [sys.executable, "-m", *SERVER, "--bind", f"127.0.0.1:{port}"],
        cwd=ROOT,
        env=os.environ | {"REFERENCE_DATABASE_URL": system.database_url},
    )
    try:
        until(lambda: _listens(port), within=30, what="the reference listens")
        fire(port, "/reference", shop.baskets(WARM_UP_ORDERS), clients=CLIENTS)
        yield Reference(system, port, psutil.Process(web.pid))
    finally:
        web.terminate()
        web.wait()


def _listens(port: int) -> bool:
    return any(
        found.laddr.port == port for found in psutil.net_connections("tcp4") if found.status == psutil.CONN_LISTEN
    )
