"""Wire shapes of prices."""

from collections.abc import Mapping
from typing import Any

import marshmallow as ma
from marshmallow import fields, validate

from pickup.core.csv_columns import KEY_MAX_CHARACTERS, key
from pickup.core.schemas import Instant, MoneySchema, PageQuery, Schema, Text, page_of
from pickup.core.types import minor_unit_digits

CHANGES_MAX = 100_000
REASON_MAX_CHARACTERS = 200


class CurrencyCode(Text):
    """A currency with minor units, by ISO 4217."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(max_length=3, **kwargs)

    def _deserialize(self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **kwargs: Any) -> str:
        currency = super()._deserialize(value, attr, data, **kwargs)
        try:
            minor_unit_digits(currency)
        except ValueError:
            raise ma.ValidationError("Not a currency of ISO 4217, such as USD.") from None
        return currency


class Zone(fields.String):
    """The name of a price zone, as a file of prices or stores has it; empty: everywhere."""

    def _deserialize(self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **kwargs: Any) -> str:
        text = super()._deserialize(value, attr, data, **kwargs)
        try:
            zone: str = key(empty=True)(text.strip())
        except ValueError as error:
            raise ma.ValidationError(f"{error}.") from None
        return zone


class PriceSchema(MoneySchema):
    """What one unit costs."""

    currency = CurrencyCode(
        required=True, metadata={"description": "ISO 4217", "pattern": "^[A-Z]{3}$", "example": "USD"}
    )


class NewPriceSchema(Schema):
    """A price that is to hold from an instant on."""

    sku = Text(required=True, max_length=KEY_MAX_CHARACTERS, metadata={"example": "1001"})
    price = fields.Nested(
        PriceSchema,
        required=True,
        metadata={"description": "of one unit", "example": {"amount": 329, "currency": "USD"}},
    )
    valid_from = Instant(metadata={"description": "not in the past; without it, now"})
    zone = Zone(load_default="", metadata={"description": "stores of this price zone only; empty: everywhere"})


class NewPricesSchema(Schema):
    """Price changes that are recorded together."""

    changes = fields.List(fields.Nested(NewPriceSchema), required=True, validate=validate.Length(1, CHANGES_MAX))
    reason = Text(
        max_length=REASON_MAX_CHARACTERS,
        metadata={"description": "why, for whoever reads the history", "example": "spring promotion"},
    )


class PriceChangeSchema(Schema):
    """An entry of the price ledger."""

    sku = fields.String(metadata={"example": "1001"})
    price = fields.Nested(
        MoneySchema, metadata={"description": "of one unit", "example": {"amount": 329, "currency": "USD"}}
    )
    valid_from = Instant(metadata={"description": "it holds from then on, until the next one does"})
    zone = fields.String(metadata={"description": "empty: everywhere", "example": ""})
    version = fields.Integer(metadata={"description": "later entries have greater ones", "example": 42})


class RecordedPricesSchema(Schema):
    """The entries that a request made, in the order of its changes."""

    changes = fields.List(fields.Nested(PriceChangeSchema), required=True)


class PriceHistoryEntrySchema(PriceChangeSchema):
    """An entry of the price ledger, with who made it."""

    recorded_at = Instant(metadata={"description": "when it was entered"})
    recorded_by = fields.String(metadata={"description": "the client that entered it", "example": "back-office"})
    reason = fields.String(metadata={"description": "why, if they said so", "example": "spring promotion"})


PriceHistoryEntryPageSchema = page_of(PriceHistoryEntrySchema)


class HistoryQuery(PageQuery):
    """Which entries of a product are wanted."""

    zone = Zone(load_default=None, metadata={"description": "only this price zone; empty: only what holds everywhere"})


class InstantQuery(Schema):
    """Where, and when."""

    store_ref = Text(
        required=True, max_length=KEY_MAX_CHARACTERS, metadata={"description": "whose shelf", "example": "101"}
    )
    at = Instant(metadata={"description": "without it, now", "example": "2026-03-02T14:03:00Z"})


class PriceInForceSchema(Schema):
    """What the shelf of a store says at an instant."""

    sku = fields.String(metadata={"example": "1001"})
    store_ref = fields.String(metadata={"example": "101"})
    at = Instant()
    in_force = fields.Nested(
        PriceHistoryEntrySchema, allow_none=True, metadata={"description": "null: it has no price then"}
    )
