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
from bot.processes import ipc
from tests.support import audio_files


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


@pytest.mark.skipif(sys.platform != "linux", reason="writes to /dev/full")
@pytest.mark.parametrize("name", ["mix.flac", "mix.f32"])
def test_a_full_disk_is_told(tmp_path, name):
    song = write(tmp_path / "v.flac", audio_files.tone(3.0))
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
