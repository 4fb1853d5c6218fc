import pytest

from bot.audio.spool import SAMPLE_RATE
from bot.audio.tasks import DecodeTask
from bot.processes.limits import MIB


@pytest.mark.parametrize(("size_mib", "cpu_s"), [(0, 30), (10, 60), (100, 300), (500, 300)])
def test_decoding_has_as_much_time_as_its_file_can_need(tmp_path, size_mib, cpu_s):
    source = tmp_path / "song"
    with source.open("wb") as file:
        file.truncate(size_mib * MIB)
    task = DecodeTask(source=source, into=tmp_path / "a.f32", max_frames=20 * 60 * SAMPLE_RATE)
    assert task.budget.cpu_s == cpu_s
