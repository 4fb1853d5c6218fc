"""Clips for the soundboard: permissions, and what happens to the clips."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from bot.audio.child import master
from bot.audio.spool import SAMPLE_RATE
from bot.domain.analysis import Analysis, BeatGrid
from bot.domain.recipes import Stem
from bot.ui.replies import result_presenter
from sandbox.client import SandboxClient
from tests.integration.conversations.live_bot import LiveBot, open_live_bot
from tests.integration.conversations.scenes import (
    Message,
    filenames,
    job_id_of,
    labels,
    made,
    more,
    offers,
    says,
    shows,
)
from tests.integration.conversations.test_renditions import forged
from tests.support import audio_files
from tests.support.sound import AudioHere

GRID = BeatGrid(
    first_beat_s=62.5, period_s=0.5, beats=200, beats_per_bar=4, downbeat=0, is_steady=True
)
ADD = "Add to the soundboard"
NO_PERMISSION = "You need the permission *Create Expressions*"


@pytest.fixture
async def live_bot(tmp_path: Path) -> AsyncIterator[LiveBot]:
    async with open_live_bot(tmp_path) as live_bot, live_bot.on():
        live_bot.audio.clip_content = await a_clip(tmp_path)
        yield live_bot


async def a_clip(folder: Path) -> bytes:
    """Return a clip from the real code, so that it must be valid as a sound."""
    with master.written(folder / "voice.flac") as append:
        append(audio_files.tone(6.0).T)
    async with AudioHere() as tools:
        await tools.clip(folder / "voice.flac", [], folder / "clip.mp3")
    return (folder / "clip.mp3").read_bytes()


def has_clip(message: Message) -> bool:
    return any(name.endswith("(Clip).mp3") for name in filenames(message))


async def clip_of(live_bot: LiveBot, person: SandboxClient, message: Message) -> Message:
    """Ask for a clip, and return the reply with it once it is complete."""
    await more(person, message, "clip")
    found = await person.wait_for(has_clip)
    await nothing_is_open(live_bot)
    return found


async def nothing_is_open(live_bot: LiveBot) -> None:
    async with asyncio.timeout(30):
        while await live_bot.open_replies.every():
            await asyncio.sleep(0.01)


async def sounds(person: SandboxClient) -> list[str]:
    """Return the names of the sounds on the server's soundboard."""
    found: list[dict[str, Any]] = (await person.state())["sounds"]
    return [sound["name"] for sound in found]


async def test_a_clip_is_shown_first_and_added_on_a_press(
    live_bot: LiveBot, ada: SandboxClient, ben: SandboxClient, song: Path, tmp_path: Path
) -> None:
    live_bot.audio.heard = Analysis(grid=GRID)
    message = await made(live_bot, ada, song)
    shown = await clip_of(live_bot, ada, message)
    assert shown["ephemeral"]
    assert filenames(shown) == ["Neon Rain (Clip).mp3"]
    assert "Vocals, from 1:02 to 1:08" in shown["embeds"][0]["description"]
    assert labels(shown) == [ADD]
    assert await sounds(ada) == []
    await ada.download(shown["attachments"][0], tmp_path / "got.mp3")
    assert (tmp_path / "got.mp3").read_bytes() == live_bot.audio.clip_content

    await ada.press(shown, ADD)
    added = await ada.wait_for(shows("Added to this server's soundboard as “Neon Rain”."))
    assert added["ephemeral"]
    assert await sounds(ada) == ["Neon Rain"]
    assert not any(has_clip(each) for each in await ben.messages())


async def test_a_clip_that_was_added_is_said_to_be_although_discord_was_away(
    live_bot: LiveBot, ada: SandboxClient, song: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(result_presenter, "RETRY_AFTER_S", 0.01)
    monkeypatch.setattr(result_presenter, "SAY_AGAIN_AFTER_S", 0.05)
    message = await made(live_bot, ada, song)
    shown = await clip_of(live_bot, ada, message)
    await ada.fault("* /webhooks/*", reset=True)
    await ada.press(shown, ADD)
    async with asyncio.timeout(30):
        while not await sounds(ada):
            await asyncio.sleep(0.01)
    await asyncio.sleep(0.5)
    await ada.clear_faults()
    await ada.wait_for(says("The clip is on this server's soundboard."))
    assert await sounds(ada) == ["Neon Rain"]


async def test_a_clip_is_added_once_though_its_card_is_called_too_large(
    live_bot: LiveBot, ada: SandboxClient, song: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(result_presenter, "RETRY_AFTER_S", 0.01)
    message = await made(live_bot, ada, song)
    shown = await clip_of(live_bot, ada, message)
    await ada.fault("PATCH /webhooks/*", status=413, code=40005, times=2)
    await ada.press(shown, ADD)
    await ada.wait_for(shows("Added to this server's soundboard as"))
    assert await sounds(ada) == ["Neon Rain"]


async def test_a_clip_is_cut_from_the_vocals_at_a_beat(
    live_bot: LiveBot, ada: SandboxClient, song: Path
) -> None:
    live_bot.audio.heard = Analysis(grid=GRID)
    message = await made(live_bot, ada, song)
    shown = await clip_of(live_bot, ada, message)
    await ada.press(shown, ADD)
    await ada.wait_for(shows("Added to"))
    files = live_bot.files.of((await live_bot.records())[0].id)
    first, second = live_bot.audio.clips
    assert first == second
    assert first[:2] == (files.master(Stem.VOCALS), (files.master(Stem.INSTRUMENTAL),))
    assert first[2][:2] == (round(62.5 * SAMPLE_RATE), 63 * SAMPLE_RATE)
    assert len(first[2]) == GRID.beats


async def test_a_clip_of_an_unsteady_song_begins_anywhere(
    live_bot: LiveBot, ada: SandboxClient, song: Path
) -> None:
    message = await made(live_bot, ada, song)
    await clip_of(live_bot, ada, message)
    assert live_bot.audio.clips[0][2] == ()


async def test_people_who_may_not_create_expressions_get_no_clip(
    live_bot: LiveBot, ada: SandboxClient, ben: SandboxClient, song: Path
) -> None:
    message = await made(live_bot, ada, song)
    await more(ben, message, "clip")
    refused = await ben.wait_for(says(NO_PERMISSION))
    assert refused["ephemeral"]
    assert live_bot.audio.clips == []
    await ben.permit(create_guild_expressions=True)
    assert (await clip_of(live_bot, ben, message))["ephemeral"]


async def test_the_permission_is_checked_again_when_a_clip_is_added(
    live_bot: LiveBot, ada: SandboxClient, ben: SandboxClient, song: Path
) -> None:
    message = await made(live_bot, ada, song)
    await ben.permit(create_guild_expressions=True)
    shown = await clip_of(live_bot, ben, message)
    await ben.permit(create_guild_expressions=False)
    await ben.press(shown, ADD)
    await ben.wait_for(says(NO_PERMISSION))
    assert await sounds(ben) == []


async def test_a_bot_that_may_not_create_expressions_says_so(
    live_bot: LiveBot, ada: SandboxClient, song: Path
) -> None:
    message = await made(live_bot, ada, song)
    await ada.permit_bot(create_guild_expressions=False)
    shown = await clip_of(live_bot, ada, message)
    await ada.press(shown, ADD)
    await ada.wait_for(says("I need the permission *Create Expressions*"))
    assert await sounds(ada) == []
    assert has_clip(await ada.wait_for(lambda found: found["id"] == shown["id"]))
    await ada.permit_bot(create_guild_expressions=True)
    await ada.press(shown, ADD)
    await ada.wait_for(shows("Added to"))


async def test_a_full_soundboard_is_said_in_words_and_the_file_stays(
    live_bot: LiveBot, ada: SandboxClient, song: Path
) -> None:
    live_bot.sandbox.world.soundboard_slots = 0
    message = await made(live_bot, ada, song)
    shown = await clip_of(live_bot, ada, message)
    await ada.press(shown, ADD)
    await ada.wait_for(says("This server's soundboard is full."))
    assert has_clip(await ada.wait_for(lambda found: found["id"] == shown["id"]))
    async with asyncio.timeout(5):  # the row is deleted a moment after the reply arrives
        while await live_bot.open_replies.every():
            await asyncio.sleep(0.01)


async def test_a_clip_that_discord_refuses_is_said_in_words(
    live_bot: LiveBot, ada: SandboxClient, song: Path, tmp_path: Path
) -> None:
    long = tmp_path / "long.mp3"
    audio_files.write(long, "mp3", "libmp3lame", sound=audio_files.tone(6.0))
    live_bot.audio.clip_content = long.read_bytes()
    message = await made(live_bot, ada, song)
    shown = await clip_of(live_bot, ada, message)
    await ada.press(shown, ADD)
    await ada.wait_for(says("Discord didn't take the clip."))


async def test_a_stranger_gets_no_clip_of_a_private_song(
    live_bot: LiveBot, ada: SandboxClient, ben: SandboxClient, song: Path
) -> None:
    private = await made(live_bot, ada, song, private=True)
    public = await made(live_bot, ben, song)
    await ben.permit(create_guild_expressions=True)
    shown = await clip_of(live_bot, ben, public)
    for message in (public, shown):
        aimed = await forged(live_bot, message, job_id_of(public), job_id_of(private))
        await (more(ben, aimed, "clip") if message is public else ben.press(aimed, ADD))
    async with asyncio.timeout(30):
        while len([each for each in await ben.messages() if says("find that song")(each)]) < 2:
            await asyncio.sleep(0.01)
    assert len(live_bot.audio.clips) == 1
    assert await sounds(ben) == []
    assert (await clip_of(live_bot, ada, private))["ephemeral"]


async def test_a_clip_counts_against_the_presser_s_minutes(tmp_path: Path, song: Path) -> None:
    async with (
        open_live_bot(tmp_path, render_minutes=4) as live_bot,
        live_bot.on(),
        SandboxClient(live_bot.sandbox.base_url) as ada,
    ):
        message = await made(live_bot, ada, song)
        await clip_of(live_bot, ada, message)
        await more(ada, message, "clip")
        await ada.wait_for(says("I render at most 4 minutes of music an hour"))


async def test_a_clip_is_offered_in_servers_only(
    live_bot: LiveBot, ada: SandboxClient, song: Path
) -> None:
    assert "clip" in offers(await made(live_bot, ada, song))
    ada.in_channel("dm")
    in_dm = await made(live_bot, ada, song)
    assert "clip" not in offers(in_dm)
    await more(ada, await forged(live_bot, in_dm, "zip:mp3", "clip"), "clip")
    await ada.wait_for(says("There is no soundboard here."))


async def test_a_clip_of_deleted_stems_is_refused(
    live_bot: LiveBot, ada: SandboxClient, song: Path
) -> None:
    message = await made(live_bot, ada, song)
    shown = await clip_of(live_bot, ada, message)
    await ada.press(message, "Delete")
    async with asyncio.timeout(30):
        while not (await live_bot.records())[0].files_expired:
            await asyncio.sleep(0.01)
    await ada.press(shown, ADD)
    await ada.wait_for(says("These stems have been deleted."))
    assert await sounds(ada) == []


async def test_a_process_that_dies_while_it_cuts_leaves_a_button_that_asks_again(
    live_bot: LiveBot, ada: SandboxClient, song: Path
) -> None:
    message = await made(live_bot, ada, song)
    live_bot.audio.gate = asyncio.Event()
    await more(ada, message, "clip")
    async with asyncio.timeout(30):
        while not (waiting := await live_bot.open_replies.every()):
            await asyncio.sleep(0.01)
    assert [each.kind for each in waiting] == ["clip"]
    await live_bot.interface.presenter.stop(grace_s=0)
    assert await live_bot.open_replies.every() == waiting
    await live_bot.interrupted.complete()
    told = await ada.wait_for(shows("I was restarted while I made this."))
    live_bot.audio.gate.set()
    await ada.press(told, f"clip:{job_id_of(message)}")
    shown = await ada.wait_for(has_clip)
    await nothing_is_open(live_bot)
    await ada.press(shown, ADD)
    await ada.wait_for(shows("Added to"))
    assert await sounds(ada) == ["Neon Rain"]


async def test_a_clip_is_added_after_a_restart(
    live_bot: LiveBot, ada: SandboxClient, song: Path
) -> None:
    message = await made(live_bot, ada, song)
    shown = await clip_of(live_bot, ada, message)
    state: Any = live_bot.client._connection
    state._view_store._synced_message_views.clear()
    state._view_store._views.clear()
    files = live_bot.files.of((await live_bot.records())[0].id)
    assert not [*files.parcel.rglob("*.mp3")]  # so the clip is cut again
    await ada.press(shown, ADD)
    await ada.wait_for(shows("Added to"))
    assert await sounds(ada) == ["Neon Rain"]
