"""What can be promised has changed: told of each level that a trigger has noted, as it is by then.

A note is a row (`StockNews`) that whoever changes a level writes in the same transaction, and holds until the commit.
It is taken before the level is read: who changes the level after that has to wait for us with a note, and writes it
anew. So what is told may be older than what holds, but never is the last word left out.
"""

import uuid
from datetime import datetime

from sqlalchemy import BigInteger, bindparam, text

from pickup.catalog.queries import products_by_id
from pickup.core import outbox
from pickup.core.db import in_transaction, run
from pickup.inventory.queries import available_of
from pickup.stores.directory import fresh_directory

AT_ONCE = 500
# After an import there are many; the others of the schedule want their turn, too.
ROUNDS_MAX = 20
# Any will do, as long as it stays: of a level, all events have one subject, and so their order.
_LEVELS = uuid.UUID("5b0e7c52-7c0e-4f0a-9d3a-2f8f6a1c9e11")

# Notes that somebody holds are of changes that are not committed yet: they are taken next time.
_TAKE = text("""
    WITH taken AS MATERIALIZED (
        SELECT store_id, product_id FROM stock_news ORDER BY store_id, product_id LIMIT :limit FOR UPDATE SKIP LOCKED
    ), forgotten AS (
        DELETE FROM stock_news USING taken
        WHERE stock_news.store_id = taken.store_id AND stock_news.product_id = taken.product_id
    )
    SELECT store_id, product_id FROM taken ORDER BY store_id, product_id
""").bindparams(bindparam("limit", type_=BigInteger()))


def tell_of_stock(now: datetime) -> int:
    """Tell of the levels that have changed; returns how many there were."""
    told = 0
    for _ in range(ROUNDS_MAX):
        count = in_transaction(lambda: tell_some(now))
        told += count
        if count < AT_ONCE:
            break
    return told


def tell_some(now: datetime) -> int:
    """Tell of some of them, in the present transaction."""
    keys = [(row.store_id, row.product_id) for row in run(_TAKE, {"limit": AT_ONCE})]
    if not keys:
        return 0
    stores = fresh_directory().by_id
    products = products_by_id({product_id for _, product_id in keys})
    available = available_of(keys, lambda store_id: stores[store_id].safety_floor)
    outbox.emit(
        "stock.changed",
        {
            level_subject(*key): {
                "store_id": key[0],
                "sku": products[key[1]].sku,
                # Nothing is promised from a partner's shelf: it has none.
                "available": 0 if stores[key[0]].kind == "partner" else available.get(key, 0),
            }
            for key in keys
        },
        at=now,
    )
    return len(keys)


def level_subject(store_id: int, product_id: int) -> uuid.UUID:
    """What the events of a level are about."""
    return uuid.uuid5(_LEVELS, f"{store_id}/{product_id}")
