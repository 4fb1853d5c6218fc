import numpy as np
import pytest

from bot.audio.analysis_task import Listened, ListenedMix, Role
from bot.audio.child import master
from bot.audio.child.analysis import mono_blocks
from bot.audio.spool import SAMPLE_RATE
from bot.audio.tasks import Part
from tests.support import audio_files


@pytest.fixture
def stem(tmp_path):
    """Write a sound (channels by samples) as a master, in blocks of odd lengths."""

    def write(name, sound):
        with master.written(tmp_path / f"{name}.flac") as append:
            for piece in np.array_split(sound.T, 37):
                append(piece)
        return tmp_path / f"{name}.flac"

    return write


def joined(parts, role):
    return np.concatenate([block[role] for block in mono_blocks.blocks(parts)])


def test_half_the_rate_keeps_the_pitch_and_the_time(stem):
    sound = audio_files.tone(7.0, hz=440.0)
    mono = joined([Listened(master=stem("a", sound), role=Role.REST)], Role.REST)
    assert len(mono) == len(sound[0]) // 2
    assert np.abs(mono - sound[0, ::2])[20:-20].max() < 0.002


def test_what_the_lower_rate_cannot_hold_is_filtered_out(stem):
    sound = audio_files.tone(1.0, hz=15_000.0)
    mono = joined([Listened(master=stem("a", sound), role=Role.REST)], Role.REST)
    assert np.abs(mono[20:-20]).max() < 0.01 * audio_files.LEVEL


def test_parts_of_one_role_are_added_up(stem):
    parts = [
        Listened(master=stem("a", audio_files.tone(3.0, level=0.1)), role=Role.REST),
        Listened(master=stem("b", audio_files.tone(2.0, level=0.2)), role=Role.REST),
        Listened(master=stem("c", audio_files.tone(1.0, level=0.4)), role=Role.DRUMS),
    ]
    rest, drums = joined(parts, Role.REST), joined(parts, Role.DRUMS)
    assert len(rest) == len(drums) == 3 * SAMPLE_RATE // 2
    assert [np.abs(rest[at : at + 1000]).max() for at in (0, 50_000)] == pytest.approx(
        [0.3, 0.1], abs=0.005
    )
    assert not drums[SAMPLE_RATE // 2 + 20 :].any()


def test_blocks_have_one_length_but_for_the_last(stem):
    parts = [Listened(master=stem("a", audio_files.tone(8.0)), role=Role.REST)]
    lengths = [len(block[Role.REST]) for block in mono_blocks.blocks(parts)]
    assert set(lengths[:-1]) == {mono_blocks.BLOCK}
    assert sum(lengths) == 4 * SAMPLE_RATE


def test_spools_sound_like_the_masters_that_are_mixed_from_them(stem, tmp_path):
    song, voice = audio_files.tone(7.3, level=0.3), audio_files.tone(7.3, hz=660.0, level=0.2)
    spools = [
        audio_files.write_spool(tmp_path / "song.f32", song),
        audio_files.write_spool(tmp_path / "late.f32", np.pad(2 * voice, ((0, 0), (500, 0)))),
    ]
    away = Part(spool=spools[1], gain=-0.5, lag_frames=500)
    mixes = [
        ListenedMix(parts=(Part(spool=spools[0]), away), role=Role.EVERYTHING),
        ListenedMix(parts=(Part(spool=spools[0]),), role=Role.VOCALS),
    ]
    parts = [
        Listened(master=stem("rest", song - voice), role=Role.EVERYTHING),
        Listened(master=stem("song", song), role=Role.VOCALS),
    ]
    spooled = list(mono_blocks.mixed_blocks(mixes, frames=len(song[0])))
    written = list(mono_blocks.blocks(parts))
    for role in (Role.EVERYTHING, Role.VOCALS):
        lengths = [len(block[role]) for block in spooled]
        assert lengths == [len(block[role]) for block in written]
        for ours, theirs in zip(spooled, written, strict=True):
            assert np.abs(ours[role] - theirs[role]).max() < 2 / 32_768
