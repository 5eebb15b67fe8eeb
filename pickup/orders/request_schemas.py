"""Wire shapes of orders and quotes: what a shop sends."""

from typing import Any

import marshmallow as ma
from marshmallow import fields, validate

from pickup.core.csv_columns import KEY_MAX_CHARACTERS
from pickup.core.languages import DEFAULT
from pickup.core.schemas import (
    EmailAddress,
    LanguageTag,
    MoneySchema,
    PageQuery,
    Phone,
    Real,
    Schema,
    Text,
    WholeNumber,
)
from pickup.orders.basket import QUANTITY_MAX
from pickup.orders.extending import DAYS, DAYS_MAX
from pickup.orders.lifecycle import IF_SHORT, STATUSES

ITEMS_MAX = 1000
PICKUP_WAYS = ("near", "postcode", "address", "store_ref")
CHOICES = ("move", "wait", "cancel")
REASON_MAX_CHARACTERS = 200


class TrueOrFalse(fields.Boolean):
    """A JSON boolean and nothing that merely looks like one: not 1 or "yes"."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> bool:
        if type(value) is not bool:
            raise ma.ValidationError("Not true or false.")
        return value


class ItemSchema(Schema):
    """So many of one product."""

    sku = Text(required=True, max_length=KEY_MAX_CHARACTERS, metadata={"example": "1001"})
    quantity = WholeNumber(required=True, minimum=1, maximum=QUANTITY_MAX, metadata={"example": 2})


class PointSchema(Schema):
    """A point on WGS-84."""

    lat = Real(required=True, minimum=-90, maximum=90, metadata={"description": "degrees", "example": 36.37})
    lon = Real(required=True, minimum=-180, maximum=180, metadata={"description": "degrees", "example": -94.21})


class PersonSchema(Schema):
    """Who collects."""

    name = Text(required=True, metadata={"example": "Grace Example"})
    email = EmailAddress(
        metadata={"description": "gets their own code when the order is ready", "example": "grace@example.com"}
    )
    phone = Phone()


class CollectorSchema(PersonSchema):
    """Who collects from now on; or nobody but the customer, if the name is null."""

    name = Text(
        required=True,
        allow_none=True,
        metadata={"description": "null: what was named before is taken back", "example": "Grace Example"},
    )


class CustomerSchema(Schema):
    """Who orders."""

    name = Text(required=True, metadata={"example": "Ada Example"})
    email = EmailAddress(required=True, metadata={"description": "gets the messages", "example": "ada@example.com"})
    phone = Phone(metadata={"example": "+1 479 555 0100"})
    locale = LanguageTag(
        load_default=DEFAULT, metadata={"description": "language of the messages and of the page", "example": "es-MX"}
    )
    ip_address = fields.IP(
        metadata={
            "description": "the address of the customer's browser, if the shop sees it. Not kept: it is what declined "
            "payments are counted by, too",
            "example": "203.0.113.7",
        }
    )


class WhereSchema(Schema):
    """Where to collect: exactly one of `near`, `postcode` with `country`, `address`, `store_ref`."""

    near = fields.Nested(
        PointSchema, metadata={"description": "the nearest store to a point", "example": {"lat": 36.37, "lon": -94.21}}
    )
    postcode = Text(max_length=16, metadata={"description": "the nearest store to a postcode, such as 72712"})
    country = Text(max_length=2, metadata={"description": "ISO 3166, such as US; goes with `postcode`"})
    address = Text(max_length=300, metadata={"description": "the nearest store to an address"})
    store_ref = Text(max_length=KEY_MAX_CHARACTERS, metadata={"description": "this store and no other"})

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

    collector = fields.Nested(PersonSchema, metadata={"description": "who collects, if not the customer"})


class PaymentMeansSchema(Schema):
    """How it is paid. A token of the gateway, never card data."""

    method = fields.String(required=True, metadata={"description": "the gateway", "example": "sandbox"})
    token = Text(
        required=True,
        max_length=255,
        metadata={
            "description": "what the gateway calls the means of payment. The sandbox knows `tok_ok`, `tok_declined`, "
            "`tok_needs_action` and `tok_timeout` (its answer gets lost, the charge is made)",
            "example": "tok_ok",
        },
    )


class NewOrderSchema(Schema):
    """An order as the shop sends it."""

    customer = fields.Nested(CustomerSchema, required=True)
    items = fields.List(fields.Nested(ItemSchema), required=True, validate=validate.Length(1, ITEMS_MAX))
    pickup = fields.Nested(PickupSchema, required=True)
    payment = fields.Nested(PaymentMeansSchema, required=True)
    if_short = fields.String(
        validate=validate.OneOf(IF_SHORT),
        metadata={
            "description": "what the customer wants if the store does not find all of it: the rest of it (`part`; what "
            "is missing is not charged), all of it from another store (`move`), or nothing (`cancel`). Without it the "
            "retailer's setting holds",
            "example": "part",
        },
    )
    expected_total = fields.Nested(
        MoneySchema,
        metadata={
            "description": "what the customer was shown; any other total is refused as `price_changed`",
            "example": {"amount": 698, "currency": "USD"},
        },
    )


class NewQuoteSchema(Schema):
    """A basket to be quoted."""

    items = fields.List(fields.Nested(ItemSchema), required=True, validate=validate.Length(1, ITEMS_MAX))
    pickup = fields.Nested(PickupSchema, required=True)


class ChoiceSchema(Schema):
    """The customer's answer to an offer."""

    choice = fields.String(
        required=True,
        validate=validate.OneOf(CHOICES),
        metadata={"description": "one of the options of the order's `offer`", "example": "move"},
    )


class NewReturnSchema(Schema):
    """Goods that come back."""

    items = fields.List(fields.Nested(ItemSchema), required=True, validate=validate.Length(1, ITEMS_MAX))
    restock = TrueOrFalse(
        load_default=True,
        metadata={"description": "whether they are on the shelf again, for others to order", "example": True},
    )
    reason = Text(
        max_length=REASON_MAX_CHARACTERS,
        metadata={"description": "why, for people to read", "example": "wrong size"},
    )


class OrdersQuery(PageQuery):
    """Which orders are wanted."""

    status = fields.String(
        load_default=None, validate=validate.OneOf(STATUSES), metadata={"description": "only those in this status"}
    )
    customer_email = fields.String(
        load_default=None, metadata={"description": "only those of this customer", "example": "ada@example.com"}
    )


class HoldExtensionSchema(Schema):
    """For how much longer."""

    days = WholeNumber(
        load_default=DAYS,
        minimum=1,
        maximum=DAYS_MAX,
        metadata={"description": "days from when the hold would have ended", "example": DAYS},
    )


class ArrivalSchema(Schema):
    """The customer is here."""

    note = Text(max_length=200, metadata={"description": "where to find the customer", "example": "bay 4, red car"})
    bay = Text(max_length=40, metadata={"description": "the parking bay", "example": "4"})
    car = Text(max_length=40, metadata={"description": "what car it is", "example": "red Corolla"})
