"""Eight that change prices and twenty that follow them, all at once: each follower has every version once, in order.

`PICKUP_TEST_SECONDS=60` lets them go on for a minute.
"""

import os
import random
import threading
import time

from sqlalchemy import select

from pickup.core.db import db
from pickup.pricing.models import Price
from tests.concurrency.together import at_once

WRITERS, FOLLOWERS = 8, 20
SECONDS = float(os.environ.get("PICKUP_TEST_SECONDS", "4"))
ZONES = {"1": "", "2": "east"}


def test_every_follower_has_every_version_once_and_in_order(world):
    for sku in "ABC":
        world.product(sku, price=None)
    for ref, zone in ZONES.items():
        world.store(ref, price_zone=zone)
    admin, pos = world.client("admin"), world.client("pos")
    writing = threading.Event()
    writing.set()

    def change(chance):
        return {"sku": chance.choice("ABC"), "price": {"amount": chance.randrange(1000), "currency": "USD"}}

    def writer(number):
        def write():
            chance, until = random.Random(number), time.monotonic() + SECONDS
            while time.monotonic() < until:
                # No zone has prices of its own: which others those hide would depend on who is first.
                answer = admin.post("/v1/prices", {"changes": [change(chance) for _ in range(chance.randint(1, 5))]})
                assert answer.status_code == 201, answer.text

        return write

    def write_all():
        at_once([writer(number) for number in range(WRITERS)])
        writing.clear()

    def follower(number):
        def follow():
            chance, seen, cursor = random.Random(number), [], None
            store_ref = chance.choice(list(ZONES))
            while True:
                is_last = not writing.is_set()
                query = {"store_ref": store_ref, "limit": chance.choice((1, 7, 1000))}
                page = pos.get("/v1/pos/prices", **query | ({"after": cursor} if cursor else {})).json
                seen += [each["version"] for each in page["data"]]
                cursor = page["next"]
                if is_last and not page["data"]:
                    return seen

        return follow

    _, *seen = at_once([write_all, *[follower(number) for number in range(FOLLOWERS)]])

    ledger = list(db.session.scalars(select(Price.version).order_by(Price.version)))
    assert len(ledger) > WRITERS
    assert [len(versions) for versions in seen] == [len(ledger)] * FOLLOWERS
    assert all(versions == ledger for versions in seen)
