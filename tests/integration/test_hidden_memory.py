import subprocess
import sys
from pathlib import Path

import pytest

from bot.processes import spawn

PR_GET_DUMPABLE = 3
OPENING = {
    "run": "look(settings, data, stack)",
    "worker_role": "look(settings)",
}
"""The signature of the function with which each role opens what it needs."""
SETTINGS = {
    "DISCORD_TOKEN": "a.b.c",
    "STEMCORD_DATABASE_URL": "postgresql://stemcord@127.0.0.1:9/stemcord",
    "STEMCORD_OBJECT_STORE": "file:///nowhere",
}


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux hides a process's memory")
@pytest.mark.parametrize("role", OPENING)
def test_a_running_process_hides_its_memory_before_it_opens_anything(tmp_path: Path, role: str):
    code = (
        "import ctypes\n"
        f"from bot.cli.{role} import run_with\n"
        "from bot.config import Settings\n"
        f"async def {OPENING[role]}:\n"
        f"    raise SystemExit(100 + ctypes.CDLL(None).prctl({PR_GET_DUMPABLE}, 0, 0, 0, 0))\n"
        f"run_with(look, Settings(STEMCORD_DATA_DIR={str(tmp_path)!r}, **{SETTINGS!r}))\n"
    )
    ended = subprocess.run(
        [sys.executable, "-P", "-c", code],
        env=spawn.environment(), capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert ended.returncode == 100, ended.stderr
