"""Stores whose tills say nothing: what they sell is not taken off our books, so the books promise too much.

The longer the silence, the less a store is trusted: first it keeps more back from online (stale), then it takes no new
orders (silent). Both end with the next word of any of its tills, see `service.see`.

Silence is measured in open time: a store that is closed at night has nothing to say.
"""

from collections.abc import Mapping, Sequence
from datetime import date, datetime, timedelta

from flask import current_app

from pickup.config import Settings
from pickup.core.db import in_transaction
from pickup.core.logging import log
from pickup.stores.directory import StoreEntry, fresh_directory
from pickup.stores.models import FeedState
from pickup.stores.open_time import open_time
from pickup.stores.opening_hours import OpeningHours
from pickup.stores.service import set_feed_states
from pickup.tills import queries

Steps = Sequence[tuple[FeedState, timedelta]]
"""After how much silence a store is what, the worst first."""


def watch_tills(now: datetime) -> int:
    """Look which stores have fallen silent; returns how many are another than before."""
    settings: Settings = current_app.extensions["settings"]
    steps = steps_of(settings)
    changed = in_transaction(lambda: _keep_changes(steps, now))
    for store_ref, (state, last_word) in changed.items():
        log.warning("till_feed_changed", store=store_ref, state=state, last_word=last_word and last_word.isoformat())
    return len(changed)


def steps_of(settings: Settings) -> Steps:
    """The steps that the settings leave on."""
    minutes: tuple[tuple[FeedState, int], ...] = (
        ("silent", settings.till_silent_minutes),
        ("stale", settings.till_stale_minutes),
    )
    return [(state, timedelta(minutes=number)) for state, number in minutes if number]


def state_after(
    store: StoreEntry, last_word: datetime | None, special_days: Mapping[date, str], steps: Steps, *, now: datetime
) -> FeedState:
    """What a store is after the last word of its tills; one that never had a till is not missed.

    Args:
        special_days: those since the last word.
    """
    # No open time is longer than the time itself, and most stores were heard of minutes ago.
    if last_word is None or not steps or now - last_word < min(limit for _, limit in steps):
        return "heard"
    hours = OpeningHours(store.opening_hours, store.timezone, country=store.country, special_days=special_days)
    silence = open_time(hours, last_word, now, at_most=max(limit for _, limit in steps))
    return next((state for state, limit in steps if silence >= limit), "heard")


def _keep_changes(steps: Steps, now: datetime) -> dict[str, tuple[FeedState, datetime | None]]:
    """Keep what has changed; returns it by store reference, each with the last word."""
    stores = fresh_directory()
    words, special_days = queries.last_words(), queries.special_days_since_last_words(until=now.date())
    due: dict[int, FeedState] = {}
    for store in stores.by_id.values():
        state = state_after(store, words.get(store.id), special_days.get(store.id, {}), steps, now=now)
        if state != store.feed_state:
            due[store.id] = state
    if not due:
        return {}
    # Who was heard of since we looked has said so itself, or is looked at in the next turn.
    locked = queries.lock_last_words(due)
    unheard = {store_id: state for store_id, state in due.items() if locked.get(store_id) == words.get(store_id)}
    changed = set_feed_states(unheard, now=now)
    ids = {ref: stores.by_ref[ref].id for ref in sorted(changed)}
    return {ref: (unheard[store_id], words.get(store_id)) for ref, store_id in ids.items()}
