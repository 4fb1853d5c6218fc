import asyncio
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from bot.audio.analysis_task import AnalyseTask, Listened, Role, is_plausible, role_of
from bot.audio.tools import AudioTools
from bot.domain.analysis import Analysis, BeatGrid, Key, TempoEstimate
from bot.domain.errors import AudioFailed
from bot.domain.recipes import Stem
from tests.support import synthetic_songs
from tests.support.processes import forking

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


async def test_a_confined_child_analyses_a_song(tmp_path):
    truth = synthetic_songs.Truth(key=Key(tonic=9, is_minor=True), bpm=96, seconds=16, seed=11)
    song = synthetic_songs.make(truth)
    stems = [
        (synthetic_songs.write(wave, tmp_path / f"{stem}.flac"), role_of(stem))
        for stem, wave in song.stems.items()
    ]
    async with AudioTools() as tools:
        analysis = await tools.analyse(stems)
    assert analysis.key
    assert analysis.tempo
    assert truth.key in {analysis.key.key, analysis.key.relative}
    assert analysis.tempo.bpm == pytest.approx(96, rel=0.01)
    assert Analysis.from_json(analysis.to_json()) == analysis


async def test_a_master_that_cannot_be_read_fails_the_analysis(tmp_path):
    broken = tmp_path / "broken.flac"
    broken.write_bytes(b"fLaC" + bytes(1000))
    async with AudioTools() as tools:
        with pytest.raises(AudioFailed):
            await tools.analyse([(broken, Role.EVERYTHING)])
        with pytest.raises(AudioFailed):
            await tools.analyse([(tmp_path / "none.flac", Role.EVERYTHING)])


async def test_a_report_that_cannot_be_true_fails_the_analysis(tmp_path):
    lie = Analysis(tuning_cents=4_000)
    code = (
        "from bot.domain.analysis import Analysis; from bot.processes import ipc;"
        f" print(ipc.encode({lie!r}).decode())"
    )
    async with AudioTools(server=forking(code)) as tools:
        with pytest.raises(AudioFailed, match="no song"):
            await tools.analyse([(tmp_path / "a.flac", Role.DRUMS)])


async def test_an_analysis_does_not_keep_stems_waiting(tmp_path):
    song = synthetic_songs.write(np.zeros(synthetic_songs.RATE), tmp_path / "a.flac")
    code = (
        "import time; 'AnalyseTask' in task and time.sleep(60);"
        " from bot.audio.child import __main__ as child; from bot.audio.all_tasks import Task;"
        " from bot.processes import ipc;"
        " print(child.answer(ipc.decode(task.encode(), Task)).decode())"
    )
    async with AudioTools(server=forking(code), at_once=1, decoding_at_once=1) as tools:
        analysis = asyncio.create_task(tools.analyse([(song, Role.EVERYTHING)]))
        drawn = await tools.picture([("a", song)], tmp_path / "a.png")
        assert not analysis.done()
        analysis.cancel()
        await asyncio.wait([analysis])
    assert drawn.exists()
