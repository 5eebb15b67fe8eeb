"""Prices: many changes at once, how soon a till has them, and what it costs to hear that there is nothing new."""

import threading
import time
from http.client import HTTPConnection
from pathlib import Path
from time import perf_counter

from tests.benchmarks.figures import Figure, at_most
from tests.benchmarks.instance import difference, load, progress, running, spent
from tests.benchmarks.shop import seed, shop_key
from tests.system import System

CHANGES, SKUS, STORES = 100_000, 20_000, 50
QUESTIONS = 1000
PAGE = 10_000
CHANGE_SECONDS_MAX, FOLLOW_SECONDS_MAX, NOTHING_NEW_MS_MAX = 20, 5, 2


def measure(folder: Path) -> list[Figure]:
    """100,000 changes by request and by file, one till that follows, and a till that is up to date."""
    with running(folder / "home") as system:
        with system.connected() as connection:
            seed(connection, stores=STORES, skus=1)
        skus = [f"P-{number}" for number in range(SKUS)]
        load(system, "products", ("sku", "name"), ((sku, f"Product {sku}") for sku in skus))
        till = Till(system)
        till.follow()
        progress(f"changing {CHANGES:,} prices")
        return [*_by_request(system, till, skus), _by_file(system, skus), *_nothing_new(system, till)]


class Till:
    """Follows the prices of a store, on a connection that stays open."""

    def __init__(self, system: System) -> None:
        self._connection = HTTPConnection("127.0.0.1", system.port, timeout=30)
        self._headers = {"Authorization": f"Bearer {shop_key(system, scope='pos')}"}
        ((self._store,),) = system.select("SELECT ref FROM stores ORDER BY ref LIMIT 1")
        self._cursor = ""
        self.seen = 0

    def ask(self) -> int:
        """Take over one page; returns how many bytes it had, 0 where nothing was new."""
        query = f"store_ref={self._store}&limit={PAGE}" + (f"&after={self._cursor}" if self._cursor else "")
        self._connection.request("GET", f"/v1/pos/prices?{query}", headers=self._headers)
        answer = self._connection.getresponse()
        body = answer.read()
        if answer.status != 200:
            raise RuntimeError(f"the feed was answered {answer.status}")
        self._cursor = body[body.rindex(b'"next":') :].split(b'"')[3].decode()
        new = body.count(b'"version":')
        self.seen += new
        return new

    def follow(self) -> None:
        """Take over all there is."""
        while self.ask():
            pass


def _by_request(system: System, till: Till, skus: list[str]) -> list[Figure]:
    key, before = shop_key(system, scope="admin"), till.seen
    changes = [
        {"sku": skus[number % len(skus)], "price": {"amount": 100 + number % 900, "currency": "USD"}}
        for number in range(CHANGES)
    ]
    done = threading.Event()
    times: dict[str, float] = {}

    def change() -> None:
        answer = system.call("POST", "/v1/prices", {"changes": changes}, {"Authorization": f"Bearer {key}"})
        times["answered"] = perf_counter()
        if answer.status != 201:
            raise RuntimeError(f"the changes were answered {answer.status}")
        done.set()

    started = perf_counter()
    thread = threading.Thread(target=change)
    thread.start()
    first: float | None = None
    while till.seen - before < CHANGES and (thread.is_alive() or done.is_set()):
        if till.ask() and first is None:
            first = perf_counter()
        elif first is None:
            time.sleep(0.05)
    thread.join()
    if first is None:
        raise RuntimeError("no change reached the till")
    return [
        Figure(
            f"{CHANGES:,} price changes by one request", times["answered"] - started, "s", at_most(CHANGE_SECONDS_MAX)
        ),
        Figure(
            "  from their commit until a till has them all", perf_counter() - first, "s", at_most(FOLLOW_SECONDS_MAX)
        ),
    ]


def _by_file(system: System, skus: list[str]) -> Figure:
    rows = ((skus[number % len(skus)], "USD", "1.23", f"zone-{number // len(skus)}") for number in range(CHANGES))
    seconds = load(system, "prices", ("sku", "currency", "amount", "zone"), rows)
    return Figure(f"{CHANGES:,} price changes by one file", seconds, "s", at_most(CHANGE_SECONDS_MAX))


def _nothing_new(system: System, till: Till) -> list[Figure]:
    till.follow()
    before = spent(system)
    for _ in range(QUESTIONS):
        till.ask()
    cost = difference(spent(system), before)
    web, database = (1000 * cost[kind] / QUESTIONS for kind in ("web", "PostgreSQL"))
    return [
        Figure("the feed says that nothing is new: CPU of the web server", web, "ms", at_most(NOTHING_NEW_MS_MAX)),
        Figure("  and of PostgreSQL", database, "ms"),
    ]
