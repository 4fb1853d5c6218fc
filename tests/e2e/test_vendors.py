"""`/split` with each simulated vendor, for every recipe."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from functools import reduce
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import pytest_asyncio

from bot.domain.recipes import AudioFormat, Recipe, Stem
from bot.domain.titles import stem_filename
from bot.providers import audiocleaner, finevoice, soundverse
from bot.providers.interface import Capabilities
from bot.scheduling.plans import Subtract, Sum, derivations, plan
from sandbox.vendors.modes import Mode
from sandbox.vendors.separate import separated
from sandbox.vendors.vendor import Vendor
from tests.e2e import reading
from tests.e2e.bot_harness import BotHarness, open_bot_harness
from tests.e2e.conftest import SETTINGS
from tests.e2e.songs import Sound, read

pytestmark = [pytest.mark.e2e, pytest.mark.asyncio(loop_scope="package")]

DECLARED: Mapping[str, Capabilities] = {
    each.name: each
    for each in (audiocleaner.CAPABILITIES, finevoice.CAPABILITIES, soundverse.CAPABILITIES)
}
TABLE = [
    (name, recipe)
    for name, capabilities in DECLARED.items()
    for recipe in Recipe
    if plan(recipe, capabilities) is not None
]
ADDS_UP = {Recipe.KARAOKE, Recipe.KARAOKE_BACKING, Recipe.FOUR_STEMS, Recipe.SIX_STEMS}
"""Recipes whose stems sum to the whole song."""
OUR_NAMES = {
    "no_vocals": Stem.INSTRUMENTAL,
    "no_reverb": Stem.DRY,
    "synthesizer": Stem.SYNTH,
}
RESIDUAL_DB = {"audiocleaner": -70.0, "finevoice": -20.0, "soundverse": -20.0}
"""Tolerances for the sum and each stem. One vendor sends WAV, the others MP3."""
FAST = {
    "STEMCORD_PROVIDERS": "audiocleaner,finevoice,soundverse",
    "STEMCORD_POLL_MIN_S": "0.1",
    "STEMCORD_POLL_MAX_S": "0.3",
}


@dataclass(frozen=True, slots=True)
class VendorHarness:
    """The harness of these tests and the song that they send."""

    harness: BotHarness
    song_file: Path
    song: Sound

    def vendor(self, name: str) -> Vendor:
        found = self.harness.sandbox.vendors.find(name)
        assert found is not None
        return found

    async def split(self, name: str, recipe: Recipe) -> dict[str, Sound]:
        """Let a new user split the song, and return the stems by file name."""
        guest = await self.harness.guest()
        _, reply = await guest.result(
            self.song_file, stems=recipe.value, provider=name, format="wav"
        )
        assert reading.NOTHING_CHARGED not in reading.text(reply), reading.text(reply)
        sounds = {}
        for stem in reading.stems(reply):
            path = self.harness.data_dir / f"{guest.id}-{stem['filename']}"
            await guest.download(stem, path)
            rate, sounds[stem["filename"]] = read(path)
            assert rate == 44_100
            path.unlink()
        return sounds

    def expected(self, name: str, recipe: Recipe) -> dict[str, Sound]:
        """Compute the same stems in memory with the simulated vendor's filters."""
        made = plan(recipe, DECLARED[name])
        assert made is not None
        vendor = self.vendor(name)
        models = {str(key): model for key, model in vendor.models.items()}
        blocks = list(separated([self.song.astype(np.float32)], models[made.model.name]))
        stems = {
            _ours(word): np.concatenate([b[word] for b in blocks], axis=1) for word in blocks[0]
        }
        how = derivations(recipe, made.model, frozenset(stems))
        assert how is not None
        return {
            stem_filename("Neon Rain", stem, AudioFormat.WAV): self._derived(each, stems)
            for stem, each in how.items()
        }

    def _derived(self, how: Sum | Subtract, stems: Mapping[Stem, Any]) -> Sound:
        match how:
            case Sum(parts):
                return np.asarray(reduce(np.add, [stems[part] for part in parts]), np.float64)
            case Subtract(part):
                return np.asarray(self.song - stems[part], np.float64)


def _ours(word: str) -> Stem:
    return OUR_NAMES.get(word) or Stem(word.lower())


def decibels(sound: Sound, reference: Sound) -> float:
    power = np.mean(np.square(sound)) / np.mean(np.square(reference))
    return float(10 * np.log10(power + 1e-12))


@pytest_asyncio.fixture(scope="module", loop_scope="package")
async def hosted(
    tmp_path_factory: pytest.TempPathFactory, song: Path
) -> AsyncIterator[VendorHarness]:
    async with open_bot_harness(tmp_path_factory.mktemp("vendors"), SETTINGS | FAST) as harness:
        opened = VendorHarness(harness, song, read(song)[1])
        for name in DECLARED:
            opened.vendor(name).behaviour.latency_s = 0.0
        yield opened


async def check(hosted: VendorHarness, name: str, recipe: Recipe) -> None:
    got, expected = await hosted.split(name, recipe), hosted.expected(name, recipe)
    assert list(got) == list(expected)
    for file, sound in got.items():
        assert sound.shape == hosted.song.shape, file
        assert decibels(sound - expected[file], hosted.song) < RESIDUAL_DB[name], file
    if recipe in ADDS_UP:
        total = np.sum(list(got.values()), axis=0)
        assert decibels(total - hosted.song, hosted.song) < RESIDUAL_DB[name]


async def test_each_provider_splits_by_its_own_plan(hosted: VendorHarness) -> None:
    await asyncio.gather(
        check(hosted, "audiocleaner", Recipe.KARAOKE_BACKING),
        check(hosted, "finevoice", Recipe.KARAOKE),
        check(hosted, "soundverse", Recipe.VOCALS),
    )


async def test_a_song_whose_submit_got_lost_goes_on_at_the_next_provider(
    hosted: VendorHarness,
) -> None:
    vendor = hosted.vendor("audiocleaner")
    vendor.behaviour.change(Mode.RESET_AFTER_SUBMIT, 1)
    before = vendor.submits
    guest = await hosted.harness.guest()
    _, reply = await guest.result(hosted.song_file, stems="vocals")
    assert reading.names(reply) == ["Neon Rain (Vocals).mp3"]
    assert vendor.submits == before + 1


@pytest.mark.slow
@pytest.mark.parametrize(("name", "recipe"), TABLE, ids=str)
async def test_every_recipe_of_the_table(hosted: VendorHarness, name: str, recipe: Recipe) -> None:
    await check(hosted, name, recipe)


@pytest.mark.slow
async def test_vocals_alone_are_taken_out_of_the_song(hosted: VendorHarness) -> None:
    vendor = hosted.vendor("audiocleaner")
    vendor.extra_stems = False  # type: ignore[attr-defined] # of AudioCleaner's stand-in alone
    try:
        got = await hosted.split("audiocleaner", Recipe.KARAOKE)
    finally:
        vendor.extra_stems = True  # type: ignore[attr-defined]
    total = np.sum(list(got.values()), axis=0)
    assert decibels(total - hosted.song, hosted.song) < -30


@pytest.mark.slow
@pytest.mark.model
async def test_results_without_names_are_told_apart_by_listening(hosted: VendorHarness) -> None:
    vendor = hosted.vendor("finevoice")
    vendor.named_files = False  # type: ignore[attr-defined] # of FineVoice's stand-in alone
    try:
        await check(hosted, "finevoice", Recipe.KARAOKE)
    finally:
        vendor.named_files = True  # type: ignore[attr-defined]
