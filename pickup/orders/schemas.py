"""Wire shapes of orders and quotes: what an answer shows."""

from typing import get_args

from marshmallow import fields, validate

from pickup.core.schemas import Instant, MoneySchema, Schema, page_of
from pickup.core.types import ActorKind
from pickup.inventory.models import TRANSFER_STATUSES
from pickup.orders.lifecycle import REASONS, STATUSES, TRANSITIONS
from pickup.orders.request_schemas import CHOICES, ItemSchema
from pickup.orders.routing import Verdict
from pickup.payments.models import PAYMENT_STATUSES

READY_BY = {"description": "the promise: it can be collected from then on", "example": "2026-03-02T16:00:00Z"}
HOLD_UNTIL = {"description": "the goods are kept until then", "example": "2026-03-10T03:00:00Z"}
CANDIDATES = {"description": "every store looked at, nearest first, and why it was or was not chosen"}
OPTIONS = [
    {"choice": "move", "store_ref": "102", "ready_by": "2026-03-02T18:00:00Z"},
    {"choice": "wait", "store_ref": "101", "ready_by": "2026-03-03T16:00:00Z"},
    {"choice": "cancel", "store_ref": None, "ready_by": None},
]


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
    opening_hours = fields.String(
        metadata={"description": "OpenStreetMap syntax; empty: always open", "example": "Mo-Sa 08:00-21:00"}
    )
    timezone = fields.String(metadata={"example": "America/Chicago"})


class QuoteLineSchema(Schema):
    """A line of a quote."""

    sku = fields.String(metadata={"example": "1001"})
    name = fields.String(metadata={"example": "Whole milk, 1 gal"})
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
    refused = fields.Integer(
        metadata={
            "description": "units of them that were there, and that nobody wanted at the handover; not in the total",
            "example": 0,
        }
    )
    returned = fields.Integer(metadata={"description": "units of them that came back after the handover", "example": 0})
    reduced_to = fields.Nested(
        MoneySchema,
        allow_none=True,
        metadata={
            "description": "what one costs since the handover, where the shelf had become cheaper than `unit_price`; "
            "else null",
            "example": None,
        },
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


class ActionSchema(Schema):
    """What the customer has to do before the money is held, such as 3-D Secure."""

    type = fields.String(
        validate=validate.OneOf(("redirect", "client_secret")),
        metadata={
            "description": "`redirect`: send the customer to `url`; `client_secret`: hand it to the gateway's "
            "script in the browser",
            "example": "redirect",
        },
    )
    url = fields.String(metadata={"format": "uri", "x-sometimes": True})
    client_secret = fields.String(metadata={"x-sometimes": True})


class OrderPaymentSchema(Schema):
    """How far the money got."""

    method = fields.String(metadata={"example": "sandbox"})
    status = fields.String(
        validate=validate.OneOf(PAYMENT_STATUSES),
        metadata={"description": "`authorised` holds the money, `captured` has taken it", "example": "authorised"},
    )
    amount = fields.Nested(
        MoneySchema, metadata={"description": "what was asked for", "example": {"amount": 698, "currency": "USD"}}
    )
    captured = fields.Nested(
        MoneySchema, metadata={"description": "what was taken", "example": {"amount": 0, "currency": "USD"}}
    )
    refunded = fields.Nested(
        MoneySchema,
        metadata={"description": "what was given back of that", "example": {"amount": 0, "currency": "USD"}},
    )
    action = fields.Nested(
        ActionSchema,
        allow_none=True,
        metadata={"description": "what the customer has to do, while `requires_action`; else null", "example": None},
    )


class OrderCustomerSchema(Schema):
    """Who ordered."""

    name = fields.String(metadata={"example": "Ada Example"})
    email = fields.String(metadata={"format": "email"})
    phone = fields.String(allow_none=True, metadata={"example": "+1 479 555 0100"})
    locale = fields.String(metadata={"example": "en"})


class OrderCollectorSchema(Schema):
    """Who collects instead of the customer, by a code of their own. It counts until it is taken back."""

    name = fields.String(metadata={"example": "Grace Example"})
    email = fields.String(allow_none=True, metadata={"format": "email", "example": "grace@example.com"})
    phone = fields.String(allow_none=True)
    code = fields.String(
        allow_none=True,
        metadata={
            "description": "what the collector shows at the counter; null where they were named before there were such "
            "codes: then the customer's counts",
            "example": "R4H-9CD-MX7",
        },
    )
    url = fields.String(
        allow_none=True,
        metadata={
            "description": "the collector's own page: where, until when and the code, and nothing else of the order",
            "format": "uri",
            "example": "https://pickup.example.com/p/t7Qw2eR9yU4iO1pA6sD3fG8hJ5kL0zXc",
        },
    )


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
    on_the_way_at = Instant(
        allow_none=True, metadata={"description": "when the customer said to have set out", "example": None}
    )
    expected_at = Instant(
        allow_none=True, metadata={"description": "when they mean to be there, if they said so", "example": None}
    )
    arrived_at = Instant(
        allow_none=True, metadata={"description": "when the customer said to be there", "example": None}
    )
    bay = fields.String(allow_none=True, metadata={"description": "where they stand", "example": None})
    car = fields.String(allow_none=True, metadata={"description": "what car they sit in", "example": None})
    note = fields.String(allow_none=True, metadata={"description": "where else to find them", "example": None})


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


class ReturnSchema(Schema):
    """Goods that came back after the order was collected."""

    id = fields.UUID()
    at = Instant(metadata={"example": "2026-03-05T16:20:00Z"})
    items = fields.List(fields.Nested(ItemSchema))
    amount = fields.Nested(
        MoneySchema,
        metadata={"description": "what was paid for them", "example": {"amount": 349, "currency": "USD"}},
    )
    reason = fields.String(allow_none=True, metadata={"example": "wrong size"})
    restocked = fields.Boolean(metadata={"description": "whether they are on the shelf again", "example": True})
    by = fields.String(
        validate=validate.OneOf(get_args(ActorKind)), metadata={"description": "who took them back", "example": "staff"}
    )


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
            "description": "without what is `short` or `refused`: so much is taken at the handover",
            "example": {"amount": 698, "currency": "USD"},
        },
    )
    reduced_by = fields.Nested(
        MoneySchema,
        metadata={
            "description": "by so much the `total` went down at the handover, because the shelf had become cheaper",
            "example": {"amount": 0, "currency": "USD"},
        },
    )
    returned = fields.Nested(
        MoneySchema,
        metadata={
            "description": "what was paid for goods that came back: so much of it is given back",
            "example": {"amount": 0, "currency": "USD"},
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
    returns = fields.List(
        fields.Nested(ReturnSchema), metadata={"description": "what came back, oldest first", "example": []}
    )


OrderPageSchema = page_of(OrderSchema)
