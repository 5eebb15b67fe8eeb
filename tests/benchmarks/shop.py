"""The retailer of the benchmarks: 5,000 stores with 100 products each, spread evenly over a country."""

import json
import random
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg

from tests.benchmarks.instance import command, load, progress, running, wait_until_done
from tests.benchmarks.load import fire
from tests.system import System

STORES, SKUS = 5000, 100
ON_HAND = 100_000
CLIENTS = 8
WARM_UP_ORDERS = 200
# South-west corner and size in degrees: about the United States.
SOUTH, WEST, HEIGHT, WIDTH = 30.0, -120.0, 15.0, 40.0
# The R2 sequence (M. Roberts, 2018): no two points alike, no clusters.
ACROSS, ALONG = 0.5698402909980532, 0.7548776662466927

STORE_COLUMNS = (
    *("ref", "name", "street", "city", "state", "postcode", "country", "lat", "lon", "opening_hours", "timezone"),
)
SEED = """
    TRUNCATE stores, products RESTART IDENTITY CASCADE;
    TRUNCATE stock_movements RESTART IDENTITY;
    INSERT INTO stores (ref, name, country, lat, lon, timezone)
    SELECT n::text, 'Store ' || n, 'US',
           {south} + {height} * {part} * (n * {across}::float8 - floor(n * {across}::float8)),
           {west} + {width} * {part} * (n * {along}::float8 - floor(n * {along}::float8)), 'America/Chicago'
    FROM generate_series(0, {stores} - 1) AS n;
    INSERT INTO products (sku, name)
    SELECT sku, 'Product ' || sku
    FROM generate_series(0, {skus} - 1) AS n CROSS JOIN LATERAL (VALUES ('SKU-' || lpad(n::text, 3, '0'))) AS v (sku)
    ORDER BY n;
    INSERT INTO prices (product_id, amount, currency, valid_from)
    SELECT id, 499, 'USD', now() - interval '1 day' FROM products;
    INSERT INTO stock_levels (store_id, product_id, on_hand)
    SELECT stores.id, products.id, {on_hand} FROM stores CROSS JOIN products ORDER BY 1, 2;
    INSERT INTO stock_movements (store_id, product_id, kind, on_hand_change)
    SELECT store_id, product_id, 'receipt', on_hand FROM stock_levels ORDER BY 1, 2;
    INSERT INTO revisions VALUES ('stores', 1) ON CONFLICT (name) DO NOTHING;
    UPDATE revisions SET value = value + 1;
    VACUUM ANALYZE;
"""


@dataclass(frozen=True)
class Shop:
    """A system with stores and stock, and the key of an e-shop."""

    system: System
    key: str
    points: Sequence[tuple[float, float]]
    skus: Sequence[str]
    rows_per_second: float

    def baskets(self, count: int, *, lines: int = 3) -> list[bytes]:
        """Orders of so many lines each, from customers who live by a store; the same every time."""
        chance = random.Random(1)
        return [
            body(
                number,
                items=chance.sample(list(self.skus), lines),
                pickup={"near": dict(zip(("lat", "lon"), chance.choice(self.points), strict=True))},
            )
            for number in range(count)
        ]

    def warm_up(self) -> None:
        """Some orders, so that every process has loaded what it needs."""
        fire(self.system.port, "/v1/orders", self.baskets(WARM_UP_ORDERS), clients=CLIENTS, key=self.key)
        wait_until_done(self.system)


def body(number: int, *, items: Sequence[str], pickup: dict[str, Any]) -> bytes:
    """One order, one unit a line."""
    order = {
        "customer": {"name": "Ada Example", "email": f"ada{number}@example.com"},
        "items": [{"sku": sku, "quantity": 1} for sku in items],
        "pickup": pickup,
        "payment": {"method": "sandbox", "token": "tok_ok"},
    }
    return json.dumps(order).encode()


def grid(count: int, *, part: float = 1.0) -> list[tuple[str, float, float]]:
    """Ref, latitude and longitude of stores spread evenly over this part of the country's height and width."""
    return [
        (str(n), SOUTH + HEIGHT * part * (n * ACROSS % 1), WEST + WIDTH * part * (n * ALONG % 1)) for n in range(count)
    ]


@contextmanager
def opened(folder: Path) -> Iterator[Shop]:
    """The whole shop, its stock imported as a retailer imports it, warm."""
    progress(f"starting a system, importing {STORES:,} stores × {SKUS} products")
    with running(folder / "home") as system:
        stores, skus = grid(STORES), [f"SKU-{number:03}" for number in range(SKUS)]
        load(
            system,
            "stores",
            STORE_COLUMNS,
            [(ref, f"Store {ref}", "", "", "", "", "US", lat, lon, "", "America/Chicago") for ref, lat, lon in stores],
        )
        load(system, "products", ["sku", "name"], [(sku, f"Product {sku}") for sku in skus])
        load(system, "prices", ["sku", "currency", "amount"], [(sku, "USD", "4.99") for sku in skus])
        rows = [(ref, sku, ON_HAND) for ref, _, _ in stores for sku in skus]
        seconds = load(system, "stock", ["store_ref", "sku", "on_hand"], rows)
        shop = Shop(system, shop_key(system), [(lat, lon) for _, lat, lon in stores], skus, len(rows) / seconds)
        system.execute("VACUUM ANALYZE")
        shop.warm_up()
        yield shop


def shop_key(system: System, *, scope: str = "shop") -> str:
    """A new key of a client of the name of its scope."""
    return command(system, "client", "create", f"bench-{scope}", "--scope", scope)


def seed(connection: psycopg.Connection, *, stores: int, skus: int, part: float = 1.0) -> None:
    """Stores, products, prices and stock by SQL, where an import is not what is measured. Replaces what was there.

    Args:
        connection: in autocommit.
        part: see `grid`, whose points these are.
    """
    values = {"stores": stores, "skus": skus, "part": part, "on_hand": ON_HAND, "across": ACROSS, "along": ALONG}
    country = {"south": SOUTH, "west": WEST, "height": HEIGHT, "width": WIDTH}
    for statement in SEED.format(**values, **country).strip(" ;\n").split(";"):
        connection.execute(statement)
