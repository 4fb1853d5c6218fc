import stat
import subprocess
import sys
from pathlib import Path

import pytest

from storage.files.data_dir import DataDir, DataDirBusy
from storage.files.ownership import DataUnusable
from tests.support.unprivileged import open_folder, run_unprivileged

IMPORTS = """
import sys
from pathlib import Path
from storage.files.data_dir import DataDir
from storage.files.ownership import DataUnusable
"""

HOLDER = """
import sys, time
from pathlib import Path
from storage.files.data_dir import DataDir
with DataDir(Path(sys.argv[1])).lock():
    print("held", flush=True)
    time.sleep(60)
"""


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


def test_directory_that_cannot_be_made_or_written_is_one_line():
    code = """
    for use in (DataDir.create, DataDir.check_writable, lambda place: place.lock().__enter__()):
        try:
            use(DataDir(Path(sys.argv[1])))
        except DataUnusable as exc:
            print(exc)
    """
    with open_folder() as folder:
        made, absent = folder / "made", folder / "absent"
        DataDir(made).create()
        for path in (made, made / "jobs"):
            path.chmod(0o555)
        folder.chmod(0o555)
        for root in (made, absent):
            lines = run_unprivileged(IMPORTS, code, root).splitlines()
            assert lines
            assert all("cannot be written by" in line for line in lines)


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


def test_the_lock_of_a_killed_process_is_free(tmp_path: Path):
    place = DataDir(tmp_path)
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(tmp_path)], stdout=subprocess.PIPE, text=True
    )
    with holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        with pytest.raises(DataDirBusy), place.lock():
            pass
        holder.kill()
    with place.lock():
        assert holder.returncode < 0
