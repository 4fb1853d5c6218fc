"""Clips from real, confined children, and children that report false results."""

import json
from pathlib import Path

import numpy as np
import pytest

from bot.audio.all_tasks import Answer, Task
from bot.audio.child import master
from bot.audio.clip_task import CLIP_FRAMES, MOST_CLIP_BYTES, Clipped, ClipTask
from bot.audio.tools import AudioTools
from bot.domain.errors import AudioFailed
from bot.processes import ipc
from bot.processes.limits import MIB
from tests.support import audio_files
from tests.support.processes import forking


def write(path, duration_s=8.0):
    with master.written(path) as append:
        append(audio_files.tone(duration_s).T.astype(np.float32))
    return path


async def test_a_clip_is_cut_in_a_confined_child(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    voice, band = write(tmp_path / "voice.flac"), write(tmp_path / "band.flac")
    (tmp_path / "out").mkdir()
    async with AudioTools() as tools:
        told = await tools.clip(
            Path(voice.name), [Path(band.name)], Path("out/clip.mp3"), beats=[22_050]
        )
    assert (told.start, told.frames) == (22_050, CLIP_FRAMES)
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["clip.mp3"]
    assert (tmp_path / "out" / "clip.mp3").stat().st_size == told.size_bytes


@pytest.mark.parametrize(
    ("written", "told"),
    [
        (1000, {"size_bytes": 1001}),
        (0, {"size_bytes": 0}),
        (1000, {"frames": CLIP_FRAMES + 1}),
        (MOST_CLIP_BYTES + 1, {"size_bytes": MOST_CLIP_BYTES + 1}),
    ],
)
async def test_a_child_that_reports_another_clip_is_not_believed(tmp_path, written, told):
    claim = {"start": 0, "frames": CLIP_FRAMES, "size_bytes": written} | told
    code = (
        "import json; into = json.loads(task)['ClipTask']['into'];"
        f" open(into, 'wb').write(bytes({written})); print({json.dumps({'Clipped': claim})!r})"
    )
    voice = write(tmp_path / "voice.flac")
    async with AudioTools(server=forking(code)) as tools:
        with pytest.raises(AudioFailed):
            await tools.clip(voice, [], tmp_path / "clip.mp3")
    assert list(tmp_path.iterdir()) == [voice]


def test_the_task_and_its_answer_survive_the_pipe(tmp_path):
    task = ClipTask(stem=tmp_path / "a", others=(tmp_path / "b",), into=tmp_path / "c", beats=(5,))
    assert ipc.decode(ipc.encode(task), Task) == task
    clipped = Clipped(start=1, frames=2, size_bytes=3)
    assert ipc.decode(ipc.encode(clipped), Answer) == clipped


def test_a_child_may_work_longer_on_longer_songs_but_writes_no_more(tmp_path):
    short, long = write(tmp_path / "a.flac", 1), write(tmp_path / "b.flac", 120)
    budgets = [
        ClipTask(stem=each, others=(each,), into=tmp_path / "c").budget for each in (short, long)
    ]
    assert budgets[0].cpu_s < budgets[1].cpu_s
    assert budgets[0].file_bytes == budgets[1].file_bytes <= 4 * MIB
