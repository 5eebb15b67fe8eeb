"""What the orders say of themselves when Prometheus looks."""

from collections.abc import Iterator

from prometheus_client.core import GaugeMetricFamily
from sqlalchemy import func, select

from pickup.core.db import db
from pickup.orders.lifecycle import FINAL, STATUSES
from pickup.orders.models import Order


def order_gauges() -> Iterator[GaugeMetricFamily]:
    """Open orders by status."""
    family = GaugeMetricFamily("pickup_orders_open", "Orders that have not ended, by status.", labels=["status"])
    rows = db.session.execute(
        select(Order.status, func.count()).where(Order.status.not_in(sorted(FINAL))).group_by(Order.status)
    )
    counts = {row.status: row[1] for row in rows}
    for status in STATUSES:
        if status not in FINAL:
            family.add_metric([status], counts.get(status, 0))
    yield family
