import asyncio
import os
import signal
import sys
import time
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from bot.processes import ipc, spawn
from bot.processes.fork_client import ForkServer, Outcome, ServerDied
from tests.support.processes import (
    children,
    descriptors,
    first_child,
    forking,
    is_alive,
    python,
    until,
    written,
)

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")

NOTE = "open(task, 'w').write(str(os.getpid()))\n"
"""Code that writes the child's process id to the file that its task names."""
HANG = NOTE + "time.sleep(60)"
ONE_LINE = HANG.replace("\n", "; ")


@asynccontextmanager
async def server(code):
    forks = ForkServer(forking(code), environment=spawn.environment())
    try:
        yield forks
    finally:
        await forks.close()


async def test_a_child_gets_its_task_and_tells_its_end():
    code = "print(task[::-1], flush=True); print('oh', file=sys.stderr, flush=True); os._exit(3)"
    async with server(code) as forks:
        outcome = await forks.run("abc\nü", wall_s=10)
    assert outcome == Outcome(status=3, output="ü\ncba\n".encode(), errors="oh\n")


async def test_what_is_raised_is_told_as_status_and_traceback():
    async with server("raise ZeroDivisionError('so it goes')") as forks:
        outcome = await forks.run("", wall_s=10)
    assert outcome.status == 1
    assert "so it goes" in outcome.errors


async def test_a_signal_is_told():
    async with server("os.kill(os.getpid(), signal.SIGSEGV)") as forks:
        assert (await forks.run("", wall_s=10)).status == -signal.SIGSEGV


async def test_each_task_gets_its_own_answer_from_a_child_of_its_own():
    async with server("time.sleep(float(task)); print(task, os.getpid())") as forks:
        tasks = [str(0.01 * number) for number in (9, 1, 5)]
        outcomes = await asyncio.gather(*(forks.run(task, wall_s=30) for task in tasks))
        again = await forks.run("0", wall_s=30)
    answers = [outcome.output.split() for outcome in (*outcomes, again)]
    assert [answer[0].decode() for answer in answers] == [*tasks, "0"]
    assert len({answer[1] for answer in answers}) == 4


async def test_a_large_task_arrives_whole():
    async with server("print(len(task))") as forks:
        outcome = await forks.run("x" * 200_000, wall_s=30)
    assert outcome.output == b"200000\n"


async def test_a_task_that_is_too_long_is_refused_and_disturbs_no_other(tmp_path):
    async with server("while not os.path.exists(task): time.sleep(0.01)") as forks:
        other = asyncio.create_task(forks.run(str(tmp_path / "go"), wall_s=30))
        await first_child(await first_child())
        with pytest.raises(ipc.MalformedMessage):
            await forks.run("x" * ipc.MOST_LINE_BYTES, wall_s=30)
        (tmp_path / "go").touch()
        assert (await other).status == 0


async def test_a_child_that_talks_without_end_fills_no_memory():
    code = "for _ in range(200): os.write(1, b'x' * 65536); os.write(2, b'y' * 65536)"
    async with server(code) as forks:
        outcome = await forks.run("", wall_s=30)
    assert outcome.status == 0
    assert len(outcome.output) == len(outcome.errors) == ipc.MOST_LINE_BYTES


async def test_a_child_over_its_time_is_killed(tmp_path):
    async with server(HANG) as forks:
        with pytest.raises(TimeoutError):
            await forks.run(str(tmp_path / "pid"), wall_s=0.5)
        assert not is_alive(await written(tmp_path / "pid"))


async def test_a_cancelled_call_leaves_no_child_behind_nor_what_that_started(tmp_path):
    code = "task = task + ('.child' if os.fork() else '.grandchild')\n" + HANG
    async with server(code) as forks:
        call = asyncio.create_task(forks.run(str(tmp_path / "pid"), wall_s=60))
        pids = [await written(tmp_path / f"pid.{who}") for who in ("child", "grandchild")]
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call
        assert not is_alive(pids[0])
        await until(lambda: not is_alive(pids[1]))


async def test_what_a_child_leaves_behind_is_killed_when_it_ends_by_itself(tmp_path):
    code = f"if os.fork() == 0:\n    {ONE_LINE}\nprint('done')"
    async with server(code) as forks:
        outcome = await forks.run(str(tmp_path / "pid"), wall_s=30)
        assert outcome.output == b"done\n"
        # The child may end before it writes its id.
        if (tmp_path / "pid").exists() and (pid := (tmp_path / "pid").read_text()):
            await until(lambda: not is_alive(int(pid)))


async def test_what_left_its_group_does_not_hold_the_call(tmp_path):
    code = (
        f"if os.fork() == 0:\n    os.setsid(); {ONE_LINE}\n"
        "while not os.path.exists(task): time.sleep(0.01)\n"
        "print('done')"
    )
    async with server(code) as forks:
        began = time.monotonic()
        outcome = await forks.run(str(tmp_path / "pid"), wall_s=60)
        assert outcome.output == b"done\n"
        assert time.monotonic() - began < 30
    os.kill(await written(tmp_path / "pid"), signal.SIGKILL)


async def test_a_server_that_died_fails_its_tasks_and_is_replaced(tmp_path):
    async with server(HANG + " if task else print('well')") as forks:
        call = asyncio.create_task(forks.run(str(tmp_path / "pid"), wall_s=60))
        pid = await written(tmp_path / "pid")
        os.kill(await first_child(), signal.SIGKILL)
        with pytest.raises(ServerDied):
            await call
        await until(lambda: not is_alive(pid))
        with pytest.raises(TimeoutError):
            await forks.run(str(tmp_path / "next"), wall_s=0.5)


async def test_a_server_that_does_not_react_is_replaced(tmp_path):
    async with server(HANG) as forks:
        call = asyncio.create_task(forks.run(str(tmp_path / "pid"), wall_s=60))
        child = await written(tmp_path / "pid")
        stuck = await first_child()
        os.kill(stuck, signal.SIGSTOP)
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call
        await until(lambda: not is_alive(stuck))
        await until(lambda: not is_alive(child))
        with pytest.raises(TimeoutError):
            await forks.run(str(tmp_path / "next"), wall_s=0.5)


async def test_a_server_that_dies_at_its_start_is_told_with_its_status():
    command = python("import os, signal; os.kill(os.getpid(), signal.SIGILL)")
    forks = ForkServer(command, environment=spawn.environment())
    for _ in range(2):
        with pytest.raises(ServerDied, match=f"status -{int(signal.SIGILL)}"):
            await forks.run("", wall_s=10)
    await forks.close()


@pytest.mark.parametrize("spoken", ["nonsense", '{"Ended": {"id": 1, "status": 0}}', "[]"])
async def test_a_server_that_talks_nonsense_is_ended(spoken):
    command = python(f"print({spoken!r}, flush=True); import time; time.sleep(60)")
    forks = ForkServer(command, environment=spawn.environment())
    with pytest.raises(ServerDied):
        await forks.run("", wall_s=10)
    assert not children()
    await forks.close()


async def test_a_fork_that_the_system_refuses_is_told_as_such():
    code = (
        "import errno, os\nfrom bot.processes import fork_server\n"
        "def fork(): raise OSError(errno.EAGAIN, 'no more')\n"
        "os.fork = fork\nfork_server.serve(lambda task: b'')"
    )
    forks = ForkServer(python(code), environment=spawn.environment())
    with pytest.raises(BlockingIOError):
        await forks.run("", wall_s=10)
    await forks.close()


async def test_closing_ends_the_server_and_the_tasks_under_way(tmp_path):
    async with server(HANG) as forks:
        call = asyncio.create_task(forks.run(str(tmp_path / "pid"), wall_s=60))
        pid = await written(tmp_path / "pid")
        parent = await first_child()
        await forks.close()
        with pytest.raises(ServerDied):
            await call
        assert not is_alive(parent)
        await until(lambda: not is_alive(pid))
        with pytest.raises(ServerDied, match="closed"):
            await forks.run("", wall_s=10)


async def test_no_descriptor_is_left_open():
    async with server("time.sleep(float(task))") as forks:
        await forks.run("0", wall_s=10)
        before = descriptors()

        async def end_badly():
            with pytest.raises(TimeoutError):
                await forks.run("60", wall_s=0.05)

        await asyncio.gather(*(end_badly() for _ in range(3)))
        await forks.run("0", wall_s=10)
        await until(lambda: descriptors() <= before)


async def test_a_child_holds_nothing_of_other_tasks_or_of_the_server(tmp_path):
    code = f"print(sorted(os.listdir('/proc/self/fd')))\nif task:\n    {ONE_LINE}"
    async with server(code) as forks:
        other = asyncio.create_task(forks.run(str(tmp_path / "pid"), wall_s=60))
        await written(tmp_path / "pid")
        outcome = await forks.run("", wall_s=10)
        other.cancel()
        await asyncio.wait([other])
    # The last descriptor is that of the directory which is being listed.
    assert outcome.output == b"['0', '1', '2', '3']\n"


async def test_a_child_is_told_no_secrets(monkeypatch):
    monkeypatch.setenv("DISCORD_TOKEN", "s3cret")
    monkeypatch.setenv("FINEVOICE_API_KEY", "s3cret")
    async with server("print(sorted(os.environ))") as forks:
        told = (await forks.run("", wall_s=10)).output.decode()
    assert "TOKEN" not in told
    assert "KEY" not in told
    assert "PATH" in told


async def test_a_server_finds_the_code_from_any_directory_and_loads_nothing_from_there(
    monkeypatch, tmp_path
):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("PYTHONPATH", raising=False)
    (tmp_path / "json.py").write_text("raise SystemExit('hijacked')")
    (tmp_path / "bot").mkdir()
    (tmp_path / "bot" / "__init__.py").write_text("raise SystemExit('hijacked')")
    forks = ForkServer(spawn.module_command("bot.audio.child"), environment=spawn.environment())
    outcome = await forks.run("not a task", wall_s=10)
    await forks.close()
    assert "MalformedMessage" in outcome.errors


async def test_server_and_children_die_with_the_bot(tmp_path):
    code = (
        "import asyncio\n"
        "from bot.processes import spawn\n"
        "from bot.processes.fork_client import ForkServer\n"
        "from tests.support.processes import forking\n"
        f"forks = ForkServer(forking({HANG!r}), environment=spawn.environment())\n"
        f"asyncio.run(forks.run({str(tmp_path / 'pid')!r}, wall_s=60))\n"
    )
    bot = await asyncio.create_subprocess_exec(*python(code), env=spawn.environment())
    child = await written(tmp_path / "pid")
    parent = await first_child(bot.pid)
    bot.kill()
    await bot.wait()
    await until(lambda: not is_alive(parent) and not is_alive(child))


async def test_children_come_after_the_bot(tmp_path):
    command = spawn.module_command("bot.audio.child")
    forks = ForkServer(command, environment=spawn.environment())
    await forks.run("not a task", wall_s=10)
    parent = await first_child()
    own = os.getpriority(os.PRIO_PROCESS, 0)
    assert os.getpriority(os.PRIO_PROCESS, parent) == min(own + 15, 19)
    assert os.sched_getscheduler(parent) == os.SCHED_BATCH
    # With more threads, a fork could copy locks that another thread holds.
    assert len(list(Path(f"/proc/{parent}/task").iterdir())) == 1
    await forks.close()
