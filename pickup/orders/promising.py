"""The promise of a store: its hours and settings put into `promise.py`."""

from collections.abc import Iterator
from datetime import datetime, timedelta

from flask import current_app

from pickup.config import Settings
from pickup.orders import promise
from pickup.stores.directory import StoreEntry
from pickup.stores.opening_hours import OpeningHours

# A store that does not open within this time is closed for good, as far as a customer is concerned.
MINUTE = timedelta(minutes=1)
HORIZON = timedelta(days=14)


def ready_by_at(store: StoreEntry, *, now: datetime, queue: timedelta = timedelta()) -> datetime | None:
    """When an order placed now can be collected there, to the minute; None if the store is not going to open.

    Args:
        queue: the working time that the orders before this one take.
    """
    now = _next_minute(now)
    settings: Settings = current_app.extensions["settings"]
    minutes = settings.prep_minutes if store.prep_minutes is None else store.prep_minutes
    return promise.ready_by(now, queue + timedelta(minutes=minutes), _openings(store, now, now + HORIZON))


def work_begins_at(store: StoreEntry, *, now: datetime) -> datetime | None:
    """When the store can begin to prepare an order placed now; None if it is not going to open."""
    now = _next_minute(now)
    return promise.begins_at(now, _openings(store, now, now + HORIZON))


def queue_of(store: StoreEntry, orders: int) -> timedelta:
    """The working time that so many orders of an hour take; none where a store's capacity is not known.

    A store that prepares four orders an hour begins with the third of them after half an hour.
    """
    if not store.hourly_capacity:
        return timedelta()
    return timedelta(minutes=60 * orders // store.hourly_capacity)


def hold_until_at(store: StoreEntry, ready: datetime) -> datetime:
    """Until when goods that are ready at an instant are kept for the customer."""
    settings: Settings = current_app.extensions["settings"]
    days = settings.hold_days if store.hold_days is None else store.hold_days
    return promise.hold_until(ready, days, _openings(store, ready, ready + timedelta(days=days) + HORIZON))


def _next_minute(at: datetime) -> datetime:
    return (at + MINUTE - timedelta.resolution).replace(second=0, microsecond=0)


def _openings(store: StoreEntry, start: datetime, end: datetime) -> Iterator[tuple[datetime, datetime]]:
    hours = OpeningHours(store.opening_hours, store.timezone, country=store.country, special_days=store.special_days)
    return hours.open_intervals(start, end)
