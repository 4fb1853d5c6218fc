import os
import threading
from pathlib import Path

import pytest

from bot.workers import scratch as module
from bot.workers.scratch import scratch_folder
from storage.files.ownership import DataUnusable


def test_the_folder_is_private_and_removed_at_the_end(tmp_path: Path):
    with scratch_folder(tmp_path / "worker", "one") as folder:
        (folder / "song.f32").write_bytes(b"la")
        assert folder.stat().st_mode & 0o077 == 0
    assert list((tmp_path / "worker").iterdir()) == []


def test_the_folder_of_another_process_stays(tmp_path: Path):
    # A lock held through another open file of this process acts like another process's lock.
    with scratch_folder(tmp_path, "other") as other, scratch_folder(tmp_path, "one"):
        assert other.exists()


def test_what_a_killed_process_has_left_is_removed(tmp_path: Path):
    (tmp_path / "dead").mkdir()
    (tmp_path / "dead" / "lock").touch()
    (tmp_path / "dead" / "song.f32").write_bytes(b"la")
    with scratch_folder(tmp_path, "one"):
        assert [path.name for path in tmp_path.iterdir()] == ["one"]


def test_a_file_in_the_way_is_one_line(tmp_path: Path):
    (tmp_path / "data").write_text("not a folder")
    with (
        pytest.raises(DataUnusable, match="is a file where a folder is needed"),
        scratch_folder(tmp_path / "data" / "worker", "one"),
    ):
        raise AssertionError


def test_a_process_that_starts_at_the_same_time_is_not_taken_for_a_dead_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    def start_another() -> None:
        with scratch_folder(tmp_path, "two"):
            pass

    another = threading.Thread(target=start_another)

    class LetsAnotherStart:
        """The module `os`, in which another worker starts as soon as a lock's file exists."""

        def __getattr__(self, name: str) -> object:
            return getattr(os, name)

        def open(self, path: Path, flags: int, mode: int = 0o777) -> int:
            descriptor = os.open(path, flags, mode)
            if path.name == "lock" and flags & os.O_CREAT and path.parent.name == "one":
                another.start()
                another.join(0.5)
            return descriptor

    monkeypatch.setattr(module, "os", LetsAnotherStart())
    with scratch_folder(tmp_path, "one") as folder:
        another.join()
        assert (folder / "lock").exists()
