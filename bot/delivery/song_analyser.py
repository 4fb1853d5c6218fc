"""Measures key, tempo and beats of finished jobs, without delaying or failing their delivery."""

import asyncio
import logging
from pathlib import Path

from bot.audio.analysis_task import Role, role_of
from bot.audio.tools import AudioTools
from bot.delivery.port import Masters
from bot.domain.analysis import Analysis
from bot.domain.errors import SplitError
from bot.domain.job import Job, JobId
from storage.stores.job_store import JobStore

log = logging.getLogger(__name__)


class SongAnalyser:
    """Analyses each job once, in the background, and stores the analysis."""

    def __init__(self, *, audio: AudioTools, jobs: JobStore) -> None:
        self._audio = audio
        self._jobs = jobs
        self._tasks: dict[JobId, asyncio.Task[Analysis | None]] = {}
        self._forgotten: set[asyncio.Task[Analysis | None]] = set()

    async def analysis_of(self, job: Job, masters: Masters, *, within_s: float) -> Analysis | None:
        """Return the analysis of a job's masters, or None if it failed or is not done in time.

        An analysis that is not done in time continues in the background.
        """
        if job.analysis is not None:
            return job.analysis
        task = self._tasks.get(job.id)
        if task is None:
            task = asyncio.create_task(self._analyse(job, masters), name=f"analysis of {job.id}")
            self._tasks[job.id] = task
        await asyncio.wait({task}, timeout=within_s)
        return task.result() if task.done() else None

    def forget(self, job_id: JobId) -> None:
        """Forget a delivered job; an analysis under way is still stored when it is done."""
        task = self._tasks.pop(job_id, None)
        if task is not None and not task.done():
            self._forgotten.add(task)
            task.add_done_callback(self._forgotten.discard)

    async def stop(self) -> None:
        """Cancel all analyses under way; their songs stay without one."""
        tasks = [*self._tasks.values(), *self._forgotten]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _analyse(self, job: Job, masters: Masters) -> Analysis | None:
        try:
            heard = await self._earlier(job) or await self._audio.analyse(_with_roles(masters))
            await self._jobs.note_analysis(job.id, heard)
        except (SplitError, OSError) as exc:
            # The stems matter more than their description.
            log.warning("%s: its key and tempo could not be measured: %s", job.id, exc)
            return None
        return heard

    async def _earlier(self, job: Job) -> Analysis | None:
        """Return the analysis of the job whose stems this job repeats."""
        earlier = None if job.repeat_of is None else await self._jobs.get(job.repeat_of)
        return earlier.analysis if earlier else None


def _with_roles(masters: Masters) -> list[tuple[Path, Role]]:
    return [(path, role_of(stem)) for stem, path in masters]
