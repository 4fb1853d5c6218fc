"""What the reply writer knows of each reply; in memory only, for the outbox knows what is owed."""

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
    """One reply."""

    job: Job
    wanted: int | None = None
    """The version that is owed; None when only progress can change the card."""
    owed_since: float = 0.0
    shown: Card | None = None
    progress: Progress | None = None
    """What the shown card was drawn from."""
    is_closing: bool = False
    """Whether the shown card says that the reply will soon be out of reach."""
    closed: set[EditRoute] = field(default_factory=set)
    delivered: Delivered | None = None
    """The user has the stems, though the store may not know yet."""
    is_over: bool = False
    """Nothing more will be owed."""
    is_tended: bool = False
    failures: int = 0
    not_before: float = 0.0
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)

    @property
    def holds_result(self) -> bool:
        """Whether the stems are in the message, so that no card may replace them."""
        return self.delivered is not None or self.job.state is State.DELIVERED

    @property
    def urgency(self) -> Urgency:
        """What an edit would show now."""
        if self.wanted is None:
            return Urgency.PROGRESS
        return Urgency.FINAL if self.job.state.is_final else Urgency.STATE

    def may_be_tended(self, now: float) -> bool:
        """Whether an edit may be considered now."""
        return not self.is_tended and not self.lock.locked() and now >= self.not_before

    def owes(self, version: int, now: float) -> None:
        """Note that `version` is to be shown; the edit under way does for what was owed before."""
        if self.wanted is None or self.is_tended:
            self.owed_since = now
        self.wanted = version

    def found(self, message_id: int) -> None:
        """Note which message the reply is, for the day when its token is not taken any more."""
        self.job = replace(self.job, reply=replace(self.job.reply, message_id=message_id))

    def settled(self, version: int) -> None:
        """Note that `version` is no longer owed; a newer one may be."""
        if self.wanted == version:
            self.wanted = None

    def failed(self, now: float) -> None:
        """Pause for longer after each failure in a row."""
        self.failures += 1
        self.not_before = now + backoff_s(self.failures, key=self.job.id, max_s=MAX_PAUSE_S)


class ReplyTracker:
    """Every reply that may change."""

    def __init__(self) -> None:
        self._watched: dict[JobId, ReplyState] = {}

    def __iter__(self) -> Iterator[ReplyState]:
        """Go through them, the longest watched first."""
        return iter(self._watched.values())

    def add(self, job: Job) -> ReplyState:
        """Return the job's, which draws from this copy of it from now on."""
        watched = self._watched.setdefault(job.id, ReplyState(job))
        watched.job = job
        return watched

    def get(self, job_id: JobId) -> ReplyState | None:
        """Return the job's, if it is watched."""
        return self._watched.get(job_id)

    def drop(self, job_id: JobId) -> None:
        """Watch the job's no longer."""
        self._watched.pop(job_id, None)

    def news(self, owed: Mapping[JobId, int]) -> list[JobId]:
        """Return which of the owed versions are not known here."""
        known = {job_id: watched.wanted for job_id, watched in self._watched.items()}
        return [job_id for job_id, version in owed.items() if known.get(job_id) != version]
