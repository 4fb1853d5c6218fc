"""Helpers for tests of child processes on Linux."""

import asyncio
import contextlib
import os
import sys
import time
from pathlib import Path

from bot.processes import seccomp

_SERVER = """
import os, signal, sys, time
from bot.processes import fork_server
def perform(task):
    exec({code!r}, globals() | {{"task": task}})
    sys.stdout.flush()
    return b""
fork_server.serve(perform)
"""


def python(code):
    return (sys.executable, "-P", "-c", code)


def forking(code):
    """Return the command of a fork server whose children run this code, with their `task`."""
    return python(_SERVER.format(code=code))


def is_alive(pid):
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"


def is_confined(pid):
    """Return whether a process filters its system calls, if the kernel can."""
    status = Path(f"/proc/{pid}/status").read_text()
    return not seccomp.is_available() or ("NoNewPrivs:\t1" in status and "Seccomp:\t2" in status)


def children(of="self"):
    """Return the ids of a process's children, started by any of its threads."""
    found = set()
    for task in Path(f"/proc/{of}/task").iterdir():
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):  # the thread has ended
            found |= {int(pid) for pid in (task / "children").read_text().split()}
    return found


async def first_child(of="self"):
    async with asyncio.timeout(30):
        while not (pids := children(of)):
            await asyncio.sleep(0.005)
    return pids.pop()


async def written(path):
    """Wait for a child to write its process id, and return the id."""
    await until(lambda: path.exists() and path.read_text(), within_s=30)
    return int(path.read_text())


def descriptors():
    return len(list(Path("/proc/self/fd").iterdir()))


def cpu_s(pid):
    """Return the CPU time of a process and of the children that it has waited for."""
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return sum(map(int, fields[11:15])) / os.sysconf("SC_CLK_TCK")


async def until(holds, within_s=5.0):
    give_up = time.monotonic() + within_s
    while not holds():
        assert time.monotonic() < give_up
        await asyncio.sleep(0.01)
