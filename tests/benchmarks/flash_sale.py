"""A flash sale: everybody wants the same thing at the same store, and there is not enough of it."""

import time
from collections import Counter
from collections.abc import Sequence

from tests.benchmarks.figures import Figure, at_most, exactly, ratio
from tests.benchmarks.instance import load, progress, wait_until_decided, wait_until_done
from tests.benchmarks.load import fire
from tests.benchmarks.shop import CLIENTS, Shop, body

UNITS = 500
HOT = "FLASH"
STORE = "0"
SLOWER_MAX = 3.0


def measure(shop: Shop, orders: int) -> list[Figure]:
    """As many orders for one product as for as many products; how long until all are decided."""
    skus = [f"CALM-{number:04}" for number in range(orders)]
    _stock(shop, skus)
    half = orders // 2
    progress(f"{orders:,} orders for {orders:,} products, and in their midst as many for {UNITS} units of one")
    before, _ = _sell(shop, skus[:half])
    hot, codes = _sell(shop, [HOT] * orders)
    after, _ = _sell(shop, skus[half:])
    calm = before + after
    reserved, on_level = _outcome(shop)
    return [
        Figure(f"{orders:,} orders for as many products, decided", calm, "s"),
        Figure(f"{orders:,} orders for {UNITS} units of one, decided", hot, "s", note=f"answers {dict(codes)}"),
        Figure("  by the calm ones", ratio(hot, calm), "×", at_most(SLOWER_MAX)),
        Figure("  orders reserved", reserved, "", exactly(min(UNITS, orders))),
        Figure("  units reserved in the books", on_level, "", exactly(min(UNITS, orders))),
    ]


def _stock(shop: Shop, skus: Sequence[str]) -> None:
    everything = [*skus, HOT]
    load(shop.system, "products", ["sku", "name"], [(sku, sku) for sku in everything])
    load(shop.system, "prices", ["sku", "currency", "amount"], [(sku, "USD", "4.99") for sku in everything])
    load(shop.system, "stock", ["store_ref", "sku", "on_hand"], [(STORE, sku, UNITS) for sku in everything])
    shop.system.execute("ANALYZE")


def _sell(shop: Shop, skus: Sequence[str]) -> tuple[float, Counter[int]]:
    bodies = [body(number, items=[sku], pickup={"store_ref": STORE}) for number, sku in enumerate(skus)]
    started = time.perf_counter()
    answers = fire(shop.system.port, "/v1/orders", bodies, clients=CLIENTS, key=shop.key)
    wait_until_decided(shop.system)
    seconds = time.perf_counter() - started
    wait_until_done(shop.system)
    return seconds, answers.codes


def _outcome(shop: Shop) -> tuple[int, int]:
    ((orders,),) = shop.system.select(
        "SELECT count(*) FROM orders JOIN order_lines ON order_id = orders.id JOIN products ON products.id = product_id"
        f" WHERE sku = '{HOT}' AND status = 'reserved'"
    )
    ((units,),) = shop.system.select(
        f"SELECT sum(reserved) FROM stock_levels JOIN products ON products.id = product_id WHERE sku = '{HOT}'"
    )
    return orders, units
