"""Jobs' files over HTTP at the addresses of `SignedLinks`: whole or in ranges, never listed.

What was never there, or is asked for wrongly, is 404; what was there once is 410.
"""

import mimetypes
from pathlib import Path
from urllib.parse import quote

from aiohttp import web

from bot.domain.errors import StoreUnavailable
from bot.domain.job import Job
from bot.domain.recipes import AudioFormat, Stem
from bot.domain.titles import linked_name, stem_filename
from bot.net.signed_links import LinkKind, SignedLinks
from storage.files.job_files import JobFiles
from storage.stores.job_store import JobStore

CONTENT_TYPES = {
    f".{AudioFormat.MP3}": "audio/mpeg",
    f".{AudioFormat.FLAC}": "audio/flac",
    f".{AudioFormat.WAV}": "audio/wav",
    f".{AudioFormat.OPUS}": "audio/ogg",
}
ANYTHING = "application/octet-stream"

_HEADERS = {
    # The address is the key to the file: no shared cache, index or next page may learn of it.
    "Cache-Control": "private",
    "Referrer-Policy": "no-referrer",
    "X-Robots-Tag": "noindex",
    # A stranger's file must not become a page of this host.
    "Content-Security-Policy": "sandbox; default-src 'none'",
    "X-Content-Type-Options": "nosniff",
}


class FileRoutes:
    """Serves encoded stems to whoever was shown their address, and songs to providers."""

    def __init__(self, *, links: SignedLinks, jobs: JobStore, files: JobFiles) -> None:
        self._links = links
        self._jobs = jobs
        self._files = files

    def routes(self) -> list[web.RouteDef]:
        """Return the routes to serve."""
        return [
            web.get(f"/{LinkKind.RESULT}/{{ticket}}/{{name}}", self.result),
            web.get(f"/{LinkKind.SOURCE}/{{ticket}}/{{name}}", self.source),
        ]

    async def result(self, request: web.Request) -> web.StreamResponse:
        """Send an encoded stem, to be saved under the song's name."""
        job, name = await self._asked(request, LinkKind.RESULT)
        named = _stem_and_format(name)
        if named is None:
            raise web.HTTPNotFound
        saved_as = stem_filename(job.title, *named)
        return _sent(self._files.of(job.id).linked / linked_name(*named), saved_as)

    async def source(self, request: web.Request) -> web.StreamResponse:
        """Send the user's file, for as long as its job is at work."""
        job, name = await self._asked(request, LinkKind.SOURCE)
        return _sent(self._files.of(job.id).input, name)

    async def _asked(self, request: web.Request, kind: LinkKind) -> tuple[Job, str]:
        ticket, name = request.match_info["ticket"], request.match_info["name"]
        _check_dates(request)
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


def _check_dates(request: web.Request) -> None:
    """Refuse a date that aiohttp would stumble over when it sends the file."""
    try:
        _ = (request.if_modified_since, request.if_unmodified_since, request.if_range)
    except (ValueError, OverflowError) as exc:
        raise web.HTTPBadRequest from exc


def _sent(path: Path, name: str) -> web.FileResponse:
    if not path.is_file():
        raise _gone()
    disposition = f"attachment; filename=\"{_plain(name)}\"; filename*=UTF-8''{quote(name, '')}"
    headers = {
        **_HEADERS,
        "Content-Type": content_type_of(name),
        "Content-Disposition": disposition,
    }
    return web.FileResponse(path, headers=headers)


def _stem_and_format(name: str) -> tuple[Stem, AudioFormat] | None:
    """Return what a name stands for; so no path is ever made of what was asked for."""
    stem, _, audio_format = name.partition(".")
    try:
        return Stem(stem), AudioFormat(audio_format)
    except ValueError:
        return None


def _gone() -> web.HTTPGone:
    return web.HTTPGone(text="This file is no longer kept here.", headers=_HEADERS)


def content_type_of(name: str) -> str:
    """Return the type under which a file is sent; sound and pictures that move, or anything."""
    suffix = Path(name).suffix.lower()
    guessed = CONTENT_TYPES.get(suffix) or mimetypes.types_map.get(suffix, ANYTHING)
    return guessed if guessed.startswith(("audio/", "video/")) else ANYTHING


def _plain(name: str) -> str:
    """Return the name for clients that do not read RFC 6266's `filename*`."""
    return "".join(c if c.isascii() and c.isprintable() and c not in '"\\%' else "_" for c in name)
