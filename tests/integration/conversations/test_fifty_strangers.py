"""Fifty people each try one way to a private song of another person, and all are refused."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from yarl import URL

from bot.domain.job import BatchId, Job, JobId
from bot.domain.recipes import AudioFormat, Stem
from bot.domain.renditions import Rendition
from bot.domain.titles import linked_name, linked_zip_name
from bot.mixer.manifest import Manifests
from bot.mixer.mixer_routes import MixerRoutes
from bot.mixer.page_assets import PageAssets
from bot.mixer.request_rate import RequestRate
from bot.net.public_links import SignedLinks
from bot.ops.file_routes import FileRoutes
from sandbox.client import SandboxClient
from sandbox.entities import Channel, User
from tests.integration.conversations.live_bot import LiveBot, open_live_bot
from tests.integration.conversations.scenes import job_id_of, made
from tests.integration.conversations.test_batches import batch, until_over
from tests.integration.conversations.test_strangers import NOT_FOUND, Stranger
from tests.support.installed_languages import installed

PUBLIC_URL = "https://stems.example.org"
GUESS = "A" * 24
OWN_BUTTONS = (
    *("cancel", "again", "other", "show", "as-mp3", "as-flac", "as-wav", "delete"),
    *("dm", "clip", "sound"),
)
RENDITION_BUTTONS = ("key:{job}:plain", "mix:{job}:plain", "r:{job}:k-2:mp3", "zip:{job}:plain:mp3")
BATCH_BUTTONS = ("cancel-all:{batch}", "zip-all:{batch}")
MENUS = (
    *(
        ("extra:{job}:plain", each)
        for each in ("mp3", "flac", "wav", "zip", "clip", "recipe", "dm")
    ),
    ("recipe:{job}", "vocals"),
    ("song-of:{batch}", "1"),
    ("song-of:{batch}", "all"),
)
FORMS = (
    ("set-key:{job}:plain", {"key": "-2", "speed": "90"}),
    ("set-mix:{job}:plain", {"vocals": "0"}),
)
COMMANDS = ("result", "remix", "cancel")
PAGES = ("", "song.json", "0.opus", "0.flac")
FILES = (
    "vocals.mp3",
    linked_name(Stem.VOCALS, AudioFormat.MP3, Rendition(cents=-200)),
    linked_zip_name(AudioFormat.MP3, Rendition()),
)


@dataclass
class Target:
    """A private song and a private batch of one person, and a bot with its public addresses."""

    live_bot: LiveBot
    base_url: str
    links: SignedLinks
    job: Job
    batch_id: BatchId
    public: Job
    """A public song of the same person, whose addresses are known."""

    def named(self, custom_id: str) -> str:
        return custom_id.format(job=self.job.id, batch=self.batch_id)

    async def status(self, path: str) -> int:
        """Return the status of a public address."""
        url = URL(f"{self.base_url}/{path}", encoded=True)
        async with aiohttp.ClientSession() as session, session.get(url) as answer:
            assert b"Neon" not in await answer.read()
            return answer.status


Attempt = Callable[[Target, Stranger], Awaitable[object]]


def pressing(custom_id: str) -> Attempt:
    return lambda target, stranger: stranger.press(target.named(custom_id))


def choosing(custom_id: str, value: str) -> Attempt:
    return lambda target, stranger: stranger.choose(target.named(custom_id), value)


def submitting(custom_id: str, values: dict[str, str]) -> Attempt:
    return lambda target, stranger: stranger.submit(target.named(custom_id), values)


def commanding(name: str) -> Attempt:
    async def attempt(target: Target, stranger: Stranger) -> object:
        await stranger.client.command(name, job=target.job.id)
        async with asyncio.timeout(10):
            while not (
                found := [each for each in await stranger.client.messages() if each["content"]]
            ):
                await asyncio.sleep(0.01)
        return found[-1]["content"]

    return attempt


def opening(kind: str, name: str, *, signed: bool = False) -> Attempt:
    """Open an address with a guessed signature, or with the one of another job."""

    async def attempt(target: Target, _: Stranger) -> object:
        mac = GUESS
        if signed:
            page = await target.links.to_mixer(target.public)
            assert page is not None
            found = (
                page.url if kind == "m" else (await target.links.to_result(target.public, name)).url
            )
            mac = found.split("/")[4].partition(".")[2]
        return await target.status(f"{kind}/{target.job.id}.{mac}/{name}")

    return attempt


ATTEMPTS: dict[str, Attempt] = {
    **{f"button {each}": pressing(f"{each}:{{job}}") for each in OWN_BUTTONS},
    **{f"button {each}": pressing(each) for each in (*RENDITION_BUTTONS, *BATCH_BUTTONS)},
    **{f"menu {each} {value}": choosing(each, value) for each, value in MENUS},
    **{f"form {each}": submitting(each, values) for each, values in FORMS},
    **{f"/{each}": commanding(each) for each in COMMANDS},
    **{f"page {each!r} guessed": opening("m", each) for each in PAGES},
    **{f"page {each!r} of another": opening("m", each, signed=True) for each in PAGES},
    **{f"file {each} guessed": opening("r", each) for each in FILES},
    **{f"file {each} of another": opening("r", each, signed=True) for each in FILES},
    "song guessed": opening("s", "song.mp3"),
    "page with the id in capitals": lambda target, _: target.status(
        f"m/{target.job.id.upper()}.{GUESS}/"
    ),
    "page by the id alone": lambda target, _: target.status(f"m/{target.job.id}/"),
    "folder of the files": lambda target, _: target.status(f"r/{target.job.id}.{GUESS}/"),
    "path above the files": lambda target, _: target.status(
        f"r/{target.job.id}.{GUESS}/..%2F..%2Fstemcord.db"
    ),
}


@pytest.fixture
async def target(tmp_path: Path, song: Path) -> AsyncIterator[Target]:
    async with AsyncExitStack() as stack:
        live_bot = await stack.enter_async_context(open_live_bot(tmp_path, public_url=PUBLIC_URL))
        await stack.enter_async_context(live_bot.on())
        ada = await stack.enter_async_context(SandboxClient(live_bot.sandbox.base_url))
        public = job_id_of(await made(live_bot, ada, song))
        private = job_id_of(await made(live_bot, ada, song, private=True, stems="vocals"))
        ada.in_channel("dm")
        await batch(ada, [song])
        await until_over(live_bot)
        jobs = {job.id: job for job in await live_bot.records()}
        [batch_id] = {job.batch_id for job in jobs.values() if job.batch_id is not None}
        links = live_bot.services.links
        assert links is not None
        base_url = await stack.enter_async_context(serving(live_bot, links))
        yield Target(
            live_bot=live_bot,
            base_url=base_url,
            links=links,
            job=jobs[JobId(private)],
            batch_id=batch_id,
            public=jobs[JobId(public)],
        )


@asynccontextmanager
async def serving(live_bot: LiveBot, links: SignedLinks) -> AsyncIterator[str]:
    """Serve the public addresses, and yield their base address."""
    files = FileRoutes(links=links, jobs=live_bot.jobs, files=live_bot.files)
    mixer = MixerRoutes(
        links=links,
        jobs=live_bot.jobs,
        packs=live_bot.services.packs,
        manifests=Manifests(links=links, files=live_bot.files, languages=installed()),
        assets=PageAssets.read(),
        rate=RequestRate(clock=live_bot.clock),
    )
    app = web.Application()
    app.add_routes([*files.routes(), *mixer.routes()])
    async with TestServer(app) as server:
        yield f"http://{server.host}:{server.port}"


async def test_fifty_people_are_refused_fifty_times(target: Target) -> None:
    assert len(ATTEMPTS) >= 50
    world = target.live_bot.sandbox.world
    karaoke = next(each for each in world.channels.values() if each.name == "karaoke")
    people = [invited(target.live_bot, karaoke, n) for n in range(len(ATTEMPTS))]
    before = [(job.state, job.has_stems) for job in await target.live_bot.records()]
    said = {}
    for (name, attempt), user in zip(ATTEMPTS.items(), people, strict=True):
        async with SandboxClient(target.live_bot.sandbox.base_url, person=user.name) as client:
            said[name] = await attempt(target, Stranger(target.live_bot, client, user, karaoke))
    assert {name: each for name, each in said.items() if not is_refusal(each)} == {}
    page = await target.links.to_mixer(target.job)
    assert page is not None
    assert await target.status(page.url.removeprefix(f"{PUBLIC_URL}/")) == 200, "its own opens it"
    assert [(job.state, job.has_stems) for job in await target.live_bot.records()] == before
    assert target.live_bot.audio.renders == []


def is_refusal(said: object) -> bool:
    return said == 404 or (isinstance(said, str) and said.startswith(NOT_FOUND))


def invited(live_bot: LiveBot, channel: Channel, number: int) -> User:
    """Add a person to the server of a channel."""
    world = live_bot.sandbox.world
    user = world.add_user(f"Stranger {number}")
    guild = world.guild_of(channel)
    assert guild is not None
    world.guilds[guild.id] = replace(guild, members={**guild.members, user.id: ()})
    return user
