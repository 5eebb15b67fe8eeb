"""Wire shapes of what tills are told and what they tell."""

from collections.abc import Mapping
from typing import Any

import marshmallow as ma
from marshmallow import fields, validate

from pickup.core.csv_columns import KEY_MAX_CHARACTERS
from pickup.core.schemas import (
    FieldErrorSchema,
    Instant,
    MoneySchema,
    Schema,
    Text,
    WholeNumber,
)
from pickup.inventory.shelf import ON_HAND_MAX
from pickup.pricing.schemas import PriceSchema
from pickup.tills.models import BREACH_KINDS

REGISTER_MAX_LENGTH = 64
SALE_ID_MAX_LENGTH = 100
QUANTITY_MAX = 10_000

# The levels of a batch are locked together, and orders wait for them: so much is done in a second or two.
SALES_MAX = 1000
LINES_MAX = 10_000
COUNTS_MAX = 5000

CHANGES_MAX = 10_000
# Whoever knows no paging gets all that there can be on a bad day.
BREACHES_MAX = 100_000


class Quantity(WholeNumber):
    """Units sold, or, negative, taken back."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(minimum=-QUANTITY_MAX, maximum=QUANTITY_MAX, **kwargs)

    def _deserialize(self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **kwargs: Any) -> int:
        quantity = super()._deserialize(value, attr, data, **kwargs)
        if quantity == 0:
            raise ma.ValidationError("Nothing was sold, and nothing taken back.")
        return quantity


class StreamQuery(Schema):
    """Whose price changes are wanted, and from where on."""

    store_ref = fields.String(required=True, metadata={"description": "the till's store", "example": "101"})
    after = fields.String(
        load_default=None, metadata={"description": "the `next` of before; without it, from the start"}
    )


class FeedQuery(StreamQuery):
    """The same, and how many at a time."""

    limit = fields.Integer(
        load_default=CHANGES_MAX // 10,
        validate=validate.Range(1, CHANGES_MAX),
        metadata={"description": "how many versions at most"},
    )


class FeedEntrySchema(Schema):
    """A price change as a till has to know it."""

    sku = fields.String(metadata={"example": "1001"})
    price = fields.Nested(MoneySchema)
    valid_from = Instant(metadata={"description": "may lie ahead", "example": "2026-03-01T06:00:00Z"})
    version = fields.Integer(metadata={"description": "what to acknowledge", "example": 1})
    zone = fields.String(
        metadata={
            "description": "empty: everywhere; else this store's own zone, which goes before",
            "example": "",
        }
    )


class FeedSchema(Schema):
    """Price changes in the order of their versions."""

    data = fields.List(fields.Nested(FeedEntrySchema), required=True)
    next = fields.String(
        required=True, metadata={"description": "send it as `after`, now or later; never null", "example": "WyIiLCAxXQ"}
    )


class ByTheClockSchema(Schema):
    """What a till says, and what its clock says meanwhile."""

    sent_at = Instant(
        metadata={
            "description": "the till's clock as it sends this: one that is fast or slow is known then and, up to five "
            "minutes, allowed for",
            "example": "2026-03-02T15:04:09Z",
        }
    )


class AcknowledgementSchema(ByTheClockSchema):
    """A till charges by this version of the price ledger from now on."""

    store_ref = Text(required=True, max_length=KEY_MAX_CHARACTERS, metadata={"example": "101"})
    register = Text(
        required=True,
        max_length=REGISTER_MAX_LENGTH,
        metadata={"description": "the till, by a name of your own", "example": "lane-3"},
    )
    version = WholeNumber(
        required=True,
        maximum=2**63 - 1,
        metadata={"description": "of the last price change that the till has taken over", "example": 1},
    )


class SaleLineSchema(Schema):
    """So many of one product, at what was charged."""

    sku = Text(required=True, max_length=KEY_MAX_CHARACTERS, metadata={"example": "1001"})
    quantity = Quantity(
        required=True, metadata={"description": "negative: a return; never 0", "not": {"const": 0}, "example": 1}
    )
    unit_price = fields.Nested(PriceSchema, required=True, metadata={"description": "what the till charged"})


class SaleSchema(Schema):
    """A sale."""

    id = Text(
        required=True,
        max_length=SALE_ID_MAX_LENGTH,
        metadata={"description": "the till's own, unique in its store", "example": "lane-3-20260302-0117"},
    )
    at = Instant(
        required=True,
        metadata={
            "description": "by the till's clock, as exactly as it can: a price may begin within a second",
            "example": "2026-03-02T15:04:05.250Z",
        },
    )
    lines = fields.List(fields.Nested(SaleLineSchema), required=True, validate=validate.Length(1))


class SalesSchema(ByTheClockSchema):
    """Sales of one till."""

    store_ref = Text(required=True, max_length=KEY_MAX_CHARACTERS, metadata={"example": "101"})
    register = Text(
        required=True,
        max_length=REGISTER_MAX_LENGTH,
        metadata={"description": "the till, by a name of your own", "example": "lane-3"},
    )
    sales = fields.List(fields.Nested(SaleSchema), required=True, validate=validate.Length(1, SALES_MAX))

    @ma.validates_schema
    def check_lines(self, data: dict[str, Any], **_: Any) -> None:
        """It is the lines that cost."""
        if sum(len(sale["lines"]) for sale in data["sales"]) > LINES_MAX:
            raise ma.ValidationError(f"More than {LINES_MAX} lines: send the sales in several parts.", "sales")


class SalesRecordedSchema(Schema):
    """What became of a batch of sales."""

    accepted = fields.Integer(metadata={"description": "sales that were new", "example": 1})
    repeated = fields.Integer(metadata={"description": "sales that had been counted before", "example": 0})
    breaches = fields.Integer(
        metadata={"description": "lines charged at another price than the ledger's", "example": 0}
    )
    ignored = fields.List(
        fields.Nested(FieldErrorSchema), metadata={"description": "lines of products not sold here", "example": []}
    )


class CountSchema(Schema):
    """How many of a product were on the shelf."""

    sku = Text(required=True, max_length=KEY_MAX_CHARACTERS, metadata={"example": "1001"})
    on_hand = WholeNumber(
        required=True, maximum=ON_HAND_MAX, metadata={"description": "units on the shelf", "example": 24}
    )
    at = Instant(required=True, metadata={"description": "when it was counted", "example": "2026-03-02T15:30:00Z"})


class CountsSchema(Schema):
    """A stock take, or a part of one."""

    store_ref = Text(required=True, max_length=KEY_MAX_CHARACTERS, metadata={"example": "101"})
    counts = fields.List(fields.Nested(CountSchema), required=True, validate=validate.Length(1, COUNTS_MAX))


class CountsRecordedSchema(Schema):
    """What became of a stock take."""

    accepted = fields.Integer(metadata={"description": "counts that changed or confirmed a level", "example": 1})
    superseded = fields.Integer(
        metadata={"description": "counts older than one we have of the same product", "example": 0}
    )
    ignored = fields.List(
        fields.Nested(FieldErrorSchema), metadata={"description": "counts of products not sold here", "example": []}
    )


class ParityQuery(Schema):
    """Which breaches are wanted, and how many. Without any of it, all of them up to the greatest limit."""

    store_ref = fields.String(metadata={"description": "of this store only, registers too", "example": "101"})
    register = fields.String(metadata={"description": "of this register only", "example": "lane-3"})
    sku = fields.String(metadata={"description": "of this product only", "example": "1001"})
    since = Instant(metadata={"description": "sold then or later"})
    until = Instant(metadata={"description": "sold before then"})
    limit = fields.Integer(
        load_default=BREACHES_MAX,
        validate=validate.Range(1, BREACHES_MAX),
        metadata={"description": "how many breaches at most"},
    )
    after = fields.String(load_default=None, metadata={"description": "the `next` of the answer before"})


class BreachSchema(Schema):
    """A till charged something else than the ledger said at that time."""

    kind = fields.String(
        validate=validate.OneOf(BREACH_KINDS),
        metadata={"description": "`price`: another one; `no_price`: the ledger had none"},
    )
    store_ref = fields.String(metadata={"example": "101"})
    register = fields.String(metadata={"example": "lane-3"})
    sku = fields.String(metadata={"example": "1001"})
    charged = fields.Nested(MoneySchema, metadata={"example": {"amount": 359, "currency": "USD"}})
    ledger = fields.Nested(MoneySchema, allow_none=True, metadata={"description": "null: there was no price"})
    ledger_version = fields.Integer(
        allow_none=True, metadata={"description": "of the ledger's price; null: there was none", "example": 42}
    )
    sale_id = fields.String(metadata={"description": "the till's id of the sale", "example": "lane-3-20260302-0117"})
    at = Instant(metadata={"description": "of the sale", "example": "2026-03-02T15:04:05Z"})


class RegisterSchema(Schema):
    """How far a till has followed the prices."""

    store_ref = fields.String(metadata={"example": "101"})
    register = fields.String(metadata={"example": "lane-3"})
    version = fields.Integer(metadata={"description": "last acknowledged; 0: none yet", "example": 1})
    behind_by = fields.Integer(metadata={"description": "price changes of its zone since then", "example": 0})
    late_since = Instant(
        allow_none=True,
        metadata={"description": "a price that it has not acknowledged is in force since then; null: none is"},
    )
    clock_ahead_ms = fields.Integer(
        allow_none=True,
        metadata={"description": "milliseconds; below 0: its clock is slow; null: it never said", "example": 120},
    )
    last_seen = Instant()


class ParitySchema(Schema):
    """Whether online and till charge the same: breaches newest first, and every register that was heard of."""

    breaches = fields.List(fields.Nested(BreachSchema), required=True)
    total = fields.Integer(
        required=True, metadata={"description": "breaches that the filters let through", "example": 0}
    )
    next = fields.String(
        required=True, allow_none=True, metadata={"description": "send it as `after`; null: these are all"}
    )
    registers = fields.List(fields.Nested(RegisterSchema), required=True)
