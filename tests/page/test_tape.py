"""The audio thread of the mixer page, rendered offline and compared sample by sample."""

import itertools
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import pytest_asyncio
from playwright.async_api import Browser, Page

from bot.domain.recipes import Recipe, Stem
from tests.page.mixer_page import FLAC, OPUS, Heard, assets, rendered, stretch_file
from tests.support.mixer_server import MixerServer, open_mixer

pytestmark = [pytest.mark.page, pytest.mark.asyncio(loop_scope="module")]

FADE = 256
SIX = (Stem.VOCALS, Stem.DRUMS, Stem.BASS, Stem.GUITAR, Stem.PIANO, Stem.OTHER)
PLAY: dict[str, Any] = {"op": "play", "when": 0}
HIGH_HZ = 6_000
QUIET_DB = -80.0

needs_stretch = pytest.mark.skipif(
    stretch_file() is None, reason="make model fetches the time stretcher with npm"
)


@dataclass(slots=True, kw_only=True)
class Song:
    """A song on a server, and the page that renders it."""

    page: Page
    server: MixerServer
    url: str
    seconds: float
    stems: dict[Stem, Any]

    async def heard(self, *orders: dict[str, Any], seconds: float, **options: Any) -> Heard:
        return await rendered(
            self.page,
            self.server,
            self.url,
            seconds=seconds,
            song_s=self.seconds,
            orders=orders,
            **{"tuned": [stem is not Stem.DRUMS for stem in self.stems], **options},
        )


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def server(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[MixerServer]:
    root: Path = tmp_path_factory.mktemp("mixer")
    async with open_mixer(root, assets=assets()) as opened:
        yield opened


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def page(browser: Browser) -> AsyncIterator[Page]:
    opened = await browser.new_page()
    yield opened
    await opened.close()


async def put(page: Page, server: MixerServer, stems: dict[Stem, Any], recipe: Recipe) -> Song:
    _, url = await server.put(stems, recipe=recipe)
    await page.goto(url)
    seconds = next(iter(stems.values())).shape[1] / FLAC
    return Song(page=page, server=server, url=url, seconds=seconds, stems=stems)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def noise(page: Page, server: MixerServer) -> Song:
    """Two stems of noise, in which every position is unique."""
    rng = np.random.default_rng(7)
    sounds = [np.tile(rng.uniform(-0.2, 0.2, 24 * FLAC), (2, 1)) for _ in range(2)]
    sounds = [np.rint(sound * 32_768) / 32_768 for sound in sounds]
    return await put(
        page, server, {Stem.INSTRUMENTAL: sounds[0], Stem.VOCALS: sounds[1]}, Recipe.KARAOKE
    )


def is_same(heard: Heard, song: Any) -> bool:
    """Compare samples. Chromium divides FLAC's samples by 32,767 instead of 32,768."""
    return heard.shape == song.shape and bool(np.abs(heard - song).max() < 2e-5)


def _tones(*notes_hz: float, seconds: float = 12.0) -> Any:
    time = np.arange(round(seconds * FLAC)) / FLAC
    return np.tile(sum(0.25 * np.sin(2 * np.pi * hz * time) for hz in notes_hz), (2, 1))


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def tones(page: Page, server: MixerServer) -> Song:
    stems = {Stem.INSTRUMENTAL: _tones(220.0), Stem.VOCALS: _tones(331.0)}
    return await put(page, server, stems, Recipe.KARAOKE)


def _clicks(at_s: Any, seconds: float, *, hz: float = 1_500.0) -> Any:
    """Short bursts, each symmetrical around its time."""
    sound = np.zeros(round(seconds * FLAC))
    time = np.arange(-600, 601) / FLAC
    burst = 0.7 * np.exp(-((time / 0.003) ** 2)) * np.cos(2 * np.pi * hz * time)
    for at in at_s:
        middle = round(at * FLAC)
        sound[middle - 600 : middle + 601] += burst
    return np.tile(sound, (2, 1))


def _click_near(heard: Heard, frame: float, rate: int, *, hz: float = 1_500.0) -> float:
    """Return a burst's position within 20 ms of a frame, from the middle of its envelope."""
    start = round(frame) - rate // 50
    time = np.arange(start, start + rate // 25)
    turned = heard[time] * np.exp(-2j * np.pi * hz * time / rate)
    width = round(rate / hz)
    envelope = np.abs(np.convolve(turned, np.hanning(2 * width + 1), "same")) ** 2
    return float((envelope * time).sum() / envelope.sum())


def _highest_db(heard: Heard, rate: int = FLAC) -> float:
    """Return the highest level above 6 kHz in dBFS, to which clicks contribute but tones do not."""
    spectrum = np.fft.rfft(heard.astype(np.float64))
    spectrum[: int(HIGH_HZ * len(heard) / rate)] = 0
    loudest = np.abs(np.fft.irfft(spectrum, len(heard)))[rate // 10 : -rate // 10].max()
    return float(20 * np.log10(max(loudest, 1e-9)))


async def test_what_is_played_is_the_sum_of_the_stems_sample_for_sample(noise: Song) -> None:
    heard = await noise.heard(PLAY, seconds=6)
    song = sum(noise.stems.values())[0].astype(np.float32)
    assert is_same(heard[FADE:], song[FADE : len(heard)])


async def test_six_stems_stay_within_a_millisecond_for_half_a_minute(
    page: Page, server: MixerServer
) -> None:
    every_s = [np.arange(0.1 + 0.15 * i, 29.8, 1.0) for i in range(6)]
    stems = {stem: _clicks(at, 30.0) for stem, at in zip(SIX, every_s, strict=True)}
    song = await put(page, server, stems, Recipe.SIX_STEMS)
    heard = await song.heard(PLAY, seconds=30, codec="opus")
    late_ms = [
        [1000 * (_click_near(heard, at * OPUS, OPUS) / OPUS - at) for at in times]
        for times in every_s
    ]
    assert max(map(max, late_ms)) - min(map(min, late_ms)) <= 1.0
    assert np.abs(np.concatenate(late_ms)).max() <= 1.0


async def test_fifty_seeks_land_on_their_frames(noise: Song) -> None:
    rng = np.random.default_rng(1)
    targets = [int(frame) for frame in rng.integers(0, 22 * FLAC, 50)]
    every = round(0.3 * FLAC / 128) * 128
    orders = [{"op": "seek", "to": to, "when": (i + 1) * every} for i, to in enumerate(targets)]
    heard = await noise.heard(PLAY, *orders, seconds=16)
    song = sum(noise.stems.values())[0].astype(np.float32)
    for i, to in enumerate(targets):
        start = (i + 1) * every + FADE
        length = every - 2 * FADE
        assert is_same(heard[start : start + length], song[to + FADE :][:length]), i


@pytest.mark.parametrize(("start_s", "end_s"), [(3.0, 3.7371), (1.95, 2.05), (1.5, 8.25)])
async def test_a_loop_is_exact_to_the_frame(noise: Song, start_s: float, end_s: float) -> None:
    start, end = round(start_s * FLAC), round(end_s * FLAC)
    orders = [
        {"op": "seek", "to": start, "when": 0},
        {"op": "loop", "from": start, "to": end, "when": 0},
        PLAY,
    ]
    heard = await noise.heard(*orders, seconds=18)
    song = sum(noise.stems.values())[0].astype(np.float32)
    length = end - start
    for turn in range(len(heard) // length):
        once = heard[turn * length :][FADE:length]
        assert is_same(once, song[start + FADE : end]), turn


async def test_a_loop_that_ends_behind_the_head_leads_back_at_once(noise: Song) -> None:
    orders = [
        {"op": "seek", "to": 5 * FLAC, "when": 0},
        PLAY,
        {"op": "loop", "from": FLAC, "to": 2 * FLAC, "when": 12_800},
    ]
    heard = await noise.heard(*orders, seconds=1)
    song = sum(noise.stems.values())[0].astype(np.float32)
    back = heard[12_800 + FADE : 12_800 + 4_000]
    assert is_same(back, song[FLAC + FADE : FLAC + 4_000])


def _orders(**named: list[dict[str, Any]]) -> Any:
    return pytest.mark.parametrize("orders", named.values(), ids=named.keys())


@_orders(
    playing=[],
    loop=[{"op": "loop", "from": FLAC, "to": FLAC + 32_506, "when": 0}],
    mutes=[{"op": "gains", "gains": [i % 2, 1], "when": 30_000 + 20_011 * i} for i in range(10)],
    seeks=[{"op": "seek", "to": 7_919 * (i + 3), "when": 30_000 + 20_011 * i} for i in range(10)],
    pauses=[
        {"op": op, "when": 30_000 + 20_011 * i}
        for i, op in enumerate(itertools.islice(itertools.cycle(["pause", "play"]), 10))
    ],
)
async def test_nothing_clicks(tones: Song, orders: list[dict[str, Any]]) -> None:
    heard = await tones.heard(PLAY, *orders, seconds=6)
    assert _highest_db(heard) <= QUIET_DB


async def test_the_measure_of_clicks_notices_one(tones: Song) -> None:
    heard = (await tones.heard(PLAY, seconds=2)).copy()
    heard[FLAC:] = 0
    assert _highest_db(heard) > -50


async def test_a_muted_stem_is_not_heard_and_the_rest_is_untouched(noise: Song) -> None:
    heard = await noise.heard({"op": "gains", "gains": [0, 1], "when": 0}, PLAY, seconds=1)
    vocals = noise.stems[Stem.VOCALS][0].astype(np.float32)
    assert is_same(heard[FADE:], vocals[FADE : len(heard)])


async def test_a_missing_pack_is_silence_until_it_comes_and_nothing_is_skipped(
    noise: Song,
) -> None:
    heard = await noise.heard(PLAY, {"op": "drop", "n": 2}, seconds=6)
    song = sum(noise.stems.values())[0].astype(np.float32)
    edge = 4 * FLAC - 3 * FADE
    assert is_same(heard[FADE:edge], song[FADE:edge])
    assert not heard[4 * FLAC :].any()


async def test_the_song_ends_in_silence(noise: Song) -> None:
    heard = await noise.heard({"op": "seek", "to": 23 * FLAC, "when": 0}, PLAY, seconds=2)
    assert heard[FLAC - 1000 : FLAC].any()
    assert not heard[FLAC + FADE :].any()


def _pitch(heard: Heard, rate: int, near_hz: float) -> float:
    """Return the pitch of a tone, in cents from what it should be."""
    part = heard[rate : 3 * rate].astype(np.float64)
    time = np.arange(len(part)) / rate
    turned = part * np.hanning(len(part)) * np.exp(-2j * np.pi * near_hz * time)
    half = len(part) // 2
    turn = np.angle(turned[half:].sum() / turned[:half].sum())
    return float(1200 * np.log2(1 + turn / (2 * np.pi * half / rate) / near_hz))


@needs_stretch
@pytest.mark.parametrize(("rate", "semitones"), [(1.0, -3), (1.0, 2), (0.75, 0), (1.25, 2)])
async def test_another_key_is_in_tune(tones: Song, rate: float, semitones: int) -> None:
    tempo = {"op": "tempo", "rate": rate, "semitones": semitones, "when": 0}
    only = {"op": "gains", "gains": [1, 0], "when": 0}
    heard = await tones.heard(tempo, only, PLAY, seconds=4, stretch=True)
    assert abs(_pitch(heard, FLAC, 220.0 * 2 ** (semitones / 12))) <= 5


@needs_stretch
@pytest.mark.parametrize(
    ("rate", "semitones"), [(1.0, -3), (1.0, 2), (0.75, 0), (0.75, -3), (1.25, 2)]
)
async def test_at_another_key_and_speed_drums_and_the_rest_are_heard_when_they_should_be(
    page: Page, server: MixerServer, rate: float, semitones: int
) -> None:
    drums, bass = np.arange(1.0, 10.9, 1.0), np.arange(1.5, 10.9, 1.0)
    silent = _clicks([], 12.0)
    stems = {
        Stem.VOCALS: silent,
        Stem.DRUMS: _clicks(drums, 12.0),
        Stem.BASS: _clicks(bass, 12.0),
        Stem.OTHER: silent,
    }
    song = await put(page, server, stems, Recipe.FOUR_STEMS)
    tempo = {"op": "tempo", "rate": rate, "semitones": semitones, "when": 0}
    # A seek while playing, to a position inside a pack.
    jump = {"op": "seek", "to": round(0.7 * FLAC), "when": 50_048}
    heard = await song.heard(tempo, PLAY, jump, seconds=4, stretch=True)
    begun = 50_048 + FADE

    def late_ms(at: float, hz: float) -> float:
        expected = begun + (at - 0.7) / rate * FLAC
        return 1000 * (_click_near(heard, expected, FLAC, hz=hz) - expected) / FLAC

    shift = 2 ** (semitones / 12)
    told = [(late_ms(d, 1_500.0), late_ms(b, 1_500.0 * shift)) for d, b in ((1, 1.5), (2, 2.5))]
    assert np.abs(told).max() <= 3.0
    assert max(abs(one - other) for one, other in told) <= 2.0


@needs_stretch
async def test_back_at_the_original_it_is_untouched_again(noise: Song) -> None:
    orders = [
        {"op": "tempo", "rate": 1, "semitones": -2, "when": 0},
        PLAY,
        {"op": "tempo", "rate": 1, "semitones": 0, "when": FLAC},
        {"op": "seek", "to": 9 * FLAC, "when": 2 * FLAC},
    ]
    heard = await noise.heard(*orders, seconds=3, stretch=True)
    song = sum(noise.stems.values())[0].astype(np.float32)
    begun = -(-2 * FLAC // 128) * 128
    assert is_same(heard[begun + FADE : begun + 20_000], song[9 * FLAC + FADE : 9 * FLAC + 20_000])


@needs_stretch
@_orders(
    tempo=[{"op": "tempo", "rate": 0.8, "semitones": -1, "when": 60_000}],
    back=[
        {"op": "tempo", "rate": 0.8, "semitones": -1, "when": 0},
        {"op": "tempo", "rate": 1, "semitones": 0, "when": 60_000},
    ],
    seek=[
        {"op": "tempo", "rate": 0.8, "semitones": -1, "when": 0},
        {"op": "seek", "to": 5 * FLAC, "when": 60_000},
    ],
    pause=[
        {"op": "tempo", "rate": 0.8, "semitones": -1, "when": 0},
        {"op": "pause", "when": 60_000},
        {"op": "play", "when": 90_000},
    ],
)
async def test_nothing_clicks_at_another_speed(tones: Song, orders: list[dict[str, Any]]) -> None:
    heard = await tones.heard(PLAY, *orders, seconds=4, stretch=True)
    assert _highest_db(heard) <= -60
