"""Retention: audio and the keys to accounts are deleted when their time is over.

What no job owns is deleted at once.
"""

import asyncio
import logging
from datetime import timedelta

from bot.domain.clock import Clock
from bot.domain.errors import StoreUnavailable
from bot.domain.job import JobId
from storage.files.job_files import JobFiles
from storage.stores.job_store import JobStore
from storage.stores.pseudonyms import Pseudonyms

log = logging.getLogger(__name__)

EVERY_S = 60.0


class Retention:
    """Deletes what is kept, on time."""

    def __init__(
        self,
        *,
        jobs: JobStore,
        files: JobFiles,
        pseudonyms: Pseudonyms,
        clock: Clock,
        keep: timedelta,
    ) -> None:
        self._jobs = jobs
        self._files = files
        self._pseudonyms = pseudonyms
        self._clock = clock
        self._keep = keep

    async def run(self) -> None:
        """Sweep now and then, for as long as the bot runs."""
        while True:
            try:
                await self.sweep()
            except (StoreUnavailable, OSError) as exc:
                log.warning("retention must wait: %s", exc)
            await asyncio.sleep(EVERY_S)

    async def sweep(self) -> int:
        """Delete what is past its time; return how many jobs lost their files."""
        await self._pseudonyms.drop_keys(self._clock.now())
        expired = await self._jobs.expired(self._clock.now() - self._keep)
        for job in expired:
            if await self._removed(job.id):
                await self._jobs.mark_expired(job.id)
        return len(expired)

    async def sweep_orphans(self) -> None:
        """Delete directories that belong to no job, as a crash may leave them; at start only."""
        for orphan in await self._files.orphans(await self._jobs.known_ids()):
            await self._removed(orphan)

    async def _removed(self, job_id: JobId) -> bool:
        """Delete a job's files; one directory that cannot be deleted must not keep the others."""
        try:
            await self._files.remove(job_id)
        except OSError as exc:
            log.warning("%s: its files cannot be deleted: %s", job_id, exc)
            return False
        log.info("%s: its files are deleted", job_id, extra={"job": job_id})
        return True
