from dataclasses import replace
from pathlib import Path

import pytest

from bot.audio.analysis_task import (
    AnalyseMixesTask,
    AnalyseTask,
    Listened,
    ListenedMix,
    Role,
    is_plausible,
    role_of,
)
from bot.audio.tasks import Part
from bot.domain.analysis import Analysis, BeatGrid, TempoEstimate
from bot.domain.recipes import Stem

GRID = BeatGrid(
    first_beat_s=0.5, period_s=0.5, beats=100, beats_per_bar=4, downbeat=0, is_steady=True
)


def test_each_stem_is_listened_to_for_what_it_holds():
    roles = {stem: role_of(stem) for stem in Stem}
    assert roles[Stem.LEAD_VOCALS] is Role.VOCALS
    assert roles[Stem.PIANO] is Role.REST
    without_a_part = {Stem.INSTRUMENTAL, Stem.NO_BASS, Stem.DRY, Stem.PART_1}
    assert {roles[stem] for stem in without_a_part} == {Role.EVERYTHING}


def test_a_task_reads_its_masters_and_writes_nothing():
    task = AnalyseTask(parts=(Listened(master=Path("/a.flac"), role=Role.DRUMS),))
    assert (task.inputs, task.outputs) == ((Path("/a.flac"),), ())


def test_a_task_reads_each_of_its_spools_and_writes_nothing():
    song, voice = Part(spool=Path("/song.f32")), Part(spool=Path("/voice.f32"), gain=-1.0)
    mixes = (
        ListenedMix(parts=(song, voice), role=Role.EVERYTHING),
        ListenedMix(parts=(voice,), role=Role.VOCALS),
    )
    task = AnalyseMixesTask(mixes=mixes, frames=1)
    assert sorted(task.inputs) == [Path("/song.f32"), Path("/voice.f32")]
    assert task.outputs == ()


@pytest.mark.parametrize(
    ("analysis", "plausible"),
    [
        (Analysis(), True),
        (Analysis(tempo=TempoEstimate(bpm=96.0, octave_bpm=192.0), grid=GRID), True),
        (Analysis(tempo=TempoEstimate(bpm=0.0)), False),
        (Analysis(tempo=TempoEstimate(bpm=96.0, octave_bpm=1e9)), False),
        (Analysis(tuning_cents=-51), False),
        (Analysis(grid=replace(GRID, period_s=0.0)), False),
        (Analysis(grid=replace(GRID, downbeat=100)), False),
        (Analysis(grid=replace(GRID, beats_per_bar=0)), False),
        (Analysis(grid=replace(GRID, deviations_ms=(0,) * 14)), False),
        (Analysis(grid=replace(GRID, deviations_ms=(10**9,))), False),
        (Analysis(grid=replace(GRID, beats_per_bar=10**6)), False),
        (Analysis(grid=replace(GRID, beats=10**9)), False),
        (Analysis(grid=replace(GRID, first_beat_s=1e300)), False),
        (Analysis(grid=replace(GRID, first_beat_s=-1e300)), False),
    ],
)
def test_what_no_song_can_have_is_not_plausible(analysis, plausible):
    assert is_plausible(analysis, seconds=60.0) is plausible
