"""Where a provider can fetch the user's file: at Discord while its address lives, else here."""

import logging
from datetime import UTC, datetime, timedelta
from typing import Protocol
from urllib.parse import parse_qs, urlsplit

from bot.domain.clock import Clock
from bot.domain.errors import Rejected
from bot.domain.job import Job, Source
from bot.services.links import Links
from storage.files import JobFiles
from storage.jobs import JobStore

log = logging.getLogger(__name__)

MARGIN = timedelta(minutes=5)
"""An address that ends sooner is not handed out: the provider may fetch late."""


def expires_at(url: str) -> datetime | None:
    """Return when a signed Discord attachment address ends (`ex`, hex seconds); None if unsaid."""
    values = parse_qs(urlsplit(url).query).get("ex", [])
    try:
        return datetime.fromtimestamp(int(values[0], 16), UTC) if values else None
    except (ValueError, OverflowError, OSError):
        return None


def address_of(source: Source, now: datetime) -> str | None:
    """Return an address that works long enough for a provider, or None."""
    ends = expires_at(source.url)
    return source.url if ends is None or ends - now > MARGIN else None


class Renewal(Protocol):
    """Whoever can have Discord sign an address anew."""

    async def renewed(self, source: Source, *, now: datetime) -> Source:
        """Return the source with an address that works. Raises Rejected when there is none."""
        ...


class Sources:
    """Finds an address for a job's file, by the way that asks least of others."""

    def __init__(
        self,
        *,
        jobs: JobStore,
        files: JobFiles,
        clock: Clock,
        links: Links | None = None,
        renewal: Renewal | None = None,
    ) -> None:
        """Without `links` there are no addresses of our own."""
        self._jobs = jobs
        self._files = files
        self._clock = clock
        self._links = links
        self._renewal = renewal

    async def address_of(self, job: Job) -> str | None:
        """Return an address that works long enough for a provider, or None."""
        now = self._clock.now()
        if (url := address_of(job.request.source, now)) is not None:
            return url
        if self._links is not None and self._files.of(job.id).input.exists():
            return (await self._links.to_source(job)).url
        return await self._renewed(job, now)

    async def _renewed(self, job: Job, now: datetime) -> str | None:
        # It may have been since this copy of the job was read.
        job = await self._jobs.get(job.id) or job
        if (url := address_of(job.request.source, now)) is not None:
            return url
        if self._renewal is None:
            return None
        try:
            fresh = await self._renewal.renewed(job.request.source, now=now)
        except Rejected as exc:
            log.info("%s: its file has no address any more: %s", job.id, exc)
            return None
        await self._jobs.readdress(job.id, fresh.url)
        return address_of(fresh, now)
