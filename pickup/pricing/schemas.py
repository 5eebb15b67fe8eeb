"""Wire shapes of prices."""

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

import marshmallow as ma
from marshmallow import fields, validate

from pickup.core.csv_columns import KEY_MAX_CHARACTERS, key
from pickup.core.schemas import Instant, MoneySchema, PageQuery, Schema, Text, page_of
from pickup.core.types import MINOR_UNITS_MAX, minor_unit_digits

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


class NewPrice(fields.Nested):
    """A price change of which there may be 100,000: one that is plainly right is read at once, others by the schema.

    The schema takes 80 µs for each, and knows the words for what is wrong.
    """

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(NewPriceSchema, **kwargs)

    def _deserialize(self, value: Any, *args: Any, **kwargs: Any) -> Any:
        return read_plainly(value) or super()._deserialize(value, *args, **kwargs)


_MEMBERS = frozenset({"sku", "price", "valid_from", "zone"})
_PRICE_MEMBERS = frozenset({"amount", "currency"})


def read_plainly(value: Any) -> dict[str, Any] | None:
    """A price change as `NewPriceSchema` reads it; None where only the schema can tell."""
    if type(value) is not dict or not value.keys() <= _MEMBERS:
        return None
    sku, price, zone = value.get("sku"), value.get("price"), value.get("zone", "")
    if type(price) is not dict or price.keys() != _PRICE_MEMBERS:
        return None
    amount, currency = price["amount"], price["currency"]
    is_plain = (
        _is_plain_sku(sku)
        and type(amount) is int
        and 0 <= amount <= MINOR_UNITS_MAX
        and type(currency) is str
        and _is_currency(currency)
        and type(zone) is str
        and _is_plain_zone(zone)
    )
    if not is_plain:
        return None
    change = {"sku": sku, "price": {"amount": amount, "currency": currency}, "zone": zone}
    if "valid_from" in value:
        try:
            change["valid_from"] = _INSTANT.deserialize(value["valid_from"])
        except ma.ValidationError:
            return None
    return change


_INSTANT = Instant()


def _is_plain_sku(sku: Any) -> bool:
    return type(sku) is str and 0 < len(sku) <= KEY_MAX_CHARACTERS and sku.isprintable() and sku == sku.strip()


@lru_cache(maxsize=512)
def _is_currency(text: str) -> bool:
    try:
        CurrencyCode().deserialize(text)
    except ma.ValidationError:
        return False
    return text == text.strip()


@lru_cache(maxsize=4096)
def _is_plain_zone(text: str) -> bool:
    try:
        return Zone().deserialize(text) == text
    except ma.ValidationError:
        return False


class NewPricesSchema(Schema):
    """Price changes that are recorded together."""

    changes = fields.List(NewPrice(), required=True, validate=validate.Length(1, CHANGES_MAX))
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
