import stat
import subprocess
import sys
from pathlib import Path

import pytest

from storage.files.data_dir import DataDir, DataDirBusy

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
