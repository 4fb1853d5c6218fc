"""The in-memory state of jobs under way, and the objects that their steps share."""

import asyncio
import logging
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from types import MappingProxyType

from bot.accounts.disk_guard import DiskGuard
from bot.delivery.port import Delivery
from bot.domain.analysis import Analysis
from bot.domain.backoff import Reminders
from bot.domain.clock import Clock
from bot.domain.errors import StoreUnavailable
from bot.domain.job import Job, JobId
from bot.providers.interface import Provider
from bot.scheduling.circuit_breaker import CircuitBreaker
from bot.scheduling.progress import Progress, ProgressBoard
from bot.scheduling.provider_queue import ProviderQueue
from bot.scheduling.shared_places import SharedPlaces
from bot.scheduling.throughput import ThroughputEstimator
from storage.files.job_files import JobFiles
from storage.groups.signals import Signals
from storage.stores.job_store import JobStore

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class RetryAfter:
    """Take the next step after `after_s` seconds, or earlier if the job is woken."""

    after_s: float = 0.0


@dataclass(frozen=True, slots=True)
class AwaitWake:
    """Take the next step once the job is woken."""


@dataclass(frozen=True, slots=True)
class Done:
    """The job is in a final state, so there is no next step."""


StepResult = RetryAfter | AwaitWake | Done


@dataclass(frozen=True, slots=True, kw_only=True)
class MadeMasters:
    """What was found out while a job's masters were made."""

    is_voiceless: bool
    is_unnamed: bool
    analysis: Analysis | None
    """The song's analysis, unless it failed or has yet to be made from the masters."""


@dataclass(slots=True)
class Polling:
    """The state of polling the current attempt."""

    interval_s: float | None = None
    """Seconds until the next poll; None before the first."""
    asked_since: datetime | None = None
    """The time of this process's first poll of the attempt."""
    failed_polls: int = 0
    """Consecutive polls that were refused or could not be understood."""
    failed_fetches: int = 0
    """Rounds in which the results could not be fetched."""
    made: MadeMasters | None = None
    """The masters, which wait to be stored."""


@dataclass(slots=True)
class Delivering:
    """A ready job's encoded files and failed deliveries."""

    encoded: Delivery | None = None
    """The encoded stems, kept for retries until delivered or refused as too large."""
    shrinks: int = 0
    failures: int = 0
    """The number of times that the reply was unavailable."""
    is_single_message: bool = False
    failed_renditions: int = 0


@dataclass(slots=True, eq=False, weakref_slot=True)
class JobRuntime:
    """All in-memory state of one job, from its first step to its last."""

    job_id: JobId
    task: asyncio.Task[None] | None = None
    """The task that runs the job's steps."""
    submit: asyncio.Task[StepResult] | None = None
    """The submit in flight, which may outlive `task`."""
    woken: asyncio.Event = field(default_factory=asyncio.Event)
    is_interrupted: bool = False
    """Whether `task` was cancelled on purpose, because the job is about to end."""
    progress: Progress | None = None
    failed_steps: int = 0
    """Consecutive unexpected errors."""
    full_disk_waits: int = 0
    reminders: Reminders = field(default_factory=Reminders)
    """The log reminders about the conditions that its steps wait for."""
    failed_downloads: int = 0
    digest: str | None = None
    """The digest of the user's file, once downloaded."""
    is_counted_repeat: bool = False
    """Whether it counts towards its user's limit of repeats."""
    promised_bytes: int = 0
    """The bytes that the disk guard has promised for all files of the job."""
    written_bytes: int = 0
    waits_for_room_since: float | None = None
    polling: Polling = field(default_factory=Polling)
    delivering: Delivering = field(default_factory=Delivering)


class Runtimes:
    """The runtimes of all jobs under way, at most one per job."""

    def __init__(self) -> None:
        self._by_id: dict[JobId, JobRuntime] = {}
        self.board = ProgressBoard(self._by_id)
        self._on_release: list[Callable[[JobRuntime], None]] = []
        self.by_id: Mapping[JobId, JobRuntime] = MappingProxyType(self._by_id)

    def __iter__(self) -> Iterator[JobRuntime]:
        """Iterate over a snapshot of the runtimes."""
        return iter(tuple(self._by_id.values()))

    def __len__(self) -> int:
        return len(self._by_id)

    def on_release(self, tell: Callable[[JobRuntime], None]) -> None:
        """Call `tell` with each runtime that is dropped from now on, after earlier callbacks."""
        self._on_release.append(tell)

    def open(self, job_id: JobId) -> JobRuntime:
        """Return the job's runtime, creating it if there is none."""
        return self._by_id.setdefault(job_id, JobRuntime(job_id))

    def get(self, job_id: JobId) -> JobRuntime | None:
        """Return the job's runtime, or None if the job is not under way."""
        return self._by_id.get(job_id)

    def release(self, runtime: JobRuntime) -> None:
        """Drop the runtime unless its task or a submit in flight still needs it."""
        if runtime.task is not None or runtime.submit is not None:
            return
        if self._by_id.pop(runtime.job_id, None) is not None:
            for tell in self._on_release:
                tell(runtime)

    def wake(self, job_id: JobId) -> None:
        """Let a job take its next step now; does nothing if the job is not under way."""
        if (runtime := self.get(job_id)) is not None:
            runtime.woken.set()

    async def interrupt(self, job_id: JobId) -> None:
        """Cancel a job's task and wait for it to end; a submit in flight continues."""
        runtime = self.get(job_id)
        if runtime is not None and runtime.task is not None:
            runtime.is_interrupted = True
            runtime.task.cancel()
            await asyncio.gather(runtime.task, return_exceptions=True)

    def is_sending(self, job_id: JobId) -> bool:
        """Whether a submit of the job is in flight."""
        runtime = self.get(job_id)
        return runtime is not None and runtime.submit is not None


@dataclass(frozen=True, slots=True, kw_only=True)
class Core:
    """The objects that the steps of all jobs share."""

    jobs: JobStore
    files: JobFiles
    disk_guard: DiskGuard
    providers: Mapping[str, Provider]
    runtimes: Runtimes
    queue: ProviderQueue
    breaker: CircuitBreaker
    throughput: ThroughputEstimator
    clock: Clock
    timeout: timedelta
    """The time limit for an attempt, counted from its submit."""
    may_act: Callable[[], bool] = lambda: True
    """Tells whether no other process can be the bot."""
    shared_places: SharedPlaces | None = None
    """The places that several bots share; None for a single bot."""
    signals: Signals | None = None
    """Signals to other bots; None for a single bot."""

    def is_of_other_bot(self, job: Job) -> bool:
        """Whether another bot processes the job."""
        return self.signals is not None and not self.signals.shards.owns(job.reply.guild_id)

    async def tell_its_bot(self, job_id: JobId) -> None:
        """Tell a job's bot that the job was changed, which it would otherwise notice later."""
        if self.signals is None:
            return
        try:
            await self.signals.job_changed(job_id)
        except StoreUnavailable as exc:
            log.info("%s: its bot could not be notified of a change: %s", job_id, exc)

    @property
    def board(self) -> ProgressBoard:
        """The progress of all jobs under way, which their steps report."""
        return self.runtimes.board
