"""The stem of a clip, and the beats at which it may begin."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from bot.audio.spool import SAMPLE_RATE
from bot.delivery.clip_cutter import ClipCutter
from bot.domain.analysis import Analysis, BeatGrid
from bot.domain.job import Job, State
from bot.domain.recipes import Recipe, Stem
from storage.files.job_files import JobFiles
from tests.support.card_factories import REQUEST, a_job
from tests.support.fakes import FakeAudio

GRID = BeatGrid(
    first_beat_s=0.5, period_s=0.5, beats=3, beats_per_bar=4, downbeat=0, is_steady=True
)


def a_song(recipe: Recipe, **changes: Any) -> Job:
    return a_job(State.DELIVERED, request=replace(REQUEST, recipe=recipe), **changes)


async def cut(job: Job, folder: Path) -> tuple[FakeAudio, Stem]:
    audio: Any = FakeAudio()
    made = await ClipCutter(audio=audio, files=JobFiles(folder)).cut(job, folder)
    assert made.file.read_bytes() == audio.clip_content
    return audio, made.stem


@pytest.mark.parametrize(
    ("recipe", "stem"),
    [
        (Recipe.KARAOKE, Stem.VOCALS),
        (Recipe.SIX_STEMS, Stem.VOCALS),
        (Recipe.KARAOKE_BACKING, Stem.LEAD_VOCALS),
        (Recipe.INSTRUMENTAL, Stem.INSTRUMENTAL),
        (Recipe.DRUMS, Stem.DRUMS),
    ],
)
async def test_a_clip_is_of_the_voice_or_the_first_stem(
    tmp_path: Path, recipe: Recipe, stem: Stem
) -> None:
    job = a_song(recipe)
    audio, cut_from = await cut(job, tmp_path)
    assert cut_from is stem
    [(voice, others, _)] = audio.clips
    files = JobFiles(tmp_path).of(job.id)
    assert {voice, *others} == {files.master(each) for each in job.stems}
    assert voice == files.master(stem)


@pytest.mark.parametrize(
    ("recipe", "stem"), [(Recipe.KARAOKE, Stem.INSTRUMENTAL), (Recipe.VOCALS, Stem.VOCALS)]
)
async def test_a_clip_of_a_song_without_voice_is_of_something_else(
    tmp_path: Path, recipe: Recipe, stem: Stem
) -> None:
    _, cut_from = await cut(a_song(recipe, is_voiceless=True), tmp_path)
    assert cut_from is stem


@pytest.mark.parametrize(
    ("analysis", "beats_s"),
    [
        (None, ()),
        (Analysis(), ()),
        (Analysis(grid=replace(GRID, is_steady=False)), ()),
        (Analysis(grid=GRID), (0.5, 1.0, 1.5)),
        (Analysis(grid=replace(GRID, deviations_ms=(10,))), (0.51, 1.01, 1.51)),
    ],
)
async def test_a_clip_begins_on_steady_beats_only(
    tmp_path: Path, analysis: Analysis | None, beats_s: tuple[float, ...]
) -> None:
    audio, _ = await cut(a_song(Recipe.KARAOKE, analysis=analysis), tmp_path)
    assert audio.clips[0][2] == tuple(round(each * SAMPLE_RATE) for each in beats_s)
