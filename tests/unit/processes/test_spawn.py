import asyncio
import sys
from pathlib import Path

import pytest

from bot.processes import spawn
from tests.support.processes import (
    SLEEP,
    descriptors,
    first_child,
    is_alive,
    python,
    until,
)

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")


async def test_a_child_gets_the_line_and_tells_its_end():
    code = "import sys; print(input()[::-1]); print('oh', file=sys.stderr); sys.exit(3)"
    ended = await spawn.run(python(code), line=b"abc\n", wall_s=10)
    assert ended == spawn.ChildExit(status=3, output=b"cba\n", errors="oh\n")


async def test_a_child_that_does_not_listen_is_no_error():
    ended = await spawn.run(python("pass"), line=b"x" * 1_000_000, wall_s=10)
    assert ended.status == 0


async def test_a_child_that_talks_without_end_fills_no_memory():
    code = "import os\nfor _ in range(200): os.write(1, b'x' * 65536); os.write(2, b'y' * 65536)"
    ended = await spawn.run(python(code), line=b"", wall_s=10)
    assert ended.status == 0
    assert len(ended.output) == len(ended.errors) == 256 * 1024


async def test_a_child_over_its_time_is_killed():
    call = asyncio.create_task(spawn.run(python(SLEEP), line=b"", wall_s=0.3))
    pid = await first_child()
    with pytest.raises(TimeoutError):
        await call
    assert not is_alive(pid)


async def test_a_cancelled_call_leaves_no_process_behind_nor_what_that_started():
    code = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {SLEEP!r}])"
    call = asyncio.create_task(spawn.run(python(code), line=b"", wall_s=60))
    child = await first_child()
    started = Path(f"/proc/{child}/task/{child}/children")
    await until(started.read_text)
    grandchild = int(started.read_text())
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call
    assert not is_alive(child)
    await until(lambda: not is_alive(grandchild))


async def test_no_descriptor_is_left_open():
    async def end_badly():
        with pytest.raises(TimeoutError):
            await spawn.run(python(SLEEP), line=b"", wall_s=0.05)

    await spawn.run(python("pass"), line=b"", wall_s=10)
    before = descriptors()
    await asyncio.gather(*(end_badly() for _ in range(3)))
    await spawn.run(python("pass"), line=b"", wall_s=10)
    await until(lambda: descriptors() <= before)


async def test_a_child_is_told_no_secrets(monkeypatch):
    monkeypatch.setenv("DISCORD_TOKEN", "s3cret")
    monkeypatch.setenv("FINEVOICE_API_KEY", "s3cret")
    code = "import os; print(sorted(os.environ))"
    ended = await spawn.run(python(code), line=b"", wall_s=10)
    told = ended.output.decode()
    assert "TOKEN" not in told
    assert "KEY" not in told
    assert "PATH" in told


async def test_a_child_finds_the_code_from_any_directory_and_loads_nothing_from_there(
    monkeypatch, tmp_path
):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("PYTHONPATH", raising=False)
    (tmp_path / "json.py").write_text("raise SystemExit('hijacked')")
    (tmp_path / "bot").mkdir()
    (tmp_path / "bot" / "__init__.py").write_text("raise SystemExit('hijacked')")
    ended = await spawn.run(
        spawn.module_command("bot.audio.child"), line=b"not a task\n", wall_s=10
    )
    assert "hijacked" not in ended.errors
    assert "JSONDecodeError" in ended.errors


async def test_children_die_with_the_bot():
    code = (
        "import subprocess, sys, time\n"
        "child = subprocess.Popen([sys.executable, '-P', '-c',"
        " 'from bot.processes import limits; limits.die_with_parent(); print(1, flush=True);"
        " import time; time.sleep(60)'], stdout=subprocess.PIPE, start_new_session=True)\n"
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
