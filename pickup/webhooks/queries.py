"""Named reads of the feed, the endpoints and their deliveries."""

import uuid
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, NamedTuple, get_args

from sqlalchemy import ARRAY, BigInteger, ColumnElement, any_, bindparam, func, select

from pickup.core.db import db
from pickup.core.models import ApiClient, Event
from pickup.webhooks.errors import EndpointNotFound
from pickup.webhooks.models import WebhookAttempt, WebhookDelivery, WebhookEndpoint


@dataclass(frozen=True, slots=True)
class PublicEvent:
    """An event that has its place in the feed."""

    id: int
    position: int
    type: str
    subject_id: uuid.UUID
    at: datetime
    data: dict[str, Any]


_COLUMNS = (Event.id, Event.position, Event.type, Event.subject_id, Event.at, Event.data)


def events_by_id(event_ids: Iterable[int]) -> dict[int, PublicEvent]:
    """Some events of the feed."""
    wanted = bindparam("wanted", list(event_ids), type_=ARRAY(BigInteger()))
    rows = db.session.execute(select(*_COLUMNS).where(Event.id == any_(wanted), Event.position.is_not(None)))
    return {row.id: PublicEvent(*row) for row in rows}


EndpointStatus = Literal["active", "paused", "gone"]
ENDPOINT_STATUSES: tuple[EndpointStatus, ...] = get_args(EndpointStatus)
DeliveryStatus = Literal["waiting", "done", "dead"]
DELIVERY_STATUSES: tuple[DeliveryStatus, ...] = get_args(DeliveryStatus)

WAITS = WebhookDelivery.done_at.is_(None) & WebhookDelivery.dead_at.is_(None)
DELIVERY_STATES: Mapping[DeliveryStatus, ColumnElement[bool]] = {
    "waiting": WAITS,
    "done": WebhookDelivery.done_at.is_not(None),
    "dead": WebhookDelivery.dead_at.is_not(None),
}
_IS_THERE = WebhookEndpoint.disabled_why.is_distinct_from("removed")


def endpoints_of(client_id: int, *, after: uuid.UUID | None, limit: int) -> Sequence[WebhookEndpoint]:
    """A client's endpoints, oldest first, from behind one."""
    wanted = select(WebhookEndpoint).where(WebhookEndpoint.client_id == client_id, _IS_THERE)
    if after is not None:
        wanted = wanted.where(WebhookEndpoint.id > after)
    return db.session.scalars(wanted.order_by(WebhookEndpoint.id).limit(limit)).all()


def get_endpoint(endpoint_id: uuid.UUID, *, client_id: int | None = None, lock: bool = False) -> WebhookEndpoint:
    """An endpoint, of a client or of any.

    Raises:
        EndpointNotFound: there is none, it was removed, or it is another client's.
    """
    wanted = select(WebhookEndpoint).where(WebhookEndpoint.id == endpoint_id, _IS_THERE)
    if client_id is not None:
        wanted = wanted.where(WebhookEndpoint.client_id == client_id)
    if lock:
        # Not against those who plan a delivery for it: that is the relay, and all orders wait for it.
        wanted = wanted.with_for_update(key_share=True)
    endpoint = db.session.scalars(wanted.execution_options(populate_existing=True)).one_or_none()
    if endpoint is None:
        raise EndpointNotFound("There is no webhook endpoint of this id.")
    return endpoint


def lock_client(client_id: int) -> None:
    """Make the present transaction the only one that adds endpoints of a client, until it ends."""
    # Its orders are placed meanwhile: they only refer to it.
    db.session.execute(select(ApiClient.id).where(ApiClient.id == client_id).with_for_update(key_share=True))


def count_endpoints(client_id: int) -> int:
    """How many endpoints a client has."""
    counted = select(func.count()).select_from(WebhookEndpoint).where(WebhookEndpoint.client_id == client_id, _IS_THERE)
    return int(db.session.execute(counted).scalar_one())


class Sent(NamedTuple):
    """An event for an endpoint, as the log has it."""

    delivery: WebhookDelivery
    type: str
    at: datetime


def deliveries_of(
    endpoint_id: uuid.UUID, *, status: DeliveryStatus | None, before: int | None, limit: int
) -> Sequence[Sent]:
    """What is or was to be sent to an endpoint, the newest event first, from before one."""
    wanted = (
        select(WebhookDelivery, Event.type, Event.at)
        .join(Event, Event.id == WebhookDelivery.event_id)
        .where(WebhookDelivery.endpoint_id == endpoint_id)
    )
    if status is not None:
        wanted = wanted.where(DELIVERY_STATES[status])
    if before is not None:
        wanted = wanted.where(WebhookDelivery.event_id < before)
    rows = db.session.execute(
        wanted.order_by(WebhookDelivery.event_id.desc()).limit(limit).execution_options(populate_existing=True)
    )
    return [Sent(*row) for row in rows]


def attempts_of(delivery_ids: Iterable[int]) -> Mapping[int, Sequence[WebhookAttempt]]:
    """All tries of some deliveries, by delivery, oldest first."""
    found: dict[int, list[WebhookAttempt]] = defaultdict(list)
    wanted = bindparam("wanted", list(delivery_ids), type_=ARRAY(BigInteger()))
    tries = select(WebhookAttempt).where(WebhookAttempt.delivery_id == any_(wanted)).order_by(WebhookAttempt.id)
    for each in db.session.scalars(tries):
        found[each.delivery_id].append(each)
    return found
