"""The promise of a store, and when to say what about it: its hours and settings put into the pure rules."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import NamedTuple

from flask import current_app

from pickup.config import Settings
from pickup.orders import promise, reminding
from pickup.stores.directory import StoreEntry
from pickup.stores.opening_hours import OpeningHours, time_zone

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


def hold_days_of(store: StoreEntry) -> int:
    """For how many days a store keeps goods that keep by themselves."""
    settings: Settings = current_app.extensions["settings"]
    return settings.hold_days if store.hold_days is None else store.hold_days


def hold_until_at(store: StoreEntry, ready: datetime, goods_keep_days: int | None) -> datetime:
    """Until when goods that are ready at an instant are kept for the customer.

    Args:
        goods_keep_days: of the goods that keep shortest; None where they all keep as long as the store holds them.
    """
    days = hold_days_of(store)
    return kept_on(store, ready, days if goods_keep_days is None else min(days, goods_keep_days))


def kept_on(store: StoreEntry, since: datetime, days: int) -> datetime:
    """Until when goods are kept that are kept for so many days from an instant on."""
    return promise.hold_until(since, days, _openings(store, since, since + timedelta(days=days) + HORIZON))


def open_minutes_ahead(store: StoreEntry, minutes: int, *, now: datetime) -> datetime:
    """The instant up to which a store is open for so many minutes from now on, and no longer."""
    ahead = promise.ready_by(now, timedelta(minutes=minutes), _openings(store, now, now + HORIZON))
    return ahead or now + HORIZON


class Messages(NamedTuple):
    """When to write to a customer whose goods stand ready; None: not at all."""

    remind_at: datetime | None
    warn_at: datetime | None


def messages_at(store: StoreEntry, told: datetime, hold_until: datetime) -> Messages:
    """When to remind a customer, and when to warn them that the hold is about to end.

    Args:
        told: when they heard of it last: that the goods are ready, or are kept longer.
    """
    settings: Settings = current_app.extensions["settings"]
    openings = list(_openings(store, told, hold_until))
    times = reminding.decent_times(told, hold_until, openings, time_zone(store.timezone))
    after, before = timedelta(hours=settings.remind_after_hours), timedelta(hours=settings.warn_before_hours)
    warning = reminding.warn_at(told, hold_until, before, times, openings) if before else None
    return Messages(reminding.remind_at(told, after, warning, times) if after else None, warning)


def next_decent_time(store: StoreEntry, hold_until: datetime, *, now: datetime) -> datetime | None:
    """Now, if a customer may be written to now, or the next such moment of the hold."""
    if now >= hold_until:
        return None
    times = reminding.decent_times(now, hold_until, _openings(store, now, hold_until), time_zone(store.timezone))
    return times[0][0] if times else None


def _next_minute(at: datetime) -> datetime:
    return (at + MINUTE - timedelta.resolution).replace(second=0, microsecond=0)


def _openings(store: StoreEntry, start: datetime, end: datetime) -> Iterator[tuple[datetime, datetime]]:
    hours = OpeningHours(store.opening_hours, store.timezone, country=store.country, special_days=store.special_days)
    return hours.open_intervals(start, end)
