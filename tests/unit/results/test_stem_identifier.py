"""Identifying two unnamed results by listening, or not at all."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import permutations
from pathlib import Path

import numpy as np
import pytest

from bot.audio.spool import SAMPLE_RATE
from bot.domain.attempt import RemoteFile
from bot.domain.errors import EngineFailed, ModelUnavailable, ProviderProtocol
from bot.domain.job import State
from bot.domain.recipes import UNNAMED, Recipe, Stem
from bot.providers.interface import Model
from bot.results import stem_identifier
from bot.results.stem_identifier import PAIR, Listener, StemIdentifier
from storage.files.job_files import JobDir
from tests.support import audio_files
from tests.support.file_provider import FileProvider
from tests.support.harness import Harness
from tests.support.sound import AudioHere, Sound, decibels, flac, heard, mixed, mp3, noise, parts

REMOVER = Model(name="vocal-remover", stems=PAIR, sums_to_song=True)
SIX = Model(name="six", stems=frozenset({Stem.VOCALS, Stem.DRUMS}), sums_to_song=True)


@dataclass
class Ear:
    """Returns scripted stems or none."""

    hears: Sound | None = None
    error: Exception | None = None
    heard: list[Path] = field(default_factory=list)

    async def vocals(self, mixture: Path, into: Path) -> Path:
        self.heard.append(mixture)
        if self.error is not None:
            raise self.error
        assert self.hears is not None
        return audio_files.write_spool(into / "vocals.f32", self.hears)


@pytest.fixture(scope="module")
def stems() -> Mapping[Stem, Sound]:
    return parts()


@pytest.fixture(scope="module")
def song(tmp_path_factory: pytest.TempPathFactory, stems: Mapping[Stem, Sound]) -> Path:
    return flac(tmp_path_factory.mktemp("song") / "song.flac", mixed(stems))


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory, stems: Mapping[Stem, Sound]) -> dict[str, Path]:
    """The song's two parts, as a vendor sends them."""
    folder = tmp_path_factory.mktemp("pair")
    return {
        "vocals": mp3(folder / "v.mp3", stems[Stem.VOCALS]),
        "instrumental": mp3(folder / "i.mp3", mixed(stems, Stem.VOCALS)),
    }


@pytest.fixture
def where(tmp_path: Path, stems: Mapping[Stem, Sound]) -> JobDir:
    job = JobDir(tmp_path / "k7f2q")
    job.work.mkdir(parents=True)
    audio_files.write_spool(job.mixture, mixed(stems))
    return job


def labels(listener: Listener | None) -> StemIdentifier:
    return StemIdentifier(audio=AudioHere(), listener=listener)


def fetched(where: JobDir, *results: tuple[Stem | None, Sound]) -> dict[RemoteFile, Path]:
    return {
        RemoteFile(f"https://results.invalid/{number}", stem): audio_files.write_spool(
            where.work / f"result-{number}.f32", sound
        )
        for number, (stem, sound) in enumerate(results)
    }


@pytest.mark.parametrize("order", list(permutations([Stem.VOCALS, Stem.INSTRUMENTAL])))
async def test_the_one_that_sounds_like_the_heard_vocals_is_the_vocals(
    where: JobDir, stems: Mapping[Stem, Sound], order: tuple[Stem, ...]
) -> None:
    true = {Stem.VOCALS: stems[Stem.VOCALS], Stem.INSTRUMENTAL: mixed(stems, Stem.VOCALS)}
    # The listener is a small network, whose vocals contain some of the band.
    ear = Ear(stems[Stem.VOCALS] + 0.3 * stems[Stem.OTHER])
    results = fetched(where, *((None, true[stem]) for stem in order))
    named = await labels(ear).name(results, REMOVER, where)
    assert named == dict(zip(order, results.values(), strict=True))


async def test_a_late_answer_is_told_apart_as_well(
    where: JobDir, stems: Mapping[Stem, Sound]
) -> None:
    late = [np.pad(each, ((0, 0), (1105, 0))) for each in (
        mixed(stems, Stem.VOCALS), stems[Stem.VOCALS]
    )]  # fmt: skip
    results = fetched(where, *((None, each) for each in late))
    named = await labels(Ear(stems[Stem.VOCALS])).name(results, REMOVER, where)
    assert named[Stem.VOCALS] == list(results.values())[1]


async def test_two_that_sound_alike_are_not_guessed(
    where: JobDir, stems: Mapping[Stem, Sound]
) -> None:
    song = mixed(stems)
    results = fetched(where, (None, song), (None, 0.9 * song))
    with pytest.raises(ProviderProtocol, match="alike"):
        await labels(Ear(stems[Stem.VOCALS])).name(results, REMOVER, where)


async def test_two_that_cannot_be_told_apart_become_two_parts(
    where: JobDir, stems: Mapping[Stem, Sound]
) -> None:
    results = fetched(where, (None, noise(5)), (None, noise(6)))
    named = await labels(Ear(stems[Stem.VOCALS])).name(results, REMOVER, where)
    assert named == dict(zip(UNNAMED, results.values(), strict=True))


@pytest.mark.parametrize(
    "listener",
    [Ear(error=ModelUnavailable("no model")), Ear(error=EngineFailed("died")), None],
    ids=["no model", "it died", "no engine"],
)
async def test_where_nothing_listens_two_results_become_two_parts(
    where: JobDir, stems: Mapping[Stem, Sound], listener: Ear | None
) -> None:
    results = fetched(where, (None, stems[Stem.VOCALS]), (None, stems[Stem.BASS]))
    named = await labels(listener).name(results, REMOVER, where)
    assert named == dict(zip(UNNAMED, results.values(), strict=True))


async def test_it_listens_where_the_voice_is(
    tmp_path: Path, stems: Mapping[Stem, Sound], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stem_identifier, "EXCERPT_FRAMES", 4 * SAMPLE_RATE)
    job = JobDir(tmp_path / "long")
    job.work.mkdir(parents=True)
    rest = ((0, 0), (0, 6 * SAMPLE_RATE))  # longer than an excerpt
    voice = np.pad(stems[Stem.VOCALS], rest)
    band = np.tile(mixed(stems, Stem.VOCALS), 4)[:, : voice.shape[1]]
    audio_files.write_spool(job.mixture, voice + band)
    ear = Ear(stems[Stem.VOCALS])
    results = fetched(job, (None, band), (None, voice))
    named = await labels(ear).name(results, REMOVER, job)
    assert named[Stem.VOCALS] == list(results.values())[1]
    frames = stems[Stem.VOCALS].shape[1]
    listened = audio_files.read_spool(ear.heard[0])[:frames]
    assert np.allclose(listened, (voice + band).T[:frames], rtol=0, atol=1e-6)


@pytest.mark.parametrize(("is_sung", "heard"), [(False, 0.02), (True, 0.9)])
async def test_beside_silence_there_is_a_band_or_a_voice_alone(
    where: JobDir, stems: Mapping[Stem, Sound], is_sung: bool, heard: float
) -> None:
    only = stems[Stem.VOCALS] if is_sung else mixed(stems, Stem.VOCALS)
    results = fetched(where, (None, only), (None, 0 * only))
    named = await labels(Ear(heard * only)).name(results, REMOVER, where)
    sounding = Stem.VOCALS if is_sung else Stem.INSTRUMENTAL
    assert named[sounding] == next(iter(results.values()))
    assert named.keys() == PAIR


async def test_named_results_are_not_listened_to(
    where: JobDir, stems: Mapping[Stem, Sound]
) -> None:
    ear = Ear()
    results = fetched(where, (Stem.INSTRUMENTAL, stems[Stem.BASS]), (None, stems[Stem.VOCALS]))
    named = await labels(ear).name(results, REMOVER, where)
    assert named.keys() == PAIR
    assert ear.heard == []


async def test_one_name_for_two_results_breaks_the_protocol(
    where: JobDir, stems: Mapping[Stem, Sound]
) -> None:
    results = fetched(where, (Stem.VOCALS, stems[Stem.BASS]), (Stem.VOCALS, stems[Stem.DRUMS]))
    with pytest.raises(ProviderProtocol):
        await labels(None).name(results, REMOVER, where)


async def test_only_a_pair_is_told_apart_by_listening(
    where: JobDir, stems: Mapping[Stem, Sound]
) -> None:
    results = fetched(where, (None, stems[Stem.VOCALS]), (None, stems[Stem.DRUMS]))
    with pytest.raises(ProviderProtocol):
        await labels(Ear(stems[Stem.VOCALS])).name(results, SIX, where)


@pytest.mark.parametrize("recipe", [Recipe.KARAOKE, Recipe.VOCALS])
async def test_a_pair_that_cannot_be_told_apart_is_delivered_as_two_parts(
    tmp_path: Path, stems: Mapping[Stem, Sound], song: Path, pair: dict[str, Path], recipe: Recipe
) -> None:
    nameless = FileProvider(REMOVER, pair, is_named=False)
    harness = await Harness.build(
        tmp_path, nameless, audio=AudioHere(), listener=Ear(error=ModelUnavailable("no model"))
    )
    harness.downloads.song = song.read_bytes()
    job = await harness.until((await harness.split(recipe=recipe)).id, within_s=20)
    [(_, delivery)] = harness.delivery.shown
    again = await harness.until((await harness.split(recipe=recipe)).id, within_s=20)
    await harness.close()
    assert (job.state, job.is_unnamed, job.stems) == (State.DELIVERED, True, UNNAMED)
    assert (again.repeat_of, again.stems) == (job.id, UNNAMED)
    assert [file.filename for file in delivery.files] == [
        "Neon Rain (Part 1).mp3",
        "Neon Rain (Part 2).mp3",
    ]
    made = heard(harness.files.of(job.id).master(Stem.PART_1))
    assert decibels(made - stems[Stem.VOCALS], stems[Stem.VOCALS]) < -15


async def test_a_pair_of_one_file_twice_is_the_next_providers_turn(
    tmp_path: Path, stems: Mapping[Stem, Sound], song: Path, pair: dict[str, Path]
) -> None:
    alike = FileProvider(REMOVER, dict.fromkeys(pair, song), name="alike", is_named=False)
    nameless = FileProvider(REMOVER, pair, name="nameless", is_named=False)
    harness = await Harness.build(
        tmp_path, alike, nameless, audio=AudioHere(), listener=Ear(stems[Stem.VOCALS])
    )
    harness.downloads.song = song.read_bytes()
    job = await harness.until((await harness.split(recipe=Recipe.KARAOKE)).id, within_s=20)
    attempts = {each.provider: each.error for each in await harness.jobs.attempts(job.id)}
    await harness.close()
    assert (job.state, attempts) == (
        State.DELIVERED,
        {"alike": "protocol", "nameless": None},
    )
    made = heard(harness.files.of(job.id).master(Stem.VOCALS))
    assert decibels(made - stems[Stem.VOCALS], stems[Stem.VOCALS]) < -15
