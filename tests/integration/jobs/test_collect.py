"""Collecting a provider's files with real audio, ending in masters or another provider."""

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Protocol

import numpy as np
import pytest

from bot.audio.spool import SAMPLE_RATE
from bot.audio.tools import AudioTools
from bot.domain.attempt import RemoteFile
from bot.domain.errors import ProviderProtocol, Reason, ResultTooBig
from bot.domain.job import Job, State
from bot.domain.recipes import Recipe, Stem
from bot.providers.interface import Finished, Model
from bot.results.stem_identifier import Listener
from tests.support import audio_files
from tests.support.fakes import FakeProvider
from tests.support.file_provider import FileProvider
from tests.support.harness import Harness
from tests.support.sound import (
    AudioHere,
    Sound,
    cut,
    decibels,
    flac,
    heard,
    low_passed,
    mixed,
    mp3,
    noise,
    parts,
    tones,
    wav,
)

VOCALS = Model(
    name="vocals",
    stems=frozenset({Stem.VOCALS}),
    may_add=frozenset({Stem.OTHER}),
    subtractable=True,
)
FOUR = Model(
    name="four",
    stems=frozenset({Stem.VOCALS, Stem.DRUMS, Stem.BASS, Stem.OTHER}),
    sums_to_song=True,
)


class Studio:
    """A harness with real audio, to split a song and inspect the result."""

    def __init__(self, harness: Harness, song: Sound, root: Path) -> None:
        self.harness = harness
        harness.downloads.song = flac(root / "song.flac", song).read_bytes()

    async def split(self, recipe: Recipe) -> Job:
        job = await self.harness.split(recipe=recipe)
        return await self.harness.until(job.id, within_s=60, is_awake=True)

    def master(self, job: Job, stem: Stem) -> Sound:
        return heard(self.harness.files.of(job.id).master(stem))

    def masters(self, job: Job) -> dict[Stem, Sound]:
        found = self.harness.files.of(job.id).masters.glob("*.flac")
        return {Stem(path.stem): heard(path) for path in found}

    async def errors(self, job: Job) -> dict[str, str | None]:
        """Return the outcome of each provider's attempt."""
        attempts = await self.harness.jobs.attempts(job.id)
        return {each.provider: each.error or each.state.value for each in attempts}


class OpenStudio(Protocol):
    async def __call__(
        self,
        song: Sound,
        *providers: FakeProvider,
        audio: AudioTools | None = None,
        listener: Listener | None = None,
    ) -> Studio: ...


@pytest.fixture
async def opened(tmp_path: Path) -> AsyncIterator[OpenStudio]:
    async with AsyncExitStack() as stack:

        async def build(
            song: Sound,
            *providers: FakeProvider,
            audio: AudioTools | None = None,
            listener: Listener | None = None,
        ) -> Studio:
            harness = await Harness.build(
                tmp_path, *providers, audio=audio or AudioHere(), listener=listener
            )
            stack.push_async_callback(harness.close)
            return Studio(harness, song, tmp_path)

        yield build


@pytest.fixture(scope="module")
def stems() -> Mapping[Stem, Sound]:
    return parts()


@pytest.fixture(scope="module")
def song(stems: Mapping[Stem, Sound]) -> Sound:
    return mixed(stems)


@pytest.fixture(scope="module")
def lossy(
    stems: Mapping[Stem, Sound], tmp_path_factory: pytest.TempPathFactory
) -> Mapping[Stem, Path]:
    root = tmp_path_factory.mktemp("lossy")
    return {stem: mp3(root / f"{stem}.mp3", sound) for stem, sound in stems.items()}


@pytest.fixture(params=[AudioHere, pytest.param(AudioTools, id="in children")])
async def audio(request: pytest.FixtureRequest) -> AsyncIterator[AudioTools]:
    async with request.param() as tools:
        yield tools


async def test_a_voice_that_came_late_and_quiet_is_taken_out_of_the_song(
    opened: OpenStudio, tmp_path: Path, stems: Mapping[Stem, Sound], song: Sound, audio: AudioTools
) -> None:
    voice = mp3(tmp_path / "v.mp3", stems[Stem.VOCALS], gain=0.8)
    shelf = FileProvider(VOCALS, {"vocals": voice})
    studio = await opened(song, shelf, audio=audio)
    job = await studio.split(Recipe.KARAOKE)
    assert job.state is State.DELIVERED
    band = mixed(stems, Stem.VOCALS)
    made = studio.master(job, Stem.INSTRUMENTAL)
    assert made.shape == song.shape
    assert decibels(made - band, stems[Stem.VOCALS]) < -25
    assert decibels(mixed(studio.masters(job)) - song, song) < -60


async def test_a_quiet_voice_is_taken_out_of_a_wide_song(
    opened: OpenStudio, tmp_path: Path
) -> None:
    voice, band = tones(440, 523, 659, level=0.05), noise(5, level=0.15)
    shelf = FileProvider(VOCALS, {"vocals": mp3(tmp_path / "v.mp3", voice)})
    studio = await opened(voice + band, shelf)
    job = await studio.split(Recipe.INSTRUMENTAL)
    assert job.state is State.DELIVERED
    assert decibels(studio.master(job, Stem.INSTRUMENTAL) - band, voice) < -15


async def test_a_rest_that_came_as_well_is_used_instead_of_a_subtraction(
    opened: OpenStudio, tmp_path: Path, stems: Mapping[Stem, Sound], song: Sound
) -> None:
    rest = 0.8 * mixed(stems, Stem.VOCALS)
    shelf = FileProvider(
        VOCALS,
        {
            "vocals": flac(tmp_path / "v.flac", stems[Stem.VOCALS]),
            "other": flac(tmp_path / "o.flac", rest),
        },
    )
    studio = await opened(song, shelf)
    job = await studio.split(Recipe.INSTRUMENTAL)
    assert decibels(studio.master(job, Stem.INSTRUMENTAL) - rest, rest) < -60


def resampled_to_48k(sound: Sound) -> Sound:
    frames = sound.shape[1]
    at = np.arange(frames * 160 // 147) * 147 / 160
    return np.stack([np.interp(at, np.arange(frames), channel) for channel in sound])


@pytest.mark.parametrize(
    "mistaken",
    [
        lambda _: tones(349, 392, 466, 415, 330, level=0.2),
        resampled_to_48k,
        lambda voice: noise(9, level=audio_files.rms(voice)),
    ],
    ids=["another song's voice", "48k samples under a 44.1k header", "noise"],
)
@pytest.mark.parametrize("recipe", [Recipe.VOCALS, Recipe.KARAOKE])
async def test_a_stem_that_is_not_of_the_song_breaks_the_protocol_and_the_next_takes_over(
    opened: OpenStudio,
    tmp_path: Path,
    stems: Mapping[Stem, Sound],
    song: Sound,
    mistaken: Callable[[Sound], Sound],
    recipe: Recipe,
) -> None:
    false = flac(tmp_path / "x.flac", mistaken(stems[Stem.VOCALS]))
    stranger = FileProvider(VOCALS, {"vocals": false}, name="stranger")
    second = FileProvider(VOCALS, {"vocals": mp3(tmp_path / "v.mp3", stems[Stem.VOCALS])})
    studio = await opened(song, stranger, second)
    job = await studio.split(recipe)
    assert (job.state, job.provider) == (State.DELIVERED, "shelf")
    assert await studio.errors(job) == {"stranger": "protocol", "shelf": "done"}


async def test_the_stems_of_another_song_are_refused_and_nothing_is_charged(
    opened: OpenStudio, tmp_path: Path, song: Sound
) -> None:
    others = {
        Stem.VOCALS: tones(349, 392, 466, 415, 330, level=0.2),
        Stem.DRUMS: noise(7, level=0.04),
        Stem.BASS: tones(58, 69, 46, 52, level=0.15),
        Stem.OTHER: tones(294, 370, 415, level=0.1, pan=0.2),
    }
    files = {stem.value: flac(tmp_path / f"{stem}.flac", each) for stem, each in others.items()}
    studio = await opened(song, FileProvider(FOUR, files))
    job = await studio.split(Recipe.FOUR_STEMS)
    assert job.state is State.FAILED
    assert await studio.errors(job) == {"shelf": "protocol"}
    assert (await studio.harness.usage()).left == 60


@pytest.mark.parametrize("hiss", [0.0, 0.0005], ids=["silence", "hiss"])
async def test_a_song_without_a_voice_is_its_own_instrumental(
    opened: OpenStudio, tmp_path: Path, stems: Mapping[Stem, Sound], hiss: float
) -> None:
    band = mixed(stems, Stem.VOCALS)
    silent = flac(tmp_path / "v.flac", noise(9, level=hiss))
    studio = await opened(band, FileProvider(VOCALS, {"vocals": silent}))
    job = await studio.split(Recipe.KARAOKE)
    assert (job.state, job.is_voiceless) == (State.DELIVERED, True)
    masters = studio.masters(job)
    assert decibels(masters[Stem.INSTRUMENTAL] - band, band) < -60
    assert not masters[Stem.VOCALS].any()


async def test_a_voice_that_is_heard_is_not_said_to_be_missing(
    opened: OpenStudio, tmp_path: Path, stems: Mapping[Stem, Sound], song: Sound
) -> None:
    shelf = FileProvider(VOCALS, {"vocals": mp3(tmp_path / "v.mp3", stems[Stem.VOCALS])})
    studio = await opened(song, shelf)
    assert not (await studio.split(Recipe.KARAOKE)).is_voiceless


async def test_a_voice_of_opposite_channels_is_taken_out_of_the_song(
    opened: OpenStudio, tmp_path: Path, stems: Mapping[Stem, Sound]
) -> None:
    left = stems[Stem.VOCALS][0]
    voice, band = np.stack([left, -left]), mixed(stems, Stem.VOCALS)
    shelf = FileProvider(VOCALS, {"vocals": mp3(tmp_path / "v.mp3", voice, gain=0.8)})
    studio = await opened(voice + band, shelf)
    job = await studio.split(Recipe.INSTRUMENTAL)
    assert job.state is State.DELIVERED
    assert decibels(studio.master(job, Stem.INSTRUMENTAL) - band, voice) < -25


async def test_exact_stems_are_not_moved_for_the_sake_of_a_loud_bass(
    opened: OpenStudio, tmp_path: Path, stems: Mapping[Stem, Sound]
) -> None:
    bass = low_passed(tones(55, 65, 49, 41, level=0.3), 120)
    exact = {**stems, Stem.BASS: bass}
    files = {stem.value: flac(tmp_path / f"{stem}.flac", each) for stem, each in exact.items()}
    song = mixed(exact)
    studio = await opened(song, FileProvider(FOUR, files))
    job = await studio.split(Recipe.FOUR_STEMS)
    assert decibels(mixed(studio.masters(job)) - song, song) < -60


@pytest.mark.parametrize("late", [0, 1105])
@pytest.mark.parametrize("inverted", [{Stem.DRUMS}, set(Stem)], ids=["one", "all"])
async def test_inverted_stems_are_turned_back(
    opened: OpenStudio,
    tmp_path: Path,
    stems: Mapping[Stem, Sound],
    song: Sound,
    inverted: set[Stem],
    late: int,
) -> None:
    files = {
        stem.value: flac(
            tmp_path / f"{stem}.flac",
            np.pad(-each if stem in inverted else each, ((0, 0), (late, 0))),
        )
        for stem, each in stems.items()
    }
    studio = await opened(song, FileProvider(FOUR, files))
    job = await studio.split(Recipe.FOUR_STEMS)
    assert decibels(mixed(studio.masters(job)) - song, song) < -60


async def test_an_inverted_voice_alone_is_turned_back(
    opened: OpenStudio, tmp_path: Path, stems: Mapping[Stem, Sound], song: Sound
) -> None:
    voice = stems[Stem.VOCALS]
    studio = await opened(song, FileProvider(VOCALS, {"vocals": flac(tmp_path / "v.flac", -voice)}))
    job = await studio.split(Recipe.VOCALS)
    assert decibels(studio.master(job, Stem.VOCALS) - voice, voice) < -60


async def test_an_answer_that_lacks_a_declared_stem_is_refused(
    opened: OpenStudio, tmp_path: Path, stems: Mapping[Stem, Sound], song: Sound
) -> None:
    files = {stem.value: flac(tmp_path / f"{stem}.flac", sound) for stem, sound in stems.items()}
    lacking = FileProvider(
        FOUR, {name: files[name] for name in ("vocals", "drums")}, name="lacking"
    )
    whole = FileProvider(FOUR, files)
    studio = await opened(song, lacking, whole)
    # The two files would suffice for the vocals, but the rest of the answer cannot be trusted.
    job = await studio.split(Recipe.VOCALS)
    assert (job.state, job.provider) == (State.DELIVERED, "shelf")
    assert await studio.errors(job) == {"lacking": "protocol", "shelf": "done"}


async def test_lossy_stems_add_up_to_the_song_in_its_place(
    opened: OpenStudio, lossy: Mapping[Stem, Path], stems: Mapping[Stem, Sound], song: Sound
) -> None:
    files = {stem.value: path for stem, path in lossy.items()}
    studio = await opened(song, FileProvider(FOUR, files))
    job = await studio.split(Recipe.FOUR_STEMS)
    masters = studio.masters(job)
    assert masters.keys() == stems.keys()
    assert {sound.shape for sound in masters.values()} == {song.shape}
    assert decibels(mixed(masters) - song, song) < -25
    for stem, sound in stems.items():
        assert decibels(masters[stem] - sound, sound) < -15, stem


async def test_stems_that_would_clip_are_scaled_by_one_factor(
    opened: OpenStudio, tmp_path: Path
) -> None:
    loud = {stem: 8.0 * sound for stem, sound in parts().items()}
    song = mixed(loud)
    spools = {}
    for stem, sound in loud.items():
        spools[stem.value] = tmp_path / f"{stem}.f32"
        np.ascontiguousarray(sound.T, "<f4").tofile(spools[stem.value])
    shelf = FileProvider(FOUR, spools, is_hosted=False, gives_spools=True)
    studio = await opened(np.clip(song, -1, 1), shelf)
    job = await studio.split(Recipe.FOUR_STEMS)
    masters = studio.masters(job)
    factor = np.abs(masters[Stem.VOCALS]).max() / np.abs(loud[Stem.VOCALS]).max()
    assert factor < 1
    assert decibels(mixed(masters) - factor * song, song) < -60


async def test_a_silent_stem_is_not_moved_and_does_not_move_the_others(
    opened: OpenStudio, tmp_path: Path, lossy: Mapping[Stem, Path], stems: Mapping[Stem, Sound]
) -> None:
    silence = mp3(tmp_path / "silence.mp3", 0 * stems[Stem.DRUMS])
    files = {stem.value: path for stem, path in lossy.items()} | {"drums": silence}
    song = mixed(stems, Stem.DRUMS)
    studio = await opened(song, FileProvider(FOUR, files))
    job = await studio.split(Recipe.FOUR_STEMS)
    assert decibels(mixed(studio.masters(job)) - song, song) < -25


@pytest.mark.parametrize("write", [wav, mp3], ids=["wav", "mp3"])
async def test_a_truncated_stem_is_fetched_again_once(
    opened: OpenStudio,
    tmp_path: Path,
    stems: Mapping[Stem, Sound],
    song: Sound,
    write: Callable[[Path, Sound], Path],
) -> None:
    whole = write(tmp_path / "whole", stems[Stem.VOCALS])
    broken = cut(write(tmp_path / "broken", stems[Stem.VOCALS]))
    shelf = FileProvider(VOCALS, {"vocals": [broken, whole]})
    studio = await opened(song, shelf)
    job = await studio.split(Recipe.VOCALS)
    assert job.state is State.DELIVERED
    assert shelf.fetched == ["vocals?1", "vocals?1"]
    made = studio.master(job, Stem.VOCALS)
    assert decibels(made - stems[Stem.VOCALS], stems[Stem.VOCALS]) < -15


async def test_a_silent_end_that_a_vendor_trimmed_is_filled_up(
    opened: OpenStudio, tmp_path: Path, stems: Mapping[Stem, Sound], song: Sound
) -> None:
    silence = np.zeros((2, 3 * SAMPLE_RATE))
    files = {stem.value: flac(tmp_path / f"{stem}.flac", sound) for stem, sound in stems.items()}
    shelf = FileProvider(FOUR, files)
    studio = await opened(np.concatenate([song, silence], axis=1), shelf)
    job = await studio.split(Recipe.FOUR_STEMS)
    assert job.state is State.DELIVERED
    assert shelf.fetched.count("drums?1") == 1
    for stem, made in studio.masters(job).items():
        assert made.shape[1] == song.shape[1] + silence.shape[1]
        assert decibels(made[:, : song.shape[1]] - stems[stem], stems[stem]) < -40
        assert not made[:, song.shape[1] :].any()


async def test_an_end_that_a_vendor_cut_off_is_refused(
    opened: OpenStudio, tmp_path: Path, stems: Mapping[Stem, Sound], song: Sound
) -> None:
    kept = song.shape[1] - int(1.2 * SAMPLE_RATE)
    shelf = FileProvider(
        VOCALS, {"vocals": flac(tmp_path / "v.flac", stems[Stem.VOCALS][:, :kept])}
    )
    studio = await opened(song, shelf)
    job = await studio.split(Recipe.VOCALS)
    assert job.state is State.FAILED
    assert await studio.errors(job) == {"shelf": "results_not_fetched"}


async def test_stems_without_a_size_in_their_header_are_taken_as_they_are(
    opened: OpenStudio, tmp_path: Path, stems: Mapping[Stem, Sound], song: Sound
) -> None:
    files = {}
    for stem, sound in stems.items():
        files[stem.value] = path = wav(tmp_path / f"{stem}.wav", sound)
        content = path.read_bytes()
        at = content.index(b"data") + 4
        path.write_bytes(content[:at] + b"\xff\xff\xff\xff" + content[at + 4 :])
    shelf = FileProvider(FOUR, files)
    studio = await opened(song, shelf)
    job = await studio.split(Recipe.FOUR_STEMS)
    assert job.state is State.DELIVERED
    assert shelf.fetched.count("drums?1") == 1
    assert decibels(mixed(studio.masters(job)) - song, song) < -60


async def test_one_stem_that_stays_broken_fails_the_plan_and_not_silently_the_stem(
    opened: OpenStudio, tmp_path: Path, stems: Mapping[Stem, Sound], song: Sound
) -> None:
    files = {stem.value: wav(tmp_path / f"{stem}.wav", sound) for stem, sound in stems.items()}
    broken = files | {"drums": cut(wav(tmp_path / "broken.wav", stems[Stem.DRUMS]))}
    shelf = FileProvider(FOUR, broken)
    studio = await opened(song, shelf)
    job = await studio.split(Recipe.FOUR_STEMS)
    assert job.state is State.FAILED
    assert job.problem is not None
    assert job.problem.reason is Reason.PROVIDERS_FAILED
    assert await studio.errors(job) == {"shelf": "results_not_fetched"}
    assert shelf.fetched.count("drums?1") == 2
    assert (await studio.harness.usage()).left == 60


async def test_an_expired_link_is_asked_for_again(
    opened: OpenStudio, tmp_path: Path, stems: Mapping[Stem, Sound], song: Sound
) -> None:
    voice = flac(tmp_path / "v.flac", stems[Stem.VOCALS])
    shelf = FileProvider(VOCALS, {"vocals": [ProviderProtocol("gone"), voice]})
    studio = await opened(song, shelf)
    job = await studio.split(Recipe.VOCALS)
    assert job.state is State.DELIVERED
    assert shelf.fetched == ["vocals?1", "vocals?2"]
    assert len(shelf.submits) == 1


async def test_a_result_that_is_too_big_is_not_fetched_again(
    opened: OpenStudio, tmp_path: Path, stems: Mapping[Stem, Sound], song: Sound
) -> None:
    voice = flac(tmp_path / "v.flac", stems[Stem.VOCALS])
    endless = FileProvider(VOCALS, {"vocals": [ResultTooBig("more"), voice]}, name="endless")
    studio = await opened(song, endless, FileProvider(VOCALS, {"vocals": voice}))
    job = await studio.split(Recipe.VOCALS)
    assert (job.state, job.provider) == (State.DELIVERED, "shelf")
    assert endless.fetched == ["vocals?1"]
    assert (await studio.errors(job))["endless"] == "protocol"


class Flood(FileProvider):
    """Returns twenty thousand results where two are declared."""

    def finishes(self) -> Finished:
        return Finished(tuple(RemoteFile(f"vocals?{number}") for number in range(20_000)))


async def test_more_results_than_declared_break_the_protocol_before_any_is_fetched(
    opened: OpenStudio, tmp_path: Path, stems: Mapping[Stem, Sound], song: Sound
) -> None:
    files = {stem.value: flac(tmp_path / f"{stem}.flac", sound) for stem, sound in stems.items()}
    flood = Flood(FOUR, files, name="flood")
    studio = await opened(song, flood, FileProvider(FOUR, files))
    job = await studio.split(Recipe.FOUR_STEMS)
    assert (job.state, job.provider) == (State.DELIVERED, "shelf")
    assert flood.fetched == []


async def test_a_stem_that_the_model_does_not_declare_is_not_fetched(
    opened: OpenStudio, tmp_path: Path, stems: Mapping[Stem, Sound], song: Sound
) -> None:
    files = {stem.value: flac(tmp_path / f"{stem}.flac", sound) for stem, sound in stems.items()}
    shelf = FileProvider(FOUR, {**files, "piano": files["other"]})
    studio = await opened(song, shelf)
    job = await studio.split(Recipe.FOUR_STEMS)
    assert job.state is State.DELIVERED
    assert sorted(address.partition("?")[0] for address in shelf.fetched) == sorted(files)
