"""The nearest store that has the goods, as the number of stores grows a thousandfold.

In process and against a real database, so that what every request costs anyway does not hide what grows. Each number of
stores has a database of its own, and they take turns, customer by customer: a machine that is slow for some seconds is
slow for all of them. The stores lie equally dense however many there are: a larger chain has a larger country.
"""

import random
import subprocess
import sys
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from time import perf_counter
from typing import Any

import psycopg
from flask import Flask

from pickup.app import create_app
from pickup.config import ROOT, Settings
from pickup.core.clock import utcnow
from pickup.core.db import db
from pickup.dev.embedded import EmbeddedServers
from pickup.orders.basket import Item
from pickup.orders.quoting import Pickup, route_basket
from pickup.storefront.service import near_stores
from pickup.stores.directory import fresh_directory
from pickup.stores.geocoding import Coordinates
from tests.benchmarks.figures import Figure, at_most, percentile, ratio
from tests.benchmarks.instance import progress
from tests.benchmarks.shop import grid, seed

COUNTS = (100, 1_000, 10_000, 100_000)
TENFOLD_MAX = 1.5
SKUS = 3
CUSTOMERS = 300
WARM_UP = 20
RADIUS_METRES = 100_000
PAGE = 10
# Of the second product nine stores in ten have none.
MAKE_RARE = "DELETE FROM stock_levels WHERE product_id = 2 AND store_id % 10 <> 0"

Search = Callable[[Flask, Coordinates], object]


@dataclass(frozen=True)
class Chain:
    """So many stores in a database of their own, and the application that knows them."""

    count: int
    part: float
    app: Flask

    def customers(self) -> list[Coordinates]:
        """People who live some kilometres from a store."""
        chance = random.Random(3)
        homes = chance.choices(grid(self.count, part=self.part), k=CUSTOMERS)
        return [
            Coordinates(lat + chance.uniform(-0.05, 0.05), lon + chance.uniform(-0.05, 0.05)) for _, lat, lon in homes
        ]


def measure(folder: Path) -> list[Figure]:
    """Every kind of search in every chain."""
    settings = replace(Settings.from_environment(), home=folder / "home", database_url=None, redis_url=None)
    with EmbeddedServers(settings), _chains(settings) as (chains, key):
        progress(f"reading {COUNTS[-1]:,} stores into memory")
        read = [_seconds_to_read(chain.app) for chain in chains][-1]
        found = []
        for name, search in _searches(key).items():
            progress(name)
            found += _figures(name, _seconds(search, chains))
    return [*found, Figure(f"stores read into memory, {COUNTS[-1]:,} stores", read, "s", note="by a process, at first")]


def tenfolds(values: Sequence[float]) -> list[float]:
    """How many times as large each value is as the one before."""
    return [ratio(value, before) for before, value in pairwise(values)]


@contextmanager
def _chains(settings: Settings) -> Iterator[tuple[list[Chain], str]]:
    _flask(settings, "db", "upgrade")
    key = _flask(settings, "client", "create", "bench", "--scope", "shop")
    chains = [_chain(settings, count) for count in COUNTS]
    try:
        yield chains, key
    finally:
        for chain in chains:
            with chain.app.app_context():
                db.engine.dispose()


def _chain(settings: Settings, count: int) -> Chain:
    progress(f"writing {count:,} stores")
    url = settings.sqlalchemy_url.replace("+psycopg", "")
    name, part = f"stores_{count}", (count / COUNTS[-1]) ** 0.5
    with psycopg.connect(url.replace("/pickup?", "/postgres?"), autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name} TEMPLATE pickup")
    own_url = url.replace("/pickup?", f"/{name}?")
    with psycopg.connect(own_url, autocommit=True) as connection:
        seed(connection, stores=count, skus=SKUS, part=part)
        connection.execute(MAKE_RARE)
        connection.execute("VACUUM ANALYZE stock_levels")
    return Chain(count, part, create_app(replace(settings, database_url=own_url)))


def _flask(settings: Settings, *words: str) -> str:
    environment = {"PICKUP_HOME": str(settings.home), "PATH": "/usr/bin:/bin"}
    command = [sys.executable, "-m", "flask", "--app", "wsgi", *words]
    return subprocess.run(command, cwd=ROOT, env=environment, check=True, capture_output=True, text=True).stdout.strip()


def _seconds_to_read(app: Flask) -> float:
    with app.app_context():
        started = perf_counter()
        fresh_directory()
        return perf_counter() - started


def _searches(key: str) -> Mapping[str, Search]:
    now, basket = utcnow(), [Item("SKU-000", 1), Item("SKU-002", 1)]
    return {
        "route a basket that all stores have": lambda _, point: _route({1: 1, 3: 1}, point),
        "route a basket that one store in ten has": lambda _, point: _route({1: 1, 2: 1}, point),
        "find ten stores and their stock": lambda _, point: near_stores(
            point, limit=PAGE, radius_metres=RADIUS_METRES, items=basket, now=now
        ),
        "POST /v1/quotes": lambda app, point: _quote(app, key, point),
    }


def _route(quantities: dict[int, int], point: Coordinates) -> None:
    route, _ = route_basket(quantities, Pickup(point, None), now=utcnow())
    if route.chosen is None:
        raise RuntimeError(f"no store near {point}")


def _quote(app: Flask, key: str, point: Coordinates) -> None:
    body: dict[str, Any] = {
        "items": [{"sku": "SKU-000", "quantity": 1}, {"sku": "SKU-002", "quantity": 1}],
        "pickup": {"near": {"lat": point.lat, "lon": point.lon}},
    }
    answer = app.test_client().post("/v1/quotes", json=body, headers={"Authorization": f"Bearer {key}"})
    if answer.status_code != 200:
        raise RuntimeError(f"a quote was answered {answer.status_code}")


def _seconds(search: Search, chains: Sequence[Chain]) -> dict[int, float]:
    """The median customer's search by number of stores."""
    found: dict[int, list[float]] = defaultdict(list)
    for customers in zip(*(chain.customers() for chain in chains), strict=True):
        for chain, customer in zip(chains, customers, strict=True):
            with chain.app.app_context():
                started = perf_counter()
                search(chain.app, customer)
                found[chain.count].append(perf_counter() - started)
    return {count: percentile(seconds[WARM_UP:], 0.5) for count, seconds in found.items()}


def _figures(name: str, seconds: Mapping[int, float]) -> list[Figure]:
    steps = tenfolds(list(seconds.values()))
    shown = "step by step " + ", ".join(f"{step:.2f}" for step in steps)
    return [
        *(Figure(f"{name}, {count:,} stores", 1000 * value, "ms") for count, value in seconds.items()),
        Figure("  by a tenth of the stores, at worst", max(steps), "×", at_most(TENFOLD_MAX), shown),
    ]
