"""Keeps the object store and this disk in step with the jobs of the database."""

import asyncio
import logging
import time
from typing import Final

from bot.domain.backoff import Reminders
from bot.domain.errors import StoreUnavailable
from bot.domain.job import JobId, State
from storage.objects.object_store import ForeignObjectStore
from storage.objects.shared_job_files import SharedJobFiles
from storage.stores.job_store import JobStore

log = logging.getLogger(__name__)

EVERY_S: Final = 3600.0
AGAIN_AFTER_S: Final = 10.0
"""The pause after a failure. A store that was unavailable at start has to be marked before it is
used."""
_AT_WORK: Final = frozenset({State.HELD, State.SUBMITTING, State.PROCESSING})
"""The states in which a job holds minutes for a song that can be decoded again."""


class StoreSweep:
    """Removes what a crash or another process left, and stores what is on this disk only.

    Any number of processes may do this concurrently.
    """

    def __init__(self, *, jobs: JobStore, files: SharedJobFiles) -> None:
        self._jobs = jobs
        self._files = files
        self._reminders = Reminders()

    async def run(self) -> None:
        """Sweep at start and every hour, until cancelled."""
        while True:
            pause_s = EVERY_S
            try:
                await self.sweep()
            except (StoreUnavailable, OSError) as exc:
                pause_s = AGAIN_AFTER_S
                if self._reminders.is_due(str(exc), time.monotonic()):
                    log.warning("the object store cannot be tidied yet: %s", exc)
            except ForeignObjectStore as exc:
                log.error("%s", exc)  # noqa: TRY400 - the text is a sentence for the operator
            await asyncio.sleep(pause_s)

    async def sweep(self) -> None:
        """Renew the mark, and remove objects and copies without a job.

        Then store files that are older than the object store.
        """
        await self._files.claim_store()
        # Objects are listed before jobs, because a job is stored before its first object.
        stored, used = await self._files.stored_ids(), self._files.used_ids()
        known = await self._jobs.known_ids()
        for job_id in sorted(stored - known):
            await self._files.remove(job_id)
            log.info("%s: its objects are deleted", job_id, extra={"job": job_id})
        for job_id in sorted(used - known):
            await self._files.remove_here(job_id)
        for job_id in sorted(await self._files.local_ids() & known - stored):
            await self._put(job_id)

    async def _put(self, job_id: JobId) -> None:
        """Put a job's stems, or the song of an unfinished job, into the object store."""
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
