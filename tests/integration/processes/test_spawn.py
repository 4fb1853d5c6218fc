"""Children of a real process."""

import asyncio
import sys

import pytest

from bot.processes import spawn
from tests.support.processes import is_alive, python, until


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
