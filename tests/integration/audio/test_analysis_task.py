"""Analyses by real, confined children, and children that report false results."""

import asyncio

import numpy as np
import pytest

from bot.audio.analysis_task import Role, role_of
from bot.audio.tasks import Part
from bot.audio.tools import AudioTools
from bot.domain.analysis import Analysis, Key
from bot.domain.errors import AudioFailed
from tests.support import audio_files, synthetic_songs
from tests.support.processes import forking
from tests.support.sound import heard

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def test_a_confined_child_analyses_a_song(tmp_path, tools):
    truth = synthetic_songs.Truth(key=Key(tonic=9, is_minor=True), bpm=96, seconds=16, seed=11)
    song = synthetic_songs.make(truth)
    stems = [
        (synthetic_songs.write(wave, tmp_path / f"{stem}.flac"), role_of(stem))
        for stem, wave in song.stems.items()
    ]
    analysis = await tools.analyse(stems)
    assert analysis.key
    assert analysis.tempo
    assert truth.key in {analysis.key.key, analysis.key.relative}
    assert analysis.tempo.bpm == pytest.approx(96, rel=0.01)
    assert Analysis.from_json(analysis.to_json()) == analysis


async def test_a_confined_child_hears_the_same_in_spools_as_in_masters(tmp_path, tools):
    truth = synthetic_songs.Truth(key=Key(tonic=9, is_minor=True), bpm=96, seconds=16, seed=11)
    stems, mixes = [], []
    for stem, wave in synthetic_songs.make(truth).stems.items():
        master = synthetic_songs.write(wave, tmp_path / f"{stem}.flac")
        spool = audio_files.write_spool(tmp_path / f"{stem}.f32", heard(master))
        stems.append((master, role_of(stem)))
        mixes.append(((Part(spool=spool),), role_of(stem)))
    frames = len(heard(stems[0][0])[0])
    analysis = await tools.analyse(stems)
    assert analysis.key
    assert await tools.analyse_mixes(mixes, frames=frames) == analysis
    assert not tools.is_analysing


async def test_a_spool_that_is_gone_fails_the_analysis(tmp_path, tools):
    with pytest.raises(AudioFailed):
        await tools.analyse_mixes([((Part(spool=tmp_path / "none.f32"),), Role.DRUMS)], frames=9)


async def test_a_master_that_cannot_be_read_fails_the_analysis(tmp_path, tools):
    broken = tmp_path / "broken.flac"
    broken.write_bytes(b"fLaC" + bytes(1000))
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
