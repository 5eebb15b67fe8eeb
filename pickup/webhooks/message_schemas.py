"""Wire shapes of the messages that webhooks are, and their place in the OpenAPI document (`webhooks`, OpenAPI 3.1)."""

from typing import Any

from apispec import APISpec
from marshmallow import fields, validate

from pickup.core.openapi import JSON, REFERENCE, SOMETIMES
from pickup.core.schemas import Instant, MoneySchema, Schema
from pickup.orders.lifecycle import REASONS, STATUSES
from pickup.webhooks.event_types import MEANINGS, PUBLIC
from pickup.webhooks.schemas import DATA, TIMESTAMP

ORDER_ID = {"description": "the order that it is about"}
STORE_REF = {"description": "the store", "example": "101"}
COUNT = {"description": "so many prices", "example": 12}
AMOUNT = {"example": {"amount": 698, "currency": "USD"}}


def _sometimes(**metadata: Any) -> dict[str, Any]:
    return {SOMETIMES: True, **metadata}


class OrderNewsSchema(Schema):
    """A step of an order."""

    order_id = fields.UUID(metadata=ORDER_ID)
    number = fields.Integer(metadata={"description": "what people call it", "example": 1000001})
    status = fields.String(validate=validate.OneOf(STATUSES), metadata={"description": "as it is since then"})
    from_ = fields.String(
        data_key="from", validate=validate.OneOf(STATUSES), metadata={"description": "as it was before"}
    )
    reason = fields.String(
        allow_none=True,
        validate=validate.OneOf(REASONS),
        metadata={"description": "why it was cancelled; null where it was not", "example": None},
    )
    store_ref = fields.String(metadata=_sometimes(description="where it is collected; absent while no store has it"))
    reduced_by = fields.Nested(
        MoneySchema, metadata=_sometimes(description="so much less was paid, for the shelf had become cheaper")
    )


class PaymentNewsSchema(Schema):
    """Money of an order that moved."""

    order_id = fields.UUID(metadata=ORDER_ID)
    amount = fields.Nested(MoneySchema, metadata=AMOUNT)


class PriceNewsSchema(Schema):
    """Prices that were recorded, with the first and the last of their versions; or announced ones that begin."""

    count = fields.Integer(metadata=COUNT)
    from_version = fields.Integer(metadata=_sometimes(description="the first of the versions that were recorded"))
    to_version = fields.Integer(metadata=_sometimes(description="and the last"))
    activated = fields.Boolean(metadata=_sometimes(description="true: announced prices begin, those of `skus`"))
    skus = fields.List(fields.String(), metadata=_sometimes(description="the products whose prices begin"))


class StockNewsSchema(Schema):
    """What can be promised of a product in a store."""

    store_ref = fields.String(metadata=STORE_REF)
    sku = fields.String(metadata={"description": "the product", "example": "1001"})
    available = fields.Integer(metadata={"description": "so many units can be promised", "example": 12})


class MessageSchema(Schema):
    """What is sent of an event; what `data` has, depends on its type."""

    type = fields.String(validate=validate.OneOf(PUBLIC), metadata={"description": "what has happened"})
    timestamp = Instant(metadata=TIMESTAMP)
    data = fields.Dict(keys=fields.String(), metadata={"description": "ids and figures", "example": DATA})


# By the first word of a type: what its data is, and an example of it, without what it has sometimes.
_ORDER = "019cadf0-5c7b-7d52-8f3e-2a4b6c8d0e1f"
_NEWS: dict[str, tuple[type[Schema], dict[str, Any]]] = {
    "order": (OrderNewsSchema, {"order_id": _ORDER, "number": 1000001, "store_ref": "101"}),
    "payment": (PaymentNewsSchema, {"order_id": _ORDER, "amount": {"amount": 698, "currency": "USD"}}),
    "price": (PriceNewsSchema, {"from_version": 811, "to_version": 822, "count": 12}),
    "stock": (StockNewsSchema, {"store_ref": "101", "sku": "1001", "available": 12}),
}
_STEPS: dict[str, dict[str, Any]] = {
    "order.placed": {"from": "awaiting_payment", "status": "placed", "reason": None},
    "order.reserved": {"from": "placed", "status": "reserved", "reason": None},
    "order.rerouted": {"from": "placed", "status": "placed", "reason": None},
    "order.ready": {"from": "picking", "status": "ready", "reason": None},
    "order.collected": {"from": "ready", "status": "collected", "reason": None},
    "order.cancelled": {"from": "placed", "status": "cancelled", "reason": "out_of_stock"},
    "order.expired": {"from": "ready", "status": "expired", "reason": None},
}
_HEADERS = (
    ("webhook-id", "the name of the event, the same in every attempt: take each once", "msg_4711"),
    ("webhook-timestamp", "when this attempt was made, in seconds since 1970; refuse what is old", "1772466130"),
    ("webhook-signature", "one or two, with a blank between them", "v1,K5oZfzN95Z9UVu1EsfQmfVNQhnkZ2pj9o9NDN/H/pI4="),
)


def describe(spec: APISpec) -> None:
    """Put the messages into a document, each under the name of its event."""
    spec.components.schema("Message", schema=MessageSchema)
    for news, _ in _NEWS.values():
        spec.components.schema(news.__name__.removesuffix("Schema"), schema=news)
    spec.options["webhooks"] = {event: {"post": _operation(event)} for event in PUBLIC}


def _operation(event: str) -> dict[str, Any]:
    about = event.partition(".")[0]
    first, *rest = event.split(".")
    meaning = MEANINGS[event]
    news, example = _NEWS[about]
    data = {"$ref": REFERENCE + news.__name__.removesuffix("Schema")}
    schema = {
        "$ref": f"{REFERENCE}Message",
        "properties": {"type": {"const": event}, "data": data},
        "example": {"type": event, "timestamp": TIMESTAMP["example"], "data": example | _STEPS.get(event, {})},
    }
    return {
        "tags": ["webhooks"],
        "operationId": first + "".join(map(str.capitalize, rest)),
        "summary": event,
        "description": f"{meaning[0].upper()}{meaning[1:]}. Signed after [Standard Webhooks](/docs#receiving).",
        "security": [],
        "parameters": [
            {"in": "header", "name": name, "required": True, "description": words, "schema": {"type": "string"}}
            | {"example": each}
            for name, words, each in _HEADERS
        ],
        "requestBody": {"required": True, "content": {JSON: {"schema": schema}}},
        "responses": {
            "204": {"description": "Taken. Any 2xx will do, within 15 seconds; whatever else comes is tried again."},
            "410": {"description": "Nobody wants this any more: the endpoint is `gone`."},
        },
    }
