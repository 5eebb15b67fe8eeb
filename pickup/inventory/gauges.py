"""What the stock says of itself when Prometheus looks."""

from collections.abc import Iterator

from prometheus_client.core import GaugeMetricFamily

from pickup.inventory.queries import newest_check


def stock_gauges() -> Iterator[GaugeMetricFamily]:
    """What the last check of the books has found, and when it was; nothing before the first one."""
    check = newest_check()
    if check is not None:
        yield GaugeMetricFamily(
            "pickup_stock_differences",
            "Figures of stock that the last check found unexplained.",
            value=check.differences,
        )
        yield GaugeMetricFamily(
            "pickup_stock_levels_checked", "Stock levels that the last check looked at.", value=check.levels
        )
        yield GaugeMetricFamily(
            "pickup_stock_check_timestamp_seconds", "When stock was last checked.", value=check.at.timestamp()
        )
