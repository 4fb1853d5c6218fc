import asyncio
import os
import signal
import sys

import numpy as np
import pytest

from bot.audio.all_tasks import Answer, Task
from bot.audio.child import __main__ as child
from bot.audio.child import master
from bot.audio.click_track import ClickTrack
from bot.audio.rendition_tasks import MasterPart, RenderedOutput, RenderTask, frames_of
from bot.audio.spool import SAMPLE_RATE
from bot.audio.tasks import DiskFull, Refusal, part_of
from bot.audio.tools import AudioTools
from bot.domain.errors import AudioFailed, Reason, Rejected
from bot.processes import ipc
from tests.support import audio_files
from tests.support.processes import children, first_child, forking, is_alive, is_confined, python

LINUX = pytest.mark.skipif(sys.platform != "linux", reason="looks at processes in /proc")


def write(path, sound):
    with master.written(path) as append:
        append(sound.T.astype(np.float32))
    return path


def mix(folder, *masters, name="mix.flac"):
    parts = tuple(MasterPart(master=each) for each in masters)
    return RenderedOutput(path=folder / name, parts=parts)


def task(**changes):
    values = {"files": (), "frames": 240 * SAMPLE_RATE}
    return RenderTask(**{**values, **changes})


@pytest.fixture
async def tools():
    async with AudioTools() as tools:
        yield tools


@pytest.fixture
def song(tmp_path):
    return write(tmp_path / "v.flac", audio_files.tone(3.0))


@pytest.fixture
def long_song(tmp_path):
    return write(tmp_path / "v.flac", audio_files.tone(120.0))


async def test_a_rendition_is_made_in_a_confined_child(tmp_path, tools, song, monkeypatch):
    monkeypatch.chdir(tmp_path)
    outputs = [mix(tmp_path, song.relative_to(tmp_path)), mix(tmp_path, song, name="other.flac")]
    told = await tools.render(outputs, cents=-200, speed_percent=90)
    assert told.frames == round(3.0 * SAMPLE_RATE / 0.9)
    assert frames_of(tmp_path / "mix.flac") == told.frames
    assert sorted(path.name for path in tmp_path.iterdir()) == ["mix.flac", "other.flac", "v.flac"]


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
    assert list(tmp_path.iterdir()) == [long_song]


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
    assert list(tmp_path.iterdir()) == [long_song]


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
    assert len(children(server)) == 1
    wav = audio_files.write(tmp_path / "song.wav", "wav", "pcm_s16le")
    await tools.decode(wav, tmp_path / "a.f32", max_duration_s=9)
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
        assert list(tmp_path.iterdir()) == [song]
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


@LINUX
@pytest.mark.parametrize("name", ["mix.flac", "mix.f32"])
def test_a_full_disk_is_told(tmp_path, song, name):
    part_of(tmp_path / name).symlink_to("/dev/full")
    told = child.answer(task(files=(mix(tmp_path, song),), frames=frames_of(song)))
    assert isinstance(ipc.decode(told, Answer | Refusal), DiskFull)


def test_a_task_arrives_as_it_was_sent(tmp_path):
    sent = task(
        files=(mix(tmp_path, tmp_path / "a", tmp_path / "b"),),
        cents=-37,
        click=ClickTrack(padding_frames=3, beats=(1, 2), bars=(0,)),
    )
    assert ipc.decode(ipc.encode(sent), Task) == sent


def test_clicks_on_every_beat_of_a_long_song_fit_into_a_message(tmp_path):
    frames = tuple(range(0, 60 * 60 * SAMPLE_RATE, SAMPLE_RATE // 6))[:20_000]
    click = ClickTrack(padding_frames=0, beats=frames[5_000:], bars=frames[:5_000])
    ipc.encode(task(files=(mix(tmp_path, tmp_path / "a"),), click=click))


@pytest.mark.parametrize("seconds", [0.1, 3.0])
def test_a_masters_header_tells_its_length(tmp_path, seconds):
    path = write(tmp_path / "v.flac", audio_files.tone(seconds))
    assert frames_of(path) == round(seconds * SAMPLE_RATE)


def test_the_budget_grows_with_what_is_to_be_written(tmp_path):
    one = task(files=(mix(tmp_path, tmp_path / "a"),)).budget
    two = task(files=(mix(tmp_path, tmp_path / "a"), mix(tmp_path, tmp_path / "b"))).budget
    assert (one.cpu_s, two.cpu_s) == (60 + 120, 60 + 240)
    slow = task(files=(mix(tmp_path, tmp_path / "a"),), speed_percent=50).budget
    assert slow.cpu_s == 60 + 240
    assert slow.file_bytes > 480 * SAMPLE_RATE * 8
