"""What an event looks like from outside, the same in a webhook, in the feed and in a stream; and endpoints."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, cast

from pickup.core.clock import rfc3339
from pickup.stores.directory import directory, fresh_directory
from pickup.webhooks.models import WebhookAttempt, WebhookDelivery, WebhookEndpoint
from pickup.webhooks.queries import DeliveryStatus, EndpointStatus, PublicEvent, Sent, attempts_of
from pickup.webhooks.signing import message_id

# Figures in minor units and what they are called as money; their currency stands beside them.
MONEY = {"amount": "amount", "reduced_amount": "reduced_by"}
ABOUT_ORDERS = frozenset({"order", "payment"})


def shown_event(event: PublicEvent) -> dict[str, Any]:
    """An event as JSON: its type, when it happened, and what it is about. Ids and figures, no personal data."""
    return {"type": event.type, "timestamp": event.at, "data": _data(event)}


def told_event(event: PublicEvent) -> dict[str, Any]:
    """An event as the feed and a stream tell it: the same, with its name, in plain values."""
    return {"id": message_id(event.id), **shown_event(event), "timestamp": rfc3339(event.at)}


def is_about_order(event_type: str) -> bool:
    """Whether events of this type concern an order: their subject is its id."""
    return event_type.partition(".")[0] in ABOUT_ORDERS


def _data(event: PublicEvent) -> dict[str, Any]:
    data = dict(event.data)
    if (store_id := data.pop("store_id", None)) is not None:
        data["store_ref"] = _store_ref(store_id)
    currency = data.pop("currency", None)
    for inside, outside in MONEY.items():
        if inside in data:
            data[outside] = {"amount": data.pop(inside), "currency": currency}
    return {"order_id": str(event.subject_id), **data} if is_about_order(event.type) else data


def _store_ref(store_id: int) -> str:
    """The store may be newer than what this process has in memory."""
    store = directory().by_id.get(store_id) or fresh_directory().by_id[store_id]
    return store.ref


def status_of(endpoint: WebhookEndpoint) -> EndpointStatus:
    """Whether an endpoint is sent to, and why not."""
    return cast(EndpointStatus, endpoint.disabled_why or "active")


def shown_endpoint(endpoint: WebhookEndpoint, *, now: datetime) -> dict[str, Any]:
    """An endpoint, without its secrets."""
    until = endpoint.old_secret_until
    return {
        "id": endpoint.id,
        "url": endpoint.url,
        "events": endpoint.events,
        "status": status_of(endpoint),
        "created_at": endpoint.created_at,
        "failing_since": endpoint.failing_since,
        "old_secret_until": until if until and until > now else None,
    }


def shown_deliveries(found: Sequence[Sent]) -> list[dict[str, Any]]:
    """Part of the log of an endpoint."""
    attempts = attempts_of(sent.delivery.id for sent in found)
    return [_shown_delivery(sent, attempts.get(sent.delivery.id, ())) for sent in found]


def delivery_status(delivery: WebhookDelivery) -> DeliveryStatus:
    """Whether an event has arrived, is still to be sent, or was given up."""
    return "done" if delivery.done_at else "dead" if delivery.dead_at else "waiting"


def _shown_delivery(sent: Sent, attempts: Sequence[WebhookAttempt]) -> dict[str, Any]:
    delivery, status = sent.delivery, delivery_status(sent.delivery)
    return {
        "id": message_id(delivery.event_id),
        "type": sent.type,
        "order_id": delivery.subject_id if is_about_order(sent.type) else None,
        "timestamp": sent.at,
        "status": status,
        "next_attempt_at": delivery.due_at if status == "waiting" else None,
        "attempts": [
            {"at": each.at, "status": each.status, "error": each.error, "duration_ms": each.duration_ms}
            for each in attempts
        ],
    }
