"""Wire shapes of orders and quotes."""

from typing import Any, get_args

import marshmallow as ma
from marshmallow import fields, validate

from pickup.core.csv_columns import KEY_MAX_CHARACTERS
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
from pickup.core.types import ActorKind
from pickup.inventory.models import TRANSFER_STATUSES
from pickup.orders.basket import QUANTITY_MAX
from pickup.orders.lifecycle import IF_SHORT, REASONS, STATUSES, TRANSITIONS
from pickup.orders.routing import Verdict
from pickup.payments.models import PAYMENT_STATUSES

ITEMS_MAX = 1000
PICKUP_WAYS = ("near", "postcode", "address", "store_ref")
LOCALES = ("en", "es", "zh")
CHOICES = ("move", "wait", "cancel")

READY_BY = {"description": "the promise: it can be collected from then on", "example": "2026-03-02T16:00:00Z"}
HOLD_UNTIL = {"description": "the goods are kept until then", "example": "2026-03-10T03:00:00Z"}
CANDIDATES = {"description": "every store looked at, nearest first, and why it was or was not chosen"}
OPTIONS = [
    {"choice": "move", "store_ref": "102", "ready_by": "2026-03-02T18:00:00Z"},
    {"choice": "wait", "store_ref": "101", "ready_by": "2026-03-03T16:00:00Z"},
    {"choice": "cancel", "store_ref": None, "ready_by": None},
]


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
    email = EmailAddress(metadata={"description": "gets the messages, too", "example": "grace@example.com"})
    phone = Phone()


class CustomerSchema(Schema):
    """Who orders."""

    name = Text(required=True, metadata={"example": "Ada Example"})
    email = EmailAddress(required=True, metadata={"description": "gets the messages", "example": "ada@example.com"})
    phone = Phone(metadata={"example": "+1 479 555 0100"})
    locale = fields.String(
        load_default="en", validate=validate.OneOf(LOCALES), metadata={"description": "language of the messages"}
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


class CandidateSchema(Schema):
    """A store that was looked at, and why it was or was not chosen."""

    store_ref = fields.String(metadata={"example": "101"})
    distance_m = fields.Integer(
        allow_none=True, metadata={"description": "null where the store was named", "example": 1761}
    )
    verdict = fields.String(
        validate=validate.OneOf(get_args(Verdict)),
        metadata={
            "description": "`chosen`; `passed_over`: it could have it, and the routing policy took another; or the "
            "first reason against it",
            "example": "chosen",
        },
    )


class OrderStoreSchema(Schema):
    """The store of an order."""

    ref = fields.String(metadata={"example": "101"})
    name = fields.String(metadata={"example": "Larkspur Bentonville"})
    address = fields.String(metadata={"example": "18 Orchard Lane, Bentonville, AR 72712, US"})
    lat = fields.Float(metadata={"example": 36.3577})
    lon = fields.Float(metadata={"example": -94.2224})
    distance_m = fields.Integer(
        allow_none=True,
        metadata={"description": "whole metres from the customer; null where the store was named", "example": 1761},
    )


class QuoteLineSchema(Schema):
    """A line of a quote."""

    sku = fields.String(metadata={"example": "1001"})
    quantity = fields.Integer(metadata={"example": 2})
    unit_price = fields.Nested(MoneySchema, metadata={"description": "on the shelf of the store"})
    price_version = fields.Integer(metadata={"description": "the entry of the price ledger", "example": 1})
    total = fields.Nested(MoneySchema, metadata={"example": {"amount": 698, "currency": "USD"}})


class QuoteSchema(Schema):
    """Where, when and for how much. Nothing is reserved."""

    lines = fields.List(fields.Nested(QuoteLineSchema))
    total = fields.Nested(MoneySchema, metadata={"example": {"amount": 698, "currency": "USD"}})
    store = fields.Nested(OrderStoreSchema)
    ready_by = Instant(metadata=READY_BY)
    hold_until = Instant(metadata=HOLD_UNTIL)
    candidates = fields.List(fields.Nested(CandidateSchema), metadata=CANDIDATES)


class OrderLineSchema(QuoteLineSchema):
    """A line of an order."""

    name = fields.String(metadata={"example": "Whole milk, 1 gal"})
    short = fields.Integer(
        metadata={"description": "units of them that could not be found; not in the total", "example": 0}
    )


class TransferSchema(Schema):
    """Goods of an order that another store sends to the pickup point."""

    id = fields.String(metadata={"example": "17"})
    from_store = fields.String(metadata={"description": "the store or warehouse that sends them", "example": "DC-1"})
    status = fields.String(validate=validate.OneOf(TRANSFER_STATUSES), metadata={"example": "sent"})
    expected_at = Instant(metadata={"description": "when they should be there", "example": "2026-03-03T15:00:00Z"})
    sent_at = Instant(allow_none=True, metadata={"example": "2026-03-02T17:00:00Z"})
    received_at = Instant(allow_none=True, metadata={"example": None})
    items = fields.List(fields.Nested(ItemSchema))


class OptionSchema(Schema):
    """Something that the customer may choose."""

    choice = fields.String(validate=validate.OneOf(CHOICES), metadata={"example": "move"})
    store_ref = fields.String(
        allow_none=True, metadata={"description": "where it is collected then; null: nowhere", "example": "102"}
    )
    ready_by = Instant(allow_none=True, metadata=READY_BY)


class OfferSchema(Schema):
    """The store cannot keep its word, and the customer chooses what becomes of the order."""

    why = fields.String(
        metadata={
            "description": "what happened: `short_pick`, `sold_at_till`, `store_closed`, `short_at_source`, "
            "`source_closed`, `reservation_lost`",
            "example": "short_pick",
        }
    )
    until = Instant(
        metadata={"description": "without an answer by then it is cancelled", "example": "2026-03-03T15:00:00Z"}
    )
    options = fields.List(
        fields.Nested(OptionSchema), metadata={"description": "one of these; to cancel is always", "example": OPTIONS}
    )


class ChoiceSchema(Schema):
    """The customer's answer to an offer."""

    choice = fields.String(
        required=True,
        validate=validate.OneOf(CHOICES),
        metadata={"description": "one of the options of the order's `offer`", "example": "move"},
    )


class OrderPaymentSchema(Schema):
    """How far the money got."""

    method = fields.String(metadata={"example": "sandbox"})
    status = fields.String(
        validate=validate.OneOf(PAYMENT_STATUSES),
        metadata={"description": "`authorised` holds the money, `captured` has taken it", "example": "authorised"},
    )
    amount = fields.Nested(MoneySchema, metadata={"example": {"amount": 698, "currency": "USD"}})


class OrderCustomerSchema(Schema):
    """Who ordered."""

    name = fields.String(metadata={"example": "Ada Example"})
    email = fields.String(metadata={"format": "email"})
    phone = fields.String(allow_none=True, metadata={"example": "+1 479 555 0100"})
    locale = fields.String(metadata={"example": "en"})


class OrderCollectorSchema(Schema):
    """Who collects instead of the customer."""

    name = fields.String(metadata={"example": "Grace Example"})
    email = fields.String(allow_none=True, metadata={"format": "email", "example": "grace@example.com"})
    phone = fields.String(allow_none=True)


class OrderPickupSchema(Schema):
    """What the customer needs at the counter."""

    code = fields.String(metadata={"description": "what the customer shows at the counter", "example": "K7M-3QX-9TP"})
    url = fields.String(
        metadata={
            "description": "the customer's pickup page; whoever has the address sees the code",
            "format": "uri",
            "example": "https://pickup.example.com/p/m2Yx0kZ3vQ8rT5wB1nC7dF4gH6jK9LpS",
        }
    )
    ready_by = Instant(metadata=READY_BY)
    hold_until = Instant(metadata=HOLD_UNTIL)
    collector = fields.Nested(
        OrderCollectorSchema, allow_none=True, metadata={"description": "null: the customer", "example": None}
    )
    arrived_at = Instant(
        allow_none=True, metadata={"description": "when the customer said to be there", "example": None}
    )


class OrderStepSchema(Schema):
    """A step of an order's life."""

    at = Instant(metadata={"example": "2026-03-02T15:00:02Z"})
    action = fields.String(validate=validate.OneOf(("place", *TRANSITIONS)), metadata={"example": "reserve"})
    from_ = fields.String(
        attribute="from",
        data_key="from",
        allow_none=True,
        validate=validate.OneOf(STATUSES),
        metadata={"description": "null: it began here", "example": "placed"},
    )
    to = fields.String(validate=validate.OneOf(STATUSES), metadata={"example": "reserved"})
    actor = fields.String(
        validate=validate.OneOf(get_args(ActorKind)), metadata={"description": "who did it", "example": "worker"}
    )
    note = fields.String(allow_none=True, metadata={"description": "what there is to say of it"})


class OrderSchema(Schema):
    """An order."""

    id = fields.UUID()
    number = fields.String(metadata={"description": "what people say aloud", "example": "1000001"})
    status = fields.String(
        validate=validate.OneOf(STATUSES),
        metadata={
            "description": "how far it got. `in_transit`: other stores send goods for it first; `placed` with an "
            "`offer`: the customer has to choose",
            "example": "reserved",
        },
    )
    reason = fields.String(
        allow_none=True,
        validate=validate.OneOf(REASONS),
        metadata={"description": "why it was cancelled", "example": None},
    )
    placed_at = Instant()
    customer = fields.Nested(OrderCustomerSchema)
    store = fields.Nested(OrderStoreSchema)
    lines = fields.List(fields.Nested(OrderLineSchema))
    total = fields.Nested(
        MoneySchema,
        metadata={
            "description": "without what is `short`: so much is taken at the handover",
            "example": {"amount": 698, "currency": "USD"},
        },
    )
    payment = fields.Nested(OrderPaymentSchema)
    pickup = fields.Nested(OrderPickupSchema)
    candidates = fields.List(fields.Nested(CandidateSchema), metadata=CANDIDATES)
    routing_policy = fields.String(
        metadata={
            "description": "how one was chosen of the stores that could: `nearest`, `fewest_transfers`, or `balance`",
            "example": "nearest",
        }
    )
    transfers = fields.List(
        fields.Nested(TransferSchema),
        metadata={"description": "what other stores send for it, or were to send", "example": []},
    )
    offer = fields.Nested(
        OfferSchema,
        allow_none=True,
        metadata={"description": "what the customer has to choose from; null: nothing", "example": None},
    )
    allowed_actions = fields.List(
        fields.String(validate=validate.OneOf(tuple(TRANSITIONS))),
        metadata={
            "description": "what a shop may do with it now; `reroute` is to answer its `offer`, if it has one",
            "example": ["cancel"],
        },
    )


class OrderWithHistorySchema(OrderSchema):
    """An order with the steps of its life."""

    history = fields.List(fields.Nested(OrderStepSchema), metadata={"description": "oldest step first"})


class OrdersQuery(PageQuery):
    """Which orders are wanted."""

    status = fields.String(
        load_default=None, validate=validate.OneOf(STATUSES), metadata={"description": "only those in this status"}
    )
    customer_email = fields.String(
        load_default=None, metadata={"description": "only those of this customer", "example": "ada@example.com"}
    )


class ArrivalSchema(Schema):
    """The customer is here."""

    note = Text(max_length=200, metadata={"description": "where to find the customer", "example": "bay 4, red car"})


OrderPageSchema = page_of(OrderSchema)
