"""Wire shapes of the feed, and of webhook endpoints with what was sent there."""

from typing import Any

from marshmallow import fields, validate

from pickup.core.public_addresses import URL_LENGTH_MAX
from pickup.core.schemas import Instant, PageQuery, Schema, Text, WholeNumber, page_of
from pickup.webhooks.event_types import PUBLIC
from pickup.webhooks.queries import DELIVERY_STATUSES, ENDPOINT_STATUSES

FEED_MAX = 1000
OVERLAP_HOURS_MAX = 7 * 24

TYPE = {"description": "what has happened", "example": "order.ready"}
MESSAGE_ID = {"description": "the name of the event, the same as the `webhook-id`", "example": "msg_4711"}
TIMESTAMP = {"description": "when it happened", "example": "2026-03-02T15:42:10Z"}
URL = {
    "description": "where to send; `https` on port 443 of a public address",
    "format": "iri",
    "example": "https://shop.example.com/hooks",
}
EVENTS: dict[str, Any] = {"description": "which events; none named: all of them", "example": ["order.ready"]}
TYPES = {"description": "only these, with commas between: `order.ready,order.collected`"}
DATA = {
    "order_id": "019cadf0-5c7b-7d52-8f3e-2a4b6c8d0e1f",
    "number": 1000001,
    "status": "ready",
    "from": "picking",
    "reason": None,
    "store_ref": "101",
}


class EventsQuery(Schema):
    """From where on, and of what."""

    after = fields.String(
        load_default=None,
        metadata={"description": "the `next` of before; without it, from the start; `now`: from the end"},
    )
    limit = fields.Integer(
        load_default=100, validate=validate.Range(1, FEED_MAX), metadata={"description": "how many events at most"}
    )
    types = fields.String(load_default=None, metadata=TYPES)


class StreamQuery(Schema):
    """The same for a stream."""

    after = fields.String(
        load_default=None, metadata={"description": "the `next` of the feed; without it, from the start"}
    )
    types = fields.String(load_default=None, metadata=TYPES)


class OrderStreamQuery(Schema):
    """From where on."""

    after = fields.String(
        load_default=None, metadata={"description": "the `id` of the last event; without it, from the start"}
    )


class EventSchema(Schema):
    """Something that has happened."""

    id = fields.String(metadata=MESSAGE_ID)
    type = fields.String(validate=validate.OneOf(PUBLIC), metadata=TYPE)
    timestamp = Instant(metadata=TIMESTAMP)
    data = fields.Dict(
        keys=fields.String(), metadata={"description": "ids and figures; what, depends on the type", "example": DATA}
    )


class EventFeedSchema(Schema):
    """Events in the order in which they became public."""

    data = fields.List(fields.Nested(EventSchema), required=True)
    next = fields.String(
        required=True,
        metadata={"description": "send it as `after`, now or later; never null", "example": "WyJldmVudHMiLCA5XQ"},
    )


class EventTypes(fields.List[str]):
    """Types of events, each once."""

    def __init__(self, **kwargs: Any) -> None:
        of = fields.String(validate=validate.OneOf(PUBLIC))
        super().__init__(of, validate=validate.Length(max=len(PUBLIC)), metadata=EVENTS, **kwargs)


class NewEndpointSchema(Schema):
    """Where to send events, and which."""

    url = Text(required=True, max_length=URL_LENGTH_MAX, metadata=URL)
    events = EventTypes(load_default=list)


class EndpointChangesSchema(Schema):
    """What is to be different; what is left out stays."""

    url = Text(max_length=URL_LENGTH_MAX, metadata=URL)
    events = EventTypes()
    status = fields.String(
        validate=validate.OneOf(("active", "paused")),
        metadata={
            "description": "`paused`: nothing is sent, and nothing is kept for it of what happens; `active` goes on, "
            "also where it was `gone`",
            "example": "active",
        },
    )


class EndpointSchema(Schema):
    """An address that events are sent to."""

    id = fields.UUID()
    url = fields.String(metadata=URL)
    events = fields.List(fields.String(validate=validate.OneOf(PUBLIC)), metadata=EVENTS)
    status = fields.String(
        validate=validate.OneOf(ENDPOINT_STATUSES),
        metadata={"description": "`gone`: it has answered 410, and is not asked any more", "example": "active"},
    )
    created_at = Instant()
    failing_since = Instant(
        allow_none=True,
        metadata={"description": "since when every attempt has failed; null: the last one has not", "example": None},
    )
    old_secret_until = Instant(
        allow_none=True,
        metadata={"description": "until then messages are signed by the secret of before, too", "example": None},
    )


class EndpointWithSecretSchema(EndpointSchema):
    """An endpoint with its secret, which is shown this once."""

    secret = fields.String(
        metadata={
            "description": "what its messages are signed by; keep it, it is not shown again",
            "example": "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSwMfKQ9r8GKYo=",
        }
    )


EndpointPageSchema = page_of(EndpointSchema)


class RotationSchema(Schema):
    """How long the old secret goes on."""

    overlap_hours = WholeNumber(
        load_default=24,
        maximum=OVERLAP_HOURS_MAX,
        metadata={"description": "so long messages are signed by both; 0: the old one is lost", "example": 24},
    )


class ReplaySchema(Schema):
    """Which time is to be sent once more."""

    since = Instant(
        required=True, metadata={"description": "what has happened from then on", "example": "2026-03-02T00:00:00Z"}
    )
    until = Instant(metadata={"description": "and before then; left out: until now"})


class ReplayedSchema(Schema):
    """What is to be sent."""

    count = fields.Integer(metadata={"description": "so many events", "example": 12})


class DeliveriesQuery(PageQuery):
    """Which part of the log."""

    status = fields.String(
        load_default=None,
        validate=validate.OneOf(DELIVERY_STATUSES),
        metadata={"description": "only what is still to be sent, what has arrived, or what was given up"},
    )


class AttemptSchema(Schema):
    """One try."""

    at = Instant(metadata={"example": "2026-03-02T15:42:11Z"})
    status = fields.Integer(
        allow_none=True, metadata={"description": "of the answer; null: there was none", "example": 200}
    )
    error = fields.String(allow_none=True, metadata={"description": "why it has failed", "example": None})
    duration_ms = fields.Integer(metadata={"example": 84})


class DeliverySchema(Schema):
    """An event for an endpoint, and what came of it."""

    id = fields.String(metadata=MESSAGE_ID)
    type = fields.String(metadata=TYPE)
    order_id = fields.UUID(allow_none=True, metadata={"description": "the order that it is about; null: none"})
    timestamp = Instant(metadata=TIMESTAMP)
    status = fields.String(
        validate=validate.OneOf(DELIVERY_STATUSES),
        metadata={"description": "`dead`: given up after the last attempt", "example": "done"},
    )
    next_attempt_at = Instant(
        allow_none=True,
        metadata={"description": "when it is tried next, at the earliest; null: it is not", "example": None},
    )
    attempts = fields.List(
        fields.Nested(AttemptSchema), metadata={"description": "oldest first; they are kept for 30 days"}
    )


DeliveryPageSchema = page_of(DeliverySchema)
