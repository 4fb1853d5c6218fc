import stat
from pathlib import Path

import pytest

from storage.files.data_dir import DataDir, DataDirBusy
from storage.files.ownership import DataUnusable


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_it_is_made_for_this_user_alone(tmp_path: Path):
    place = DataDir(tmp_path / "deep" / "data")
    place.create()
    place.create()
    assert [mode(path) for path in (place.root, place.models, place.jobs)] == [0o700] * 3
    assert place.database == tmp_path / "deep" / "data" / "stemcord.db"


def test_existing_directory_is_closed_to_other_users(tmp_path: Path):
    place = DataDir(tmp_path / "data")
    place.root.mkdir()
    place.root.chmod(0o755)
    place.create()
    assert mode(place.root) == 0o700


def test_file_in_the_way_is_one_line(tmp_path: Path):
    (tmp_path / "data").write_text("")
    with pytest.raises(DataUnusable, match=f"^{tmp_path}/data is a file where a folder"):
        DataDir(tmp_path / "data").create()


def test_writable_directory_is_left_as_it_was(tmp_path: Path):
    place = DataDir(tmp_path)
    place.create()
    place.check_writable()
    assert list(place.jobs.iterdir()) == []


def test_a_second_holder_is_refused_with_what_to_do(tmp_path: Path):
    place = DataDir(tmp_path)
    refused = pytest.raises(DataDirBusy, match=f"{tmp_path}.*STEMCORD_DATA_DIR")
    with place.lock(), refused, place.lock():
        pass
    with place.lock():
        assert place.jobs.is_dir()
