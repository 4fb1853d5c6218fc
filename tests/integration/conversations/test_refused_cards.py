"""Discord refuses messages without files as too large (code 40005); replies are completed later."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from bot.domain.errors import ProviderRefused, Reason, Rejected
from bot.domain.recipes import AudioFormat
from bot.ui.replies import result_presenter
from sandbox.client import SandboxClient
from tests.integration.conversations.live_bot import LiveBot
from tests.integration.conversations.open_bot import Open
from tests.integration.conversations.scenes import job_id_of, labels, made, says, shows
from tests.integration.conversations.test_batches import batch
from tests.integration.conversations.test_links import MIB, links_in
from tests.integration.conversations.test_renditions import nothing_is_open
from tests.integration.conversations.test_zips import ask_for_zip

REFUSED_FOR_S = 0.3


@pytest.fixture(autouse=True)
def _short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(result_presenter, "RETRY_AFTER_S", 0.05)
    monkeypatch.setattr(result_presenter, "SAY_AGAIN_AFTER_S", 0.05)


@asynccontextmanager
async def refused_edits(people: SandboxClient) -> AsyncIterator[None]:
    """Refuse every edit during the block and for some time after it."""
    await people.fault("PATCH *", status=413, code=40005)
    yield
    await asyncio.sleep(REFUSED_FOR_S)
    await people.clear_faults()


async def until_open(live_bot: LiveBot) -> None:
    async with asyncio.timeout(30):
        while not await live_bot.open_replies.every():
            await asyncio.sleep(0.01)


async def test_the_card_of_a_batch(live_bot: LiveBot, ada: SandboxClient, tmp_path: Path) -> None:
    songs = [tmp_path / f"{name}.mp3" for name in ("Low Tide", "Glass Hill")]
    for song in songs:
        song.touch()
    async with refused_edits(ada):
        await batch(ada, songs)
        async with asyncio.timeout(30):
            while not await live_bot.batches.owed() or await live_bot.batches.open():
                await asyncio.sleep(0.01)
    card = await ada.wait_for(shows("This file is empty."))
    assert labels(card) == []


async def test_the_card_of_a_song_that_failed(
    live_bot: LiveBot, ada: SandboxClient, song: Path
) -> None:
    live_bot.provider.on_submit.append(ProviderRefused("no"))
    async with refused_edits(ada):
        await ada.command("split", file=song)
        async with asyncio.timeout(30):
            while not await live_bot.records() or await live_bot.jobs.unfinished():
                await asyncio.sleep(0.01)
    await ada.wait_for(lambda found: labels(found) == ["Try again"])


async def test_the_sentence_for_a_failed_rendition(
    live_bot: LiveBot, ada: SandboxClient, song: Path
) -> None:
    message = await made(live_bot, ada, song)
    live_bot.audio.render_error = Rejected(Reason.NO_TIME_STRETCH)
    async with refused_edits(ada):
        await ada.command("remix", job=job_id_of(message), key=1)
        await until_open(live_bot)
    await ada.wait_for(says("a library is missing"))
    await nothing_is_open(live_bot)


async def test_the_address_of_a_zip(opened: Open, song: Path) -> None:
    live_bot = opened.live_bot
    async with SandboxClient(live_bot.sandbox.base_url) as ada:
        message = await made(live_bot, ada, song)
        live_bot.audio.bytes_at = {AudioFormat.MP3: 6 * MIB}
        await ada.fault("PATCH *", status=413, code=40005, times=result_presenter.TRIES - 1)
        await ask_for_zip(ada, message)
        assert links_in(await ada.wait_for(shows("expires")))
        await nothing_is_open(live_bot)


async def test_the_card_of_an_interrupted_reply(
    live_bot: LiveBot, ada: SandboxClient, song: Path
) -> None:
    message = await made(live_bot, ada, song)
    live_bot.audio.gate = asyncio.Event()
    await ask_for_zip(ada, message)
    await until_open(live_bot)
    await live_bot.interface.presenter.stop(grace_s=0)
    async with refused_edits(ada):
        completing = asyncio.create_task(live_bot.interrupted.complete())
    await completing
    await ada.wait_for(shows("I was restarted while I made this."))
