"""What the tills say of themselves when Prometheus looks."""

from collections.abc import Iterator
from datetime import timedelta

from prometheus_client.core import GaugeMetricFamily
from sqlalchemy import func, select

from pickup.core.clock import utcnow
from pickup.core.db import db
from pickup.tills.models import BREACH_KINDS, ParityBreach, TillRegister
from pickup.tills.parity import CLOCK_SKEW_MAX
from pickup.tills.service import milliseconds

BREACHES_SPAN = timedelta(days=1)


def till_gauges() -> Iterator[GaugeMetricFamily]:
    """Registers that are late or go by a wrong clock, and breaches of parity on the last day."""
    skew = milliseconds(CLOCK_SKEW_MAX)
    late, wrong = db.session.execute(
        select(
            func.count().filter(TillRegister.late_since.is_not(None)),
            func.count().filter(func.abs(TillRegister.clock_ahead_ms) > skew),
        ).select_from(TillRegister)
    ).one()
    yield GaugeMetricFamily("pickup_registers_late", "Registers that charge by prices of yesterday.", value=late)
    yield GaugeMetricFamily("pickup_registers_clock_wrong", "Registers whose clock is off too far.", value=wrong)
    since = utcnow() - BREACHES_SPAN
    counts = dict(
        db.session.execute(
            select(ParityBreach.kind, func.count()).where(ParityBreach.at >= since).group_by(ParityBreach.kind)
        ).all()
    )
    family = GaugeMetricFamily(
        "pickup_parity_breaches", "Lines of the last day that tills charged otherwise.", labels=["kind"]
    )
    for kind in BREACH_KINDS:
        family.add_metric([kind], counts.get(kind, 0))
    yield family
