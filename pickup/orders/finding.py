"""Finding the pickup point: the rules of `routing.py` and `sourcing.py` over what the database knows now."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import cached_property
from itertools import islice

from flask import current_app

from pickup.config import Settings
from pickup.inventory.queries import available_by_store, is_anywhere, stores_with_all
from pickup.orders import capacity, queries
from pickup.orders.promising import queue_of, ready_by_at, work_begins_at
from pickup.orders.routing import Candidate, Plan, Route, choose, choose_with_transfers
from pickup.orders.sourcing import SOURCINGS, Source, Stock, missing_from, take_from_shelf
from pickup.stores.directory import StoreDirectory, StoreEntry, directory, fresh_directory
from pickup.stores.geocoding import Coordinates
from pickup.stores.nearest import metres_between

# The nearest store has the basket more often than not; each further look at the stock takes in twice as many.
FIRST_LOOK_STORES = 2
# Sources this near are asked first, in one statement; only then everybody who has any.
NEAR_SOURCES = 50
# What a store without a limit is taken to prepare in an hour, where loads are compared.
USUAL_HOURLY_CAPACITY = 20


@dataclass(frozen=True, slots=True)
class Pickup:
    """Where the customer wants to collect: near a point, or at one store."""

    near: Coordinates | None
    store_ref: str | None


def promises_from_shelf(
    near: Sequence[StoreEntry], quantities: Mapping[int, int], *, now: datetime
) -> dict[int, datetime]:
    """When the stores that have so many of each product on their shelf would have it ready, by store id.

    Those that take no orders, have no room left in the hour, or do not open, are absent.
    """
    return _Search(directory(), quantities, Pickup(None, None), now).promises(near)


class _DirectoryIsOld(Exception):
    """The stores have changed since this process read them."""

    def __init__(self, revision: int) -> None:
        self.revision = revision


def route_basket(
    quantities: Mapping[int, int],
    pickup: Pickup,
    *,
    now: datetime,
    lost: frozenset[int] = frozenset(),
    without: frozenset[int] = frozenset(),
) -> tuple[Route, StoreDirectory]:
    """Find the pickup point for so many of each product.

    Args:
        lost: stores that have lost the race for these goods. What they lack may still be sent there.
        without: stores that are out of the question as pickup points.

    Returns:
        The route, and the state of the stores that it was found in.
    """
    stores = directory()
    if pickup.store_ref is not None and pickup.store_ref not in stores.by_ref:
        stores = fresh_directory()  # it may have been opened since this process last looked
    while True:
        try:
            return _Search(stores, quantities, pickup, now, lost, without).route(), stores
        except _DirectoryIsOld as old:
            stores = directory(at_least=old.revision)


class _Search:
    """One search, in one state of the stores."""

    def __init__(
        self,
        stores: StoreDirectory,
        quantities: Mapping[int, int],
        pickup: Pickup,
        now: datetime,
        lost: frozenset[int] = frozenset(),
        without: frozenset[int] = frozenset(),
    ) -> None:
        self.stores, self.quantities, self.pickup, self.now = stores, quantities, pickup, now
        self.lost, self.without = lost, without
        self.settings: Settings = current_app.extensions["settings"]
        self.taken: dict[capacity.HourKey, int] = {}
        self.open_orders: dict[int, int] = {}

    def route(self) -> Route:
        """From the shelf of one store; otherwise with transfers."""
        route = choose(self._candidates(), self._plan_from_shelf, self.settings.routing_policy)
        if route.plan is None and is_anywhere(self.quantities):
            route = choose_with_transfers(route, self._plan_with_transfers)
        return route

    def promises(self, near: Sequence[StoreEntry]) -> dict[int, datetime]:
        """What `promises_from_shelf` says."""
        fulfilling, _ = stores_with_all(_floors(near), self.quantities)
        self._look_at_loads(near)
        able = [each for each in near if each.id in fulfilling and each.takes_orders and self._has_room(each, self.now)]
        plans = (self._plan(Candidate(store.id, store.ref, None), self.now) for store in able)
        return {plan.candidate.store_id: plan.ready_by for plan in plans if plan}

    def _candidates(self) -> Iterator[Candidate]:
        """Pickup points with what the database knows of them, looked up for a growing number of them at a time."""
        reachable, left, look = self._reachable(), self.settings.routing_candidates_max, FIRST_LOOK_STORES
        while left > 0 and (near := list(islice(reachable, min(look, left)))):
            fulfilling, revision = stores_with_all(_floors(store for store, _ in near), self.quantities)
            if revision > self.stores.revision:
                raise _DirectoryIsOld(revision)
            self._look_at_loads([store for store, _ in near])
            for store, distance_m in near:
                in_reach = distance_m is None or distance_m <= self.settings.search_radius_metres
                yield Candidate(
                    store.id,
                    store.ref,
                    distance_m,
                    takes_orders=store.takes_orders,
                    has_all=store.id in fulfilling,
                    has_room=self._has_room(store, self.now),
                    in_reach=in_reach,
                    lost=store.id in self.lost,
                )
                if not in_reach:
                    return
            left, look = left - len(near), look * 2

    def _reachable(self) -> Iterator[tuple[StoreEntry, int | None]]:
        if self.pickup.near is None:
            yield self.stores.pickup_point(self.pickup.store_ref or "", pointer="/pickup/store_ref"), None
            return
        for store, neighbour in self.stores.walk(self.pickup.near.lat, self.pickup.near.lon):
            if store.id not in self.without:
                yield store, neighbour.distance_m

    def _look_at_loads(self, near: Sequence[StoreEntry]) -> None:
        """What the stores have to do already; of stores without a limit only where loads are compared."""
        limited = [store.id for store in near if store.hourly_capacity is not None]
        self.taken |= capacity.taken_since(limited, self.now)
        if self.settings.routing_policy == "balance":
            self.open_orders |= queries.open_order_counts([store.id for store in near])

    def _has_room(self, store: StoreEntry, at: datetime) -> bool:
        if store.hourly_capacity is None:
            return True
        key = hour_of_work(store, at)
        return key is None or self.taken.get(key, 0) < store.hourly_capacity

    def _plan_from_shelf(self, candidate: Candidate) -> Plan | None:
        return self._plan(candidate, self.now)

    def _plan(self, candidate: Candidate, at: datetime) -> Plan | None:
        """The promise of work that can begin at an instant."""
        store = self.stores.by_id[candidate.store_id]
        key = hour_of_work(store, at)
        queue = queue_of(store, self.taken.get(key, 0)) if key else timedelta()
        ready_by = ready_by_at(store, now=at, queue=queue)
        if ready_by is None:
            return None
        load = self.open_orders.get(store.id, 0) / (store.hourly_capacity or USUAL_HOURLY_CAPACITY)
        return Plan(candidate, ready_by, capacity_hour=key[1] if key else None, load=load)

    def _plan_with_transfers(self, candidate: Candidate) -> Plan | None:
        """The promise of a pickup point that other stores send to what it lacks."""
        store = self.stores.by_id[candidate.store_id]
        shelf: dict[int, int] = {}
        if store.kind != "partner":
            shelf = available_by_store(self.quantities, self._floor, store_ids=[store.id]).get(store.id, {})
        taken = take_from_shelf(self.quantities, shelf)
        missing = missing_from(self.quantities, taken)
        if not missing:  # a store that has lost the race may have all of it again
            return self._plan_from_shelf(candidate)
        given = self._find(missing, store)
        if given is None:
            return None
        sent = [Source(source_id, units, self._arrival(source_id, store)) for source_id, units in given.items()]
        arrivals = [source.expected_at for source in sent if source.expected_at is not None]
        if len(arrivals) < len(sent) or not self._has_room(store, max(arrivals)):
            return None
        plan = self._plan(candidate, max(arrivals))
        own = (Source(store.id, taken, None),) if taken else ()
        return replace(plan, sources=own + tuple(sent)) if plan else None

    def _find(self, missing: Mapping[int, int], store: StoreEntry) -> dict[int, dict[int, int]] | None:
        """Who can send what is missing: first among the stores around, then among all that have any."""
        find = SOURCINGS[self.settings.routing_policy]
        around = islice(self.stores.walk_sources(store.lat, store.lon), NEAR_SOURCES + 1)
        sources = [source for source, _ in around if source.id != store.id and source.takes_orders]
        near = available_by_store(missing, self._floor, store_ids=[source.id for source in sources])
        found = find(missing, [Stock(source.id, near[source.id]) for source in sources if source.id in near])
        if found is not None and _none_is_split(missing, found):
            return found
        ranked = self.stores.sources_among(self._anywhere.keys(), store.lat, store.lon)
        return find(
            missing,
            [
                Stock(source.id, self._anywhere[source.id])
                for source, _ in ranked
                if source.id != store.id and source.takes_orders
            ],
        )

    @cached_property
    def _anywhere(self) -> dict[int, dict[int, int]]:
        return available_by_store(self.quantities, self._floor)

    def _floor(self, store_id: int) -> int:
        store = self.stores.by_id.get(store_id)
        return store.safety_floor if store else 0

    def _arrival(self, source_id: int, store: StoreEntry) -> datetime | None:
        """When goods asked for now are there: prepared at the source, then on the road; None if it does not open."""
        source = self.stores.by_id[source_id]
        leaves = ready_by_at(source, now=self.now)
        if leaves is None:
            return None
        kilometres = metres_between((source.lat, source.lon), (store.lat, store.lon)) / 1000
        hours = self.settings.transfer_hours + kilometres / self.settings.transfer_km_per_hour
        return leaves + timedelta(hours=hours)


def _floors(stores: Iterable[StoreEntry]) -> dict[int, int]:
    """What each store keeps back from online. A partner has no shelf, whatever somebody has imported for it."""
    return {store.id: store.safety_floor for store in stores if store.kind != "partner"}


def hour_of_work(store: StoreEntry, at: datetime) -> capacity.HourKey | None:
    """The hour that an order placed at an instant is counted in; None where the store has no limit, or never opens."""
    if store.hourly_capacity is None:
        return None
    begins = work_begins_at(store, now=at)
    return (store.id, capacity.full_hour(begins)) if begins else None


def _none_is_split(missing: Mapping[int, int], found: Mapping[int, Mapping[int, int]]) -> bool:
    """Whether each product comes from one store."""
    return all(units[product_id] == missing[product_id] for units in found.values() for product_id in units)
