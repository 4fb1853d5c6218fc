"""Measures the CPU overhead of audio tasks on a short song.

Run it as `python -m bench.children`. CPU time includes this process and its descendants. Own work
is the time of the same task in a process with all libraries loaded.
"""

import argparse
import asyncio
import os
import resource
import tempfile
import time
import wave
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.table import Table

from bot.audio.all_tasks import Task
from bot.audio.child import __main__ as child
from bot.audio.spool import SAMPLE_RATE
from bot.audio.tasks import CombineTask, DecodeTask, EncodeTask, Mix, Part, PictureTask, Row
from bot.audio.tools import AudioTools
from bot.domain.recipes import AudioFormat

TICK_S = 1 / os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of task, run in a child and in this process."""

    through_child: Callable[[], Awaitable[object]]
    here: Task


async def main() -> None:
    """Measure each kind of task and print a table."""
    parser = argparse.ArgumentParser(prog="bench.children", description=__doc__)
    parser.add_argument("--tasks", type=int, default=40, help="of each kind")
    parser.add_argument("--seconds", type=float, default=3.0, help="of the song")
    arguments = parser.parse_args()
    columns = ("task", "a CPU second", "CPU, ms", "own work, ms", "beyond it, ms", "wall, ms")
    table = Table(*columns)
    with tempfile.TemporaryDirectory(prefix="stemcord-") as folder:
        async with AudioTools() as tools:
            for name, kind in _kinds(Path(folder), arguments.seconds, tools).items():
                table.add_row(name, *await _measured(kind, arguments.tasks))
    Console().print(table)


async def _measured(kind: Kind, tasks: int) -> list[str]:
    child.answer(kind.here)
    began = time.process_time()
    for _ in range(tasks):
        child.answer(kind.here)
    own_ms = 1000 * (time.process_time() - began) / tasks
    await kind.through_child()
    began, wall = _cpu_s(), time.monotonic()
    for _ in range(tasks):
        await kind.through_child()
    cpu_ms = 1000 * (_cpu_s() - began) / tasks
    wall_ms = 1000 * (time.monotonic() - wall) / tasks
    return [f"{each:.1f}" for each in (1000 / cpu_ms, cpu_ms, own_ms, cpu_ms - own_ms, wall_ms)]


def _kinds(folder: Path, seconds: float, tools: AudioTools) -> Mapping[str, Kind]:
    song, spool, stem = folder / "song.wav", folder / "song.f32", folder / "vocals.flac"
    _write(song, seconds)
    mix = Mix(path=stem, parts=(Part(spool=spool),))
    into, picture = folder / "vocals.mp3", folder / "picture.png"
    row = Row(label="Vocals", stem=stem)
    most = int(60 * SAMPLE_RATE)
    mp3 = EncodeTask(
        stem=stem,
        into=into,
        format=AudioFormat.MP3,
        max_bytes=None,
        title=None,
        artist=None,
        album=None,
    )
    return {
        "decode": Kind(
            lambda: tools.decode(song, spool, max_duration_s=60),
            DecodeTask(source=song, into=spool, max_frames=most),
        ),
        "combine": Kind(lambda: tools.combine([mix]), CombineTask(mixes=(mix,), frames=None)),
        "encode": Kind(lambda: tools.encode(stem, into, format=AudioFormat.MP3), mp3),
        "picture": Kind(
            lambda: tools.picture([("Vocals", stem)], picture),
            PictureTask(rows=(row,), into=picture),
        ),
    }


def _write(song: Path, seconds: float) -> None:
    """Write a stereo WAV of a sawtooth."""
    frames = int(seconds * SAMPLE_RATE)
    with wave.open(str(song), "wb") as file:
        file.setnchannels(2)
        file.setsampwidth(2)
        file.setframerate(SAMPLE_RATE)
        file.writeframes(
            b"".join((i * 200 % 20_000).to_bytes(2, "little") * 2 for i in range(frames))
        )


def _cpu_s() -> float:
    """Return the CPU time of this process and its descendants."""
    total = 0.0
    for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN):
        used = resource.getrusage(who)
        total += used.ru_utime + used.ru_stime
    for task in Path("/proc/self/task").iterdir():
        for pid in (task / "children").read_text().split():
            fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
            total += TICK_S * sum(map(int, fields[11:15]))
    return total


if __name__ == "__main__":
    asyncio.run(main())
