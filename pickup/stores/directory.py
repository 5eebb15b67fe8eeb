"""Every store, kept in memory by each process, with the index that finds the nearest.

A few thousand stores change a few times a day and are looked at with every order. The directory is as old as its
`revision`; whoever reads the database anyway reads the current revision along (`revisions.current`) and calls
`refresh` when it has moved, so that a pause or an import counts from the next order on, in every process.
"""

import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime

from flask import Flask, current_app

from pickup.config import Settings
from pickup.core.errors import InvalidFields
from pickup.stores import queries
from pickup.stores.models import Store
from pickup.stores.nearest import NearestIndex, Neighbour, Place


@dataclass(frozen=True, slots=True)
class StoreEntry:
    """A store as the directory remembers it: what routing, promises and answers need. See `models.Store`."""

    id: int
    ref: str
    name: str
    address: str
    phone: str
    lat: float
    lon: float
    opening_hours: str
    timezone: str
    country: str
    prep_minutes: int | None
    hourly_capacity: int | None
    hold_days: int | None
    price_zones: Sequence[tuple[datetime, str]]
    """Since when it has been in which price zone, oldest first."""
    kind: str
    paused_at: datetime | None
    feed_state: str
    special_days: Mapping[date, str]
    safety_floor: int
    """Units of every product there that are kept back from online, whatever its level says; see `safety_floor`."""

    @classmethod
    def of(
        cls,
        store: Store,
        special_days: Mapping[date, str],
        price_zones: Sequence[tuple[datetime, str]],
        settings: Settings,
    ) -> "StoreEntry":
        """Copy a row; the directory outlives the session that read it."""
        copied = {name: getattr(store, name) for name in cls.__slots__ if name not in _NOT_OF_THE_ROW}
        return cls(
            **copied,
            special_days=special_days,
            price_zones=price_zones or [(EVER, store.price_zone)],
            safety_floor=safety_floor(store, settings),
        )

    def price_zone_at(self, at: datetime) -> str:
        """The price zone that its shelves belong to at an instant, by the rule of `store_price_zones`."""
        return next((zone for since, zone in reversed(self.price_zones) if since <= at), self.price_zones[0][1])

    @property
    def takes_orders(self) -> bool:
        """Whether new orders may go there: nobody has paused it, and its tills are heard of now and then."""
        return self.paused_at is None and self.feed_state != "silent"


_NOT_OF_THE_ROW = frozenset({"special_days", "price_zones", "safety_floor"})
EVER = datetime.min.replace(tzinfo=UTC)


def safety_floor(store: Store, settings: Settings) -> int:
    """The units of every product that a store keeps back from online: its kind's, and more while its tills say nothing.

    The effective safety stock of a level is the greater of its own and this.
    """
    unheard = settings.stale_safety_stock if store.feed_state != "heard" else 0
    return settings.safety_stock.get(store.kind, 0) + unheard


class StoreDirectory:
    """One state of all stores. Immutable: a change makes a new one."""

    def __init__(self, stores: list[StoreEntry], revision: int) -> None:
        self.revision = revision
        self.by_ref = {store.ref: store for store in stores}
        self.by_id = {store.id: store for store in stores}
        # Nobody picks up at a warehouse, and a partner has no shelf to take anything from.
        self._pickup_points = _index(store for store in stores if store.kind != "warehouse")
        self._sources = _index(store for store in stores if store.kind != "partner")

    def walk(
        self, lat: float, lon: float, *, radius_metres: float | None = None
    ) -> Iterator[tuple[StoreEntry, Neighbour]]:
        """Pickup points, nearest first, exactly, measured only as far as is read: see `nearest.NearestIndex`."""
        for neighbour in self._pickup_points.walk(lat, lon, radius_metres=radius_metres):
            yield self.by_id[neighbour.place.key], neighbour

    def walk_sources(self, lat: float, lon: float) -> Iterator[tuple[StoreEntry, Neighbour]]:
        """Stores and warehouses that goods can come from, nearest first, exactly."""
        for neighbour in self._sources.walk(lat, lon):
            yield self.by_id[neighbour.place.key], neighbour

    def sources_among(self, store_ids: Iterable[int], lat: float, lon: float) -> Iterator[tuple[StoreEntry, Neighbour]]:
        """The same of some stores only: of few, this is faster than to walk past all the others."""
        some = (self.by_id[store_id] for store_id in store_ids if store_id in self.by_id)
        for neighbour in _index(store for store in some if store.kind != "partner").walk(lat, lon):
            yield self.by_id[neighbour.place.key], neighbour

    def pickup_point(self, ref: str, *, pointer: str) -> StoreEntry:
        """The pickup point with this reference.

        Raises:
            InvalidFields: there is none; names the field at `pointer`.
        """
        store = self.by_ref.get(ref)
        if store is None:
            raise InvalidFields.at(pointer, f"there is no store {ref[:60]!r}")
        if store.kind == "warehouse":
            raise InvalidFields.at(pointer, f"{ref} is a warehouse: nobody picks up there")
        return store


def _index(stores: Iterable[StoreEntry]) -> NearestIndex:
    return NearestIndex([Place(store.ref, store.lat, store.lon, store.id) for store in stores])


class DirectoryKeeper:
    """Holds the newest directory of this process; threads share it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._directory: StoreDirectory | None = None

    def at_least(self, revision: int | None) -> StoreDirectory:
        """The directory in memory, or a new one if that is older than `revision`."""
        directory = self._directory
        if directory is not None and (revision is None or directory.revision >= revision):
            return directory
        with self._lock:
            directory = self._directory
            if directory is None or (revision is not None and directory.revision < revision):
                directory = self._directory = _load()
        return directory

    def forget(self) -> None:
        """Drop what is in memory."""
        with self._lock:
            self._directory = None


def _load() -> StoreDirectory:
    # The revision is read first: a change between the reads makes the directory look older than it is, and the
    # next reader loads it again, which is harmless.
    revision = queries.revision()
    special_days = queries.all_special_days()
    settings: Settings = current_app.extensions["settings"]
    rows = queries.all_stores()
    # After the stores: of one that moves between the two reads, both zones are known then, and since when they hold.
    zones = queries.price_zones_of_moved()
    stores = [StoreEntry.of(store, special_days.get(store.id, {}), zones.get(store.id, ()), settings) for store in rows]
    return StoreDirectory(stores, revision)


def directory(at_least: int | None = None) -> StoreDirectory:
    """The stores as this process knows them, at least as new as the given revision."""
    keeper: DirectoryKeeper = current_app.extensions["stores"]
    return keeper.at_least(at_least)


def fresh_directory() -> StoreDirectory:
    """The stores as the database has them now: one small statement, and a load if something changed."""
    return directory(queries.revision())


def known_store(ref: str, *, pointer: str = "/store_ref") -> StoreEntry:
    """The store with this reference.

    Raises:
        InvalidFields: there is none; names the field at `pointer`.
    """
    store = fresh_directory().by_ref.get(ref)
    if store is None:
        raise InvalidFields.at(pointer, f"there is no store {ref[:60]!r}")
    return store


def init_app(app: Flask) -> None:
    """Give the process its keeper."""
    app.extensions["stores"] = DirectoryKeeper()
