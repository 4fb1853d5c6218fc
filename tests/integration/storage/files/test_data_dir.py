"""The data directory between processes and users."""

import subprocess
import sys
from pathlib import Path

import pytest

from storage.files.data_dir import DataDir, DataDirBusy
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
