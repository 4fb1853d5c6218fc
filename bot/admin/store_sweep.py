"""Keeps the object store and this disk in step with the jobs of the database."""

import asyncio
import logging
from typing import Final

from bot.domain.errors import StoreUnavailable
from bot.domain.job import JobId, State
from storage.objects.shared_job_files import SharedJobFiles
from storage.stores.job_store import JobStore

log = logging.getLogger(__name__)

EVERY_S: Final = 3600.0
_AT_WORK: Final = frozenset({State.HELD, State.SUBMITTING, State.PROCESSING})
"""The states in which a job holds minutes for a song that can be decoded again."""


class StoreSweep:
    """Removes what a crash or another process left, and puts what is on this disk alone.

    Any number of processes may do this at once.
    """

    def __init__(self, *, jobs: JobStore, files: SharedJobFiles) -> None:
        self._jobs = jobs
        self._files = files

    async def run(self) -> None:
        """Sweep at start and every hour, until cancelled."""
        while True:
            try:
                await self.sweep()
            except (StoreUnavailable, OSError) as exc:
                log.warning("the object store is tidied later: %s", exc)
            await asyncio.sleep(EVERY_S)

    async def sweep(self) -> None:
        """Renew the mark, and remove objects and copies without a job.

        Then put what was kept before there was a store.
        """
        await self._files.renew_claim()
        # Listed first, because a job is stored before its first object.
        stored, used = await self._files.stored_ids(), self._files.used_ids()
        known = await self._jobs.known_ids()
        for job_id in sorted(stored - known):
            await self._files.remove(job_id)
            log.info("%s: its objects are deleted", job_id, extra={"job": job_id})
        for job_id in sorted(used - known):
            await self._files.drop_copies(job_id)
        for job_id in sorted(await self._files.local_ids() & known - stored):
            await self._put(job_id)

    async def _put(self, job_id: JobId) -> None:
        """Put a job's stems, or the song of an unfinished job."""
        job = await self._jobs.get(job_id)
        if job is None:
            return
        try:
            if job.has_stems:
                await self._files.settle(job_id)
                await self._files.keep_linked(job_id)
            elif job.state in _AT_WORK:
                await self._files.keep_input(job_id)
        except FileNotFoundError:
            log.info("%s: its files were deleted meanwhile", job_id)
