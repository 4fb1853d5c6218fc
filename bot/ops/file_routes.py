"""Serves jobs' files at the addresses of `SignedLinks`: whole or in ranges, never listed.

A file that used to exist gives status 410; any other missing file gives 404.
"""

import asyncio
import mimetypes
import re
from pathlib import Path
from urllib.parse import quote

from aiohttp import web

from bot.domain.errors import StoreUnavailable
from bot.domain.job import Job
from bot.domain.recipes import AudioFormat, Stem
from bot.domain.renditions import UNCHANGED, Rendition
from bot.domain.titles import (
    SONGS,
    linked_name,
    linked_songs_name,
    linked_zip_name,
    stem_filename,
    zip_filename,
)
from bot.net.public_links import LinkKind, SignedLinks
from bot.ops.transfers import FileTransfer, OpenTransfers, StoredTransfer
from storage.files.job_files import JobFiles, StoredFile
from storage.stores.job_store import JobStore

CONTENT_TYPES = {
    f".{AudioFormat.MP3}": "audio/mpeg",
    f".{AudioFormat.FLAC}": "audio/flac",
    f".{AudioFormat.WAV}": "audio/wav",
    f".{AudioFormat.OPUS}": "audio/ogg",
}
ANYTHING = "application/octet-stream"

_HEADERS = {
    # The address alone grants access, so caches, search engines and linked pages must not see it.
    "Cache-Control": "private, no-store",
    "Referrer-Policy": "no-referrer",
    "X-Robots-Tag": "noindex",
    # Prevents an uploaded file from running as a page of this host.
    "Content-Security-Policy": "sandbox; default-src 'none'",
    "X-Content-Type-Options": "nosniff",
}


_SEVERAL = re.compile(rf"songs-({'|'.join(AudioFormat)})\.([0-9a-f]{{12}})\.zip")
TRANSFERS_A_LINK = 8
"""The limit of transfers per link: as many as download managers use for one file."""
TRANSFER_WITHIN_S = 1800.0
"""The time limit for a transfer, so that a stalled client cannot hold its slot forever."""


class FileRoutes:
    """Serves stems to users and songs to providers; the address alone grants access."""

    def __init__(
        self,
        *,
        links: SignedLinks,
        jobs: JobStore,
        files: JobFiles,
        transfer_within_s: float = TRANSFER_WITHIN_S,
    ) -> None:
        self._open_transfers = OpenTransfers(within_s=transfer_within_s)
        self._links = links
        self._jobs = jobs
        self._files = files

    @property
    def open_transfers(self) -> int:
        """The number of files being sent."""
        return self._open_transfers.total()

    def routes(self) -> list[web.RouteDef]:
        """Return the routes for both kinds of files."""
        return [
            web.get(f"/{LinkKind.RESULT}/{{ticket}}/{{name}}", self.result),
            web.get(f"/{LinkKind.SOURCE}/{{ticket}}/{{name}}", self.source),
        ]

    async def result(self, request: web.Request) -> web.StreamResponse:
        """Send an encoded stem, named after the song."""
        job, name = await self._asked(request, LinkKind.RESULT)
        found = _linked_file(job, name)
        if found is None:
            raise web.HTTPNotFound
        kept_as, saved_as = found
        return await self._sent(request, self._files.of(job.id).linked / kept_as, saved_as)

    async def source(self, request: web.Request) -> web.StreamResponse:
        """Send the user's file while its job is under way."""
        job, name = await self._asked(request, LinkKind.SOURCE)
        return await self._sent(request, self._files.of(job.id).input, name)

    async def _asked(self, request: web.Request, kind: LinkKind) -> tuple[Job, str]:
        ticket, name = request.match_info["ticket"], request.match_info["name"]
        check_dates(request)
        try:
            job_id = await self._links.job_of(kind, ticket, name)
            job = None if job_id is None else await self._jobs.get(job_id)
        except StoreUnavailable as exc:
            raise web.HTTPServiceUnavailable(headers={"Retry-After": "5"}) from exc
        if job is None:
            raise web.HTTPNotFound
        if self._links.is_over(job):
            raise _gone()
        return job, name

    async def _elsewhere(self, path: Path) -> StoredFile:
        """Return a file that is not on this disk; raises HTTPGone or HTTPServiceUnavailable."""
        try:
            stored = await self._files.find_elsewhere(path)
        except StoreUnavailable as exc:
            raise web.HTTPServiceUnavailable(headers={"Retry-After": "5"}) from exc
        if stored is None:
            raise _gone()
        return stored

    async def _sent(self, request: web.Request, path: Path, name: str) -> web.StreamResponse:
        is_here = await asyncio.to_thread(path.is_file)
        stored = None if is_here else await self._elsewhere(path)
        link = request.path
        if self._open_transfers.of(link) >= TRANSFERS_A_LINK:
            raise web.HTTPTooManyRequests(headers={"Retry-After": "5"})
        response: web.StreamResponse
        if stored is None:
            response = FileTransfer(path, link=link, open_transfers=self._open_transfers)
        else:
            response = StoredTransfer(stored, link=link, open_transfers=self._open_transfers)
        response.headers.update(_HEADERS)
        response.headers["Content-Type"] = content_type_of(name)
        response.headers["Content-Disposition"] = _disposition(name)
        return response


def check_dates(request: web.Request) -> None:
    """Refuse a conditional request with a date that aiohttp fails to parse."""
    try:
        _ = (request.if_modified_since, request.if_unmodified_since, request.if_range)
    except (ValueError, OverflowError) as exc:
        raise web.HTTPBadRequest from exc


def _disposition(name: str) -> str:
    return f"attachment; filename=\"{_plain(name)}\"; filename*=UTF-8''{quote(name, '')}"


def _linked_file(job: Job, name: str) -> tuple[str, str] | None:
    """Return the name of a linked file on the disk, and the one under which it is saved.

    Both are built from the parsed parts of the requested name, so no path contains unchecked text.
    """
    if several := _SEVERAL.fullmatch(name):
        return linked_songs_name(AudioFormat(several[1]), several[2]), zip_filename(SONGS)
    rest, _, ending = name.rpartition(".")
    what, _, token = rest.partition(".")
    try:
        rendition = Rendition.from_token(token) if token else UNCHANGED
        if ending == "zip":
            zipped = AudioFormat(what.removeprefix("all-"))
            return linked_zip_name(zipped, rendition), zip_filename(job.title, rendition)
        stem, audio_format = Stem(what), AudioFormat(ending)
    except ValueError:
        return None
    saved_as = stem_filename(job.title, stem, audio_format, rendition)
    return linked_name(stem, audio_format, rendition), saved_as


def _gone() -> web.HTTPGone:
    return web.HTTPGone(text="This file is no longer kept here.", headers=_HEADERS)


def content_type_of(name: str) -> str:
    """Return the content type for a file: an audio or video type, or else octet-stream."""
    suffix = Path(name).suffix.lower()
    guessed = CONTENT_TYPES.get(suffix) or mimetypes.types_map.get(suffix, ANYTHING)
    return guessed if guessed.startswith(("audio/", "video/")) else ANYTHING


def _plain(name: str) -> str:
    """Return an ASCII name, for clients that ignore RFC 6266's `filename*`."""
    return "".join(c if c.isascii() and c.isprintable() and c not in '"\\%' else "_" for c in name)
