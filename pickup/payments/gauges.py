"""What the money says of itself when Prometheus looks."""

from collections.abc import Iterator

from prometheus_client.core import GaugeMetricFamily
from sqlalchemy import func, select

from pickup.core.db import db
from pickup.payments.models import Payment
from pickup.payments.queries import newest_check

COUNTED = {
    "pickup_payments_pending": ("Payments whose outcome is not known yet.", Payment.status == "pending"),
    "pickup_payments_with_problem": ("Payments that a person must look at.", Payment.problem.is_not(None)),
}


def payment_gauges() -> Iterator[GaugeMetricFamily]:
    """What waits for a gateway or a person, and what the last check of the money has found, and when."""
    for name, (meaning, condition) in COUNTED.items():
        count = db.session.scalar(select(func.count()).select_from(Payment).where(condition))
        yield GaugeMetricFamily(name, meaning, value=count or 0)
    check = newest_check()
    if check is not None:
        yield GaugeMetricFamily(
            "pickup_payment_differences",
            "What the last check of the money found unexplained.",
            value=check.differences,
        )
        yield GaugeMetricFamily(
            "pickup_payments_checked", "Payments that the last check looked at.", value=check.payments
        )
        yield GaugeMetricFamily(
            "pickup_payment_check_timestamp_seconds", "When the money was last checked.", value=check.at.timestamp()
        )
