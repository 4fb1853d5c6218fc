"""Metrics of a worker in Prometheus's text format, counted since its start."""

from prometheus_client import CollectorRegistry, Counter, Gauge, generate_latest

from bot.workers.counts import WorkCounts


def render_work(counts: WorkCounts) -> bytes:
    """Return a scrape: separations by how they ended, and those under way."""
    registry = CollectorRegistry()
    counter = Counter(
        "stemcord_worker_separations",
        "Separations that this worker has ended.",
        ("outcome",),
        registry=registry,
    )
    for outcome, count in counts.ended.items():
        counter.labels(outcome).inc(count)
    gauge = Gauge(
        "stemcord_worker_running", "Separations under way in this worker.", registry=registry
    )
    gauge.set(counts.under_way)
    return generate_latest(registry)
