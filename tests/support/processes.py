"""What tests of child processes look at: who is alive, and what is open (Linux)."""

import asyncio
import sys
import time
from pathlib import Path

SLEEP = "import os, time; print(os.getpid(), flush=True); time.sleep(60)"


def python(code):
    return (sys.executable, "-P", "-c", code)


def is_alive(pid):
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"


def children():
    """Return the ids of this process's children, from all its threads."""
    found = set()
    for task in Path("/proc/self/task").iterdir():
        found |= {int(pid) for pid in (task / "children").read_text().split()}
    return found


async def first_child():
    async with asyncio.timeout(30):
        while not (pids := children()):
            await asyncio.sleep(0.005)
    return pids.pop()


def descriptors():
    return len(list(Path("/proc/self/fd").iterdir()))


async def until(holds, within_s=5.0):
    give_up = time.monotonic() + within_s
    while not holds():
        assert time.monotonic() < give_up
        await asyncio.sleep(0.01)
