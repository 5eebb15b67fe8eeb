"""What the stores say of themselves when Prometheus looks."""

from collections.abc import Iterator

from prometheus_client.core import GaugeMetricFamily
from sqlalchemy import func, or_, select

from pickup.core.db import db
from pickup.stores.models import FEED_STATES, Store


def store_gauges() -> Iterator[GaugeMetricFamily]:
    """Stores by what their tills are heard of, and those that take no new orders."""
    takes_none = or_(Store.paused_at.is_not(None), Store.feed_state == "silent")
    rows = db.session.execute(
        select(Store.feed_state, func.count(), func.count().filter(takes_none)).group_by(Store.feed_state)
    ).all()
    counts = {state: number for state, number, _ in rows}
    family = GaugeMetricFamily(
        "pickup_stores_till_feed", "Stores by whether their tills are heard of.", labels=["state"]
    )
    for state in FEED_STATES:
        family.add_metric([state], counts.get(state, 0))
    yield family
    yield GaugeMetricFamily(
        "pickup_stores_paused",
        "Stores that take no new orders: paused by somebody, or silent.",
        value=sum(paused for _, _, paused in rows),
    )
