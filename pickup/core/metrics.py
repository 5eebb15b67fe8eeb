"""`/metrics` for Prometheus: what the processes counted, and what the database says at the moment of the scrape."""

import os
import time
from collections.abc import Callable, Iterable

from flask import Blueprint, Flask, Response, g, request
from prometheus_client import CONTENT_TYPE_LATEST, REGISTRY, CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.multiprocess import MultiProcessCollector

blueprint = Blueprint("metrics", __name__)

REQUESTS = Counter("pickup_http_requests_total", "Requests by route and status.", ["method", "route", "status"])
LATENCY = Histogram(
    "pickup_http_request_seconds",
    "Time to answer, by route.",
    ["method", "route"],
    buckets=(0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10),
)
TASKS = Counter("pickup_outbox_tasks_total", "Outbox tasks by handler and outcome.", ["handler", "outcome"])
BROKEN_TEMPLATES = Counter(
    "pickup_message_templates_broken_total",
    "Parts of messages said in our words, since a retailer's template is broken.",
    ["template"],
)
DECLINES = Counter("pickup_payments_declined_total", "Payments that were declined, by what was answered.", ["code"])

Gauge = Callable[[], Iterable[GaugeMetricFamily]]


class DatabaseCollector:
    """Gauges that features derive from their tables when somebody looks."""

    def __init__(self, gauges: Iterable[Gauge]) -> None:
        self.gauges = tuple(gauges)

    def collect(self) -> Iterable[GaugeMetricFamily]:
        """Ask every feature."""
        for gauge in self.gauges:
            yield from gauge()


@blueprint.get("/metrics")
def metrics() -> Response:
    """All counters of all processes of this machine, and the gauges of the database."""
    registry = CollectorRegistry()
    if os.environ.get("PROMETHEUS_MULTIPROC_DIR"):
        MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
    gauges = DatabaseCollector(_gauges)
    registry.register(gauges)
    own = b"" if os.environ.get("PROMETHEUS_MULTIPROC_DIR") else generate_latest(REGISTRY)
    return Response(own + generate_latest(registry), content_type=CONTENT_TYPE_LATEST)


_gauges: list[Gauge] = []


def init_app(app: Flask, gauges: Iterable[Gauge]) -> None:
    """Count and time each request; `gauges` are asked at each scrape."""
    _gauges[:] = gauges
    app.register_blueprint(blueprint)

    @app.before_request
    def start_clock() -> None:
        g.started_at = time.perf_counter()

    @app.after_request
    def count(response: Response) -> Response:
        # The rule, not the path: a label with ids in it would grow without bound.
        route = request.url_rule.rule if request.url_rule else "(none)"
        REQUESTS.labels(request.method, route, response.status_code).inc()
        if "started_at" in g:
            LATENCY.labels(request.method, route).observe(time.perf_counter() - g.started_at)
        return response
