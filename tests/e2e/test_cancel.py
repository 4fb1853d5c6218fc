"""Cancelling a song in progress, by its owner and by others."""

from pathlib import Path

import pytest

from sandbox.errors import Json
from tests.e2e import reading
from tests.e2e.bot_harness import BotHarness, ConnectedUser

pytestmark = [pytest.mark.e2e, pytest.mark.model, pytest.mark.asyncio(loop_scope="package")]


def is_separating(message: Json) -> bool:
    return "is separating" in reading.text(message)


async def assert_cancelled(harness: BotHarness, guest: ConnectedUser, answer: Json) -> None:
    reply = await guest.sees(answer)
    assert reading.sentences(reply) == ["You cancelled this song.", reading.NOTHING_CHARGED]
    assert not reply["components"]
    assert harness.records.state(answer) == "cancelled"
    assert harness.records.moves(answer) == ["hold", "void"]
    job_id = harness.records.job_id(answer)
    await harness.until(lambda: not (harness.data_dir / "jobs" / str(job_id)).exists())
    assert "3 of 3 min left" in await guest.quota()


async def test_button_stops_a_separation_and_gives_the_minutes_back(
    harness: BotHarness, song: Path, long_song: Path
) -> None:
    guest = await harness.guest()
    async with harness.idle_engine(song):
        answer = await guest.split(long_song)
        await guest.press(await guest.sees(answer, is_separating), "Cancel")
    await assert_cancelled(harness, guest, answer)


async def test_command_stops_the_song_that_its_autocomplete_suggests(
    harness: BotHarness, song: Path, long_song: Path
) -> None:
    guest = await harness.guest()
    async with harness.idle_engine(song):
        answer = await guest.split(long_song)
        await guest.sees(answer, is_separating)
        [choice] = await guest.autocomplete("cancel", "job", "flood")
        assert choice["value"] == harness.records.job_id(answer)
        assert choice["name"].startswith("Neon Flood · Karaoke")
        said = await guest.cancel(answer)
    assert said["content"] == "**Neon Flood** is cancelled. Nothing was charged."
    assert said["ephemeral"]
    await assert_cancelled(harness, guest, answer)
    assert await guest.autocomplete("cancel", "job", "") == []


async def test_nobody_else_can_stop_a_song(
    harness: BotHarness, song: Path, long_song: Path
) -> None:
    guest, other = await harness.guest(), await harness.guest()
    async with harness.idle_engine(song):
        answer = await guest.split(long_song, stems="vocals")
        card = await other.sees(answer, is_separating)
        await other.press(card, "Cancel")
        refusal = await other.wait_for(is_refusal)
        assert refusal["ephemeral"]
        typed = await other.command("cancel", job=str(harness.records.job_id(answer)))
        assert is_refusal(await other.sees(typed))
        assert await other.autocomplete("cancel", "job", "") == []
        assert harness.records.state(answer) == "processing"
        await guest.cancel(answer)


def is_refusal(message: Json) -> bool:
    return str(message["content"]).startswith("I can't find that song among yours.")
