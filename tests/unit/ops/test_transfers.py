"""Files that are not on this disk, sent from the object store over real HTTP."""

import asyncio
import hashlib
import os
import shutil
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from bot.domain.job import Job, State
from bot.net.public_links import SignedLinks
from bot.ops.file_routes import FileRoutes
from storage.database.connection import Database
from storage.objects.shared_job_files import SharedJobFiles
from storage.stores.job_store import JobStore
from storage.stores.meta import Meta
from tests.support.databases import open_database
from tests.support.domain_factories import lead
from tests.support.fakes import FakeClock
from tests.support.object_stores import LeavingStore, folder_store

NAME = "vocals.flac"
SOUND = os.urandom(12_000_000)


@dataclass
class Serving:
    root: Path
    store: LeavingStore
    files: SharedJobFiles
    routes: FileRoutes
    links: SignedLinks
    job: Job
    server: TestServer
    session: aiohttp.ClientSession

    async def get(self, method: str = "GET", **headers: str) -> tuple[int, bytes, dict[str, str]]:
        path = (await self.links.to_result(self.job, NAME)).url
        url = self.server.make_url(path)
        async with self.session.request(method, url, headers=headers) as answer:
            return answer.status, await answer.read(), dict(answer.headers)


@pytest.fixture
async def serving(tmp_path: Path) -> AsyncIterator[Serving]:
    """A server whose job has a linked file in the store only."""
    db = await open_database(tmp_path / "stemcord.db", Database, busy_timeout_s=0.05)
    jobs, root = JobStore(db=db), tmp_path / "jobs"
    store = LeavingStore(folder_store(tmp_path / "share"))
    files = SharedJobFiles(root, store, owner="tests")
    await files.claim_store()
    links = SignedLinks(meta=Meta(db=db), clock=FakeClock(), base_url="", keep=timedelta(hours=24))
    routes = FileRoutes(links=links, jobs=jobs, files=files)
    app = web.Application()
    app.add_routes(routes.routes())
    job = await lead(jobs, State.DELIVERED)
    where = await files.prepare(job.id)
    (where.linked / NAME).write_bytes(SOUND)
    await files.keep_linked(job.id)
    shutil.rmtree(root)
    server = TestServer(app)
    async with server, aiohttp.ClientSession() as session:
        yield Serving(tmp_path, store, files, routes, links, job, server, session)
    await db.close()


async def test_a_whole_file_is_sent_with_the_headers_of_a_local_one(serving: Serving):
    status, body, headers = await serving.get()
    assert status == 200
    assert hashlib.sha256(body).digest() == hashlib.sha256(SOUND).digest()
    assert headers["Content-Length"] == str(len(SOUND))
    assert headers["Content-Type"] == "audio/flac"
    assert headers["Content-Disposition"].startswith("attachment")
    assert headers["Cache-Control"] == "private, no-store"
    assert headers["Accept-Ranges"] == "bytes"
    assert not (serving.root / "jobs").exists()


@pytest.mark.parametrize(
    ("asked", "start", "end"),
    [
        ("bytes=0-9", 0, 10),
        ("bytes=5000000-6000000", 5_000_000, 6_000_001),
        ("bytes=11999990-", 11_999_990, 12_000_000),
        ("bytes=11999990-99999999", 11_999_990, 12_000_000),
        ("bytes=-10", 11_999_990, 12_000_000),
        ("bytes=0-", 0, 12_000_000),
    ],
)
async def test_a_range_is_sent(serving: Serving, asked: str, start: int, end: int):
    status, body, headers = await serving.get(Range=asked)
    assert (status, body) == (206, SOUND[start:end])
    assert headers["Content-Range"] == f"bytes {start}-{end - 1}/{len(SOUND)}"


@pytest.mark.parametrize("asked", ["bytes=12000000-", "bytes=9-5", "sheep=1-2"])
async def test_a_range_outside_the_file_is_refused(serving: Serving, asked: str):
    status, body, headers = await serving.get(Range=asked)
    assert (status, body) == (416, b"")
    assert headers["Content-Range"] == f"bytes */{len(SOUND)}"


async def test_a_range_of_a_version_that_was_sent_from_elsewhere_gets_the_whole_file(
    serving: Serving,
):
    status, body, _ = await serving.get(Range="bytes=0-9", **{"If-Range": '"etag"'})
    assert (status, len(body)) == (200, len(SOUND))


async def test_only_the_head_is_sent_if_asked_for(serving: Serving):
    before = serving.store.calls.count("parts")
    status, body, headers = await serving.get("HEAD")
    assert (status, body, headers["Content-Length"]) == (200, b"", str(len(SOUND)))
    assert serving.store.calls.count("parts") == before


async def test_a_store_that_is_away_is_told_apart_from_a_file_that_is_gone(serving: Serving):
    serving.store.is_away = True
    status, _, headers = await serving.get()
    assert (status, headers["Retry-After"]) == (503, "5")
    serving.store.is_away = False
    await serving.files.remove(serving.job.id)
    assert (await serving.get())[0] == 410


async def test_a_store_that_leaves_halfway_cuts_the_connection(serving: Serving):
    number = len(serving.store.calls) + 1  # the call after `size`
    serving.store.away_at = {number}
    with pytest.raises(aiohttp.ClientError):
        await serving.get()
    async with asyncio.timeout(5):
        while serving.routes.open_transfers:
            await asyncio.sleep(0.01)
    assert (await serving.get())[0] == 200
