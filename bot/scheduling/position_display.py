"""Tells waiting jobs how many jobs are ahead of them, and how long those will take."""

from collections.abc import Mapping, Sequence

from bot.domain.job import Job
from bot.providers.interface import Provider
from bot.scheduling.circuit_breaker import CircuitBreaker
from bot.scheduling.progress import Progress, ProgressBoard, Stage
from bot.scheduling.throughput import ThroughputEstimator


class QueuePositions:
    """Publishes positions in queues as jobs' progress; stores nothing."""

    def __init__(
        self,
        *,
        providers: Mapping[str, Provider],
        throughput: ThroughputEstimator,
        breaker: CircuitBreaker,
        board: ProgressBoard,
    ) -> None:
        self._providers = providers
        self._throughput = throughput
        self._breaker = breaker
        self._board = board

    def publish_positions(
        self, provider: str, inside: Sequence[Job], waiting: Sequence[Job]
    ) -> None:
        """Publish the position of every queued job."""
        work_s = self._throughput.estimate_s(provider, inside)
        for ahead, job in enumerate(waiting, start=len(inside)):
            self._put(provider, job, ahead, work_s)
            work_s += self._throughput.estimate_s(provider, [job])

    def publish(self, provider: str, job: Job, ahead: Sequence[Job]) -> None:
        """Publish the position of one job."""
        self._put(provider, job, len(ahead), self._throughput.estimate_s(provider, ahead))

    def _put(self, provider: str, job: Job, ahead: int, work_s: float) -> None:
        """Record the time until a job's turn, or the provider's cooldown if that is longer."""
        capabilities = self._providers[provider].capabilities
        wait_s = max(work_s / capabilities.concurrency, self._breaker.cooldown_s(provider))
        progress = Progress(
            stage=Stage.WAITING, ahead=ahead, eta_s=wait_s, provider=capabilities.title
        )
        self._board.put(job.id, progress)
