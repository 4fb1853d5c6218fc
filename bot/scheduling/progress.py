"""How far each job is, in memory only: written by the steps, read by whoever shows it."""

import asyncio
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum

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
    """Return the title of the provider that was tried last before the one of this name."""
    others = [each.provider for each in attempts if each.provider != name]
    former = providers.get(others[-1]) if others else None
    return former.capabilities.title if former else None


class ProgressBoard:
    """The latest progress of every job on its way."""

    def __init__(self) -> None:
        self._latest: dict[JobId, Progress] = {}
        self._changed = asyncio.Event()

    def put(self, job_id: JobId, progress: Progress) -> None:
        """Replace what is known of a job."""
        if self._latest.get(job_id) != progress:
            self._latest[job_id] = progress
            self._changed.set()

    def drop(self, job_id: JobId) -> None:
        """Forget a job that is over."""
        self._latest.pop(job_id, None)

    def get(self, job_id: JobId) -> Progress | None:
        """Return the latest progress, or None when nothing is known."""
        return self._latest.get(job_id)

    async def changed(self) -> None:
        """Wait until any job's progress changes; for one waiter."""
        await self._changed.wait()
        self._changed.clear()

    def poke(self) -> None:
        """Wake the waiter although no progress changed: a job's state did."""
        self._changed.set()
