"""Finds an address of the user's file for a provider: Discord's while it is valid, else our own."""

import asyncio
import logging
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Protocol
from urllib.parse import parse_qs, urlsplit

from bot.domain.clock import Clock
from bot.domain.errors import Reason, Rejected, SplitError
from bot.domain.job import Job, Source
from bot.net.public_links import SignedLinks
from storage.files.job_files import JobFiles
from storage.stores.job_store import JobStore

log = logging.getLogger(__name__)

MARGIN = timedelta(minutes=5)
"""Addresses that expire sooner than this are not used, because a provider may fetch late."""
ASK_AGAIN_AFTER_S = (1.0, 4.0)


def expires_at(url: str) -> datetime | None:
    """Return when a signed Discord address expires, or None if it does not say (`ex`, in hex)."""
    try:
        values = parse_qs(urlsplit(url).query).get("ex", [])
        return datetime.fromtimestamp(int(values[0], 16), UTC) if values else None
    except (ValueError, OverflowError, OSError):
        return None


def address_of(source: Source, now: datetime) -> str | None:
    """Return the source's address if it stays valid long enough for a provider, else None."""
    ends = expires_at(source.url)
    return source.url if ends is None or ends - now > MARGIN else None


class RenewalUnavailable(SplitError):
    """Discord cannot renew the address at the moment; the file may still exist."""


class Renewal(Protocol):
    """Renews the addresses of Discord's files."""

    async def renewed(self, source: Source) -> Source:
        """Return the source with a new address.

        Raises Rejected if Discord no longer has the file, and RenewalUnavailable.
        """
        ...


class Sources:
    """Finds an address for a job's file. It prefers Discord's, then our own, then a renewed one."""

    def __init__(
        self,
        *,
        jobs: JobStore,
        files: JobFiles,
        clock: Clock,
        links: SignedLinks | None = None,
        renewal: Renewal | None = None,
        ask_again_after_s: Sequence[float] = ASK_AGAIN_AFTER_S,
    ) -> None:
        """`links` signs our own addresses; None if there is no public address."""
        self._jobs = jobs
        self._files = files
        self._clock = clock
        self._links = links
        self._renewal = renewal
        self._ask_again_after_s = tuple(ask_again_after_s)

    async def address_of(self, job: Job) -> str | None:
        """Return an address that stays valid long enough for a provider, or None."""
        now = self._clock.now()
        if (url := address_of(job.request.source, now)) is not None:
            return url
        if self._links is not None and await self._files.has_input(job.id):
            return (await self._links.to_source(job)).url
        return await self._renewed(job, now)

    async def renew(self, job: Job) -> str:
        """Have Discord renew the address of the job's file, and store the new one.

        Raises Rejected if Discord has no such file, and RenewalUnavailable.
        """
        if self._renewal is None:
            raise Rejected(Reason.DOWNLOAD_FAILED)
        fresh = await self._renewal.renewed(job.request.source)
        await self._jobs.readdress(job.id, fresh.url)
        return fresh.url

    async def _renewed(self, job: Job, now: datetime) -> str | None:
        # The address may have been renewed since this copy of the job was read.
        job = await self._jobs.get(job.id) or job
        if (url := address_of(job.request.source, now)) is not None:
            return url
        for pause_s in (0.0, *self._ask_again_after_s):
            await asyncio.sleep(pause_s)
            try:
                return await self.renew(job)
            except Rejected as exc:
                log.info("%s: its file no longer has an address: %s", job.id, exc)
                return None
            except RenewalUnavailable as exc:
                log.warning("%s: its file's address cannot be renewed now: %s", job.id, exc)
        return None
