"""Wire shapes of orders and quotes."""

from typing import Any

import marshmallow as ma
from marshmallow import fields, validate

from pickup.core.schemas import (
    EmailAddress,
    Instant,
    MoneySchema,
    PageQuery,
    Phone,
    Real,
    Schema,
    Text,
    WholeNumber,
    page_of,
)
from pickup.orders.basket import QUANTITY_MAX
from pickup.orders.lifecycle import REASONS, STATUSES

ITEMS_MAX = 1000
SKU_MAX_LENGTH = 64
PICKUP_WAYS = ("near", "postcode", "address", "store_ref")
LOCALES = ("en", "es", "zh")


class ItemSchema(Schema):
    """So many of one product."""

    sku = Text(required=True, max_length=SKU_MAX_LENGTH)
    quantity = WholeNumber(required=True, minimum=1, maximum=QUANTITY_MAX)


class PointSchema(Schema):
    """A point on WGS-84."""

    lat = Real(required=True, minimum=-90, maximum=90, metadata={"description": "degrees", "example": 36.37})
    lon = Real(required=True, minimum=-180, maximum=180, metadata={"description": "degrees", "example": -94.21})


class PersonSchema(Schema):
    """Who collects."""

    name = Text(required=True)
    email = EmailAddress()
    phone = Phone()


class CustomerSchema(Schema):
    """Who orders."""

    name = Text(required=True)
    email = EmailAddress(required=True)
    phone = Phone()
    locale = fields.String(load_default="en", validate=validate.OneOf(LOCALES), metadata={"description": "of messages"})


class WhereSchema(Schema):
    """Where to collect: exactly one of `near`, `postcode` with `country`, `address`, `store_ref`."""

    near = fields.Nested(PointSchema)
    postcode = Text(max_length=16)
    country = Text(max_length=2, metadata={"description": "ISO 3166, with `postcode`"})
    address = Text(max_length=300)
    store_ref = Text(max_length=64)

    @ma.validates_schema
    def check_one_way(self, data: dict[str, Any], **_: Any) -> None:
        """Two answers to "where" would make one of them a lie."""
        ways = [way for way in PICKUP_WAYS if way in data]
        if len(ways) != 1:
            raise ma.ValidationError(f"Give exactly one of {', '.join(PICKUP_WAYS)}.")
        if ("country" in data) != ("postcode" in data):
            raise ma.ValidationError("Goes with a postcode, and a postcode needs it.", "country")


class PickupSchema(WhereSchema):
    """Where to collect, and who does if not the customer."""

    collector = fields.Nested(PersonSchema)


class PaymentMeansSchema(Schema):
    """How it is paid. A token of the gateway, never card data."""

    method = fields.String(required=True, metadata={"example": "sandbox"})
    token = Text(required=True, max_length=255, metadata={"example": "tok_ok"})


class NewOrderSchema(Schema):
    """An order as the shop sends it."""

    customer = fields.Nested(CustomerSchema, required=True)
    items = fields.List(fields.Nested(ItemSchema), required=True, validate=validate.Length(1, ITEMS_MAX))
    pickup = fields.Nested(PickupSchema, required=True)
    payment = fields.Nested(PaymentMeansSchema, required=True)
    expected_total = fields.Nested(MoneySchema)


class NewQuoteSchema(Schema):
    """A basket to be quoted."""

    items = fields.List(fields.Nested(ItemSchema), required=True, validate=validate.Length(1, ITEMS_MAX))
    pickup = fields.Nested(PickupSchema, required=True)


class CandidateSchema(Schema):
    """A store that was looked at, and why it was or was not chosen."""

    store_ref = fields.String()
    distance_m = fields.Integer(allow_none=True)
    verdict = fields.String()


class OrderStoreSchema(Schema):
    """The store of an order."""

    ref = fields.String()
    name = fields.String()
    address = fields.String()
    lat = fields.Float()
    lon = fields.Float()
    distance_m = fields.Integer(
        allow_none=True, metadata={"description": "metres from the customer; null if not asked"}
    )


class QuoteLineSchema(Schema):
    """A line of a quote."""

    sku = fields.String()
    quantity = fields.Integer()
    unit_price = fields.Nested(MoneySchema)
    price_version = fields.Integer(metadata={"description": "the entry of the price ledger"})
    total = fields.Nested(MoneySchema)


class QuoteSchema(Schema):
    """Where, when and for how much. Nothing is reserved."""

    lines = fields.List(fields.Nested(QuoteLineSchema))
    total = fields.Nested(MoneySchema)
    store = fields.Nested(OrderStoreSchema)
    ready_by = Instant()
    hold_until = Instant()
    candidates = fields.List(fields.Nested(CandidateSchema))


class OrderLineSchema(QuoteLineSchema):
    """A line of an order."""

    name = fields.String()


class OrderPaymentSchema(Schema):
    """How far the money got."""

    method = fields.String()
    status = fields.String()
    amount = fields.Nested(MoneySchema)


class OrderPickupSchema(Schema):
    """What the customer needs at the counter."""

    code = fields.String(metadata={"example": "K7M-3QX-9TP"})
    url = fields.String(metadata={"description": "the customer's pickup page"})
    ready_by = Instant()
    hold_until = Instant()
    collector = fields.Nested(PersonSchema, allow_none=True)
    arrived_at = Instant(allow_none=True)


class OrderStepSchema(Schema):
    """A step of an order's life."""

    at = Instant()
    action = fields.String()
    from_ = fields.String(attribute="from", data_key="from", allow_none=True)
    to = fields.String()
    actor = fields.String()
    note = fields.String(allow_none=True)


class OrderSchema(Schema):
    """An order."""

    id = fields.UUID()
    number = fields.String()
    status = fields.String(validate=validate.OneOf(STATUSES))
    reason = fields.String(allow_none=True, validate=validate.OneOf(REASONS))
    placed_at = Instant()
    customer = fields.Nested(CustomerSchema)
    store = fields.Nested(OrderStoreSchema)
    lines = fields.List(fields.Nested(OrderLineSchema))
    total = fields.Nested(MoneySchema)
    payment = fields.Nested(OrderPaymentSchema)
    pickup = fields.Nested(OrderPickupSchema)
    candidates = fields.List(fields.Nested(CandidateSchema))
    allowed_actions = fields.List(fields.String())


class OrderWithHistorySchema(OrderSchema):
    """An order with the steps of its life."""

    history = fields.List(fields.Nested(OrderStepSchema))


class OrdersQuery(PageQuery):
    """Which orders are wanted."""

    status = fields.String(load_default=None, validate=validate.OneOf(STATUSES))
    customer_email = fields.String(load_default=None)


class ArrivalSchema(Schema):
    """The customer is here."""

    note = Text(max_length=200, metadata={"example": "bay 4, red car"})


OrderPageSchema = page_of(OrderSchema)
