"""Metrics in Prometheus's text format; those of a bot are counted from the store.

Counts from the store survive a restart. Since counting reads every row, scrapes within a few
seconds share one result.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping

from prometheus_client import CollectorRegistry, Counter, Gauge, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from bot.domain.clock import Clock
from bot.domain.job import State
from bot.workers.counts import WorkCounts
from storage.stores.vendor_spending import ProviderUsage

Counts = Mapping[tuple[str, ...], int]


KEPT_S = 15.0
"""Scrapes younger than this are reused; Prometheus asks once a minute by default."""


class SharedScrape:
    """Caches a scrape, and renews an old one once for all concurrent requests."""

    def __init__(
        self,
        make: Callable[[], Awaitable[bytes]],
        *,
        clock: Clock,
        kept_s: float = KEPT_S,
    ) -> None:
        self._make = make
        self._clock = clock
        self._kept_s = kept_s
        self._making = asyncio.Lock()
        self._made: tuple[float, bytes] | None = None

    async def __call__(self) -> bytes:
        """Return the latest scrape, renewed if it is too old."""
        async with self._making:
            now = self._clock.monotonic()
            if self._made is None or now - self._made[0] >= self._kept_s:
                self._made = now, await self._make()
            return self._made[1]


def render_work(*, separations: WorkCounts, audio: WorkCounts, is_paused: bool) -> bytes:
    """Return the scrape of a worker, counted since its start."""
    registry = CollectorRegistry()
    for name, what, counts in (
        ("separations", "Separations", separations),
        ("audio_tasks", "Audio tasks", audio),
    ):
        counter = Counter(
            f"stemcord_worker_{name}",
            f"{what} that this worker has ended.",
            ("outcome",),
            registry=registry,
        )
        for outcome, count in counts.ended.items():
            counter.labels(outcome).inc(count)
    for name, what, counts in (
        ("running", "Separations", separations),
        ("running_audio_tasks", "Audio tasks", audio),
    ):
        gauge = Gauge(
            f"stemcord_worker_{name}", f"{what} under way in this worker.", registry=registry
        )
        gauge.set(counts.under_way)
    paused = Gauge(
        "stemcord_worker_paused",
        "Whether this worker takes no songs, because several in a row failed on it.",
        registry=registry,
    )
    paused.set(is_paused)
    return generate_latest(registry)


class _Snapshot(Collector):
    def __init__(self, families: Iterable[Metric]) -> None:
        self._families = tuple(families)

    def collect(self) -> Iterable[Metric]:
        return self._families


def render(
    *,
    jobs: Mapping[State, int],
    usage: Mapping[str, ProviderUsage],
    running: int,
    queue: Counts,
    unreadable: int = 0,
    devices: Iterable[tuple[str, str, str]] = (),
    sent_audio: Mapping[str, int] | None = None,
) -> bytes:
    """Return a scrape: jobs by state, attempts by provider and state, and the queues.

    `devices` are providers on this machine, each with the kind and the name of what it runs on.
    `sent_audio` are audio tasks sent to workers, by outcome.
    """
    attempts: Counts = {
        (provider, state): count
        for provider, provider_usage in usage.items()
        for state, count in provider_usage.attempts.items()
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
                _family("stemcord_line", "Jobs at a provider.", ("provider", "place"), queue),
                _family(
                    "stemcord_unreadable_jobs",
                    "Jobs met since the start that this version cannot read.",
                    (),
                    {(): unreadable},
                ),
                _family("stemcord_running", "Jobs under way.", (), {(): running}),
                _family(
                    "stemcord_device",
                    "What the providers of this machine run on.",
                    ("provider", "device", "name"),
                    dict.fromkeys(devices, 1),
                ),
                _family(
                    "stemcord_sent_audio_tasks",
                    "Audio tasks sent to workers since the start, by outcome.",
                    ("outcome",),
                    {(outcome,): count for outcome, count in (sent_audio or {}).items()},
                ),
            )
        )
    )
    return generate_latest(registry)


def _family(name: str, text: str, labels: tuple[str, ...], counts: Counts) -> GaugeMetricFamily:
    family = GaugeMetricFamily(name, text, labels=labels)
    for values, count in counts.items():
        family.add_metric(values, count)
    return family
