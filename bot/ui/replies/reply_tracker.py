"""The reply writer's in-memory state of each reply; the outbox stores which updates are owed."""

import asyncio
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace

from bot.delivery.port import Delivered
from bot.domain.backoff import backoff_s
from bot.domain.job import Job, JobId, State
from bot.scheduling.progress import Progress
from bot.ui.cards.card import Card
from bot.ui.replies.edit_routes import EditRoute
from bot.ui.replies.pacing import Urgency

MAX_PAUSE_S = 60.0


@dataclass(slots=True, eq=False)
class ReplyState:
    """The state of one reply."""

    job: Job
    owed_version: int | None = None
    """The version that has to be shown; None if only progress can change the card."""
    owed_since: float = 0.0
    shown: Card | None = None
    progress: Progress | None = None
    """The progress from which the shown card was made."""
    is_closing: bool = False
    """Whether the shown card says that the reply will soon be out of reach."""
    closed: set[EditRoute] = field(default_factory=set)
    delivered: Delivered | None = None
    """Set once the user has the stems, even if the store does not know it yet."""
    is_over: bool = False
    """Whether no further updates will be owed."""
    is_being_edited: bool = False
    failures: int = 0
    not_before: float = 0.0
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)

    @property
    def holds_result(self) -> bool:
        """Whether the message contains the stems, so that no card may replace them."""
        return self.delivered is not None or self.job.state is State.DELIVERED

    @property
    def urgency(self) -> Urgency:
        """The urgency of an edit made now."""
        if self.owed_version is None:
            return Urgency.PROGRESS
        return Urgency.FINAL if self.job.state.is_final else Urgency.STATE

    def can_be_edited(self, now: float) -> bool:
        """Whether no edit is under way and the pause after a failure is over."""
        return not self.is_being_edited and not self.lock.locked() and now >= self.not_before

    def owe(self, version: int, now: float) -> None:
        """Record a version to show; the wait counts from the first that no running edit covers."""
        if self.owed_version is None or self.is_being_edited:
            self.owed_since = now
        self.owed_version = version

    def set_message_id(self, message_id: int) -> None:
        """Record the reply's message id, which is needed once its token has expired."""
        self.job = replace(self.job, reply=replace(self.job.reply, message_id=message_id))

    def settle(self, version: int) -> None:
        """Record that `version` is shown; a newer version may be owed."""
        if self.owed_version == version:
            self.owed_version = None

    def back_off(self, now: float) -> None:
        """Pause after a failure, longer after each consecutive one."""
        self.failures += 1
        self.not_before = now + backoff_s(self.failures, key=self.job.id, max_s=MAX_PAUSE_S)


class ReplyTracker:
    """The states of all replies that may still change."""

    def __init__(self) -> None:
        self._states: dict[JobId, ReplyState] = {}

    def __iter__(self) -> Iterator[ReplyState]:
        """Iterate over the replies, oldest first."""
        return iter(self._states.values())

    def add(self, job: Job) -> ReplyState:
        """Track the job's reply, replace any older copy of the job, and return the state."""
        state = self._states.setdefault(job.id, ReplyState(job))
        state.job = job
        return state

    def get(self, job_id: JobId) -> ReplyState | None:
        """Return the state of the job's reply, or None if it is not tracked."""
        return self._states.get(job_id)

    def drop(self, job_id: JobId) -> None:
        """Stop tracking the job's reply."""
        self._states.pop(job_id, None)

    def unknown(self, owed: Mapping[JobId, int]) -> list[JobId]:
        """Return the jobs whose owed version differs from the tracked one."""
        known = {job_id: state.owed_version for job_id, state in self._states.items()}
        return [job_id for job_id, version in owed.items() if known.get(job_id) != version]
