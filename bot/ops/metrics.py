"""Metrics in Prometheus' text format, counted from the store at each scrape.

What is counted there survives a restart, so nothing is counted twice or lost in memory.
"""

from collections.abc import Iterable, Mapping

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from bot.domain.job import State
from storage.stores.spending import ProviderUsage

Counts = Mapping[tuple[str, ...], int]


class _Snapshot(Collector):
    def __init__(self, families: Iterable[Metric]) -> None:
        self._families = tuple(families)

    def collect(self) -> Iterable[Metric]:
        return self._families


def render(
    *, jobs: Mapping[State, int], usage: Mapping[str, ProviderUsage], running: int, line: Counts
) -> bytes:
    """Return one scrape: jobs by state, attempts by provider and state, and the lines."""
    attempts: Counts = {
        (provider, state): count
        for provider, book in usage.items()
        for state, count in book.attempts.items()
    }
    registry = CollectorRegistry()
    registry.register(
        _Snapshot(
            (
                _family(
                    "stemcord_jobs",
                    "Jobs by state.",
                    ("state",),
                    {(state,): count for state, count in jobs.items()},
                ),
                _family(
                    "stemcord_attempts",
                    "Attempts by provider and state.",
                    ("provider", "state"),
                    attempts,
                ),
                _family("stemcord_line", "Jobs at a provider.", ("provider", "place"), line),
                _family("stemcord_running", "Jobs under way.", (), {(): running}),
            )
        )
    )
    return generate_latest(registry)


def _family(name: str, text: str, labels: tuple[str, ...], counts: Counts) -> GaugeMetricFamily:
    family = GaugeMetricFamily(name, text, labels=labels)
    for values, count in counts.items():
        family.add_metric(values, count)
    return family
