"""The disk space reserved for renditions covers their files."""

from dataclasses import replace
from pathlib import Path

import pytest

from bot.audio.click_track import click_track
from bot.audio.rendition_tasks import MasterPart, RenderedOutput, RenderTask
from bot.domain.analysis import Analysis, BeatGrid
from bot.domain.job import Job
from bot.domain.recipes import AudioFormat, Recipe, Stem
from bot.domain.renditions import Click, Rendition, RenditionOutput
from bot.jobs.disk_needs import DiskNeeds
from bot.providers.interface import Capabilities, Model
from tests.support.domain_factories import a_job

FRAMES = 10_000_000
NEEDS = DiskNeeds(())
SPOOL, FLAC = 8, 4
A_FILE = Path("/a.flac")
GRID = BeatGrid(
    first_beat_s=0.0, period_s=2.9, beats=70, beats_per_bar=16, downbeat=0, is_steady=True
)
RENDITIONS = (
    Rendition(cents=-200),
    Rendition(speed_percent=50),
    Rendition(speed_percent=150),
    Rendition(speed_percent=50, output=RenditionOutput.MIX),
    Rendition(speed_percent=50, levels=((Stem.VOCALS, 25),), click=Click(count_in_bars=2)),
)


def job_asking_for(rendition: Rendition) -> Job:
    job = replace(a_job(), frames=FRAMES, analysis=Analysis(grid=GRID))
    request = replace(
        job.request,
        recipe=Recipe.KARAOKE,
        audio_format=AudioFormat.WAV,
        rendition=rendition,
    )
    return replace(job, request=request)


def rendered_bytes(rendition: Rendition) -> int:
    """Return the bytes that rendering writes, and those of a lossless copy for the delivery."""
    click = None
    if rendition.click is not None:
        click = click_track(GRID, rendition.click, speed_percent=rendition.speed_percent)
    outputs = 1 if rendition.output is RenditionOutput.MIX else 2
    task = RenderTask(
        files=(RenderedOutput(path=A_FILE, parts=(MasterPart(master=A_FILE),)),) * outputs,
        frames=FRAMES,
        cents=rendition.cents,
        speed_percent=rendition.speed_percent,
        drums_apart=True,
        click=click,
    )
    return task.rendered_frames * (SPOOL + FLAC + FLAC) * outputs


@pytest.mark.parametrize("rendition", RENDITIONS, ids=lambda each: each.token)
def test_a_delivery_has_room_for_masters_and_rendition(rendition: Rendition) -> None:
    job = job_asking_for(rendition)
    masters = FRAMES * FLAC * 2
    assert NEEDS.to_deliver(job) >= masters + rendered_bytes(rendition)
    assert NEEDS.to_show(job) >= rendered_bytes(rendition)
    assert NEEDS.to_zip(job) >= rendered_bytes(rendition)


def test_stems_that_cannot_be_rendered_have_room_as_they_are() -> None:
    job = job_asking_for(Rendition(speed_percent=150, output=RenditionOutput.MIX))
    assert NEEDS.to_deliver(job) >= 2 * FRAMES * FLAC * 2


def test_files_between_two_networks_have_room_too() -> None:
    plain = Model(name="karaoke", stems=frozenset({Stem.VOCALS}), sums_to_song=False)
    job = replace(a_job(), frames=FRAMES)
    job = replace(job, request=replace(job.request, recipe=Recipe.VOCALS))

    def need(model: Model) -> int:
        needs = DiskNeeds([Capabilities(name="studio", title="Studio", models=(model,))])
        return needs.to_separate(job, FRAMES)

    assert need(replace(plain, extra_spools=1)) - need(plain) == FRAMES * SPOOL
