"""The operator's message for an unusable file or folder: its path, its owner and the fix."""

import errno
from pathlib import Path

from storage.files.ownership import why_unusable


def test_file_where_a_folder_is_needed_is_told_as_that(tmp_path: Path):
    (tmp_path / "data").write_text("")

    line = why_unusable(tmp_path / "data" / "jobs")

    assert line.startswith(f"{tmp_path}/data is a file where a folder is needed")


def test_full_disk_and_read_only_mount_are_told_as_that(tmp_path: Path):
    assert why_unusable(tmp_path, OSError(errno.ENOSPC, "")).endswith("the disk is full.")
    assert "read-only file system" in why_unusable(tmp_path, OSError(errno.EROFS, ""))


def test_anything_else_is_told_in_the_systems_words(tmp_path: Path):
    assert why_unusable(tmp_path, OSError(errno.EIO, "Input/output error")).endswith(
        "cannot be used: Input/output error."
    )
