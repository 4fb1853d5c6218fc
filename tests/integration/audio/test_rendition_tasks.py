"""Renditions from real, confined children, and children that report false results."""

import asyncio
import os
import signal
import sys
from pathlib import Path

import numpy as np
import pytest

from bot.audio.child import master
from bot.audio.rendition_tasks import MasterPart, RenderedOutput, frames_of
from bot.audio.spool import SAMPLE_RATE
from bot.audio.tools import AudioTools
from bot.domain.errors import AudioFailed, Reason, Rejected
from tests.support import audio_files
from tests.support.processes import children, first_child, forking, is_alive, is_confined, python

pytestmark = pytest.mark.asyncio(loop_scope="module")
LINUX = pytest.mark.skipif(sys.platform != "linux", reason="looks at processes in /proc")


def write(path, sound):
    with master.written(path) as append:
        append(sound.T.astype(np.float32))
    return path


def mix(folder, *masters, name="mix.flac"):
    parts = tuple(MasterPart(master=each) for each in masters)
    return RenderedOutput(path=folder / name, parts=parts)


@pytest.fixture(scope="module")
def song(tmp_path_factory):
    return write(tmp_path_factory.mktemp("song") / "v.flac", audio_files.tone(3.0))


@pytest.fixture(scope="module")
def long_song(tmp_path_factory):
    return write(tmp_path_factory.mktemp("song") / "v.flac", audio_files.tone(120.0))


async def test_a_rendition_is_made_in_a_confined_child(tmp_path, tools, song, monkeypatch):
    monkeypatch.chdir(song.parent)
    outputs = [mix(tmp_path, Path(song.name)), mix(tmp_path, song, name="other.flac")]
    told = await tools.render(outputs, cents=-200, speed_percent=90)
    assert told.frames == round(3.0 * SAMPLE_RATE / 0.9)
    assert frames_of(tmp_path / "mix.flac") == told.frames
    assert sorted(path.name for path in tmp_path.iterdir()) == ["mix.flac", "other.flac"]


@LINUX
async def test_a_cancelled_rendition_leaves_neither_process_nor_file(tmp_path, tools, long_song):
    call = asyncio.create_task(tools.render([mix(tmp_path, long_song)], cents=-200))
    pid = await first_child(await first_child())
    async with asyncio.timeout(30):
        while not (tmp_path / "mix.f32.part").exists():
            await asyncio.sleep(0.001)
    assert is_confined(pid)
    assert os.getpriority(os.PRIO_PROCESS, pid) == 19
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call
    assert not is_alive(pid)
    assert list(tmp_path.iterdir()) == []


@LINUX
async def test_a_killed_child_leaves_no_file(tmp_path, tools, long_song):
    call = asyncio.create_task(tools.render([mix(tmp_path, long_song)], cents=-200))
    pid = await first_child(await first_child())
    async with asyncio.timeout(30):
        while not (tmp_path / "mix.f32.part").exists():
            await asyncio.sleep(0.001)
    os.kill(pid, signal.SIGKILL)
    with pytest.raises(AudioFailed):
        await call
    assert list(tmp_path.iterdir()) == []


@LINUX
async def test_one_rendition_is_made_at_a_time_and_new_songs_do_not_wait_for_it(
    tmp_path, tools, long_song
):
    calls = [
        asyncio.create_task(tools.render([mix(tmp_path, long_song, name=f"{n}.flac")], cents=100))
        for n in range(3)
    ]
    server = await first_child()
    await first_child(server)
    wav = audio_files.write(tmp_path / "song.wav", "wav", "pcm_s16le")
    await tools.decode(wav, tmp_path / "a.f32", max_duration_s=9)
    assert len(children(server)) == 1
    assert not any(call.done() for call in calls)
    for call in calls:
        call.cancel()
    await asyncio.wait(calls)


async def test_a_missing_library_is_a_refusal_with_its_reason(tmp_path, song):
    code = (
        "import sys; sys.modules['python_stretch'] = None\n"
        "from bot.audio.child.__main__ import main; main()"
    )
    async with AudioTools(server=python(code)) as tools:
        with pytest.raises(Rejected) as refusal:
            await tools.render([mix(tmp_path, song)], cents=100)
        assert refusal.value.problem.reason is Reason.NO_TIME_STRETCH
        assert list(tmp_path.iterdir()) == []
        await tools.render([mix(tmp_path, song)])


@pytest.mark.parametrize("content", [None, b"", b"fLaC" + bytes(60), b"la la la"])
async def test_a_master_that_cannot_be_read_is_our_failure(tmp_path, tools, content):
    if content is not None:
        (tmp_path / "v.flac").write_bytes(content)
    before = sorted(tmp_path.iterdir())
    with pytest.raises(AudioFailed):
        await tools.render([mix(tmp_path, tmp_path / "v.flac")], cents=100)
    assert sorted(tmp_path.iterdir()) == before


async def test_a_child_that_tells_of_another_length_is_not_believed(tmp_path, song):
    line = '{"Rendered": {"factor": 1.0, "frames": 5, "levels": []}}'
    async with AudioTools(server=forking(f"print({line!r})")) as tools:
        with pytest.raises(AudioFailed):
            await tools.render([mix(tmp_path, song)])
