"""HTTP of webhook endpoints."""

from collections.abc import Callable
from datetime import datetime
from typing import Any, TypeVar

from pickup.core.api import Blueprint, refuses, requires
from pickup.core.auth import current_caller
from pickup.core.clock import utcnow
from pickup.core.db import in_transaction
from pickup.core.pagination import decode_cursor, page
from pickup.core.schemas import PageQuery
from pickup.webhooks import queries, service
from pickup.webhooks.errors import EndpointNotFound, TooManyEndpoints
from pickup.webhooks.models import WebhookEndpoint
from pickup.webhooks.presenting import shown_deliveries, shown_endpoint
from pickup.webhooks.schemas import (
    DeliveriesQuery,
    DeliveryPageSchema,
    EndpointChangesSchema,
    EndpointPageSchema,
    EndpointSchema,
    EndpointWithSecretSchema,
    NewEndpointSchema,
    ReplayedSchema,
    ReplaySchema,
    RotationSchema,
)
from pickup.webhooks.service import endpoint_uuid

Result = TypeVar("Result")

ENDPOINT_ID = {
    "description": "the `id` of the endpoint",
    "schema": {"type": "string"},
    "example": "019cadf0-5c7b-7d52-8f3e-2a4b6c8d0e1f",
}

blueprint = Blueprint(
    "webhooks",
    __name__,
    url_prefix="/v1/webhook-endpoints",
    description="Addresses of yours that events are sent to: [how to receive them](/docs#receiving). A key sees the "
    "endpoints of its own client and no others.",
    path_parameters={"endpoint_id": ENDPOINT_ID},
)


@blueprint.get("")
@requires("shop")
@blueprint.arguments(PageQuery, location="query")
@blueprint.response(200, EndpointPageSchema)
def list_webhook_endpoints(query: dict[str, Any]) -> dict[str, Any]:
    """List your webhook endpoints, oldest first.

    Their secrets are not shown. One that was removed is not there any more.
    """
    position = decode_cursor(query["after"], str)
    found = queries.endpoints_of(
        current_caller().client_id,
        after=endpoint_uuid(position[0]) if position else None,
        limit=query["limit"] + 1,
    )
    shown, now = page(found, query["limit"], lambda endpoint: (str(endpoint.id),)), utcnow()
    return shown | {"data": [shown_endpoint(endpoint, now=now) for endpoint in shown["data"]]}


@blueprint.post("")
@requires("shop")
@refuses(TooManyEndpoints)
@blueprint.arguments(NewEndpointSchema)
@blueprint.response(201, EndpointWithSecretSchema)
def add_webhook_endpoint(body: dict[str, Any]) -> dict[str, Any]:
    """Add a webhook endpoint.

    Events that become public from now on are sent there. The answer has the `secret` that they are signed by, and no
    other answer has it again: keep it, or let it be rotated.
    """
    client_id, now = current_caller().client_id, utcnow()
    made = in_transaction(lambda: service.create(client_id, body["url"], body["events"], now=now))
    return shown_endpoint(made, now=now) | {"secret": made.secret}


@blueprint.get("/<endpoint_id>")
@requires("shop")
@refuses(EndpointNotFound)
@blueprint.response(200, EndpointSchema)
def show_webhook_endpoint(endpoint_id: str) -> dict[str, Any]:
    """Show a webhook endpoint.

    Whether it is sent to, and since when it has failed, if it does.
    """
    return shown_endpoint(_mine(endpoint_id), now=utcnow())


@blueprint.patch("/<endpoint_id>")
@requires("shop")
@refuses(EndpointNotFound)
@blueprint.arguments(EndpointChangesSchema)
@blueprint.response(200, EndpointSchema)
def change_webhook_endpoint(body: dict[str, Any], endpoint_id: str) -> dict[str, Any]:
    """Change, pause or resume a webhook endpoint.

    What waits to be sent is sent to the new address. While it is `paused`, nothing is sent, and nothing is kept for it
    of what happens: let it be replayed afterwards. One that has answered 410 is `gone`, and sent to again once you make
    it `active`.
    """
    return _change(endpoint_id, lambda endpoint, now: _changed(endpoint, body, now))


@blueprint.delete("/<endpoint_id>")
@requires("shop")
@refuses(EndpointNotFound)
@blueprint.response(204)
def remove_webhook_endpoint(endpoint_id: str) -> None:
    """Remove a webhook endpoint.

    Nothing is sent there any more; what waits is given up.
    """
    _change(endpoint_id, lambda endpoint, now: service.remove(endpoint, now=now))


@blueprint.post("/<endpoint_id>/rotate-secret")
@requires("shop")
@refuses(EndpointNotFound)
@blueprint.arguments(RotationSchema)
@blueprint.response(200, EndpointWithSecretSchema)
def rotate_webhook_secret(body: dict[str, Any], endpoint_id: str) -> dict[str, Any]:
    """Give a webhook endpoint a new secret.

    Until `old_secret_until` each message has two signatures, by the new secret and by the one before: a receiver that
    knows either of them finds it right. The answer has the new secret, and no other answer has it again.
    """
    hours = body["overlap_hours"]

    def rotate(endpoint: WebhookEndpoint, now: datetime) -> dict[str, Any]:
        service.rotate_secret(endpoint, overlap_hours=hours, now=now)
        return shown_endpoint(endpoint, now=now) | {"secret": endpoint.secret}

    return _change(endpoint_id, rotate)


@blueprint.post("/<endpoint_id>/replay")
@requires("shop")
@refuses(EndpointNotFound)
@blueprint.arguments(ReplaySchema)
@blueprint.response(202, ReplayedSchema)
def replay_webhook_events(body: dict[str, Any], endpoint_id: str) -> dict[str, int]:
    """Send the events of a span of time once more.

    All that the endpoint should have had of it: also what it has got, what was given up, and what happened while it was
    paused, or before it was there. Each has its `webhook-id` of before, and those of an order keep their order. 100,000
    at most.
    """
    since, until = body["since"], body.get("until")
    count = _change(
        endpoint_id, lambda endpoint, now: service.replay(endpoint, since, now if until is None else until, now=now)
    )
    return {"count": count}


@blueprint.get("/<endpoint_id>/deliveries")
@requires("shop")
@refuses(EndpointNotFound)
@blueprint.arguments(DeliveriesQuery, location="query")
@blueprint.response(200, DeliveryPageSchema)
def list_webhook_deliveries(query: dict[str, Any], endpoint_id: str) -> dict[str, Any]:
    """List what is sent to a webhook endpoint.

    Newest first, also what has arrived. Each event has its attempts: when, what the answer was or why there was none,
    and how long it took.
    """
    endpoint = _mine(endpoint_id)
    position = decode_cursor(query["after"], int)
    found = queries.deliveries_of(
        endpoint.id, status=query["status"], before=position[0] if position else None, limit=query["limit"] + 1
    )
    shown = page(found, query["limit"], lambda sent: (sent.delivery.event_id,))
    return shown | {"data": shown_deliveries(shown["data"])}


def _mine(endpoint_id: str, *, lock: bool = False) -> WebhookEndpoint:
    return queries.get_endpoint(endpoint_uuid(endpoint_id), client_id=current_caller().client_id, lock=lock)


def _change(endpoint_id: str, change: Callable[[WebhookEndpoint, datetime], Result]) -> Result:
    return in_transaction(lambda: change(_mine(endpoint_id, lock=True), utcnow()))


def _changed(endpoint: WebhookEndpoint, changes: dict[str, Any], now: datetime) -> dict[str, Any]:
    service.change(endpoint, changes, now=now)
    return shown_endpoint(endpoint, now=now)
