"""Estimates how long providers take, learned from finished jobs."""

from collections.abc import Iterable

from bot.domain.job import Job
from bot.domain.minutes import SAMPLE_RATE

FIRST_GUESS = 0.08
"""Seconds of work per second of song, until the first job is finished."""
WEIGHT = 0.3
"""The weight of the latest job in the moving average."""


class ThroughputEstimator:
    """A moving average of work time over song length, for each provider."""

    def __init__(self) -> None:
        self._ratios: dict[str, float] = {}

    def learn(self, provider: str, job: Job, seconds: float) -> None:
        """Record how long `provider` took for a job."""
        if job.frames:
            ratio = seconds * SAMPLE_RATE / job.frames
            before = self._ratios.get(provider, ratio)
            self._ratios[provider] = before + WEIGHT * (ratio - before)

    def estimate_s(self, provider: str, jobs: Iterable[Job]) -> float:
        """Return how many seconds `provider` will take for these jobs, one after the other."""
        frames = sum(job.frames or 0 for job in jobs)
        return self._ratios.get(provider, FIRST_GUESS) * frames / SAMPLE_RATE
