"""HTTP of the pages about webhooks: where events are sent, what came of it, and sending again. Only for head office."""

import uuid
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from flask import flash, redirect, render_template, request, url_for

from pickup.core.clock import utcnow
from pickup.core.db import in_transaction
from pickup.core.errors import InvalidFields, NotFound
from pickup.core.pages import Pages
from pickup.management import webhook_queries
from pickup.management.asking import all_cells, one_page, typed, wants_csv
from pickup.management.csv_export import csv_response
from pickup.management.scope import require_head_office
from pickup.management.views import Answer, require_manager
from pickup.staff import audit
from pickup.staff.gate import member
from pickup.webhooks import service
from pickup.webhooks.models import WebhookAttempt, WebhookEndpoint
from pickup.webhooks.presenting import delivery_status, status_of
from pickup.webhooks.queries import DELIVERY_STATUSES, DeliveryStatus, attempts_of, get_endpoint
from pickup.webhooks.signing import message_id

COLUMNS = (
    "id", "client", "url", "events", "state", "failing_since", "last_delivered_at", "waiting", "given_up", "created_at"
)  # fmt: skip
LOG_COLUMNS = (
    "message", "event", "order", "happened_at", "state", "next_attempt_at", "attempts", "last_status", "last_error"
)  # fmt: skip

blueprint = Pages(
    "webhooks_admin",
    __name__,
    url_prefix="/admin/webhooks",
    static_folder=None,
    way_back=("/admin/webhooks", "Back to the webhooks"),
)
blueprint.before_request(require_manager)
blueprint.before_request(require_head_office)


class EndpointRow(NamedTuple):
    """An endpoint in the list."""

    id: uuid.UUID
    client: str
    url: str
    events: Sequence[str]
    state: str
    failing_since: datetime | None
    delivered_at: datetime | None
    waiting: int
    dead: int
    created_at: datetime


class DeliveryRow(NamedTuple):
    """An event in the log of an endpoint."""

    id: int
    event_id: int
    message: str
    type: str
    order_id: uuid.UUID | None
    order_number: int | None
    store_id: int | None
    at: datetime
    state: DeliveryStatus
    due_at: datetime | None
    tries: int
    last_status: int | None
    last_error: str
    attempts: Sequence[WebhookAttempt]


@blueprint.get("")
def list_endpoints() -> Answer:
    """Every endpoint of every client, and how it goes."""

    def read(position: tuple[Any, ...] | None, limit: int) -> Sequence[EndpointRow]:
        found = webhook_queries.find_endpoints(after=_uuid(position[0]) if position else None, limit=limit)
        return [_endpoint_row(row) for row in found]

    if wants_csv():
        return csv_response("webhooks", COLUMNS, all_cells(read, lambda row: (str(row.id),), _endpoint_cells))
    return render_template("management/webhooks.html", **one_page(read, lambda row: (str(row.id),), str))


@blueprint.get("/<uuid:endpoint_id>")
def show_endpoint(endpoint_id: uuid.UUID) -> Answer:
    """One endpoint with its log, newest event first."""
    endpoint = get_endpoint(endpoint_id)
    state = typed("state")
    wanted = state if state in DELIVERY_STATUSES else None

    def read(position: tuple[Any, ...] | None, limit: int) -> Sequence[DeliveryRow]:
        before = position[0] if position else None
        return _delivery_rows(webhook_queries.find_deliveries(endpoint_id, status=wanted, before=before, limit=limit))

    if wants_csv():
        return csv_response("webhook-log", LOG_COLUMNS, all_cells(read, lambda row: (row.event_id,), _delivery_cells))
    return render_template(
        "management/webhook.html",
        endpoint=endpoint,
        state=status_of(endpoint),
        client=webhook_queries.client_name(endpoint.client_id),
        standing=webhook_queries.standing_of(endpoint_id),
        wanted=wanted or "",
        states=DELIVERY_STATUSES,
        **one_page(read, lambda row: (row.event_id,), int),
    )


@blueprint.post("/<uuid:endpoint_id>/pause")
def pause(endpoint_id: uuid.UUID) -> Answer:
    """Send nothing there for the time being."""
    _change(endpoint_id, "pause_webhook_endpoint", lambda endpoint, now: service.pause(endpoint, now=now))
    flash("It is paused: nothing is sent, and nothing is kept for it of what happens.", "done")
    return _back(endpoint_id)


@blueprint.post("/<uuid:endpoint_id>/resume")
def resume(endpoint_id: uuid.UUID) -> Answer:
    """Send there again."""
    _change(endpoint_id, "resume_webhook_endpoint", lambda endpoint, now: service.resume(endpoint, now=now))
    flash("It is sent to again.", "done")
    return _back(endpoint_id)


@blueprint.post("/<uuid:endpoint_id>/send-again")
def send_all_again(endpoint_id: uuid.UUID) -> Answer:
    """Give all that was given up a new set of attempts."""
    return _send_again(endpoint_id, None)


@blueprint.post("/<uuid:endpoint_id>/deliveries/<int(max=9223372036854775807):delivery_id>/send-again")
def send_again(endpoint_id: uuid.UUID, delivery_id: int) -> Answer:
    """Give one that was given up a new set of attempts."""
    return _send_again(endpoint_id, [delivery_id])


def _send_again(endpoint_id: uuid.UUID, delivery_ids: Sequence[int] | None) -> Answer:
    count = _change(
        endpoint_id,
        "send_webhooks_again",
        lambda endpoint, now: _revive(endpoint, delivery_ids, now),
        says_how_many=True,
    )
    flash(f"{count} {'is' if count == 1 else 'are'} sent again.", "done")
    return _back(endpoint_id)


def _revive(endpoint: WebhookEndpoint, delivery_ids: Sequence[int] | None, now: datetime) -> int:
    count = service.send_again(endpoint, delivery_ids, now=now)
    if delivery_ids and not count:
        raise NotFound("This has not been given up, or not any more.")
    return count


def _change(
    endpoint_id: uuid.UUID,
    action: str,
    change: Callable[[WebhookEndpoint, datetime], Any],
    *,
    says_how_many: bool = False,
) -> Any:
    """Change an endpoint, and write down who did it."""

    def work() -> Any:
        endpoint, now = get_endpoint(endpoint_id, lock=True), utcnow()
        result = change(endpoint, now)
        detail: dict[str, Any] = {"messages": result} if says_how_many else {}
        client = webhook_queries.client_name(endpoint.client_id)
        # What stands behind the question mark may be a key.
        audit.record(member(), action, now=now, client=client, url=endpoint.url.partition("?")[0], **detail)
        return result

    return in_transaction(work)


def _back(endpoint_id: uuid.UUID) -> Answer:
    state = request.form.get("state", "")
    kept = state if state in DELIVERY_STATUSES else None
    return redirect(url_for(".show_endpoint", endpoint_id=endpoint_id, state=kept), 303)


def _uuid(words: str) -> uuid.UUID:
    try:
        return uuid.UUID(words)
    except ValueError:
        raise InvalidFields.at("/after", "is not a cursor of this list") from None


def _endpoint_row(row: Any) -> EndpointRow:
    endpoint: WebhookEndpoint = row.WebhookEndpoint
    return EndpointRow(
        id=endpoint.id,
        client=row.client,
        url=endpoint.url,
        events=endpoint.events,
        state=status_of(endpoint),
        failing_since=endpoint.failing_since,
        delivered_at=row.delivered_at,
        waiting=row.waiting,
        dead=row.dead,
        created_at=endpoint.created_at,
    )


def _delivery_rows(found: Sequence[Any]) -> Sequence[DeliveryRow]:
    attempts = attempts_of(row.WebhookDelivery.id for row in found)
    rows = []
    for row in found:
        delivery = row.WebhookDelivery
        state = delivery_status(delivery)
        rows.append(
            DeliveryRow(
                id=delivery.id,
                event_id=delivery.event_id,
                message=message_id(delivery.event_id),
                type=row.type,
                order_id=row.order_id,
                order_number=row.order_number,
                store_id=row.store_id,
                at=row.at,
                state=state,
                due_at=delivery.due_at if state == "waiting" else None,
                tries=delivery.attempts,
                last_status=delivery.last_status,
                last_error=delivery.last_error or "",
                attempts=attempts.get(delivery.id, ()),
            )
        )
    return rows


def _endpoint_cells(row: EndpointRow) -> Sequence[object]:
    how = (row.state, row.failing_since, row.delivered_at, row.waiting, row.dead)
    return row.id, row.client, row.url, " ".join(row.events), *how, row.created_at


def _delivery_cells(row: DeliveryRow) -> Sequence[object]:
    what = (row.message, row.type, row.order_number, row.at, row.state, row.due_at)
    return *what, row.tries, row.last_status, row.last_error
