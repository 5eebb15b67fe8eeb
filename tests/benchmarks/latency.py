"""From the order to the decision, while orders come in at half of what the system can take."""

from tests.benchmarks.figures import Figure, at_most, percentile
from tests.benchmarks.instance import progress, wait_until_done
from tests.benchmarks.load import fire_at_rate
from tests.benchmarks.shop import Shop

P99_MAX_MS = 250
WAIT_SECONDS = 10
# What the order's own history says; a decision is dated by the worker that makes it.
DECISIONS = """
    SELECT extract(epoch FROM decided.at - placed.at)::float8
    FROM order_history AS placed JOIN order_history AS decided USING (order_id)
    WHERE placed.action = 'place' AND placed.at >= '{since}' AND decided.action IN ('reserve', 'cancel')
"""


def measure(shop: Shop, orders: int, *, rate_max: float) -> list[Figure]:
    """Customers who wait for the decision, at half of the rate."""
    rate = rate_max / 2
    progress(f"{orders:,} waiting customers, {rate:.0f} a second")
    ((since,),) = shop.system.select("SELECT clock_timestamp()")
    answers = fire_at_rate(
        shop.system.port, "/v1/orders", shop.baskets(orders), rate=rate, key=shop.key, wait=WAIT_SECONDS
    )
    wait_until_done(shop.system)
    decisions = [1000 * seconds for (seconds,) in shop.system.select(DECISIONS.format(since=since.isoformat()))]
    arrived = f"at {rate:.0f} orders/s, half of the maximum; answers {dict(answers.codes)}"
    return [
        Figure("from order to answered decision, median", answers.milliseconds(0.5), "ms", note=arrived),
        Figure("from order to answered decision, p99", answers.milliseconds(0.99), "ms", at_most(P99_MAX_MS)),
        Figure("from order to decision by its history, median", percentile(decisions, 0.5), "ms"),
        Figure("from order to decision by its history, p99", percentile(decisions, 0.99), "ms", at_most(P99_MAX_MS)),
    ]
