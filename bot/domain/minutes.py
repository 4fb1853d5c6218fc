"""Minutes: what a song costs, what a user may use, and the entries of the ledger."""

import math
from dataclasses import dataclass
from datetime import datetime

from bot.domain.job import JobId, UserId
from bot.domain.periods import Period

SAMPLE_RATE = 44_100


def minutes_of(frames: int) -> int:
    """Return the charge for decoded audio: minutes, rounded up, at least one."""
    return max(1, math.ceil(frames / (SAMPLE_RATE * 60)))


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """The allowance and limit set for a user; None where there is none."""

    given: int | None = None
    """Set by the owner: the user's own, else the highest of their roles."""
    limit: int | None = None
    """Set by the managers of the server that the user asks from."""

    def ceiling(self, plain: int) -> int:
        """Return what the owner allows; `plain` is what the settings allow everyone."""
        return plain if self.given is None else self.given

    def allowance(self, plain: int) -> int:
        """Return the final allowance: a server may lower it, never raise it."""
        ceiling = self.ceiling(plain)
        return ceiling if self.limit is None else min(ceiling, self.limit)


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """One account of a user in one period, in minutes."""

    allowance: int
    """What the settings or an admin allow, before grants."""
    granted: int
    used: int
    held: int
    period: Period
    guild_id: int | None = None
    """The server whose minutes these are, to be spent only there; None for the user's own."""

    @property
    def total(self) -> int:
        """The allowance plus grants."""
        return self.allowance + self.granted

    @property
    def left(self) -> int:
        """Minutes that can still be held; never below zero."""
        return max(0, self.total - self.used - self.held)


@dataclass(frozen=True, slots=True, kw_only=True)
class Hold:
    """Reserve minutes, all from one account.

    The server's account pays if they fit there, else the user's own if they fit under `allowance`
    plus grants.
    """

    job_id: JobId
    user_id: UserId
    minutes: int
    period: Period
    allowance: int
    guild_id: int | None = None
    """The server of the request."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SpendCap:
    """The most minutes that may be submitted to hosted providers since then, by one user or all."""

    minutes: int
    since: datetime
    user_id: UserId | None = None
    former_id: int | None = None
    """The user's pseudonym in jobs that were forgotten since."""


@dataclass(frozen=True, slots=True)
class Post:
    """Take the minutes that a job holds."""

    job_id: JobId


@dataclass(frozen=True, slots=True)
class Void:
    """Give back the minutes that a job holds; does nothing if it holds none."""

    job_id: JobId


@dataclass(frozen=True, slots=True)
class Refund:
    """Give back the minutes that a job took; does nothing if it took none or they are back."""

    job_id: JobId


LedgerEntry = Hold | Post | Void | Refund
