"""How far each job is, in memory only: written by the steps, read by the reply writer."""

import asyncio
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from bot.domain.attempt import Attempt
from bot.domain.job import JobId
from bot.providers.interface import Provider


class Stage(StrEnum):
    """What is happening to a job just now; finer than its state and never stored."""

    DOWNLOADING = "downloading"
    CHECKING = "checking"
    WAITING = "waiting"
    SENDING = "sending"
    SEPARATING = "separating"
    FETCHING = "fetching"
    MIXING = "mixing"
    ENCODING = "encoding"
    UPLOADING = "uploading"


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """One job's stage; `fraction` from 0 to 1 and `eta_s` where they are known."""

    stage: Stage
    fraction: float | None = None
    eta_s: float | None = None
    ahead: int | None = None
    """Jobs that come first, while `WAITING`."""
    provider: str | None = None
    """The provider's title, once one has the job."""
    former: str | None = None
    """The title of the one that it took over from."""


def former_of(
    name: str, attempts: Iterable[Attempt], providers: Mapping[str, Provider]
) -> str | None:
    """Return the title of the last provider that was tried before the named one."""
    others = [each.provider for each in attempts if each.provider != name]
    former = providers.get(others[-1]) if others else None
    return former.capabilities.title if former else None


class HasProgress(Protocol):
    """What memory holds of one job."""

    progress: Progress | None


class ProgressBoard:
    """The latest progress of the jobs under way: a view on what memory holds of them."""

    def __init__(self, jobs: Mapping[JobId, HasProgress]) -> None:
        self._jobs = jobs
        self._changed = asyncio.Event()

    def put(self, job_id: JobId, progress: Progress) -> None:
        """Replace a job's progress; does nothing for a job that is not under way."""
        job = self._jobs.get(job_id)
        if job is not None and job.progress != progress:
            job.progress = progress
            self._changed.set()

    def get(self, job_id: JobId) -> Progress | None:
        """Return a job's latest progress; None while it has none, and once it is over."""
        job = self._jobs.get(job_id)
        return None if job is None else job.progress

    async def changed(self) -> None:
        """Wait until any job's progress changes; for one waiter."""
        await self._changed.wait()
        self._changed.clear()

    def poke(self) -> None:
        """Wake the waiter because a job's state changed, not its progress."""
        self._changed.set()
