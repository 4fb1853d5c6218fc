"""Atomic writes: a file's content during a write, after it, and after a failure."""

import os
import stat
from pathlib import Path

import pytest

from storage.files.atomic import move_into_place, write_aside, write_text


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_old_content_stands_until_the_new_one_is_whole(tmp_path: Path):
    target = tmp_path / "manifest.json"
    target.write_text("old")

    with write_aside(target) as draft:
        draft.write_text("new")
        assert target.read_text() == "old"

    assert target.read_text() == "new"
    assert names(tmp_path) == ["manifest.json"]


def test_block_that_fails_leaves_what_there_was_and_no_draft(tmp_path: Path):
    target = tmp_path / "manifest.json"
    target.write_text("old")

    def fail_half_way() -> None:
        with write_aside(target) as draft:
            draft.write_text("half")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail_half_way()

    assert target.read_text() == "old"
    assert names(tmp_path) == ["manifest.json"]


def test_file_is_for_this_user_alone(tmp_path: Path):
    write_text(tmp_path / "secret", "text")

    assert stat.S_IMODE((tmp_path / "secret").stat().st_mode) == 0o600


@pytest.mark.parametrize(("durable", "synced"), [(True, ["file", "folder"]), (False, [])])
def test_file_is_on_the_disk_before_its_name_and_the_name_before_the_return(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, durable: bool, synced: list[str]
):
    seen: list[str] = []
    target = tmp_path / "target"

    def note(descriptor: int) -> None:
        is_folder = stat.S_ISDIR(os.fstat(descriptor).st_mode)
        assert target.exists() == is_folder
        seen.append("folder" if is_folder else "file")

    monkeypatch.setattr(os, "fsync", note)
    source = tmp_path / "made"
    source.write_bytes(b"made")

    move_into_place(source, target, durable=durable)

    assert seen == synced
    assert names(tmp_path) == ["target"]


def test_long_name_has_a_draft_too(tmp_path: Path):
    write_text(tmp_path / ("n" * 255), "text")

    assert names(tmp_path) == ["n" * 255]
