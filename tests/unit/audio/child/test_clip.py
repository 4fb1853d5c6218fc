"""A clip for the soundboard: its start, length and level."""

import numpy as np
import pytest

from bot.audio.child import master
from bot.audio.clip_task import CLIP_FRAMES, MOST_CLIP_BYTES
from bot.audio.spool import SAMPLE_RATE
from tests.support import audio_files
from tests.support.sound import heard

PEAK = 10 ** (-1 / 20)
MP3_FRAME = 1152


def song(tmp_path, name, *loud, seconds=12, level=0.1):
    """Write a master that is soft except in these seconds, which have full level."""
    sound = audio_files.tone(seconds, level=level / 10)
    for second in loud:
        part = slice(round(second * SAMPLE_RATE), round((second + 1) * SAMPLE_RATE))
        sound[:, part] *= 10
    return write(tmp_path / f"{name}.flac", sound)


def write(path, sound):
    with master.written(path) as append:
        append(sound.T.astype(np.float32))
    return path


def loudness(sound, start_s, end_s):
    return audio_files.rms(sound[:, round(start_s * SAMPLE_RATE) : round(end_s * SAMPLE_RATE)])


async def test_a_clip_is_the_loudest_five_seconds(tools, tmp_path):
    voice = song(tmp_path, "voice", *range(6, 11))
    told = await tools.clip(voice, [], tmp_path / "clip.mp3")
    assert told.start == 6 * SAMPLE_RATE
    assert told.frames == CLIP_FRAMES == 5 * SAMPLE_RATE
    assert (tmp_path / "clip.mp3").stat().st_size == told.size_bytes <= MOST_CLIP_BYTES


async def test_a_clip_plays_for_exactly_five_seconds(tools, tmp_path):
    await tools.clip(song(tmp_path, "voice", 7), [], tmp_path / "clip.mp3")
    assert heard(tmp_path / "clip.mp3").shape == (2, 5 * SAMPLE_RATE)


@pytest.mark.parametrize("level", [0.02, 0.9])
async def test_a_clip_is_as_loud_as_every_other(tools, tmp_path, level):
    voice = song(tmp_path, "voice", *range(7), seconds=7, level=level)
    await tools.clip(voice, [], tmp_path / "clip.mp3")
    assert np.abs(heard(tmp_path / "clip.mp3")).max() == pytest.approx(PEAK, rel=0.03)


async def test_the_voice_counts_twice_as_much_as_the_rest(tools, tmp_path):
    voice = song(tmp_path, "voice", *range(1, 6))
    band = song(tmp_path, "band", *range(7, 12), level=0.15)
    louder = song(tmp_path, "louder", *range(7, 12), level=0.3)
    told = await tools.clip(voice, [band], tmp_path / "clip.mp3")
    assert told.start == 1 * SAMPLE_RATE
    told = await tools.clip(voice, [louder], tmp_path / "clip.mp3")
    assert told.start == 7 * SAMPLE_RATE


async def test_the_rest_is_heard_as_one(tools, tmp_path):
    """Two stems that cancel each other out count as silence."""
    voice = song(tmp_path, "voice", *range(4, 9), level=0.02)
    band = audio_files.tone(12)
    parts = [write(tmp_path / "a.flac", band), write(tmp_path / "b.flac", -band)]
    told = await tools.clip(voice, parts, tmp_path / "clip.mp3")
    assert told.start == 4 * SAMPLE_RATE


async def test_a_clip_begins_on_a_beat(tools, tmp_path):
    voice = song(tmp_path, "voice", *range(5, 10))
    beats = [round((0.3 + beat * 0.7) * SAMPLE_RATE) for beat in range(16)]
    told = await tools.clip(voice, [], tmp_path / "clip.mp3", beats=beats)
    assert told.start in beats
    assert abs(told.start - 5 * SAMPLE_RATE) <= 0.35 * SAMPLE_RATE


async def test_beats_too_near_the_end_are_not_used(tools, tmp_path):
    voice = song(tmp_path, "voice", 8, 9, seconds=10)
    beats = [-100, 4 * SAMPLE_RATE, 9 * SAMPLE_RATE]
    told = await tools.clip(voice, [], tmp_path / "clip.mp3", beats=beats)
    assert told.start == 4 * SAMPLE_RATE
    told = await tools.clip(voice, [], tmp_path / "clip.mp3", beats=beats[-1:])
    assert told.start == 5 * SAMPLE_RATE


async def test_a_clip_fades_in_and_out(tools, tmp_path):
    voice = write(tmp_path / "voice.flac", audio_files.tone(6.0))
    await tools.clip(voice, [], tmp_path / "clip.mp3")
    clip = heard(tmp_path / "clip.mp3")
    full = loudness(clip, 1, 4)
    assert loudness(clip, 0, 0.001) < 0.3 * full
    assert loudness(clip, 0.01, 0.1) == pytest.approx(full, rel=0.05)
    assert loudness(clip, 4.85, 4.95) == pytest.approx(0.5 * full, rel=0.1)
    assert loudness(clip, 4.99, 5) < 0.1 * full


async def test_equal_songs_give_equal_clips(tools, tmp_path):
    voice, band = song(tmp_path, "voice", 8), song(tmp_path, "band", 10)
    clips = [tmp_path / "one.mp3", tmp_path / "two.mp3"]
    for each in clips:
        await tools.clip(voice, [band], each, beats=[7 * SAMPLE_RATE, 4 * SAMPLE_RATE])
    assert clips[0].read_bytes() == clips[1].read_bytes()


@pytest.mark.parametrize("seconds", [0.1, 2.5, 4.99, 5, 5.01])
async def test_a_short_song_is_one_clip(tools, tmp_path, seconds):
    voice = write(tmp_path / "voice.flac", audio_files.tone(seconds))
    told = await tools.clip(voice, [], tmp_path / "clip.mp3", beats=[441])
    frames = min(round(seconds * SAMPLE_RATE), CLIP_FRAMES)
    assert (told.start, told.frames) == (441 if seconds > 5 else 0, frames)
    assert 0 <= heard(tmp_path / "clip.mp3").shape[1] - frames < MP3_FRAME


@pytest.mark.parametrize("seconds", [2, 7])
async def test_a_silent_song_stays_silent(tools, tmp_path, seconds):
    faint = write(tmp_path / "faint.flac", audio_files.tone(seconds, level=0.0005))
    silent = write(tmp_path / "silent.flac", np.zeros((2, seconds * SAMPLE_RATE)))
    for voice in (faint, silent):
        told = await tools.clip(voice, [silent], tmp_path / "clip.mp3")
        assert told.start == 0
        assert np.abs(heard(tmp_path / "clip.mp3")).max() < 0.001
