import subprocess
import sys

import pytest

from bot.processes import spawn

PR_GET_DUMPABLE = 3


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux hides a process's memory")
def test_a_running_bot_hides_its_memory_before_it_opens_anything(tmp_path):
    code = (
        "import ctypes\n"
        "from bot.cli.run import run_with\n"
        "from bot.config import Settings\n"
        "async def look(settings, data, stack):\n"
        f"    raise SystemExit(100 + ctypes.CDLL(None).prctl({PR_GET_DUMPABLE}, 0, 0, 0, 0))\n"
        f"run_with(look, Settings(DISCORD_TOKEN='a.b.c', STEMCORD_DATA_DIR={str(tmp_path)!r}))\n"
    )
    ended = subprocess.run(
        [sys.executable, "-P", "-c", code],
        env=spawn.environment(), capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert ended.returncode == 100, ended.stderr
