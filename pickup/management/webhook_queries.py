"""Named reads of the pages about webhooks."""

import uuid
from collections.abc import Sequence
from typing import Any

from sqlalchemy import Row, func, select
from sqlalchemy.sql.elements import ColumnElement

from pickup.core.db import db
from pickup.core.models import ApiClient, Event
from pickup.orders.models import Order
from pickup.webhooks.models import WebhookDelivery, WebhookEndpoint
from pickup.webhooks.queries import DELIVERY_STATES, WAITS, DeliveryStatus

_OF_IT = WebhookDelivery.endpoint_id == WebhookEndpoint.id


def find_endpoints(*, after: uuid.UUID | None, limit: int) -> Sequence[Row[Any]]:
    """Endpoints that are not removed, oldest first, from behind one; with their clients, and how it goes."""
    wanted = select(WebhookEndpoint, ApiClient.name.label("client"), *_standing())
    wanted = wanted.join(ApiClient, ApiClient.id == WebhookEndpoint.client_id)
    wanted = wanted.where(WebhookEndpoint.disabled_why.is_distinct_from("removed"))
    if after is not None:
        wanted = wanted.where(WebhookEndpoint.id > after)
    ordered = wanted.order_by(WebhookEndpoint.id).limit(limit)
    return db.session.execute(ordered.execution_options(populate_existing=True)).all()


def standing_of(endpoint_id: uuid.UUID) -> Row[Any]:
    """How it goes with an endpoint: how many are `waiting`, how many `dead`, and `delivered_at`."""
    return db.session.execute(select(*_standing()).where(WebhookEndpoint.id == endpoint_id)).one()


def client_name(client_id: int) -> str:
    """What a client is called."""
    return str(db.session.scalars(select(ApiClient.name).where(ApiClient.id == client_id)).one())


def find_deliveries(
    endpoint_id: uuid.UUID, *, status: DeliveryStatus | None, before: int | None, limit: int
) -> Sequence[Any]:
    """What is or was to be sent to an endpoint, the newest event first, from before one; with the orders behind it."""
    wanted = (
        select(
            WebhookDelivery,
            Event.type,
            Event.at,
            Order.id.label("order_id"),
            Order.number.label("order_number"),
            Order.store_id,
        )
        .join(Event, Event.id == WebhookDelivery.event_id)
        .outerjoin(Order, Order.id == WebhookDelivery.subject_id)
        .where(WebhookDelivery.endpoint_id == endpoint_id)
    )
    if status is not None:
        wanted = wanted.where(DELIVERY_STATES[status])
    if before is not None:
        wanted = wanted.where(WebhookDelivery.event_id < before)
    ordered = wanted.order_by(WebhookDelivery.event_id.desc()).limit(limit)
    return db.session.execute(ordered.execution_options(populate_existing=True)).all()


def _standing() -> Sequence[ColumnElement[Any]]:
    # Of the newest event that has arrived: the index has them in that order.
    newest = select(WebhookDelivery.done_at).where(_OF_IT, WebhookDelivery.done_at.is_not(None))
    newest = newest.order_by(WebhookDelivery.event_id.desc()).limit(1)
    return (
        _count(WAITS).label("waiting"),
        _count(WebhookDelivery.dead_at.is_not(None)).label("dead"),
        newest.correlate(WebhookEndpoint).scalar_subquery().label("delivered_at"),
    )


def _count(which: ColumnElement[bool]) -> Any:
    return (
        select(func.count())
        .select_from(WebhookDelivery)
        .where(_OF_IT, which)
        .correlate(WebhookEndpoint)
        .scalar_subquery()
    )
