"""Files that cannot be split get one sentence and no charge, and the bot keeps working."""

from pathlib import Path

import pytest

from tests.e2e import reading
from tests.e2e.bot_harness import BotHarness
from tests.e2e.songs import picture, write_mp3, write_silence

pytestmark = [pytest.mark.e2e, pytest.mark.asyncio(loop_scope="package")]


async def assert_refused(harness: BotHarness, file: Path, sentence: str) -> None:
    """Send a file, and expect one sentence, no charge and a bot that still answers."""
    guest = await harness.guest()
    answer, reply = await guest.result(file)
    said = reading.sentences(reply)
    assert [line for line in said if line != reading.NOTHING_CHARGED] == [sentence]
    assert harness.records.moves(answer) in ([], ["hold", "void"])
    if harness.records.job_id(answer):
        assert harness.records.state(answer) == "failed"
        assert reading.NOTHING_CHARGED in said
    assert "3 of 3 min left" in await guest.quota()


async def test_text_that_calls_itself_a_song_is_refused(
    harness: BotHarness, tmp_path: Path
) -> None:
    file = tmp_path / "song.mp3"
    file.write_text("It was a dark and stormy night. " * 200)
    await assert_refused(
        harness,
        file,
        "I can't read this file as audio. Send a song, such as an MP3, FLAC or WAV file.",
    )


async def test_picture_that_calls_itself_a_song_is_refused(
    harness: BotHarness, tmp_path: Path
) -> None:
    file = tmp_path / "cover.mp3"
    file.write_bytes(picture())
    await assert_refused(
        harness,
        file,
        "I can't read this file as audio. Send a song, such as an MP3, FLAC or WAV file.",
    )


async def test_empty_file_is_refused(harness: BotHarness, tmp_path: Path) -> None:
    file = tmp_path / "song.mp3"
    file.touch()
    await assert_refused(harness, file, "This file is empty. Send it again, or another one.")


async def test_song_that_was_overwritten_is_refused(
    harness: BotHarness, song: Path, tmp_path: Path
) -> None:
    file = tmp_path / "song.flac"
    file.write_bytes(b"fLaC" + bytes(20_000))
    await assert_refused(
        harness, file, "This file is damaged or incomplete. Export it again, or send another copy."
    )


async def test_song_of_a_kind_that_is_not_read_is_refused(
    harness: BotHarness, tmp_path: Path
) -> None:
    file = tmp_path / "song.mid"
    file.write_bytes(b"MThd\x00\x00\x00\x06\x00\x01\x00\x02\x01\xe0" + bytes(200))
    await assert_refused(
        harness, file, "I cannot read this kind of file. Send the song as an MP3, FLAC or WAV file."
    )


@pytest.mark.model
async def test_song_that_was_cut_off_is_split_as_far_as_it_goes(
    harness: BotHarness, song: Path, tmp_path: Path
) -> None:
    guest = await harness.guest()
    file = write_mp3(tmp_path / "song.mp3", song)
    file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])
    answer, reply = await guest.result(file, stems="instrumental")
    assert any("breaks off at 0:0" in line for line in reading.sentences(reply))
    assert harness.records.moves(answer) == ["hold", "post"]


async def test_song_that_is_too_long_is_refused(harness: BotHarness, tmp_path: Path) -> None:
    file = write_silence(tmp_path / "song.wav", seconds=250)
    await assert_refused(harness, file, "This song is longer than 4 minutes. Send part of it.")


async def test_file_that_is_declared_too_big_is_refused_unfetched(
    harness: BotHarness, tmp_path: Path
) -> None:
    file = tmp_path / "huge.wav"
    with file.open("wb") as out:
        out.truncate(16 * 1024 * 1024 + 1)
    await assert_refused(
        harness,
        file,
        "This file is larger than 16 MiB. Send a shorter or more compressed one.",
    )
    assert not any("huge" in entry["path"] for entry in harness.sandbox.log.entries())


async def test_song_that_takes_more_minutes_than_are_left_is_refused(
    harness: BotHarness, tmp_path: Path
) -> None:
    guest = await harness.guest()
    file = write_silence(tmp_path / "song.wav", seconds=200)
    answer, reply = await guest.result(file)
    said = reading.sentences(reply)
    assert said[0].startswith("This song needs 4 min. You have 3 left, and get more <t:")
    assert said[1:] == [reading.NOTHING_CHARGED]
    assert harness.records.moves(answer) == []
    assert "3 of 3 min left" in await guest.quota()


@pytest.mark.model
async def test_song_after_a_refused_one_is_split(
    harness: BotHarness, song: Path, tmp_path: Path
) -> None:
    guest = await harness.guest()
    file = tmp_path / "song.mp3"
    file.write_text("not a song")
    await guest.result(file)
    answer, reply = await guest.result(song, stems="instrumental")
    assert reading.names(reply) == ["Neon Rain (Instrumental).mp3"]
    assert harness.records.moves(answer) == ["hold", "post"]


@pytest.mark.model
async def test_minutes_on_hold_are_not_given_out_twice(
    harness: BotHarness, song: Path, tmp_path: Path
) -> None:
    guest = await harness.guest()
    async with harness.idle_engine(song):
        three_minutes = await guest.split(write_silence(tmp_path / "song.wav", seconds=170))
        await harness.until(lambda: harness.records.moves(three_minutes) == ["hold"])
        answer, reply = await guest.result(song)
        [sentence] = reading.sentences(reply)
        assert sentence.startswith("Your 3 min are used or on hold. You get more <t:")
        assert reply["ephemeral"]
        assert harness.records.job_id(answer) is None
        await guest.cancel(three_minutes)
    assert harness.records.moves(three_minutes) == ["hold", "void"]
