"""Minutes: a song's charge, a user's account, and the entries of the ledger."""

import math
from dataclasses import dataclass
from datetime import datetime

from bot.domain.job import JobId, UserId
from bot.domain.periods import Period

SAMPLE_RATE = 44_100


def minutes_of(frames: int) -> int:
    """Return the charge for decoded audio in whole minutes: rounded up, at least 1."""
    return max(1, math.ceil(frames / (SAMPLE_RATE * 60)))


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """A user's allowance and limit per period; None where none is set."""

    given: int | None = None
    """The allowance set by the owner: the user's own, else the highest of their roles."""
    limit: int | None = None
    """The limit set by the managers of the server in which the user acts."""

    def ceiling(self, plain: int) -> int:
        """Return what the owner allows; `plain` is the default from the settings."""
        return plain if self.given is None else self.given

    def allowance(self, plain: int) -> int:
        """Return the resulting allowance: the server's limit can lower it, never raise it."""
        ceiling = self.ceiling(plain)
        return ceiling if self.limit is None else min(ceiling, self.limit)


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """One account of a user in one period, in minutes."""

    allowance: int
    """The allowance set by the settings, the owner or managers, without grants."""
    granted: int
    used: int
    held: int
    period: Period
    guild_id: int | None = None
    """The server in which these minutes have to be spent; None for the user's own."""

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
    """Reserve minutes from one account.

    The server's account pays if it has enough minutes, else the user's own if it has: `allowance`
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
    """The most minutes that one user, or all, may submit to hosted providers since a time."""

    minutes: int
    since: datetime
    user_id: UserId | None = None
    former_id: int | None = None
    """The user's pseudonym in jobs that were forgotten since then."""


@dataclass(frozen=True, slots=True)
class Post:
    """Charge the minutes that a job holds."""

    job_id: JobId


@dataclass(frozen=True, slots=True)
class Void:
    """Give back the minutes that a job holds; does nothing if it holds none."""

    job_id: JobId


@dataclass(frozen=True, slots=True)
class Refund:
    """Give back the minutes that a job was charged; does nothing if there are none left to give
    back.
    """

    job_id: JobId


LedgerEntry = Hold | Post | Void | Refund
