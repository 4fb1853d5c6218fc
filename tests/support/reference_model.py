"""A simple in-memory model of jobs and minutes."""

from collections import defaultdict
from dataclasses import dataclass, field

from bot.domain.job import JobId, State, UserId

HOLDING = frozenset({State.HELD, State.SUBMITTING, State.PROCESSING})
PAID = frozenset({State.READY, State.DELIVERED, State.KEPT})


@dataclass(slots=True)
class Account:
    """A user's account in a period."""

    granted: int = 0
    used: int = 0
    held: int = 0

    @property
    def figures(self) -> tuple[int, int, int]:
        return self.granted, self.used, self.held


@dataclass(slots=True, eq=False)
class ReferenceJob:
    """A job and its minutes."""

    id: JobId
    user_id: UserId
    interaction_id: int
    minutes: int
    """The minutes to be charged, unknown to the bot until the song is decoded."""
    state: State = State.RECEIVED
    is_acknowledged: bool = False
    is_lucky: bool = True
    """Whether the job has met no fault so far."""
    period: str | None = None
    """The period in which its minutes were held."""


@dataclass(slots=True)
class ReferenceModel:
    """The expected state of all accounts and jobs."""

    allowance: int
    accounts: defaultdict[tuple[UserId, str], Account] = field(
        default_factory=lambda: defaultdict(Account)
    )
    jobs: dict[JobId, ReferenceJob] = field(default_factory=dict)

    def left(self, user_id: UserId, period: str) -> int:
        account = self.accounts[user_id, period]
        return max(0, self.allowance + account.granted - account.used - account.held)

    def active(self, user_id: UserId) -> int:
        own = [job for job in self.jobs.values() if job.user_id == user_id]
        return sum(not job.state.is_final for job in own)

    def in_state(self, *states: State) -> list[ReferenceJob]:
        return [job for job in self.jobs.values() if job.state in states]

    def move(self, job: ReferenceJob, to: State, period: str) -> None:
        """Set the job's new state and move its minutes accordingly."""
        was_holding, is_holding = job.state in HOLDING, to in HOLDING
        if is_holding and not was_holding:
            job.period = period
        if job.period is not None:
            account = self.accounts[job.user_id, job.period]
            account.held += job.minutes * (is_holding - was_holding)
            account.used += job.minutes * ((to in PAID) - (job.state in PAID))
        job.state = to
