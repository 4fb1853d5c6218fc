"""Brings decoded songs back to a machine that has lost them, or that took their jobs over."""

import asyncio
import logging
from pathlib import Path

from bot.audio.spool import FRAME_BYTES
from bot.domain.errors import Reason, Rejected
from bot.domain.job import Job
from bot.jobs.intake import IntakeStep
from storage.files.job_files import JobFiles

log = logging.getLogger(__name__)


class LostSongs:
    """Restores the songs of jobs that hold minutes.

    Without an object store there is nothing to restore from, so nothing is looked for.
    """

    def __init__(self, *, files: JobFiles, intake: IntakeStep) -> None:
        self._files = files
        self._intake = intake

    async def restore(self, job: Job) -> None:
        """Have the job's decoded song on this disk, as long as it was billed.

        The user's file is fetched from the object store, or else from where it came from. Raises
        Rejected if it is not there either, or no longer the same.
        """
        frames = job.frames or 0
        mixture = self._files.of(job.id).mixture
        if not self._files.is_shared or await asyncio.to_thread(_has_frames, mixture, frames):
            return
        await self._files.prepare(job.id)
        try:
            await self._files.bring_input(job.id)
        except FileNotFoundError:
            if await self._intake.bring(job) != job.digest:
                raise Rejected(Reason.SOURCE_GONE) from None
        decoded = await self._intake.decode(job, frames)
        if decoded.frames != frames:
            raise Rejected(Reason.SOURCE_GONE)
        log.info("%s: its song is restored", job.id, extra={"job": job.id})


def _has_frames(spool: Path, frames: int) -> bool:
    return spool.exists() and spool.stat().st_size == frames * FRAME_BYTES
