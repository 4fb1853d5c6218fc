"""An attempt: one submit of a job to one provider, and how it ended."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import Final, NewType, Self

from bot.domain.errors import (
    ProviderAuth,
    ProviderBusy,
    ProviderDown,
    ProviderError,
    ProviderProtocol,
    ProviderQuotaSpent,
    ProviderRefused,
    ProviderStarved,
    ResultsNotFetched,
    SubmitUncertain,
)
from bot.domain.job import JobId
from bot.domain.recipes import Stem

RemoteRef = NewType("RemoteRef", str)

MAX_LOCAL_STARTS = 3
"""How often a job may start on an in-process provider before it is given up."""


class AttemptState(StrEnum):
    """The state of an attempt; the answer to a submit is recorded even if the job ends
    meanwhile.
    """

    SENDING = "sending"
    ACCEPTED = "accepted"
    DONE = "done"
    REFUSED = "refused"
    NOT_SENT = "not_sent"
    UNCERTAIN = "uncertain"
    FAILED = "failed"
    ABANDONED = "abandoned"

    @property
    def may_have_cost(self) -> bool:
        """Whether the provider may bill the operator for an attempt in this state."""
        return self not in (AttemptState.REFUSED, AttemptState.NOT_SENT)


class AttemptError(StrEnum):
    """The reason why an attempt ended without results; stored with it, for the operator.

    A value from another version reads as UNKNOWN.
    """

    AUTH = "auth"
    QUOTA_SPENT = "quota_spent"
    BUSY = "busy"
    DOWN = "down"
    PROTOCOL = "protocol"
    REFUSED = "refused"
    UNCERTAIN = "uncertain"
    STARVED = "starved"
    """The engine was killed because memory ran out."""
    FAILED = "failed"
    LOST = "lost"
    TIMED_OUT = "timed_out"
    RESULTS_NOT_FETCHED = "results_not_fetched"
    PROVIDER_REMOVED = "provider_removed"
    INTERRUPTED = "interrupted"
    """The process died during the submit."""
    STOPPED = "stopped"
    """The bot was stopped during the submit."""
    UNKNOWN = "unknown"

    @classmethod
    def _missing_(cls, value: object) -> Self:
        return cls("unknown")

    @classmethod
    def of(cls, error: ProviderError) -> "AttemptError":
        """Return the attempt error for a provider's error."""
        words = (word for kind, word in _WORDS.items() if isinstance(error, kind))
        return next(words, cls.UNKNOWN)

    @property
    def needs_operator(self) -> bool:
        """Whether the error lasts until the operator fixes it: a refused key or spent credit."""
        return self in (AttemptError.AUTH, AttemptError.QUOTA_SPENT)


_WORDS: Final[Mapping[type[ProviderError], AttemptError]] = {
    ProviderAuth: AttemptError.AUTH,
    ProviderQuotaSpent: AttemptError.QUOTA_SPENT,
    ProviderBusy: AttemptError.BUSY,
    ProviderDown: AttemptError.DOWN,
    ProviderProtocol: AttemptError.PROTOCOL,
    ProviderStarved: AttemptError.STARVED,
    ProviderRefused: AttemptError.REFUSED,
    SubmitUncertain: AttemptError.UNCERTAIN,
    ResultsNotFetched: AttemptError.RESULTS_NOT_FETCHED,
}


@dataclass(frozen=True, slots=True)
class RemoteFile:
    """A result at a provider: its address and, if the provider labels it, its stem."""

    address: str
    stem: Stem | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """One submit of a job to one provider; `number` counts the tries at this provider from 1."""

    job_id: JobId
    provider: str
    number: int
    model: str
    state: AttemptState = AttemptState.SENDING
    cost_minutes: int
    """The minutes that the provider may bill; 0 for `local`."""
    submitted_at: datetime
    updated_at: datetime
    ref: RemoteRef | None = None
    files: tuple[RemoteFile, ...] = ()
    error: AttemptError | None = None

    def accepted(self, now: datetime, ref: RemoteRef) -> Self:
        """Record that the provider accepted the work under this reference."""
        return replace(self, state=AttemptState.ACCEPTED, ref=ref, updated_at=now)

    def done(self, now: datetime, files: tuple[RemoteFile, ...]) -> Self:
        """Record that the results exist. Their addresses are stored before anything is fetched."""
        return replace(self, state=AttemptState.DONE, files=files, updated_at=now)

    def ended(self, now: datetime, state: AttemptState, error: AttemptError | None = None) -> Self:
        """Record that the attempt ended without a result."""
        return replace(self, state=state, error=error, updated_at=now)
