"""The tasks for renditions, and requests that are refused beforehand."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from bot.delivery.stem_renderer import StemRenderer
from bot.domain.analysis import Analysis, BeatGrid
from bot.domain.attempt import AttemptState
from bot.domain.errors import Reason, Rejected
from bot.domain.job import Job, State
from bot.domain.recipes import Recipe, Stem
from bot.domain.renditions import Click, Rendition, RenditionOutput
from bot.providers.interface import Model
from bot.scheduling.model_lookup import ModelLookup
from storage.stores.job_store import JobStore
from tests.support.domain_factories import a_job, an_attempt, lead
from tests.support.fakes import FakeAudio, FakeProvider

FOUR = (Stem.VOCALS, Stem.DRUMS, Stem.BASS, Stem.OTHER)
GRID = BeatGrid(
    first_beat_s=0.5, period_s=0.5, beats=300, beats_per_bar=4, downbeat=0, is_steady=True
)


class Studio:
    """A renderer with four masters."""

    def __init__(self, jobs: JobStore, folder: Path, *, is_basic: bool = False) -> None:
        self.audio = FakeAudio()
        model = Model(name="vocals", stems=frozenset(FOUR), is_basic=is_basic)
        provider = FakeProvider("finevoice", models=(model,))
        self.renderer = StemRenderer(
            audio=self.audio,  # type: ignore[arg-type] # a fake matches by shape
            models=ModelLookup(jobs=jobs, providers={"finevoice": provider}),
        )
        self.folder = folder
        self.masters = [(stem, folder / f"{stem}.flac") for stem in FOUR]

    async def render(self, job: Job, rendition: Rendition) -> list[tuple[Stem, Path]]:
        asked = job.asked_as(rendition=rendition)
        return [*await self.renderer.render(asked, self.masters, self.folder)]

    @property
    def rendered(self) -> dict[str, Any]:
        [only] = self.audio.renders
        return dict(only)


@pytest.fixture
def studio(jobs: JobStore, tmp_path: Path) -> Studio:
    return Studio(jobs, tmp_path)


async def test_masters_are_delivered_as_they_are_if_nothing_is_to_change(studio: Studio) -> None:
    assert await studio.render(a_job(), Rendition()) == studio.masters
    assert studio.audio.renders == []


async def test_every_stem_is_rendered_by_itself_and_drums_are_marked(studio: Studio) -> None:
    made = await studio.render(a_job(), Rendition(cents=-200, speed_percent=90))
    assert [stem for stem, _ in made] == list(FOUR)
    assert all(path.exists() and path.name.endswith(".rendered.flac") for _, path in made)
    assert (studio.rendered["cents"], studio.rendered["speed_percent"]) == (-200, 90)
    parts = [part for output in studio.rendered["outputs"] for part in output.parts]
    assert [part.is_drums for part in parts] == [False, True, False, False]


async def test_a_mix_is_one_file_without_the_stems_that_are_off(studio: Studio) -> None:
    levels = ((Stem.VOCALS, 25), (Stem.DRUMS, 0))
    [(stem, _)] = await studio.render(a_job(), Rendition(levels=levels))
    assert stem is Stem.MIX
    [output] = studio.rendered["outputs"]
    assert [(part.master.stem, part.level_percent) for part in output.parts] == [
        ("vocals", 25),
        ("bass", 100),
        ("other", 100),
    ]


@pytest.mark.parametrize(
    "rendition",
    [
        Rendition(levels=((Stem.PIANO, 50),)),
        Rendition(levels=tuple((stem, 0) for stem in FOUR)),
        Rendition(output=RenditionOutput.MIX, click=Click(count_in_bars=1)),
    ],
    ids=["a stem that is not there", "every stem off", "a click without known beats"],
)
async def test_what_the_stems_cannot_give_is_refused(studio: Studio, rendition: Rendition) -> None:
    with pytest.raises(Rejected) as refused:
        await studio.render(a_job(), rendition)
    assert refused.value.problem.reason is Reason.NO_SUCH_MIX
    assert studio.audio.renders == []


async def test_clicks_need_steady_beats(studio: Studio) -> None:
    click = Rendition(click=Click(is_throughout=True))
    await studio.render(a_job(analysis=Analysis(grid=GRID)), click)
    assert studio.rendered["click"] is not None
    shaky = Analysis(grid=replace(GRID, is_steady=False))
    with pytest.raises(Rejected):
        await studio.render(a_job(analysis=shaky), click)


@pytest.mark.parametrize("is_basic", [False, True])
async def test_drums_of_a_basic_model_are_treated_like_the_rest(
    jobs: JobStore, tmp_path: Path, is_basic: bool
) -> None:
    job = a_job()
    job = replace(job, request=replace(job.request, recipe=Recipe.FOUR_STEMS))
    job = await lead(jobs, State.PROCESSING, job=job)
    await jobs.record(an_attempt(job, state=AttemptState.DONE))
    studio = Studio(jobs, tmp_path, is_basic=is_basic)
    await studio.render(job, Rendition(cents=100))
    assert studio.rendered["drums_apart"] is not is_basic
