"""`/split` with a song, and who gets which files where."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import pytest_asyncio

from sandbox.errors import Json
from tests.e2e import reading
from tests.e2e.bot_harness import BotHarness, ConnectedUser
from tests.e2e.conftest import SONG_S
from tests.e2e.songs import Sound, read

pytestmark = [pytest.mark.e2e, pytest.mark.model, pytest.mark.asyncio(loop_scope="package")]


def level_db(sound: Sound) -> float:
    return float(20 * np.log10(np.sqrt(np.mean(sound**2)) + 1e-12))


def assert_plays(path: Path, *, rate: int = 44_100) -> None:
    found_rate, sound = read(path)
    assert found_rate == rate
    assert sound.shape[0] == 2
    assert abs(sound.shape[1] / rate - SONG_S) <= 0.1
    assert level_db(sound) > -60


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """The outcome of a user's command."""

    guest: ConnectedUser
    answer: Json
    reply: Json


ASKED: Mapping[str, tuple[str, Mapping[str, str | bool]]] = {
    "plain": ("karaoke", {}),
    "wav": ("karaoke", {"format": "wav"}),
    "no drums": ("karaoke", {"stems": "no-drums", "format": "mp3"}),
    "dm": ("dm", {"stems": "4-stems", "format": "opus"}),
    "private": ("karaoke", {"stems": "vocals", "format": "flac", "private": True}),
}
"""Channels and options."""


@pytest_asyncio.fixture(scope="module", loop_scope="package")
async def results(harness: BotHarness, song: Path) -> Mapping[str, Result]:
    """The results of all commands, sent at the same time by different users."""

    async def ask(channel: str, options: Mapping[str, str | bool]) -> Result:
        guest = await harness.guest(channel=channel)
        answer, reply = await guest.result(song, **options)
        return Result(guest=guest, answer=answer, reply=reply)

    results = await asyncio.gather(*(ask(*asked) for asked in ASKED.values()))
    return dict(zip(ASKED, results, strict=True))


async def saved(result: Result, folder: Path) -> dict[str, Path]:
    """Download the stems of a reply, and return them by file name."""
    paths = {}
    for attachment in reading.stems(result.reply):
        path = folder / attachment["filename"]
        await result.guest.download(attachment, path)
        paths[path.name] = path
    return paths


async def test_song_comes_back_as_two_stems_that_play(
    results: Mapping[str, Result], tmp_path: Path
) -> None:
    stems = await saved(results["plain"], tmp_path)
    assert list(stems) == ["Neon Rain (Instrumental).mp3", "Neon Rain (Vocals).mp3"]
    for path in stems.values():
        assert_plays(path)


async def test_result_shows_its_title_and_a_picture(results: Mapping[str, Result]) -> None:
    reply = results["plain"].reply
    assert reply["embeds"][0]["title"] == "Neon Rain · Karaoke"
    picture = reading.picture(reply)
    assert picture is not None
    assert picture["width"] > picture["height"] > 0


async def test_minutes_begun_are_charged_once_and_shown(
    results: Mapping[str, Result], harness: BotHarness
) -> None:
    result = results["plain"]
    assert harness.records.moves(result.answer) == ["hold", "post"]
    assert "1 min charged, 2 of 3 left today" in reading.text(result.reply)
    assert "1 used" in await result.guest.quota()


async def test_wav_stems_add_up_to_the_song(
    results: Mapping[str, Result], song: Path, tmp_path: Path
) -> None:
    stems = await saved(results["wav"], tmp_path)
    assert list(stems) == ["Neon Rain (Instrumental).wav", "Neon Rain (Vocals).wav"]
    together = sum((read(path)[1] for path in stems.values()), start=np.zeros(1))
    original = read(song)[1]
    assert together.shape == original.shape
    factor = np.vdot(together, original) / np.vdot(together, together)
    assert level_db(original - factor * together) <= -80


async def test_everything_but_the_drums_is_one_file(
    results: Mapping[str, Result], tmp_path: Path
) -> None:
    stems = await saved(results["no drums"], tmp_path)
    assert list(stems) == ["Neon Rain (No Drums).mp3"]
    assert_plays(stems["Neon Rain (No Drums).mp3"])


async def test_song_sent_in_the_dm_is_split_there(
    results: Mapping[str, Result], tmp_path: Path
) -> None:
    result = results["dm"]
    stems = await saved(result, tmp_path)
    wanted = ["Vocals", "Drums", "Bass", "Other"]
    assert list(stems) == [f"Neon Rain ({stem}).opus" for stem in wanted]
    for path in stems.values():
        assert_plays(path, rate=48_000)
    seen = [message["id"] for message in await results["plain"].guest.messages()]
    assert result.reply["id"] not in seen


async def test_private_result_is_seen_by_nobody_else(
    results: Mapping[str, Result], tmp_path: Path
) -> None:
    result = results["private"]
    assert result.reply["ephemeral"]
    seen = [message["id"] for message in await results["plain"].guest.messages()]
    assert result.reply["id"] not in seen
    stems = await saved(result, tmp_path)
    assert list(stems) == ["Neon Rain (Vocals).flac"]
    assert_plays(stems["Neon Rain (Vocals).flac"])


async def test_same_song_again_is_shown_without_a_charge(
    results: Mapping[str, Result], harness: BotHarness, song: Path
) -> None:
    guest = results["plain"].guest
    answer, reply = await guest.result(song)
    assert reading.names(reply) == reading.names(results["plain"].reply)
    assert harness.records.moves(answer) == []
    assert "1 used" in await guest.quota()
