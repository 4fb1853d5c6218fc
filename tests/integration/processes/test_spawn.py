"""Children of a real process."""

import asyncio
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from bot.processes import spawn
from tests.support.processes import is_alive, python, until

ROOT = Path(__file__).parents[3]


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
async def test_children_die_with_the_bot():
    code = (
        "import subprocess, sys, time\n"
        "code = 'from bot.processes.kernel import die_with_parent; import time\\n'"
        " 'die_with_parent(); print(1, flush=True); time.sleep(60)'\n"
        "child = subprocess.Popen([sys.executable, '-P', '-c', code],"
        " stdout=subprocess.PIPE, start_new_session=True)\n"
        "child.stdout.readline()\n"
        "print(child.pid, flush=True)\n"
        "time.sleep(60)\n"
    )
    parent = await asyncio.create_subprocess_exec(
        *python(code), stdout=asyncio.subprocess.PIPE, env=spawn.environment()
    )
    assert parent.stdout
    pid = int(await parent.stdout.readline())
    assert is_alive(pid)
    parent.kill()
    await parent.wait()
    await until(lambda: not is_alive(pid))


def test_under_another_interpreter_our_code_is_all_that_can_be_imported_of_ours(tmp_path):
    """Packages installed beside `bot`, such as another build of onnxruntime, stay hidden."""
    code = tmp_path / "site"
    shutil.copytree(ROOT / "bot" / "processes", code / "bot" / "processes")
    (code / "bot" / "__init__.py").write_text("")
    (code / "storage").mkdir()
    (code / "storage" / "__init__.py").write_text("")
    (code / "onnxruntime.py").write_text("ours = True")
    (code / "bot" / "look.py").write_text(
        "import importlib.util, sys\n"
        "import bot.processes.kernel\n"
        "print(sys.argv[1:])\n"
        "found = importlib.util.find_spec('onnxruntime')\n"
        "print(found is None or not found.origin.startswith(sys.argv[1]))\n"
    )
    command = [sys.executable, "-I", str(code / "bot" / "processes" / "foreign.py"), "bot.look"]
    done = subprocess.run([*command, str(code)], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == [f"['{code}']", "True"]
