"""Retention: deletes audio, account keys and stored job data when they expire.

Audio that belongs to no job is deleted at once.
"""

import asyncio
import logging
from collections.abc import Callable
from datetime import datetime, timedelta

from bot.domain.clock import Clock
from bot.domain.errors import StoreUnavailable
from bot.domain.job import JobId
from bot.domain.periods import Period
from storage.files.job_files import JobFiles
from storage.stores.job_store import JobStore
from storage.stores.last_renditions import LastRenditions
from storage.stores.open_replies import OpenReplies
from storage.stores.pseudonyms import Pseudonyms
from storage.upkeep.forgetting import EMPTIED_AT_A_TIME, Forgetting
from storage.upkeep.scrubbing import Scrubber

log = logging.getLogger(__name__)

EVERY_S = 60.0
EMPTY_EVERY_S = 3600.0
NAMED_AT_MOST = 10


class Retention:
    """Deletes stored data that has expired."""

    def __init__(
        self,
        *,
        jobs: JobStore,
        files: JobFiles,
        pseudonyms: Pseudonyms,
        open_replies: OpenReplies,
        last_renditions: LastRenditions,
        clock: Clock,
        keep: timedelta,
        forgetting: Forgetting,
        scrubber: Scrubber,
        keep_jobs: timedelta,
        period: Callable[[], Period],
        database_made_at: datetime | None = None,
    ) -> None:
        """`keep` is how long audio is kept, and `keep_jobs` how long job data is.

        Jobs of the current `period` are always kept, since they count towards their users' caps.
        Audio older than the database is kept as long as other audio, although no job owns it.
        """
        self._jobs = jobs
        self._files = files
        self._pseudonyms = pseudonyms
        self._open_replies = open_replies
        self._last_renditions = last_renditions
        self._clock = clock
        self._keep = keep
        self._forgetting = forgetting
        self._scrubber = scrubber
        self._keep_jobs = keep_jobs
        self._period = period
        self._emptied_at: float | None = None
        self._database_made_at = database_made_at
        self._ownerless: set[JobId] = set()

    async def run(self) -> None:
        """Delete expired data periodically until cancelled."""
        while True:
            try:
                await self.sweep()
            except (StoreUnavailable, OSError) as exc:
                log.warning("retention is delayed: %s", exc)
            await asyncio.sleep(EVERY_S)

    async def sweep(self) -> int:
        """Delete expired data; return how many jobs lost their files."""
        now = self._clock.now()
        await self._pseudonyms.drop_keys(now)
        await self._open_replies.drop_expired(now)
        await self._sweep_ownerless()
        await self._empty_old_jobs()
        await self._scrubber.scrub_if_due()
        expired = await self._jobs.expired(self._clock.now() - self._keep)
        for job_id in expired:
            if await self._removed(job_id):
                await self._jobs.mark_expired(job_id)
        return len(expired)

    async def sweep_orphans(self) -> None:
        """Delete what a crash left: directories without a job, and half-made files; at start only.

        Directories older than the database belonged to an earlier one and are kept until they
        expire.
        """
        known = await self._jobs.known_ids()
        unfinished = await self._jobs.unfinished_ids()
        await self._files.drop_interrupted(known, unfinished=unfinished)
        orphans = await self._files.orphans(known)
        if orphans:
            # Other bots that share the files may have stored jobs since `known` was read.
            known = await self._jobs.known_ids()
        for orphan in (each for each in orphans if each not in known):
            changed_at = await self._files.changed_at(orphan)
            if changed_at and self._database_made_at and changed_at < self._database_made_at:
                self._ownerless.add(orphan)
            else:
                await self._files.remove_here(orphan)
                log.info("%s: its files are deleted", orphan, extra={"job": orphan})
        if self._ownerless:
            log.warning(
                "%d job folders are older than the database, which has no record of them; they "
                "are kept until they expire: %s",
                len(self._ownerless),
                ", ".join(sorted(self._ownerless)[:NAMED_AT_MOST]),
            )
        await self._sweep_ownerless()

    async def _empty_old_jobs(self) -> None:
        """Empty expired rows in small batches, at most once an hour."""
        now = self._clock.monotonic()
        if self._emptied_at is not None and now - self._emptied_at < EMPTY_EVERY_S:
            return
        kept_since = self._clock.now() - self._keep_jobs
        await self._last_renditions.drop_old(kept_since)
        before = min(kept_since, self._period().starts_at)
        emptied = await self._forgetting.empty_old(before)
        if emptied:
            log.info("%d expired jobs are emptied", emptied)
        if emptied < EMPTIED_AT_A_TIME:
            self._emptied_at = now

    async def _sweep_ownerless(self) -> None:
        end = self._clock.now() - self._keep
        for job_id in sorted(self._ownerless):
            changed_at = await self._files.changed_at(job_id)
            if changed_at is None or (changed_at < end and await self._removed(job_id)):
                self._ownerless.discard(job_id)

    async def _removed(self, job_id: JobId) -> bool:
        """Delete a job's files; return whether it worked. A failure is logged, so that others are
        still deleted.
        """
        try:
            await self._files.remove(job_id)
        except OSError as exc:
            log.warning("%s: its files cannot be deleted: %s", job_id, exc)
            return False
        log.info("%s: its files are deleted", job_id, extra={"job": job_id})
        return True
