"""An attempt: one job at one provider, and what became of it."""

from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import NewType, Self

from bot.domain.job import JobId
from bot.domain.recipes import Stem

RemoteRef = NewType("RemoteRef", str)

MAX_LOCAL_STARTS = 3
"""Starts of one job on a provider in this process; a song that kills it three times is left."""


class AttemptState(StrEnum):
    """How far an attempt got; the answer of a submit is written whatever the job does meanwhile."""

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
        """Whether the owner may be billed for it by the provider."""
        return self not in (AttemptState.REFUSED, AttemptState.NOT_SENT)


@dataclass(frozen=True, slots=True)
class RemoteFile:
    """One result at a provider: an address to fetch and, where the provider says, its stem."""

    address: str
    stem: Stem | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """One job at one provider; `number` counts the tries at this provider from 1."""

    job_id: JobId
    provider: str
    number: int
    model: str
    state: AttemptState = AttemptState.SENDING
    cost_minutes: int
    """What the provider may bill; 0 for `local`."""
    submitted_at: datetime
    updated_at: datetime
    ref: RemoteRef | None = None
    files: tuple[RemoteFile, ...] = ()
    error: str | None = None
    """The class of the error that ended it, for the operator; never a raw message."""

    def accepted(self, now: datetime, ref: RemoteRef) -> Self:
        """Note that the provider took the work, under this reference."""
        return replace(self, state=AttemptState.ACCEPTED, ref=ref, updated_at=now)

    def done(self, now: datetime, files: tuple[RemoteFile, ...]) -> Self:
        """Note that the results exist; their addresses are kept before anything is fetched."""
        return replace(self, state=AttemptState.DONE, files=files, updated_at=now)

    def ended(self, now: datetime, state: AttemptState, error: str | None = None) -> Self:
        """End the attempt without a result."""
        return replace(self, state=state, error=error, updated_at=now)
