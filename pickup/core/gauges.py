"""What the outbox says of itself when Prometheus looks."""

from collections.abc import Iterator

from prometheus_client.core import GaugeMetricFamily
from sqlalchemy import func, select

from pickup.core.db import db
from pickup.core.models import OutboxTask


def outbox_gauges() -> Iterator[GaugeMetricFamily]:
    """Waiting and dead tasks, and how long the oldest one has been due."""
    alive = OutboxTask.dead_at.is_(None)
    waiting, dead, oldest = db.session.execute(
        select(
            func.count().filter(alive),
            func.count().filter(~alive),
            func.coalesce(func.extract("epoch", func.now() - func.min(OutboxTask.due_at).filter(alive)), 0),
        )
    ).one()
    yield GaugeMetricFamily("pickup_outbox_waiting", "Outbox tasks that are not done yet.", value=waiting)
    yield GaugeMetricFamily("pickup_outbox_dead", "Outbox tasks that wait for a person.", value=dead)
    yield GaugeMetricFamily(
        "pickup_outbox_oldest_seconds", "How long the oldest task has been due.", value=max(float(oldest), 0)
    )
