"""The bot's own links over real HTTP: content, access and expiry."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta
from http import HTTPStatus
from pathlib import Path
from urllib.parse import quote

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from multidict import CIMultiDictProxy
from yarl import URL

from bot.domain.errors import StoreUnavailable
from bot.domain.job import Job, JobId, State
from bot.net.public_links import SignedLink, SignedLinks
from bot.ops import file_routes
from bot.ops.file_routes import FileRoutes, content_type_of
from storage.database.connection import Database
from storage.files.job_files import JobFiles
from storage.stores.job_store import JobStore
from storage.stores.meta import Meta
from tests.support.databases import open_database
from tests.support.domain_factories import a_job, lead
from tests.support.fakes import FakeClock

KEEP = timedelta(hours=24)
SOUND = bytes(range(256)) * 40
TITLE = "Néon “Rain” 100%"
SAVED_AS = f"{TITLE} (Vocals).flac"
NAME = "vocals.flac"


class AwayStore(JobStore):
    """Raises each of `errors` before it can be read."""

    def __init__(self, *, db: Database) -> None:
        super().__init__(db=db)
        self.errors: list[StoreUnavailable] = []

    async def get(self, job_id: JobId) -> Job | None:
        if self.errors:
            raise self.errors.pop()
        return await super().get(job_id)


class Shelf:
    """A file server, a finished job whose stem it serves, and a client."""

    def __init__(self, db: Database, root: Path, **limits: float) -> None:
        self.db = db
        self.clock = FakeClock()
        self.jobs = AwayStore(db=db)
        self.files = JobFiles(root)
        self.links = SignedLinks(meta=Meta(db=db), clock=self.clock, base_url="", keep=KEEP)
        self.routes = FileRoutes(links=self.links, jobs=self.jobs, files=self.files, **limits)
        app = web.Application()
        app.add_routes(self.routes.routes())
        self.server = TestServer(app)
        self._readers: list[asyncio.StreamReader] = []
        self.session: aiohttp.ClientSession
        self.job: Job
        self.link: SignedLink

    async def put(self, state: State = State.DELIVERED) -> SignedLink:
        self.job = await lead(self.jobs, state, title=TITLE)
        where = await self.files.prepare(self.job.id)
        (where.linked / NAME).write_bytes(SOUND)
        where.input.write_bytes(SOUND[::-1])
        self.link = await self.links.to_result(self.job, NAME)
        return self.link

    async def get(self, path: str, **headers: str) -> tuple[int, bytes, CIMultiDictProxy[str]]:
        url = URL(f"http://{self.server.host}:{self.server.port}{path}", encoded=True)
        async with self.session.get(url, headers=headers) as answer:
            return answer.status, await answer.read(), answer.headers

    async def hold(self, path: str) -> asyncio.StreamWriter:
        """Request a file that fills all buffers, and read only the response's head."""
        (self.files.of(self.job.id).linked / NAME).write_bytes(b"x" * 50_000_000)
        reader, writer = await asyncio.open_connection(self.server.host, self.server.port, limit=1)
        writer.write(f"GET {path} HTTP/1.1\r\nHost: a\r\n\r\n".encode())
        await reader.readexactly(1)
        self._readers.append(reader)
        return writer

    async def status(self, path: str) -> int:
        status, _, _ = await self.get(path)
        return status


@asynccontextmanager
async def open_shelf(root: Path, **limits: float) -> AsyncIterator[Shelf]:
    db = await open_database(root / "stemcord.db", Database, busy_timeout_s=0.05)
    built = Shelf(db, root / "jobs", **limits)
    async with built.server, aiohttp.ClientSession() as built.session:
        await built.put()
        yield built
    await db.close()


@pytest.fixture
async def shelf(tmp_path: Path) -> AsyncIterator[Shelf]:
    async with open_shelf(tmp_path) as opened:
        yield opened


async def test_link_brings_the_stem_under_its_name(shelf: Shelf) -> None:
    status, body, headers = await shelf.get(shelf.link.url)
    assert (status, body) == (200, SOUND)
    assert headers["Content-Type"] == "audio/flac"
    assert headers["Content-Disposition"] == (
        'attachment; filename="N_on _Rain_ 100_ (Vocals).flac"; '
        f"filename*=UTF-8''{quote(SAVED_AS, safe='')}"
    )
    assert headers["Cache-Control"] == "private, no-store"
    assert headers["X-Content-Type-Options"] == "nosniff"


@pytest.mark.parametrize(
    ("asked", "part"),
    [
        ("bytes=0-9", SOUND[:10]),
        ("bytes=100-", SOUND[100:]),
        ("bytes=-7", SOUND[-7:]),
        ("bytes=10000-99999", SOUND[10000:]),
    ],
)
async def test_part_is_sent_when_a_part_is_asked_for(shelf: Shelf, asked: str, part: bytes) -> None:
    status, body, headers = await shelf.get(shelf.link.url, Range=asked)
    assert (status, body) == (HTTPStatus.PARTIAL_CONTENT, part)
    assert headers["Content-Range"].endswith(f"/{len(SOUND)}")


async def test_range_behind_the_end_is_refused(shelf: Shelf) -> None:
    status, _, headers = await shelf.get(shelf.link.url, Range="bytes=99999-")
    assert status == HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE
    assert headers["Content-Range"] == f"bytes */{len(SOUND)}"


async def test_same_link_is_made_twice_and_after_a_restart(shelf: Shelf) -> None:
    again = SignedLinks(meta=Meta(db=shelf.db), clock=shelf.clock, base_url="", keep=KEEP)
    assert await again.to_result(shelf.job, NAME) == shelf.link


async def test_every_changed_character_of_the_secret_leads_nowhere(shelf: Shelf) -> None:
    _, kind, ticket, name = shelf.link.url.split("/")
    job_id, mac = ticket.split(".")
    for at, char in enumerate(mac):
        forged = f"{mac[:at]}{'A' if char != 'A' else 'B'}{mac[at + 1 :]}"
        assert await shelf.status(f"/{kind}/{job_id}.{forged}/{name}") == 404
    for forged in ("", mac[:-1], f"{mac}A", f"{mac}%00", f"{mac[:-1]}%C3%A9"):
        assert await shelf.status(f"/{kind}/{job_id}.{forged}/{name}") == 404


async def test_secret_of_one_file_opens_no_other(shelf: Shelf) -> None:
    own = shelf.job
    where = shelf.files.of(own.id)
    (where.linked / "drums.flac").write_bytes(b"other")
    stranger = await shelf.links.to_result(replace(own, id=JobId("k7f2q")), NAME)
    _, kind, ticket, name = shelf.link.url.split("/")
    assert await shelf.status(f"/{kind}/{ticket}/drums.flac") == 404
    assert await shelf.status(f"/s/{ticket}/{name}") == 404
    assert await shelf.status(stranger.url) == 404
    assert await shelf.status(stranger.url.replace("k7f2q", own.id)) == 404


@pytest.mark.parametrize(
    "tail",
    ["", "..", "../input", "..%2Finput", "%2e%2e%2finput", "..%5Cinput", "%2Fetc%2Fpasswd", "."],
)
async def test_no_path_leads_out_of_the_folder_or_lists_it(shelf: Shelf, tail: str) -> None:
    _, kind, ticket, _ = shelf.link.url.split("/")
    assert await shelf.status(f"/{kind}/{ticket}/{tail}") == 404


async def test_not_even_a_signed_path_leads_out_of_the_folder(shelf: Shelf) -> None:
    shelf.files.of(shelf.job.id).input.write_bytes(b"the song")
    for name in ("../input", "song.flac", "vocals.flac/../../input"):
        signed = await shelf.links.to_result(shelf.job, name)
        assert await shelf.status(signed.url) == 404


async def test_link_ends_with_its_time_even_before_the_files_do(shelf: Shelf) -> None:
    shelf.clock.at = shelf.link.expires_at - timedelta(seconds=1)
    assert await shelf.status(shelf.link.url) == 200
    shelf.clock.at = shelf.link.expires_at
    assert await shelf.status(shelf.link.url) == 410
    assert shelf.files.of(shelf.job.id).linked.exists()


async def test_link_ends_with_its_files(shelf: Shelf) -> None:
    await shelf.files.remove(shelf.job.id)
    assert await shelf.status(shelf.link.url) == 410
    await shelf.jobs.mark_expired(shelf.job.id)
    assert await shelf.status(shelf.link.url) == 410


async def test_provider_gets_the_song_while_the_job_is_at_work(shelf: Shelf) -> None:
    await shelf.put(State.SUBMITTING)
    shelf.clock.move(days=2)
    link = await shelf.links.to_source(shelf.job)
    assert link.url.endswith("/song.wav"), "of the user's words nothing but the ending"
    status, body, headers = await shelf.get(link.url)
    assert (status, body) == (200, SOUND[::-1])
    assert headers["Content-Type"].startswith("audio/")
    await shelf.files.drop_work(shelf.job.id)
    assert await shelf.status(link.url) == 410


async def test_store_that_is_away_is_said_so(shelf: Shelf) -> None:
    shelf.jobs.errors.append(StoreUnavailable("locked"))
    status, _, headers = await shelf.get(shelf.link.url)
    assert (status, headers["Retry-After"]) == (HTTPStatus.SERVICE_UNAVAILABLE, "5")
    assert await shelf.status(shelf.link.url) == 200


def test_nothing_but_sound_and_video_is_sent_as_what_it_says() -> None:
    assert content_type_of("song.opus") == "audio/ogg"
    assert content_type_of("song.MP4") == "video/mp4"
    assert content_type_of("song.html") == "application/octet-stream"
    assert content_type_of("song.svg") == "application/octet-stream"
    assert content_type_of("song") == "application/octet-stream"


async def test_one_link_has_so_many_transfers_at_a_time_and_others_theirs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(file_routes, "TRANSFERS_A_LINK", 2)
    async with open_shelf(tmp_path) as shelf:
        held = [await shelf.hold(shelf.link.url) for _ in range(2)]
        status, _, headers = await shelf.get(shelf.link.url)
        assert (status, headers["Retry-After"]) == (HTTPStatus.TOO_MANY_REQUESTS, "5")
        other = await shelf.put()
        assert await shelf.status(other.url) == 200
        for writer in held:
            writer.transport.abort()


async def test_reader_who_stops_reading_is_cut_off(tmp_path: Path) -> None:
    async with open_shelf(tmp_path, transfer_within_s=0.2) as shelf:
        writer = await shelf.hold(shelf.link.url)
        async with asyncio.timeout(5):
            while shelf.routes.open_transfers:
                await asyncio.sleep(0.01)
        writer.transport.abort()
        assert await shelf.status(f"{shelf.link.url}x") == 404, "the server lives on"


async def test_source_name_takes_an_ending_only(shelf: Shelf) -> None:
    for filename, served in [
        ("a/b.MP3", "song.mp3"),
        ("../x.toolong", "song"),
        ("noending", "song"),
        ("x.m/3", "song"),
    ]:
        source = replace(a_job().request.source, filename=filename)
        job = replace(a_job(), request=replace(a_job().request, source=source))
        assert (await shelf.links.to_source(job)).url.endswith(f"/{served}")


HUGE = "Wed, 21 Oct 99999999999999999999 07:28:00 GMT"


@pytest.mark.parametrize("name", ["If-Modified-Since", "If-Unmodified-Since", "If-Range"])
async def test_a_date_beyond_the_calendar_is_a_bad_request_and_no_traceback(
    shelf: Shelf, name: str, caplog: pytest.LogCaptureFixture
) -> None:
    status, _, _ = await shelf.get(shelf.link.url, **{name: HUGE})
    assert status in (HTTPStatus.OK, HTTPStatus.BAD_REQUEST)
    assert caplog.text == ""
