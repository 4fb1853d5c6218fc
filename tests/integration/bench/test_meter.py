"""The bench's CPU times, measured on processes with known work."""

import asyncio
import sys
from pathlib import Path

import pytest

from bench.meter import Meter, Part

BURN = "import time\nwhile time.process_time() < {seconds}: pass\n"
PARENT = """
import subprocess, sys
sys.stdin.readline()
for name, code in (("masters/a.flac.part", {master!r}), ("parcel/a.mp3.part", {encoded!r})):
    subprocess.run([sys.executable, "-c", code], stdout=open(name, "w"))
print("done", flush=True)
sys.stdin.readline()
"""


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="reads what Linux says")
async def test_cpu_time_is_told_by_what_a_child_has_open(tmp_path: Path) -> None:
    for folder in ("masters", "parcel"):
        (tmp_path / folder).mkdir()
    code = PARENT.format(master=BURN.format(seconds=0.4), encoded=BURN.format(seconds=0.8))
    pipe = asyncio.subprocess.PIPE
    bot = await asyncio.create_subprocess_exec(
        sys.executable, "-c", code, cwd=tmp_path, stdin=pipe, stdout=pipe
    )
    assert bot.stdin is not None
    assert bot.stdout is not None
    async with Meter(bot.pid) as meter:
        bot.stdin.write(b"\n")
        await bot.stdout.readline()
    bot.stdin.write(b"\n")
    await bot.communicate()
    costs = meter.costs()
    assert costs[Part.COMBINE].cpu_s == pytest.approx(0.4, abs=0.1)
    assert costs[Part.ENCODE].cpu_s == pytest.approx(0.8, abs=0.1)
    assert costs[Part.DOWNLOAD].cpu_s < 0.1
    assert meter.cpu_s == pytest.approx(sum(cost.cpu_s for cost in costs.values()), abs=0.05)
    assert meter.wall_s >= 1.2
