"""Serves the mixer page over HTTP: a document without job data, a manifest, packs and assets.

Invalid addresses get 404. Addresses of deleted stems get 410 from the next request on.
"""

import math
import re
from typing import Final

from aiohttp import web

from bot.audio.pack_tasks import PackCodec, pack_count
from bot.domain.errors import AudioFailed, NoRoom, StoreUnavailable
from bot.domain.job import Job
from bot.mixer.manifest import Manifests
from bot.mixer.pack_maker import PackingFailed, PackMaker
from bot.mixer.page_assets import PageAssets
from bot.mixer.request_rate import RequestRate
from bot.net.public_links import LinkKind, SignedLinks
from bot.ops.file_routes import check_dates
from bot.ops.transfers import FileTransfer, OpenTransfers
from storage.stores.job_store import JobStore

PACK_WITHIN_S: Final = 5.0
"""How long a request waits for a pack that is being made."""
TRANSFER_WITHIN_S: Final = 60.0
TRANSFERS_A_SONG: Final = 50
"""The limit on transfers per song: half of the connections, to leave some for others."""
FULL_WAIT_S: Final = 1.0
PREFIX: Final = f"/{LinkKind.MIXER}"
ROBOTS: Final = "User-agent: *\nDisallow: /\n"

_ID: Final = r"[a-z0-9]+\.[\w-]+"
_PACK: Final = re.compile(r"(\d{1,5})\.(opus|flac)", re.ASCII)
_PRIVATE: Final = {
    # The address alone grants access, so no cache, index or linked page may learn it.
    "Cache-Control": "no-store",
    "Referrer-Policy": "no-referrer",
    "X-Robots-Tag": "noindex, nofollow",
    "X-Content-Type-Options": "nosniff",
}
_CSP: Final = (
    "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; style-src 'self'; "
    "img-src 'self' data:; connect-src 'self'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'"
)
_DOCUMENT: Final = {
    **_PRIVATE,
    "Content-Security-Policy": _CSP,
    "Content-Type": "text/html; charset=utf-8",
}
_DATA: Final = {**_PRIVATE, "Content-Security-Policy": "sandbox; default-src 'none'"}
_ASSET: Final = {
    "Cache-Control": "public, max-age=31536000, immutable",
    "Access-Control-Allow-Origin": "*",
    "X-Content-Type-Options": "nosniff",
}


class MixerRoutes:
    """Serves the mixer page to anyone with its address."""

    def __init__(
        self,
        *,
        links: SignedLinks,
        jobs: JobStore,
        packs: PackMaker,
        manifests: Manifests,
        assets: PageAssets,
        rate: RequestRate,
        pack_within_s: float = PACK_WITHIN_S,
    ) -> None:
        self._links = links
        self._jobs = jobs
        self._packs = packs
        self._manifests = manifests
        self._assets = assets
        self._rate = rate
        self._pack_within_s = pack_within_s
        self._open_transfers = OpenTransfers(within_s=TRANSFER_WITHIN_S)

    def routes(self) -> list[web.RouteDef]:
        """Return the routes to serve."""
        ticket = f"{PREFIX}/{{ticket:{_ID}}}"
        return [
            web.get("/robots.txt", self.robots),
            web.get(f"{PREFIX}/x/{{digest}}/{{name}}", self.asset),
            web.get(ticket, self.add_slash),
            web.get(f"{ticket}/", self.document),
            web.get(f"{ticket}/song.json", self.manifest),
            web.get(f"{ticket}/{{pack}}", self.pack),
        ]

    async def robots(self, _: web.Request) -> web.Response:
        """Disallow all crawlers."""
        return web.Response(text=ROBOTS)

    async def asset(self, request: web.Request) -> web.Response:
        """Send a file of the page."""
        found = self._assets.find(request.match_info["digest"], request.match_info["name"])
        if found is None:
            raise web.HTTPNotFound
        body, content_type = found
        return web.Response(body=body, headers={**_ASSET, "Content-Type": content_type})

    async def add_slash(self, request: web.Request) -> web.Response:
        """Redirect to the address with a slash, which the document's relative addresses need."""
        raise web.HTTPPermanentRedirect(f"{request.match_info['ticket']}/", headers=_PRIVATE)

    async def document(self, request: web.Request) -> web.Response:
        """Send the page, which is the same for every job."""
        job = await self._asked(request)
        status = 410 if self._is_over(job) else 200
        return web.Response(body=self._assets.document, status=status, headers=_DOCUMENT)

    async def manifest(self, request: web.Request) -> web.Response:
        """Describe the song and its stems."""
        job = await self._asked(request)
        if self._is_over(job):
            return self._gone(job)
        self._slow_down(job)
        ends = await self._links.to_mixer(job)
        if ends is None:
            raise web.HTTPNotFound
        try:
            peaks = await self._packs.peaks(job)
            told = await self._manifests.of(job, peaks, ends=ends, stretch=self._assets.stretch)
        except FileNotFoundError:
            return self._gone(job)
        except (AudioFailed, NoRoom, StoreUnavailable) as exc:
            raise _later(5.0) from exc
        return web.json_response(told, headers=_DATA)

    async def pack(self, request: web.Request) -> web.StreamResponse:
        """Send a pack, which has two seconds of every stem, once it is made."""
        name = _PACK.fullmatch(request.match_info["pack"])
        if name is None:
            raise web.HTTPNotFound
        check_dates(request)
        job = await self._asked(request)
        if self._is_over(job):
            return self._gone(job)
        if int(name[1]) >= pack_count(job.frames or 0):
            raise web.HTTPNotFound(headers=_DATA)
        self._slow_down(job)
        try:
            file = await self._packs.pack(
                job, int(name[1]), PackCodec(name[2]), within_s=self._pack_within_s
            )
        except FileNotFoundError:
            return self._gone(job)
        except PackingFailed as exc:
            raise _later(exc.retry_after_s) from exc
        except (NoRoom, StoreUnavailable) as exc:
            raise _later(5.0) from exc
        if file is None:
            raise _later(1.0)
        response = FileTransfer(file, link=str(job.id), open_transfers=self._open_transfers)
        response.headers.update(_DATA)
        response.headers["Content-Type"] = "application/octet-stream"
        return response

    async def _asked(self, request: web.Request) -> Job:
        """Return the job of the request's address. Raises HTTPNotFound for an invalid address."""
        try:
            job_id = await self._links.job_of(LinkKind.MIXER, request.match_info["ticket"], "")
            job = None if job_id is None else await self._jobs.get(job_id)
        except StoreUnavailable as exc:
            raise _later(5.0) from exc
        if job is None:
            raise web.HTTPNotFound(headers=_DATA)
        return job

    def _is_over(self, job: Job) -> bool:
        return not job.has_stems or self._links.is_over(job)

    def _gone(self, job: Job) -> web.Response:
        return web.json_response(self._manifests.farewell(job), status=410, headers=_DATA)

    def _slow_down(self, job: Job) -> None:
        wait_s = self._rate.wait_s(job.id)
        if self._open_transfers.of(job.id) >= TRANSFERS_A_SONG:
            wait_s = max(wait_s, FULL_WAIT_S)
        if wait_s:
            raise web.HTTPTooManyRequests(headers={**_DATA, "Retry-After": _seconds(wait_s)})


def _later(retry_after_s: float) -> web.HTTPServiceUnavailable:
    return web.HTTPServiceUnavailable(headers={**_DATA, "Retry-After": _seconds(retry_after_s)})


def _seconds(wait_s: float) -> str:
    return str(math.ceil(wait_s))
