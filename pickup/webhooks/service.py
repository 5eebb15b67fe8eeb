"""Endpoints: made, changed, removed; their secrets; and what is to be sent once more."""

import base64
import secrets
import uuid
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any

from flask import current_app
from sqlalchemy import ARRAY, BigInteger, DateTime, Integer, Text, Uuid, any_, bindparam, text, update

from pickup.config import Settings
from pickup.core.db import db, run
from pickup.core.errors import InvalidFields
from pickup.core.public_addresses import refusal_of
from pickup.core.types import new_id
from pickup.webhooks import queries
from pickup.webhooks.errors import EndpointNotFound, TooManyEndpoints
from pickup.webhooks.event_types import FOR_ALL, PUBLIC
from pickup.webhooks.models import WebhookDelivery, WebhookEndpoint

ENDPOINTS_MAX = 20
SECRET_PREFIX = "whsec_"  # noqa: S105  as Standard Webhooks has it
SECRET_BYTES = 32
REPLAYED_MAX = 100_000
# What is due later than this waits for its next attempt; anything else may be in somebody's hands just now.
SOON = timedelta(minutes=2)

_PLAN_AGAIN = text("""
    WITH wanted AS (
        SELECT id, subject_id FROM events
        WHERE at >= :since AND at < :until AND position IS NOT NULL AND type = ANY(:types) AND (
            type = ANY(:for_all) OR (SELECT client_id FROM orders WHERE orders.id = events.subject_id) = :client_id
        )
        ORDER BY id LIMIT :limit
    ), planned AS (
        INSERT INTO webhook_deliveries AS delivery (endpoint_id, event_id, subject_id, due_at)
        SELECT :endpoint_id, id, subject_id, :now FROM wanted ORDER BY id
        ON CONFLICT (endpoint_id, event_id) DO UPDATE SET
            done_at = NULL, dead_at = NULL,
            attempts = CASE WHEN delivery.done_at IS NULL AND delivery.dead_at IS NULL AND delivery.due_at <= :soon
                            THEN delivery.attempts ELSE 0 END,
            due_at = CASE WHEN delivery.done_at IS NULL AND delivery.dead_at IS NULL AND delivery.due_at <= :soon
                          THEN delivery.due_at ELSE :now END
        RETURNING delivery.id
    )
    SELECT count(*) FROM planned
""").bindparams(
    *(bindparam(name, type_=DateTime(timezone=True)) for name in ("since", "until", "now", "soon")),
    *(bindparam(name, type_=ARRAY(Text())) for name in ("types", "for_all")),
    bindparam("client_id", type_=Integer()),
    bindparam("endpoint_id", type_=Uuid()),
    bindparam("limit", type_=BigInteger()),
)


def create(client_id: int, url: str, events: Iterable[str], *, now: datetime) -> WebhookEndpoint:
    """Add an endpoint of a client.

    Raises:
        InvalidFields: nothing may be sent to this address.
        TooManyEndpoints: it has `ENDPOINTS_MAX` already.
    """
    _check(url)
    queries.lock_client(client_id)
    if queries.count_endpoints(client_id) >= ENDPOINTS_MAX:
        raise TooManyEndpoints(f"There are {ENDPOINTS_MAX} already. Remove one that is not needed any more.")
    endpoint = WebhookEndpoint(
        id=new_id(), client_id=client_id, url=url, events=_in_order(events), secret=_new_secret(), created_at=now
    )
    db.session.add(endpoint)
    return endpoint


def change(endpoint: WebhookEndpoint, changes: dict[str, Any], *, now: datetime) -> None:
    """Change the address, the events or the status of a locked endpoint.

    Raises:
        InvalidFields: nothing may be sent to this address.
    """
    if "url" in changes:
        _check(changes["url"])
        endpoint.url = changes["url"]
    if "events" in changes:
        endpoint.events = _in_order(changes["events"])
    if "status" in changes:
        {"paused": pause, "active": resume}[changes["status"]](endpoint, now=now)


def pause(endpoint: WebhookEndpoint, *, now: datetime) -> None:
    """Send nothing to a locked endpoint until it is resumed; what happens meanwhile is not planned for it."""
    if endpoint.disabled_at is None:
        endpoint.disabled_at, endpoint.disabled_why = now, "paused"


def resume(endpoint: WebhookEndpoint, *, now: datetime) -> None:
    """Send to a locked endpoint again, beginning with what waits; also where it had answered that it is gone."""
    if endpoint.disabled_at is not None:
        endpoint.disabled_at, endpoint.disabled_why, endpoint.failing_since = None, None, None
        _hasten(endpoint, now)


def remove(endpoint: WebhookEndpoint, *, now: datetime) -> None:
    """Nothing is sent to a locked endpoint any more, what waits is given up, and its secrets are forgotten."""
    endpoint.disabled_at, endpoint.disabled_why = now, "removed"
    endpoint.secret, endpoint.old_secret, endpoint.old_secret_until = "", None, None
    waiting = update(WebhookDelivery).where(WebhookDelivery.endpoint_id == endpoint.id, queries.WAITS)
    given_up = waiting.values(dead_at=now, last_error="the endpoint was removed")
    db.session.execute(given_up.execution_options(synchronize_session=False))


def rotate_secret(endpoint: WebhookEndpoint, *, overlap_hours: int, now: datetime) -> None:
    """Give a locked endpoint a new secret; the one of now goes on beside it for some hours, any older one does not."""
    until = now + timedelta(hours=overlap_hours) if overlap_hours else None
    endpoint.old_secret, endpoint.old_secret_until = (endpoint.secret if until else None), until
    endpoint.secret = _new_secret()


def replay(endpoint: WebhookEndpoint, since: datetime, until: datetime, *, now: datetime) -> int:
    """Plan once more what a locked endpoint should have had of a span of time; also what happened while it was paused.

    Each event keeps its id, and those of a subject their order. What waits for its next attempt is due at once.

    Returns:
        How many events there are.

    Raises:
        InvalidFields: the span ends before it begins, or has more than `REPLAYED_MAX` events.
    """
    if until <= since:
        raise InvalidFields.at("/until", "is not after `since`")
    count = run(
        _PLAN_AGAIN,
        {
            "since": since,
            "until": until,
            "now": now,
            "soon": now + SOON,
            "types": list(endpoint.events or PUBLIC),
            "for_all": list(FOR_ALL),
            "client_id": endpoint.client_id,
            "endpoint_id": endpoint.id,
            "limit": REPLAYED_MAX + 1,
        },
    ).scalar_one()
    if count > REPLAYED_MAX:
        raise InvalidFields.at("/since", f"there are more than {REPLAYED_MAX:,} events: take a shorter time")
    return int(count)


def send_again(endpoint: WebhookEndpoint, delivery_ids: Sequence[int] | None, *, now: datetime) -> int:
    """Give what was given up a new set of attempts.

    Args:
        delivery_ids: only these; None for all.

    Returns:
        How many there were.
    """
    dead = update(WebhookDelivery).where(
        WebhookDelivery.endpoint_id == endpoint.id, WebhookDelivery.dead_at.is_not(None)
    )
    if delivery_ids is not None:
        dead = dead.where(WebhookDelivery.id == any_(bindparam("ids", list(delivery_ids), type_=ARRAY(BigInteger()))))
    revived = dead.values(dead_at=None, attempts=0, due_at=now).returning(WebhookDelivery.id)
    return len(db.session.execute(revived.execution_options(synchronize_session=False)).all())


def _hasten(endpoint: WebhookEndpoint, now: datetime) -> None:
    late = update(WebhookDelivery).where(
        WebhookDelivery.endpoint_id == endpoint.id, queries.WAITS, WebhookDelivery.due_at > now + SOON
    )
    db.session.execute(late.values(due_at=now).execution_options(synchronize_session=False))


def _check(url: str) -> None:
    settings: Settings = current_app.extensions["settings"]
    refusal = refusal_of(url, loopback=settings.post_to_loopback)
    if refusal:
        raise InvalidFields.at("/url", refusal)


def _in_order(events: Iterable[str]) -> list[str]:
    named = set(events)
    return [each for each in PUBLIC if each in named]


def _new_secret() -> str:
    return SECRET_PREFIX + base64.b64encode(secrets.token_bytes(SECRET_BYTES)).decode()


def endpoint_uuid(words: str) -> uuid.UUID:
    """Read the id of an endpoint.

    Raises:
        EndpointNotFound: it is none.
    """
    try:
        return uuid.UUID(words)
    except ValueError:
        raise EndpointNotFound("There is no webhook endpoint of this id.") from None
