"""Managing stores. Whatever is changed moves their revision, so that every process sees it with its next order."""

import uuid
from collections.abc import Mapping
from datetime import date, datetime
from typing import Any

from sqlalchemy import ARRAY, Integer, any_, bindparam, delete, func, update
from sqlalchemy.dialects.postgresql import insert

from pickup.core import outbox, revisions
from pickup.core.csv_import import FieldProblem
from pickup.core.db import db
from pickup.core.errors import InvalidFields
from pickup.stores import opening_hours
from pickup.stores.errors import StoreNotFound
from pickup.stores.imports import plan
from pickup.stores.models import FEED_STATES, FeedState, SpecialDay, Store
from pickup.stores.queries import REVISION, store_by_ref

_IMPORT = plan()
_parse_ref = next(column.parse for column in _IMPORT.columns if column.name == "ref")


def put_store(ref: str, settings: Mapping[str, Any]) -> tuple[Store, bool]:
    """Make a store, or replace all of its settings; a pause and special days are not among them and stay.

    Args:
        settings: every column that a file of stores has but `ref`, each checked by itself.

    Returns:
        The store, and whether it is new.

    Raises:
        InvalidFields: the reference is none, or no time zone covers the place.
    """
    values = dict(settings)
    try:
        if _parse_ref(ref.strip()) != ref:
            raise ValueError("begins or ends with a space")
        _IMPORT.complete(values)
    except FieldProblem as problem:
        raise InvalidFields.at(f"/{problem.field}", str(problem)) from None
    except ValueError as error:
        raise InvalidFields.at("/ref", str(error)) from None
    replaced = db.session.execute(
        update(Store).where(Store.ref == ref).values(values).returning(Store.id)
    ).one_or_none()
    if replaced is None:
        # On conflict: somebody made it in this very moment, and the later one counts.
        made = insert(Store).values(ref=ref, **values)
        db.session.execute(made.on_conflict_do_update(index_elements=[Store.ref], set_=values))
    revisions.bump(REVISION)
    return get_store(ref), replaced is None


def get_store(ref: str) -> Store:
    """The store with this reference.

    Raises:
        StoreNotFound: there is none.
    """
    store = store_by_ref(ref) if ref.isprintable() else None
    if store is None:
        raise StoreNotFound("There is no store of this reference.")
    return store


def set_special_day(ref: str, day: date, hours: str) -> None:
    """Let a store have other hours on one date.

    Raises:
        StoreNotFound: there is no such store.
        InvalidFields: not the hours of a day.
    """
    try:
        opening_hours.validate_special_day(hours)
    except ValueError as error:
        raise InvalidFields.at("/hours", str(error)) from None
    wanted = insert(SpecialDay).values(store_id=get_store(ref).id, day=day, hours=hours)
    db.session.execute(
        wanted.on_conflict_do_update(index_elements=[SpecialDay.store_id, SpecialDay.day], set_={"hours": hours})
    )
    revisions.bump(REVISION)


def drop_special_day(ref: str, day: date) -> None:
    """Let a date have the regular hours again, whether it had others or not.

    Raises:
        StoreNotFound: there is no such store.
    """
    db.session.execute(delete(SpecialDay).where(SpecialDay.store_id == get_store(ref).id, SpecialDay.day == day))
    revisions.bump(REVISION)


def pause(ref: str, *, now: datetime, move_orders: bool = False) -> Store:
    """Take no new orders at a store from now on; one that is paused already stays so since then.

    Args:
        move_orders: whether the orders that it has go elsewhere, too: see `orders/closing.py`.

    Raises:
        StoreNotFound: there is no such store.
    """
    store = _set_paused_at(ref, func.coalesce(Store.paused_at, now))
    if move_orders:
        outbox.emit(
            "store.closed", {uuid.uuid5(uuid.NAMESPACE_OID, f"store {store.id}"): {"store_id": store.id}}, at=now
        )
    return store


def resume(ref: str) -> Store:
    """Take orders again.

    Raises:
        StoreNotFound: there is no such store.
    """
    return _set_paused_at(ref, None)


def set_feed_states(states: Mapping[int, FeedState], *, now: datetime) -> list[str]:
    """Keep whether the tills of stores are heard of, by store id; returns the references of those it is news for."""
    changed: list[str] = []
    for state in FEED_STATES:
        ids = sorted(store_id for store_id, wanted in states.items() if wanted == state)
        if ids:
            stores = bindparam("stores", ids, type_=ARRAY(Integer()))
            news = update(Store).where(Store.id == any_(stores), Store.feed_state != state)
            values = {"feed_state": state, "feed_changed_at": now}
            changed += db.session.scalars(
                news.values(values).returning(Store.ref), execution_options={"synchronize_session": False}
            )
    if changed:
        revisions.bump(REVISION)
    return changed


def _set_paused_at(ref: str, paused_at: Any) -> Store:
    store = get_store(ref)
    store.paused_at = paused_at
    db.session.flush()
    db.session.refresh(store)
    revisions.bump(REVISION)
    return store
