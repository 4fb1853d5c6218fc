"""The progress of each job, in memory only: written by its steps, read by the reply writer."""

import asyncio
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from bot.domain.attempt import Attempt
from bot.domain.job import JobId
from bot.providers.interface import Provider


class Stage(StrEnum):
    """The current activity of a job; finer than its state, and never stored."""

    DOWNLOADING = "downloading"
    CHECKING = "checking"
    WAITING = "waiting"
    NO_WORKER = "no_worker"
    SENDING = "sending"
    SEPARATING = "separating"
    FETCHING = "fetching"
    MIXING = "mixing"
    ENCODING = "encoding"
    UPLOADING = "uploading"


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """A job's stage; `fraction` (0 to 1) and `eta_s` are set if known."""

    stage: Stage
    fraction: float | None = None
    eta_s: float | None = None
    ahead: int | None = None
    """The number of jobs ahead while `WAITING`."""
    provider: str | None = None
    """The title of the provider, once one has the job."""
    former: str | None = None
    """The title of the provider that this one took over from."""


def former_of(
    name: str, attempts: Iterable[Attempt], providers: Mapping[str, Provider]
) -> str | None:
    """Return the title of the last provider that was tried before `provider`; None if there was
    none.
    """
    others = [each.provider for each in attempts if each.provider != name]
    former = providers.get(others[-1]) if others else None
    return former.capabilities.title if former else None


class HasProgress(Protocol):
    """The part of a job's in-memory state that the board uses."""

    progress: Progress | None


class ProgressBoard:
    """The latest progress of all jobs under way."""

    def __init__(self, jobs: Mapping[JobId, HasProgress]) -> None:
        self._jobs = jobs
        self._changed = asyncio.Event()

    def put(self, job_id: JobId, progress: Progress) -> None:
        """Replace a job's progress; does nothing if the job is not under way."""
        job = self._jobs.get(job_id)
        if job is not None and job.progress != progress:
            job.progress = progress
            self._changed.set()

    def get(self, job_id: JobId) -> Progress | None:
        """Return a job's latest progress; None if it has none or has ended."""
        job = self._jobs.get(job_id)
        return None if job is None else job.progress

    async def changed(self) -> None:
        """Wait until any job's progress changes; supports one waiter."""
        await self._changed.wait()
        self._changed.clear()

    def poke(self) -> None:
        """Wake the waiter because a job's state changed instead of its progress."""
        self._changed.set()
