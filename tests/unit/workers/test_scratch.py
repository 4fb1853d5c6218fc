from pathlib import Path

import pytest

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
