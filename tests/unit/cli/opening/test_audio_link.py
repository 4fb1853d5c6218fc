from pathlib import Path

import pytest

from bot.cli.opening.audio_link import _audio_slots, audio_slots
from bot.config import load_settings


@pytest.mark.parametrize(
    ("memory_mib", "cores", "engine_threads", "slots"),
    [
        (None, 8, 0, 8),
        (None, 8, 2, 6),
        (None, 1, 2, 1),
        (2048, 8, 0, 4),
        (2048, 8, 2, 2),
        (256, 8, 2, 1),
    ],
)
def test_a_worker_takes_what_its_cores_and_its_memory_allow(
    memory_mib: int | None, cores: int, engine_threads: int, slots: int
):
    assert _audio_slots(memory_mib, cores, engine_threads=engine_threads) == slots


def test_a_worker_that_only_separates_takes_none(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    monkeypatch.chdir(tmp_path)
    assert audio_slots(load_settings()) == 0
    monkeypatch.setenv("STEMCORD_WORKER_TASKS", "audio")
    assert audio_slots(load_settings()) >= 1
