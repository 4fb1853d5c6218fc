"""Aligning a stem with its song, and mixing it at the right position."""

import numpy as np
import pytest
from scipy import fft

from bot.audio.child.alignment import _fast_length
from bot.audio.spool import SAMPLE_RATE
from bot.audio.tasks import Mix, Part
from tests.support import audio_files


def noise(seed, seconds=3.0, level=0.1):
    return np.random.default_rng(seed).normal(0, level, (2, int(seconds * SAMPLE_RATE)))


def delayed(sound, frames):
    return np.concatenate([np.zeros((2, frames)), sound], axis=1)


@pytest.fixture
def voice():
    return noise(1)


@pytest.fixture
def band():
    return noise(2)


@pytest.mark.parametrize("lag", [0, 1, 1105, 2257])
async def test_a_late_stem_is_placed_to_the_sample(tools, tmp_path, voice, band, lag):
    song = audio_files.write_spool(tmp_path / "song.f32", voice + band)
    stem = audio_files.write_spool(tmp_path / "stem.f32", delayed(0.5 * voice, lag))
    fitted = await tools.fit(song, stem)
    assert fitted.lag_frames == lag
    assert fitted.gain == pytest.approx(2.0, rel=0.02)
    assert fitted.likeness == pytest.approx(0.7, abs=0.05)


async def test_an_early_stem_has_a_negative_lag(tools, tmp_path, voice, band):
    song = audio_files.write_spool(tmp_path / "song.f32", voice + band)
    stem = audio_files.write_spool(tmp_path / "stem.f32", voice[:, 300:])
    assert (await tools.fit(song, stem)).lag_frames == -300


@pytest.mark.parametrize("lag", [0, 1105])
async def test_a_stem_of_opposite_channels_has_its_lag_and_gain(tools, tmp_path, voice, band, lag):
    wide = np.stack([voice[0], -voice[0]])
    song = audio_files.write_spool(tmp_path / "song.f32", wide + band)
    stem = audio_files.write_spool(tmp_path / "stem.f32", delayed(0.5 * wide, lag))
    fitted = await tools.fit(song, stem)
    assert fitted.lag_frames == lag
    assert fitted.gain == pytest.approx(2.0, rel=0.02)


async def test_an_inverted_stem_has_a_negative_gain(tools, tmp_path, voice, band):
    song = audio_files.write_spool(tmp_path / "song.f32", voice + band)
    stem = audio_files.write_spool(tmp_path / "stem.f32", delayed(-voice, 300))
    fitted = await tools.fit(song, stem)
    assert (fitted.lag_frames, round(fitted.gain, 1)) == (300, -1.0)


async def test_a_silent_stem_fits_nowhere(tools, tmp_path, voice):
    song = audio_files.write_spool(tmp_path / "song.f32", voice)
    stem = audio_files.write_spool(tmp_path / "stem.f32", 0 * voice)
    fitted = await tools.fit(song, stem)
    assert (fitted.lag_frames, fitted.gain, fitted.stem_rms) == (0, 0.0, 0.0)


async def test_nothing_fits_a_silent_song(tools, tmp_path, voice):
    song = audio_files.write_spool(tmp_path / "song.f32", 0 * voice)
    stem = audio_files.write_spool(tmp_path / "stem.f32", voice)
    fitted = await tools.fit(song, stem)
    assert (fitted.lag_frames, fitted.gain, fitted.likeness, fitted.song_rms) == (0, 0.0, 0.0, 0.0)


async def test_levels_are_of_the_whole_spools(tools, tmp_path, voice):
    song = audio_files.write_spool(tmp_path / "song.f32", voice)
    stem = audio_files.write_spool(tmp_path / "stem.f32", 0.25 * voice)
    fitted = await tools.fit(song, stem)
    assert fitted.song_rms == pytest.approx(4 * fitted.stem_rms, rel=1e-3)


async def test_a_quiet_stem_is_not_taken_for_a_louder_note_of_the_same_pitch(tools, tmp_path):
    time = np.arange(SAMPLE_RATE // 2) / SAMPLE_RATE
    tone = np.tile(np.sin(2 * np.pi * 220 * time) * np.exp(-4 * time), (2, 1))
    quiet, loud = np.zeros((2, SAMPLE_RATE)), np.zeros((2, SAMPLE_RATE))
    quiet[:, 4000 : 4000 + len(time)] = 0.02 * tone + noise(3, 0.5, 0.002)
    loud[:, 9000 : 9000 + len(time)] = 0.2 * tone
    song = audio_files.write_spool(tmp_path / "song.f32", quiet + loud)
    stem = audio_files.write_spool(tmp_path / "stem.f32", quiet)
    assert (await tools.fit(song, stem)).lag_frames == 0


async def test_levels_are_those_of_both_channels_as_masters_are_measured(tools, tmp_path, voice):
    wide = np.stack([voice[0], -voice[0]])
    song = audio_files.write_spool(tmp_path / "song.f32", wide)
    fitted = await tools.fit(song, song)
    assert fitted.song_rms == pytest.approx(audio_files.rms(wide), rel=1e-3)


@pytest.mark.parametrize("lag", [-300, 0, 1105])
async def test_a_stem_subtracted_at_its_lag_and_gain_is_gone(tools, tmp_path, voice, band, lag):
    late = delayed(voice, lag) if lag >= 0 else voice[:, -lag:]
    song = audio_files.write_spool(tmp_path / "song.f32", voice + band)
    stem = audio_files.write_spool(tmp_path / "stem.f32", late)
    parts = (Part(spool=song), Part(spool=stem, gain=-1.0, lag_frames=lag))
    mix = Mix(path=tmp_path / "rest.flac", parts=parts)
    result = await tools.combine([mix], frames=voice.shape[1])
    left = result.levels[0].rms / result.factor
    missing = abs(min(lag, 0)) / voice.shape[1]
    assert left == pytest.approx(audio_files.rms(band), rel=0.02 + missing)


@pytest.mark.parametrize("least", [1, 2, 7, 44_100, 280_984, 1 << 20, 2_113_536, 2_999_999])
def test_transforms_have_a_fast_length(least):
    assert _fast_length(least) == fft.next_fast_len(least, real=True)
