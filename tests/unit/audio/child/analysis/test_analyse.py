import tracemalloc
from functools import cache

import numpy as np
import pytest

from bot.audio.analysis_task import Role
from bot.audio.child.analysis import analyse
from bot.audio.child.analysis.mono_blocks import BLOCK, RATE
from bot.domain.analysis import Analysis, Key
from bot.domain.recipes import Stem
from tests.support import synthetic_songs
from tests.support.beats import octave_tolerant_f, times
from tests.support.synthetic_songs import Style, Truth, band_passed

MIB = 1024 * 1024
SECONDS = 12.0
A_MINOR = Key(tonic=9, is_minor=True)
E_FLAT_MAJOR = Key(tonic=3, is_minor=False)
G_MAJOR = Key(tonic=7, is_minor=False)
SONGS = [
    Truth(key=A_MINOR, bpm=96, seconds=SECONDS, seed=11),
    Truth(
        key=E_FLAT_MAJOR, bpm=124, cents=25, style=Style.FOUR_ON_THE_FLOOR, seconds=SECONDS, seed=12
    ),
    Truth(key=G_MAJOR, bpm=108, cents=-30, swing=0.3, style=Style.FUNK, seconds=SECONDS, seed=13),
    Truth(key=A_MINOR, bpm=88, drift=0.01, style=Style.BALLAD, seconds=SECONDS, seed=14),
]


make = cache(synthetic_songs.make)


@pytest.mark.parametrize("truth", SONGS, ids=lambda truth: f"{truth.style}-{truth.key.tag}")
def test_a_song_s_key_tempo_tuning_and_beats_are_found(heard, truth):
    song = make(truth)
    analysis = heard(song.stems)
    assert truth.key in {analysis.key.key, analysis.key.relative}
    assert analysis.tempo.bpm == pytest.approx(truth.bpm, rel=0.01)
    assert analysis.tuning_cents == pytest.approx(truth.cents, abs=2)
    assert analysis.grid.is_steady
    assert octave_tolerant_f(times(analysis.grid), song.beats_s) > 0.94


def test_bars_begin_where_they_are_played(heard):
    song = make(SONGS[0])
    grid = heard(song.stems).grid
    bar_s = times(grid)[grid.downbeat]
    assert grid.beats_per_bar == 4
    assert np.abs(song.beats_s[::4] - bar_s).min() < 0.05


def test_a_waltz_has_three_beats_in_a_bar(heard):
    truth = Truth(key=G_MAJOR, bpm=110, beats_per_bar=3, seconds=SECONDS, seed=15)
    assert heard(make(truth).stems).grid.beats_per_bar == 3


def test_instrumental_and_vocals_are_enough(heard):
    truth = SONGS[0]
    song = make(truth)
    instrumental = song.mixed(Stem.DRUMS, Stem.BASS, Stem.OTHER)
    analysis = heard({Stem.INSTRUMENTAL: instrumental, Stem.VOCALS: song.stems[Stem.VOCALS]})
    assert truth.key in {analysis.key.key, analysis.key.relative}
    assert analysis.tempo.bpm == pytest.approx(truth.bpm, rel=0.01)


def test_one_master_of_everything_is_enough(heard):
    truth = SONGS[2]
    analysis = heard({Stem.DRY: make(truth).mixed()})
    assert truth.key in {analysis.key.key, analysis.key.relative}
    assert analysis.tempo.bpm == pytest.approx(truth.bpm, rel=0.01)
    assert analysis.tuning_cents == pytest.approx(truth.cents, abs=2)


def test_a_bass_between_the_beats_of_a_mix_does_not_move_them(heard):
    truth = Truth(
        key=G_MAJOR, bpm=84, style=Style.FOUR_ON_THE_FLOOR, swing=0.2, seconds=SECONDS, seed=16
    )
    song = make(truth)
    grid = heard({Stem.INSTRUMENTAL: song.mixed()}).grid
    assert octave_tolerant_f(times(grid), song.beats_s) > 0.94


def test_a_stem_that_ends_early_is_silent_from_there_on(heard):
    song = make(SONGS[0])
    stems = song.stems | {Stem.VOCALS: song.stems[Stem.VOCALS][: 8 * RATE]}
    analysis = heard(stems)
    assert analysis.tempo.bpm == pytest.approx(96, rel=0.01)
    assert analysis.grid.beats > 0.9 * len(song.beats_s)


def test_drums_alone_have_a_tempo_and_no_key(heard):
    analysis = heard({Stem.DRUMS: make(SONGS[0]).stems[Stem.DRUMS]})
    assert (analysis.key, analysis.tuning_cents) == (None, None)
    assert analysis.tempo.bpm == pytest.approx(96, rel=0.01)


def test_drums_in_a_mix_role_have_no_key(heard):
    analysis = heard({Stem.INSTRUMENTAL: make(SONGS[0]).stems[Stem.DRUMS]})
    assert (analysis.key, analysis.tuning_cents) == (None, None)


def noise(seconds, seed=0):
    return np.random.default_rng(seed).normal(0, 0.1, int(seconds * RATE))


def syllables(seconds, seed=0):
    """Noise in irregular bursts like syllables, about four a second."""
    rng = np.random.default_rng(seed)
    onsets = np.cumsum(rng.gamma(4, 0.06, int(8 * seconds)))
    places = (onsets[onsets < seconds] * RATE).astype(int)
    syllable = np.hanning(int(0.2 * RATE))
    loudness = np.zeros(int(seconds * RATE) + len(syllable))
    for place in places:
        loudness[place : place + len(syllable)] += rng.uniform(0.3, 1) * syllable
    voiced = band_passed(noise(seconds, seed), 300, 3_000)
    return loudness[: len(voiced)] * voiced


@pytest.mark.parametrize(
    "sound",
    [
        pytest.param(lambda: np.zeros(20 * RATE), id="silence"),
        pytest.param(lambda: noise(20), id="noise"),
        pytest.param(lambda: np.cumsum(noise(20)) * 0.002, id="rumble"),
        pytest.param(lambda: syllables(20), id="speech"),
        pytest.param(lambda: syllables(40, seed=1), id="longer speech"),
        pytest.param(lambda: noise(0.5), id="half a second"),
    ],
)
def test_nothing_is_claimed_about_sounds_that_are_not_music(heard, sound):
    wave = sound()
    assert heard({Stem.DRY: wave}) == Analysis()
    assert heard({Stem.DRUMS: wave, Stem.OTHER: wave}) == Analysis()


def test_memory_does_not_follow_the_length():
    def peak_bytes(blocks):
        rng = np.random.default_rng(0)
        listener = analyse.Listener(frozenset({Role.DRUMS, Role.REST}))
        tracemalloc.start()
        for _ in range(blocks):
            block = rng.normal(0, 0.1, BLOCK).astype(np.float32)
            listener.add({Role.DRUMS: block, Role.REST: block})
        listener.analysis()
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return peak

    a_while = 15 * RATE // BLOCK
    one, four = peak_bytes(a_while), peak_bytes(4 * a_while)
    bytes_of_a_while = 15 * RATE * np.dtype(np.float32).itemsize
    assert four - one < 3 * bytes_of_a_while / 2
    assert four < 64 * MIB
