"""A store's working hours as a resource: no more orders are taken on for one than the store can prepare in it."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

from sqlalchemy import ARRAY, DateTime, Integer, bindparam, text

from pickup.core.db import run

# (store id, the full hour in which the work begins)
HourKey = tuple[int, datetime]

_HOURS = (bindparam("store_ids", type_=ARRAY(Integer())), bindparam("hours", type_=ARRAY(DateTime(timezone=True))))

_TAKEN = text("""
    SELECT store_id, hour, taken FROM capacity_hours WHERE store_id = ANY(:store_ids) AND hour >= :since
""").bindparams(_HOURS[0])

# The rows are made first, in the order of their keys, like every lock: somebody else may be making the same ones.
_MAKE = text("""
    INSERT INTO capacity_hours (store_id, hour)
    SELECT store_id, hour FROM unnest(:store_ids, :hours) AS wanted (store_id, hour) ORDER BY store_id, hour
    ON CONFLICT DO NOTHING
""").bindparams(*_HOURS)

_LOCK = text("""
    SELECT store_id, hour, taken
    FROM unnest(:store_ids, :hours) AS wanted (store_id, hour) JOIN capacity_hours USING (store_id, hour)
    ORDER BY store_id, hour
    FOR UPDATE OF capacity_hours
""").bindparams(*_HOURS)

_CHANGE = text("""
    WITH changes AS (SELECT * FROM unnest(:store_ids, :hours, :orders) AS changes (store_id, hour, orders)),
    locked AS (
        SELECT store_id, hour FROM changes JOIN capacity_hours USING (store_id, hour)
        ORDER BY store_id, hour FOR UPDATE OF capacity_hours
    )
    UPDATE capacity_hours AS kept SET taken = greatest(kept.taken + changes.orders, 0)
    FROM changes JOIN locked USING (store_id, hour)
    WHERE kept.store_id = changes.store_id AND kept.hour = changes.hour
""").bindparams(*_HOURS, bindparam("orders", type_=ARRAY(Integer())))


def taken_since(store_ids: Sequence[int], since: datetime) -> dict[HourKey, int]:
    """How many orders stores have taken on, by hour, from the hour of an instant on. A look, not a promise."""
    if not store_ids:
        return {}
    rows = run(_TAKEN, {"store_ids": list(store_ids), "since": full_hour(since)})
    return {(store_id, hour): taken for store_id, hour, taken in rows}


def lock_taken(keys: Iterable[HourKey]) -> dict[HourKey, int]:
    """How many orders are taken on for each hour, locked until the end of the transaction; after stock levels."""
    ordered = sorted(set(keys))
    if not ordered:
        return {}
    values = {"store_ids": [key[0] for key in ordered], "hours": [key[1] for key in ordered]}
    run(_MAKE, values)
    return {(store_id, hour): taken for store_id, hour, taken in run(_LOCK, values)}


def take_on(keys: Iterable[HourKey]) -> None:
    """Count one order more for each hour given; an hour may be given more than once. See `lock_taken`."""
    _change(Counter(keys))


def give_back(keys: Iterable[HourKey]) -> None:
    """Count one order less for each hour given."""
    _change({key: -orders for key, orders in Counter(keys).items()})


def _change(orders: Mapping[HourKey, int]) -> None:
    if orders:
        values = {
            "store_ids": [store_id for store_id, _ in orders],
            "hours": [hour for _, hour in orders],
            "orders": list(orders.values()),
        }
        run(_CHANGE, values)


def full_hour(at: datetime) -> datetime:
    """The hour that an instant lies in."""
    return at.replace(minute=0, second=0, microsecond=0)
