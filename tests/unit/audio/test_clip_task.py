import numpy as np

from bot.audio.all_tasks import Answer, Task
from bot.audio.child import master
from bot.audio.clip_task import Clipped, ClipTask
from bot.processes import ipc
from bot.processes.limits import MIB
from tests.support import audio_files


def write(path, duration_s):
    with master.written(path) as append:
        append(audio_files.tone(duration_s).T.astype(np.float32))
    return path


def test_the_task_and_its_answer_survive_the_pipe(tmp_path):
    task = ClipTask(stem=tmp_path / "a", others=(tmp_path / "b",), into=tmp_path / "c", beats=(5,))
    assert ipc.decode(ipc.encode(task), Task) == task
    clipped = Clipped(start=1, frames=2, size_bytes=3)
    assert ipc.decode(ipc.encode(clipped), Answer) == clipped


def test_a_child_may_work_longer_on_longer_songs_but_writes_no_more(tmp_path):
    short, long = write(tmp_path / "a.flac", 1), write(tmp_path / "b.flac", 40)
    budgets = [
        ClipTask(stem=each, others=(each,), into=tmp_path / "c").budget for each in (short, long)
    ]
    assert budgets[0].cpu_s < budgets[1].cpu_s
    assert budgets[0].file_bytes == budgets[1].file_bytes <= 4 * MIB
