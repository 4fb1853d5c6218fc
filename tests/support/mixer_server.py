"""A server for only the mixer page, and finished jobs for it to play."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import aiohttp
import numpy as np
from multidict import CIMultiDictProxy
from yarl import URL

from bot.accounts.disk_guard import DiskGuard
from bot.audio.child import master
from bot.audio.child.waveform import TAG, Gauge
from bot.audio.pack_tasks import PackCodec, pack_name
from bot.audio.spool import SAMPLE_RATE
from bot.audio.tools import AudioTools
from bot.domain.job import Job, State
from bot.domain.recipes import Recipe, Stem
from bot.mixer.manifest import Manifests
from bot.mixer.mixer_routes import MixerRoutes
from bot.mixer.pack_maker import PackMaker
from bot.mixer.page_assets import PageAssets
from bot.mixer.request_rate import RequestRate
from bot.net.public_links import SignedLinks
from bot.ops.file_routes import FileRoutes
from bot.ops.server import HttpServer, public_application
from storage.database.connection import Database
from storage.files.job_files import JobFiles
from storage.stores.job_store import JobStore
from storage.stores.meta import Meta
from tests.support.databases import open_database
from tests.support.domain_factories import a_job, lead
from tests.support.fakes import FakeClock
from tests.support.installed_languages import installed
from tests.support.sound import Sound

KEEP = timedelta(hours=24)


class MixerServer:
    """Serves the page on loopback; `put` makes a finished job and returns its address."""

    def __init__(
        self,
        db: Database,
        root: Path,
        *,
        audio: AudioTools,
        assets: PageAssets | None = None,
        max_gib: float = 1.0,
        requests: int = 10_000,
        pack_within_s: float = 60.0,
    ) -> None:
        self.clock = FakeClock()
        self.jobs = JobStore(db=db)
        self.files = JobFiles(root)
        # The links are built before the server's port is known.
        self.links = SignedLinks(
            meta=Meta(db=db), clock=self.clock, base_url="http://127.0.0.1", keep=KEEP
        )
        self.packs = PackMaker(
            audio=audio,
            files=self.files,
            disk_guard=DiskGuard(
                files=self.files,
                clock=self.clock,
                jobs={},
                max_gib=max_gib,
                reserve_bytes=0,
                floor_bytes=0,
            ),
            clock=self.clock,
        )
        self.assets = assets or PageAssets.read()
        self.mixer = MixerRoutes(
            links=self.links,
            jobs=self.jobs,
            packs=self.packs,
            manifests=Manifests(links=self.links, files=self.files, languages=installed()),
            assets=self.assets,
            rate=RequestRate(clock=self.clock, requests=requests),
            pack_within_s=pack_within_s,
        )
        self.base_url = ""
        self.session: aiohttp.ClientSession
        self._readers: list[asyncio.StreamReader] = []  # keeps connections open

    async def put(
        self,
        stems: Mapping[Stem, Sound],
        *,
        recipe: Recipe = Recipe.KARAOKE,
        title: str = "Neon Rain",
        locale: str = "en-US",
        state: State = State.DELIVERED,
    ) -> tuple[Job, str]:
        """Store a finished job with these masters; return it, and the page's address."""
        frames = max(sound.shape[1] for sound in stems.values())
        job = _asked(a_job(), recipe, locale)
        job = await lead(self.jobs, state, job=job, title=title, frames=frames)
        where = await self.files.prepare(job.id)
        for stem, sound in stems.items():
            write_master(where.master(stem), sound)
        link = await self.links.to_mixer(job)
        assert link is not None
        return job, link.url.replace("http://127.0.0.1", self.base_url)

    async def get(self, url: str) -> tuple[int, bytes, CIMultiDictProxy[str]]:
        async with self.session.get(URL(url, encoded=True), allow_redirects=False) as answer:
            return answer.status, await answer.read(), answer.headers

    async def hold(self, job: Job, url: str) -> asyncio.StreamWriter:
        """Request a pack that fills all buffers, and read only the response's head."""
        folder = await self.files.packs_folder(job.id)
        (folder / pack_name(0, PackCodec.FLAC)).write_bytes(b"x" * 50_000_000)
        where = URL(url)
        reader, writer = await asyncio.open_connection(where.host, where.port, limit=1)
        writer.write(f"GET {where.raw_path}0.flac HTTP/1.1\r\nHost: a\r\n\r\n".encode())
        await reader.readexactly(1)
        self._readers.append(reader)
        return writer

    async def delete(self, job: Job) -> None:
        """Delete a job's stems as its user can."""
        await self.files.remove(job.id)
        await self.jobs.mark_expired(job.id)


def _asked(job: Job, recipe: Recipe, locale: str) -> Job:
    return replace(
        job,
        request=replace(job.request, recipe=recipe),
        reply=replace(job.reply, locale=locale),
    )


def write_master(path: Path, sound: Sound) -> None:
    """Write a master with its waveform in a tag, as the bot does."""
    frames = sound.shape[1]
    gauge = Gauge(frames=frames)
    samples = sound.T.astype(np.float32)
    for start in range(0, frames, SAMPLE_RATE):
        gauge.add(samples[start : start + SAMPLE_RATE])
    with master.written(path, tags={TAG: gauge.waveform.tag(factor=1.0)}) as append:
        for start in range(0, frames, SAMPLE_RATE):
            append(samples[start : start + SAMPLE_RATE])


@asynccontextmanager
async def open_mixer(
    root: Path, *, audio: AudioTools | None = None, **options: object
) -> AsyncIterator[MixerServer]:
    """Serve the page. Children that were not passed in end with the context."""
    db = await open_database(root / "stemcord.db", Database, busy_timeout_s=0.05)
    own = audio or AudioTools()
    mixer = MixerServer(db, root / "jobs", audio=own, **options)  # type: ignore[arg-type] # the constructor checks them
    files = FileRoutes(links=mixer.links, jobs=mixer.jobs, files=mixer.files)
    server = HttpServer(public_application([*files.routes(), *mixer.mixer.routes()]))
    port = await server.start("127.0.0.1", 0, setting="test")
    mixer.base_url = f"http://127.0.0.1:{port}"
    try:
        async with aiohttp.ClientSession() as mixer.session:
            yield mixer
    finally:
        await server.stop()
        await mixer.packs.aclose()
        if audio is None:
            await own.aclose()
        await db.close()
