"""Product list, quote, order, history and till say one price, at any instant, in any store.

`PICKUP_TEST_TRIPLES=1000` asks for so many triples of product, store and instant.
"""

import os
import random
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import time_machine

from pickup.core.clock import rfc3339
from tests.api_client import ApiClient
from tests.naive_till import NaiveTill
from tests.world import World

TRIPLES = int(os.environ.get("PICKUP_TEST_TRIPLES", "150"))
PRODUCTS = "ABCDE"
# The nights on which the clocks change: an hour that does not exist, and one that is there twice.
NIGHTS = {
    "America/Chicago": (datetime(2027, 3, 14), datetime(2027, 11, 7)),
    "Europe/Berlin": (datetime(2027, 3, 28), datetime(2027, 10, 31)),
}
STORES = {"1": ("", "America/Chicago"), "2": ("us", "America/Chicago"), "3": ("eu", "Europe/Berlin")}
ZONES = ("", "us", "eu")
AROUND = (timedelta(0), timedelta(microseconds=1), timedelta(seconds=1), timedelta(minutes=30), timedelta(hours=1))


def instants_of_the_nights(chance: random.Random) -> list[datetime]:
    """Local half hours around the change of the clocks, each as often as it exists."""
    found = set()
    for name, nights in NIGHTS.items():
        for night in nights:
            for half_hours in range(10):
                local = night + timedelta(minutes=30 * half_hours)
                for fold in (0, 1):
                    found.add(local.replace(tzinfo=ZoneInfo(name), fold=fold).astimezone(UTC))
    return sorted(chance.sample(sorted(found), 30))


def said_by_all(world: World, shop: ApiClient, admin: ApiClient, sku: str, store_ref: str) -> list[Any]:
    product = shop.get(f"/v1/products/{sku}", store_ref=store_ref).json["price"]
    (listed,) = (each for each in shop.get("/v1/products", store_ref=store_ref).json["data"] if each["sku"] == sku)
    in_force = admin.get(f"/v1/prices/{sku}/in-force", store_ref=store_ref).json["in_force"]
    pickup = {"store_ref": store_ref}
    quote = shop.post("/v1/quotes", {"items": [{"sku": sku, "quantity": 1}], "pickup": pickup}).json
    order = shop.order(world.order_body({sku: 1}, pickup)).json
    (quoted,), (ordered,) = quote["lines"], order["lines"]
    assert quoted["price_version"] == in_force["version"]
    said = [product, listed["price"], in_force["price"], quoted["unit_price"], ordered["unit_price"], order["total"]]
    return [(money["amount"], money["currency"]) for money in said]


def test_one_price_everywhere(world: World, shop: ApiClient, admin: ApiClient):
    chance = random.Random(5)
    changes = instants_of_the_nights(chance)
    stores = {ref: world.store(ref, price_zone=zone, timezone=timezone) for ref, (zone, timezone) in STORES.items()}
    for sku in PRODUCTS:
        product = world.product(sku, price=None)
        world.price(product, chance.randrange(100, 1000), valid_from=changes[0] - timedelta(days=1))
        for begins in changes:
            if chance.random() < 0.6:
                world.price(product, chance.randrange(100, 1000), zone=chance.choice(ZONES), valid_from=begins)
        for store in stores.values():
            world.stock(store, product, TRIPLES)
    tills = {ref: NaiveTill(ref) for ref in STORES}
    for till in tills.values():
        till.follow(limit=7)

    for _ in range(TRIPLES):
        sku, ref = chance.choice(PRODUCTS), chance.choice(list(STORES))
        at = chance.choice(changes) + chance.choice((-1, 1)) * chance.choice(AROUND)
        with time_machine.travel(at, tick=False):
            said = said_by_all(world, shop, admin, sku, ref)
        amount = tills[ref].price(sku, at)
        assert said == [(amount, "USD")] * len(said), (sku, ref, rfc3339(at))
        later = admin.get(f"/v1/prices/{sku}/in-force", store_ref=ref, at=rfc3339(at)).json["in_force"]
        assert later["price"]["amount"] == amount

    result = world.app.test_cli_runner().invoke(args=["prices", "check", "--since", "2027-01-01T00:00:00Z"])
    assert result.stdout == "0 differences\n"
