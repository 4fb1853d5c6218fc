"""A small file system for a data directory, with tools to fill and measure it."""

import asyncio
import os
import shutil
import subprocess
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path

MIB = 1024**2
LOOK_EVERY_S = 0.03


@contextmanager
def small_disk(folder: Path, size_mib: int) -> Iterator[bool]:
    """Mount a small file system at the folder. Return False if this user may not."""
    size = f"size={size_mib}m,mode=0700"
    mounting = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", size, "stemcord", folder], capture_output=True, check=False
    )
    try:
        yield mounting.returncode == 0
    finally:
        if mounting.returncode == 0:
            subprocess.run(["umount", "--lazy", folder], check=True)


def fill_up(ballast: Path) -> None:
    """Fill all remaining space."""
    with ballast.open("ab", buffering=0) as file:
        for size in (1 << 16, 1 << 12, 1 << 8, 1):
            try:
                while file.write(bytes(size)) == size:
                    continue
            except OSError:
                continue
        os.fsync(file.fileno())


async def keep_free(
    ballast: Path, free_mib: float, *, step_mib: int = 4, pause_s: float = 0.25
) -> None:
    """Gradually take all free space beyond this, as a growing log or backup would."""
    with ballast.open("ab", buffering=0) as file:
        while True:
            if free_bytes(ballast.parent) > (free_mib + step_mib) * MIB:
                file.write(bytes(step_mib * MIB))
            await asyncio.sleep(pause_s)


def free_bytes(folder: Path) -> int:
    """Return the free bytes on the folder's file system."""
    return shutil.disk_usage(folder).free


def used_bytes(folder: Path) -> int:
    """Return the disk space used by a folder's files, counting hard-linked files once."""
    files = {}
    for place, _, names in os.walk(folder):
        for name in names:
            try:
                found = Path(place, name).lstat()
            except FileNotFoundError:  # deleted after it was listed
                continue
            files[found.st_ino] = found.st_blocks * 512
    return sum(files.values())


@dataclass(slots=True)
class Extreme:
    """The highest and the lowest value so far."""

    highest: int = 0
    lowest: int = 2**62


@asynccontextmanager
async def watched(measure: Callable[[Path], int], folder: Path) -> AsyncIterator[Extreme]:
    """Measure a folder repeatedly until the end of the block."""
    seen = Extreme()

    async def look() -> None:
        while True:
            value = await asyncio.to_thread(measure, folder)
            seen.highest, seen.lowest = max(seen.highest, value), min(seen.lowest, value)
            await asyncio.sleep(LOOK_EVERY_S)

    looking = asyncio.create_task(look())
    try:
        yield seen
    finally:
        looking.cancel()
        await asyncio.wait({looking})
