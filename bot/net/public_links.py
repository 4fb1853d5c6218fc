"""Our own links to a job's files: unguessable, and valid while the files are kept.

Links are signed, not stored. A file always has the same link, so a repeated delivery shows the same
card. A link expires with the job's files.
"""

import hashlib
import hmac
import re
from base64 import urlsafe_b64encode
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from ipaddress import ip_address
from urllib.parse import quote, urlsplit

from bot.domain.clock import Clock
from bot.domain.job import Job, JobId, State
from storage.stores.meta import LINK_KEY, Meta

KEY_BYTES = 32
MAC_BYTES = 18
"""144 bits cannot be guessed, and their base64 form has no padding."""

_TICKET = re.compile(r"([a-z0-9]{1,32})\.([\w-]{24})", re.ASCII)
_SUFFIX = re.compile(r"\.[a-z0-9]{1,5}", re.ASCII)


class LinkKind(StrEnum):
    """The kind of file that a link leads to; the value is the first part of the link's path."""

    RESULT = "r"
    SOURCE = "s"
    MIXER = "m"


@dataclass(frozen=True, slots=True)
class SignedLink:
    """A link and its expiry time."""

    url: str
    expires_at: datetime


class SignedLinks:
    """Signs links, and verifies links that clients request."""

    def __init__(self, *, meta: Meta, clock: Clock, base_url: str, keep: timedelta) -> None:
        """`base_url` is the public address of the operations server."""
        self._meta = meta
        self._clock = clock
        self._base_url = base_url.rstrip("/")
        self._keep = keep
        self._has_mixer = mixer_available(base_url)
        self._key: bytes | None = None

    async def to_result(self, job: Job, filename: str) -> SignedLink:
        """Return a link to an encoded stem, by its name among the linked files."""
        return await self._link(job, LinkKind.RESULT, filename)

    async def to_source(self, job: Job) -> SignedLink:
        """Return a link with which a provider can fetch the user's file."""
        return await self._link(job, LinkKind.SOURCE, source_name(job))

    async def to_mixer(self, job: Job) -> SignedLink | None:
        """Return a link to the job's mixer page, or None if no browser could play it there.

        The addresses of the page's data begin with the link's address, and expire with the link.
        """
        return await self._link(job, LinkKind.MIXER, "") if self._has_mixer else None

    async def job_of(self, kind: LinkKind, ticket: str, filename: str) -> JobId | None:
        """Return the job that a link's parts belong to, or None if the signature is wrong."""
        parts = _TICKET.fullmatch(ticket)
        if parts is None:
            return None
        job_id, mac = JobId(parts[1]), parts[2]
        expected = await self._mac(kind, job_id, filename)
        return job_id if hmac.compare_digest(mac.encode(), expected.encode()) else None

    def is_over(self, job: Job) -> bool:
        """Whether the job's links have expired."""
        if job.files_expired:
            return True
        has_end = job.state.is_final or job.state is State.READY
        return has_end and self._clock.now() >= self._end(job)

    async def _link(self, job: Job, kind: LinkKind, filename: str) -> SignedLink:
        mac = await self._mac(kind, job.id, filename)
        path = f"{kind}/{job.id}.{mac}/{quote(filename, safe='')}"
        return SignedLink(f"{self._base_url}/{path}", self._end(job))

    def _end(self, job: Job) -> datetime:
        # Files are kept for this long after the job's last change, which may be yet to come.
        return job.updated_at + self._keep

    async def _mac(self, kind: LinkKind, job_id: JobId, filename: str) -> str:
        if self._key is None:
            self._key = await self._meta.secret(LINK_KEY, KEY_BYTES)
        text = f"{kind}\n{job_id}\n{filename}".encode()
        mac = hmac.digest(self._key, text, hashlib.sha256)[:MAC_BYTES]
        return urlsafe_b64encode(mac).decode()


def mixer_available(public_url: str | None) -> bool:
    """Whether browsers can play the mixer page at an address: over https, or on their own machine.

    An AudioWorklet needs a secure context: w3c.github.io/webappsec-secure-contexts.
    """
    address = urlsplit(public_url or "")
    host = address.hostname or ""
    if address.scheme == "https":
        return bool(host)
    is_named = host == "localhost" or host.endswith(".localhost")
    return address.scheme == "http" and (is_named or _is_loopback(host))


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def source_name(job: Job) -> str:
    """Return the name under which the user's file is served, without any text from the user."""
    _, dot, ending = job.request.source.filename.lower().rpartition(".")
    suffix = dot + ending
    return f"song{suffix}" if _SUFFIX.fullmatch(suffix) else "song"
