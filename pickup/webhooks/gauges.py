"""What the webhooks say of themselves when Prometheus looks."""

from collections.abc import Iterator

from prometheus_client.core import GaugeMetricFamily
from sqlalchemy import func, select

from pickup.core.db import db
from pickup.webhooks.models import WebhookDelivery, WebhookEndpoint


def webhook_gauges() -> Iterator[GaugeMetricFamily]:
    """Messages that wait for endpoints that listen, or were given up; endpoints that fail, or were switched off."""
    waiting, oldest = db.session.execute(
        select(
            func.count(),
            func.coalesce(func.extract("epoch", func.now() - func.min(WebhookDelivery.due_at)), 0),
        )
        .join(WebhookEndpoint, WebhookEndpoint.id == WebhookDelivery.endpoint_id)
        .where(
            WebhookDelivery.done_at.is_(None),
            WebhookDelivery.dead_at.is_(None),
            WebhookEndpoint.disabled_at.is_(None),
        )
    ).one()
    dead = db.session.scalar(
        select(func.count())
        .select_from(WebhookDelivery)
        .join(WebhookEndpoint, WebhookEndpoint.id == WebhookDelivery.endpoint_id)
        # What was for an endpoint that was removed has lost nobody anything.
        .where(WebhookDelivery.dead_at.is_not(None), WebhookEndpoint.disabled_why.is_distinct_from("removed"))
    )
    is_enabled = WebhookEndpoint.disabled_at.is_(None)
    failing, gone = db.session.execute(
        select(
            func.count().filter(is_enabled, WebhookEndpoint.failing_since.is_not(None)),
            func.count().filter(WebhookEndpoint.disabled_why == "gone"),
        ).select_from(WebhookEndpoint)
    ).one()
    yield GaugeMetricFamily("pickup_webhooks_waiting", "Webhooks that are not delivered yet.", value=waiting)
    yield GaugeMetricFamily(
        "pickup_webhooks_oldest_seconds", "How long the oldest of them has been due.", value=max(float(oldest), 0)
    )
    yield GaugeMetricFamily(
        "pickup_webhooks_dead", "Webhooks that were given up, of endpoints that are there.", value=dead or 0
    )
    yield GaugeMetricFamily("pickup_webhook_endpoints_failing", "Endpoints whose last attempt failed.", value=failing)
    yield GaugeMetricFamily("pickup_webhook_endpoints_gone", "Endpoints that answered 410.", value=gone)
