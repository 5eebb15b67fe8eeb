"""A quote: where a basket can be collected, when, and what it costs there. Reserves nothing, changes nothing."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from typing import Any

from flask import current_app

from pickup.config import Settings
from pickup.core.types import Money
from pickup.inventory.queries import stores_with_all
from pickup.orders.basket import Item, PricedLine, price_lines, read_basket, total_of
from pickup.orders.errors import OutOfStock
from pickup.orders.promising import hold_until_at, ready_by_at
from pickup.orders.routing import Candidate, Route, choose
from pickup.pricing.queries import prices_in_force
from pickup.stores.directory import StoreDirectory, StoreEntry, directory
from pickup.stores.geocoding import Coordinates

# The nearest store has the basket more often than not; each further look at the stock takes in twice as many.
FIRST_LOOK_STORES = 5


@dataclass(frozen=True, slots=True)
class Pickup:
    """Where the customer wants to collect: near a point, or at one store."""

    near: Coordinates | None
    store_ref: str | None


@dataclass(frozen=True, slots=True)
class Quote:
    """What an order placed now would be."""

    store: StoreEntry
    distance_m: int | None
    lines: Sequence[PricedLine]
    total: Money
    ready_by: datetime
    hold_until: datetime
    candidates: list[dict[str, Any]]


class _DirectoryIsOld(Exception):
    """The stores have changed since this process read them."""

    def __init__(self, revision: int) -> None:
        self.revision = revision


def quote(items: Sequence[Item], pickup: Pickup, *, now: datetime) -> Quote:
    """Route a basket and price it by the shelf of the store it goes to.

    Raises:
        InvalidFields: unknown SKUs or store, too many of a product, no price.
        OutOfStock: no pickup point has all of it; `candidates` says why, store by store.
    """
    basket = read_basket(items)
    route, stores = route_basket(basket.quantities, pickup, now=now)
    considered = [each.as_json() for each in route.considered]
    if route.chosen is None or route.ready_by is None:
        raise OutOfStock("No store in reach has the whole basket and is open for it.", candidates=considered)
    store = stores.by_id[route.chosen.store_id]
    lines = price_lines(basket, prices_in_force(basket.quantities, store.price_zone, at=now))
    return Quote(
        store=store,
        distance_m=route.chosen.distance_m,
        lines=lines,
        total=total_of(lines),
        ready_by=route.ready_by,
        hold_until=hold_until_at(store, route.ready_by),
        candidates=considered,
    )


def route_basket(
    quantities: Mapping[int, int], pickup: Pickup, *, now: datetime, without: frozenset[int] = frozenset()
) -> tuple[Route, StoreDirectory]:
    """Find the pickup point for so many of each product.

    Args:
        without: stores that are out of the question already.

    Returns:
        The route, and the state of the stores that it was found in.
    """
    stores = directory()
    while True:
        try:
            return _route(stores, quantities, pickup, now, without), stores
        except _DirectoryIsOld as old:
            stores = directory(at_least=old.revision)


def _route(
    stores: StoreDirectory, quantities: Mapping[int, int], pickup: Pickup, now: datetime, without: frozenset[int]
) -> Route:
    if pickup.near is None:
        reachable: Iterator[tuple[StoreEntry, int | None]] = iter(((_named_store(stores, pickup.store_ref), None),))
    else:
        reachable = ((store, near.distance_m) for store, near in stores.walk(pickup.near.lat, pickup.near.lon))
    wanted = (pair for pair in reachable if pair[0].id not in without)
    return choose(
        _candidates(stores, wanted, quantities),
        lambda candidate: ready_by_at(stores.by_id[candidate.store_id], now=now),
    )


def _named_store(stores: StoreDirectory, ref: str | None) -> StoreEntry:
    return stores.pickup_point(ref or "", pointer="/pickup/store_ref")


def _candidates(
    stores: StoreDirectory, reachable: Iterator[tuple[StoreEntry, int | None]], quantities: Mapping[int, int]
) -> Iterator[Candidate]:
    """Stores with what the database knows of them now, looked up for a growing number of stores at a time."""
    settings: Settings = current_app.extensions["settings"]
    left, look = settings.routing_candidates_max, FIRST_LOOK_STORES
    while left > 0 and (near := list(islice(reachable, min(look, left)))):
        fulfilling, revision = stores_with_all([store.id for store, _ in near], quantities)
        if revision > stores.revision:
            raise _DirectoryIsOld(revision)
        for store, distance_m in near:
            in_reach = distance_m is None or distance_m <= settings.search_radius_metres
            yield Candidate(
                store.id, store.ref, distance_m, store.paused_at is not None, store.id in fulfilling, in_reach
            )
            if not in_reach:
                return
        left, look = left - len(near), look * 2
