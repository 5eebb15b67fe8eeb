"""Wire shapes of payments, for management."""

from typing import Any

from marshmallow import fields, validate

from pickup.core.schemas import Instant, MoneySchema, PageQuery, Schema, page_of
from pickup.payments.models import ENTRY_KINDS, PAYMENT_STATUSES

PAID = {"amount": 698, "currency": "USD"}
NOTHING = {"amount": 0, "currency": "USD"}


class SpanQuery(Schema):
    """A span of time that payments were opened in."""

    since = Instant(load_default=None, metadata={"description": "opened then or later"})
    until = Instant(load_default=None, metadata={"description": "opened before then"})


class PaymentsQuery(SpanQuery, PageQuery):
    """Which payments are wanted."""

    status = fields.String(
        load_default=None,
        validate=validate.OneOf(PAYMENT_STATUSES),
        metadata={"description": "only those that are so far", "example": "authorised"},
    )
    problem = fields.Boolean(
        load_default=None,
        truthy={"true"},
        falsy={"false"},
        metadata={"description": "only those that a person must look at, or (`false`) only the others"},
    )
    order_id = fields.UUID(load_default=None, metadata={"description": "only those of this order"})


def _money(description: str, example: dict[str, Any]) -> fields.Nested:
    return fields.Nested(MoneySchema, metadata={"description": description, "example": example})


class AmountsSchema(Schema):
    """What was asked for, and what became of it."""

    amount = _money("asked for, with the order", PAID)
    authorised = _money("held by the bank at some time", PAID)
    captured = _money("of that, taken", NOTHING)
    voided = _money("of that, given back without having been taken", NOTHING)
    refunded = _money("of what was taken, given back", NOTHING)
    written_off = _money("given up by a manager, or paid otherwise", NOTHING)


class PaymentRecordSchema(AmountsSchema):
    """A payment of an order. What is held still is `authorised − captured − voided`."""

    id = fields.UUID(metadata={"description": "also the key that the gateway knows it by"})
    order_id = fields.UUID()
    method = fields.String(metadata={"description": "the gateway", "example": "sandbox"})
    status = fields.String(validate=validate.OneOf(PAYMENT_STATUSES), metadata={"example": "authorised"})
    reference = fields.String(
        allow_none=True,
        metadata={"description": "the gateway's own name for it", "example": "sandbox_019cadf05c7b7d528f3e"},
    )
    capture_before = Instant(
        allow_none=True, metadata={"description": "when the hold lapses", "example": "2026-03-09T15:00:00Z"}
    )
    problem = fields.String(allow_none=True, metadata={"description": "why a person must look at it", "example": None})
    created_at = Instant(metadata={"example": "2026-03-02T15:00:00Z"})


class PaymentEntrySchema(Schema):
    """A movement of money, as the gateway confirmed it, or a manager wrote it off."""

    kind = fields.String(validate=validate.OneOf(ENTRY_KINDS), metadata={"example": "authorisation"})
    amount = fields.Nested(MoneySchema, metadata={"example": PAID})
    at = Instant(metadata={"example": "2026-03-02T15:00:01Z"})
    note = fields.String(allow_none=True, metadata={"description": "by whom, and why", "example": None})


class PaymentWithEntriesSchema(PaymentRecordSchema):
    """A payment, and the ledger that its amounts are the sums of."""

    entries = fields.List(fields.Nested(PaymentEntrySchema), metadata={"description": "oldest first"})


class PaymentTotalSchema(AmountsSchema):
    """The payments of one currency and method, added up."""

    currency = fields.String(metadata={"example": "USD"})
    method = fields.String(metadata={"example": "sandbox"})
    payments = fields.Integer(metadata={"description": "how many there are", "example": 1})
    by_status = fields.Dict(
        keys=fields.String(),
        values=fields.Integer(),
        metadata={"description": "how many there are of each status that occurs", "example": {"authorised": 1}},
    )


class PaymentTotalsSchema(Schema):
    """Payments, added up."""

    data = fields.List(fields.Nested(PaymentTotalSchema), metadata={"description": "by currency and method"})


PaymentRecordPageSchema = page_of(PaymentRecordSchema)
