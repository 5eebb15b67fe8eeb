"""What managers change about stores: the actions of the API, each with its line in the audit trail."""

from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime
from typing import Any

from pickup.core.csv_columns import refuse_forbidden
from pickup.core.errors import FieldError, InvalidFields
from pickup.management.store_queries import lock_store
from pickup.staff import audit
from pickup.staff.people import Associate
from pickup.stores import service
from pickup.stores.imports import plan
from pickup.stores.models import Store

# What a store is for the whole chain; the rest is its manager's business, too.
HEAD_OFFICE_FIELDS = ("kind", "lat", "lon", "price_zone")
_PARSERS: Mapping[str, Callable[[str], Any]] = {
    column.name: column.parse for column in plan().columns if column.name != "ref"
}
FIELDS: tuple[str, ...] = tuple(_PARSERS)


def fields_of(*, is_head_office: bool) -> Sequence[str]:
    """The settings that somebody may change."""
    return [name for name in FIELDS if is_head_office or name not in HEAD_OFFICE_FIELDS]


def read_settings(typed: Mapping[str, str]) -> dict[str, Any]:
    """Settings by the rules of the columns of the same names in a file of stores.

    Raises:
        InvalidFields: names each that is wrong.
    """
    values, wrong = {}, []
    for name, text in typed.items():
        try:
            refuse_forbidden(text)
            values[name] = _PARSERS[name](text.strip())
        except ValueError as error:
            wrong.append(FieldError(f"/{name}", str(error)))
    if wrong:
        raise InvalidFields("; ".join(f"{error.pointer}: {error.detail}" for error in wrong), errors=wrong)
    return values


def change_store(who: Associate, store_id: int, values: Mapping[str, Any], *, now: datetime) -> bool:
    """Change some settings of a store; the others stay. Returns whether any is another one now.

    Raises:
        InvalidFields: no time zone covers the place.
    """
    store = lock_store(store_id)
    before = {name: getattr(store, name) for name in FIELDS}
    if all(before[name] == value for name, value in values.items()):
        return False
    changed, _ = service.put_store(store.ref, before | dict(values))
    after = {name: getattr(changed, name) for name in FIELDS}
    news: dict[str, Any] = {name: [before[name], after[name]] for name in FIELDS if before[name] != after[name]}
    if news:
        audit.record(who, "change_store", now=now, store_id=store_id, **news)
    return bool(news)


def set_special_day(who: Associate, store: Store, day: date, hours: str, *, now: datetime) -> None:
    """Let a store have other hours on one date.

    Raises:
        InvalidFields: not the hours of a day.
    """
    service.set_special_day(store.ref, day, hours)
    audit.record(who, "set_special_day", now=now, store_id=store.id, day=day.isoformat(), hours=hours)


def drop_special_day(who: Associate, store: Store, day: date, *, now: datetime) -> None:
    """Let a date have the regular hours again."""
    service.drop_special_day(store.ref, day)
    audit.record(who, "drop_special_day", now=now, store_id=store.id, day=day.isoformat())


def pause(who: Associate, store: Store, *, move_orders: bool, now: datetime) -> None:
    """Take no new orders at a store; with `move_orders`, those that nobody has begun to pick go elsewhere, too."""
    service.pause(store.ref, now=now, move_orders=move_orders)
    audit.record(who, "pause_store", now=now, store_id=store.id, move_orders=move_orders)


def resume(who: Associate, store: Store, *, now: datetime) -> None:
    """Take orders at a store again."""
    service.resume(store.ref)
    audit.record(who, "resume_store", now=now, store_id=store.id)
