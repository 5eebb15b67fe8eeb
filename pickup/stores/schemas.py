"""Wire shapes of stores, for whoever manages them."""

from collections.abc import Mapping
from typing import Any

import marshmallow as ma
from marshmallow import fields

from pickup.core.csv_columns import refuse_forbidden
from pickup.core.schemas import Instant, Real, Schema, Text, WholeNumber
from pickup.stores.imports import HOLD_DAYS_MAX, HOURLY_CAPACITY_MAX, PREP_MINUTES_MAX, plan
from pickup.stores.models import STORE_KINDS

_PARSERS = {column.name: column.parse for column in plan().columns}


class Cell(fields.String):
    """A text by the rules of the column of the same name in a file of stores: one rule for both ways in."""

    def _deserialize(self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **kwargs: Any) -> Any:
        text = super()._deserialize(value, attr, data, **kwargs)
        try:
            refuse_forbidden(text)
            return _PARSERS[str(self.name)](text.strip())
        except ValueError as error:
            raise ma.ValidationError(f"{error}.") from None


class StoreSettingsSchema(Schema):
    """A store, all of it: a member that is left out is empty, or what the settings of the house say."""

    name = Cell(required=True, metadata={"example": "Larkspur Bentonville"})
    street = Cell(load_default="", metadata={"example": "18 Orchard Lane"})
    city = Cell(load_default="", metadata={"example": "Bentonville"})
    state = Cell(load_default="", metadata={"example": "AR"})
    postcode = Cell(load_default="", metadata={"example": "72712"})
    country = Cell(
        required=True, metadata={"description": "ISO 3166, two letters", "pattern": "^[A-Za-z]{2}$", "example": "US"}
    )
    lat = Real(required=True, minimum=-90, maximum=90, metadata={"description": "degrees", "example": 36.3577})
    lon = Real(required=True, minimum=-180, maximum=180, metadata={"description": "degrees", "example": -94.2224})
    opening_hours = Cell(
        load_default="",
        metadata={
            "description": "OpenStreetMap syntax, local time; empty: always open",
            "example": "Mo-Sa 08:00-21:00; Su 10:00-18:00",
        },
    )
    timezone = Cell(
        load_default="", metadata={"description": "IANA name; empty: by the coordinates", "example": "America/Chicago"}
    )
    phone = Cell(load_default="", metadata={"example": "+1 479 555 0101"})
    email = Cell(
        load_default="",
        metadata={
            "description": "where the store hears of new orders and of customers who are there; empty: nowhere",
            "example": "store101@example.com",
        },
    )
    prep_minutes = WholeNumber(
        load_default=None,
        allow_none=True,
        maximum=PREP_MINUTES_MAX,
        metadata={"description": "open minutes an order takes; null: what the house has set", "example": 60},
    )
    hourly_capacity = WholeNumber(
        load_default=None,
        allow_none=True,
        maximum=HOURLY_CAPACITY_MAX,
        metadata={"description": "orders it takes on for an hour of work, then it is `at_capacity`; null: no limit"},
    )
    hold_days = WholeNumber(
        load_default=None,
        allow_none=True,
        minimum=1,
        maximum=HOLD_DAYS_MAX,
        metadata={"description": "days goods are kept for the customer; null: what the house has set", "example": 7},
    )
    price_zone = Cell(load_default="", metadata={"description": "empty: the prices that hold everywhere"})
    kind = Cell(
        load_default="store",
        metadata={
            "description": "nobody collects at a `warehouse`, it only sends goods; a `partner` has no shelf of its own",
            "enum": list(STORE_KINDS),
        },
    )


class ManagedStoreSchema(StoreSettingsSchema):
    """A store as it is kept."""

    ref = fields.String(metadata={"example": "101"})
    paused_at = Instant(allow_none=True, metadata={"description": "takes no new orders since then"})


class PauseQuery(Schema):
    """How thoroughly a store is paused."""

    move_orders = fields.Boolean(
        load_default=False,
        metadata={"description": "whether the orders that nobody has begun to pick go elsewhere", "example": False},
    )


class SpecialHoursSchema(Schema):
    """The hours of one date."""

    hours = Text(
        required=True, metadata={"description": "times such as 10:00-14:00, 24/7, or off", "example": "10:00-14:00"}
    )


class SpecialDaySchema(SpecialHoursSchema):
    """A date whose hours go before the regular ones."""

    date = fields.Date(metadata={"description": "by the store's calendar"})
