"""HTTP of stores, for whoever manages them."""

import datetime
from typing import Any

from pickup.core.api import Blueprint, refuses, requires
from pickup.core.clock import utcnow
from pickup.core.db import in_transaction
from pickup.core.errors import InvalidFields
from pickup.stores import service
from pickup.stores.errors import StoreNotFound
from pickup.stores.models import Store
from pickup.stores.moves import await_moves
from pickup.stores.schemas import (
    ManagedStoreSchema,
    PauseQuery,
    SpecialDaySchema,
    SpecialHoursSchema,
    StoreSettingsSchema,
)

blueprint = Blueprint(
    "stores",
    __name__,
    url_prefix="/v1/stores",
    description="Manage stores: what they are, when they are open, whether they take orders.",
    path_parameters={
        "ref": {"description": "names the store", "example": "101"},
        "date": {
            "description": "by the store's calendar",
            "schema": {"type": "string", "format": "date"},
            "example": "2026-12-24",
        },
    },
)


@blueprint.put("/<ref>")
@requires("admin")
@blueprint.arguments(StoreSettingsSchema)
@blueprint.response(200, ManagedStoreSchema)
@blueprint.alt_response(201, schema=ManagedStoreSchema, description="The store is new.")
def put_store(settings: dict[str, Any], ref: str) -> tuple[Store, int]:
    """Make a store, or replace one.

    What the body leaves out is emptied. A pause and special days have routes of their own and stay as they are.
    """
    store, is_new = in_transaction(lambda: service.put_store(ref, settings))
    await_moves()
    return store, 201 if is_new else 200


@blueprint.put("/<ref>/hours/<date>")
@requires("admin")
@refuses(StoreNotFound)
@blueprint.arguments(SpecialHoursSchema)
@blueprint.response(200, SpecialDaySchema)
def set_special_day(special: dict[str, Any], ref: str, date: str) -> dict[str, Any]:
    """Give a store other hours on one date.

    For a holiday, or any special day; the date is the store's own. The hours replace the regular ones: `off`, `24/7`,
    or times such as `10:00-14:00,15:00-18:00`. A closing time at or before the opening time is the next morning's.
    """
    day = _local_date(date)
    in_transaction(lambda: service.set_special_day(ref, day, special["hours"]))
    return {"date": day, "hours": special["hours"]}


@blueprint.delete("/<ref>/hours/<date>")
@requires("admin")
@refuses(StoreNotFound, 422)
@blueprint.response(204)
def drop_special_day(ref: str, date: str) -> None:
    """Give a date its regular hours again.

    Whether it had others or not.
    """
    day = _local_date(date)
    in_transaction(lambda: service.drop_special_day(ref, day))


@blueprint.post("/<ref>/pause")
@requires("admin")
@refuses(StoreNotFound)
@blueprint.arguments(PauseQuery, location="query")
@blueprint.response(200, ManagedStoreSchema)
def pause_store(query: dict[str, Any], ref: str) -> Store:
    """Take no new orders at a store.

    From the next order on, other stores get them. Orders that the store has already go on; with `move_orders` those
    that nobody has begun to pick are taken away, and their customers choose another store, to wait, or to cancel: see
    [when the store cannot keep its word](/docs#choices). What the store was to send elsewhere, others send. A store
    that is paused stays so since it was.
    """
    return in_transaction(lambda: service.pause(ref, move_orders=query["move_orders"], now=utcnow()))


@blueprint.post("/<ref>/resume")
@requires("admin")
@refuses(StoreNotFound)
@blueprint.response(200, ManagedStoreSchema)
def resume_store(ref: str) -> Store:
    """Take orders at a store again.

    From the next order on. A store that was not paused stays as it is. One whose tills are silent takes orders again
    once a till of it is heard of: sales, or an acknowledgement of prices.
    """
    return in_transaction(lambda: service.resume(ref))


def _local_date(text: str) -> datetime.date:
    day: datetime.date | None
    try:
        day = datetime.date.fromisoformat(text)
    except ValueError:
        day = None
    # Python also reads 20261225 and 2026-W52-5; one date has one address here.
    if day is None or day.isoformat() != text:
        raise InvalidFields.at("/date", "is not a date such as 2026-12-25")
    return day
