"""`python -m tests.fuzz`: decode odd and corrupted files, and exit with 1 if a bug is found.

It first prints a table of a hundred files as people send them, then decodes thousands of randomly
corrupted files.
"""

import argparse
import asyncio
import json
import sys
import tempfile
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any

from bot.processes.spawn import environment
from tests.fuzz.mutations import spoiled
from tests.fuzz.table import rows
from tests.support.audio_files import KINDS, write

LONGEST_S = 60.0
HANGS_AFTER_S = 60.0
LANES = 2
FILES_A_LIFE = 100
"""A child's time limit is meant for one file, but these files are small."""


@dataclass(slots=True)
class Findings:
    """The outcomes of all files. A finding names the file that was saved for it."""

    ends: Counter[str] = field(default_factory=Counter)
    found: list[str] = field(default_factory=list)


class Lane:
    """Runs one decoder after another, each until a file kills it or it has done its share."""

    def __init__(self, folder: Path, findings: Findings, keep: Path) -> None:
        self._folder = folder
        self._findings = findings
        self._keep = keep
        self._process: asyncio.subprocess.Process | None = None
        self._tried = 0

    async def try_out(self, name: str, content: bytes) -> None:
        """Decode one file and record the outcome."""
        if self._tried % FILES_A_LIFE == 0:
            await self.close()
        self._tried += 1
        (self._folder / name).write_bytes(content)
        told = await self._tell(name)
        self._findings.ends[_end(told)] += 1
        if _is_finding(told):
            self._findings.found.append(f"{name}: {told}")
            self._keep.mkdir(exist_ok=True)
            (self._keep / name).write_bytes(content)
        (self._folder / name).unlink()

    async def close(self) -> None:
        """Kill the decoder."""
        if self._process is not None and self._process.returncode is None:
            self._process.kill()
            await self._process.wait()

    async def _tell(self, name: str) -> dict[str, Any]:
        if self._process is None or self._process.returncode is not None:
            self._process = await self._start()
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(f"{name}\n".encode())
        try:
            async with asyncio.timeout(HANGS_AFTER_S):
                line = await self._process.stdout.readline()
        except TimeoutError:
            await self.close()
            return {"bug": f"not done within {HANGS_AFTER_S:.0f} s"}
        if line:
            told: dict[str, Any] = json.loads(line)
            return told
        status = await self._process.wait()
        # A file that kills a child is not a bug, because the user is told that the file is broken.
        return {"reason" if status < 0 else "bug": f"ended with status {status}"}

    async def _start(self) -> asyncio.subprocess.Process:
        return await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "tests.fuzz.decoder",
            str(self._folder),
            str(LONGEST_S),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
            env=environment(),
        )


def _end(told: dict[str, Any]) -> str:
    return "decoded" if "frames" in told else str(told.get("reason", "a bug"))


def _is_finding(told: dict[str, Any]) -> bool:
    return "bug" in told or bool(told.get("offences")) or not told.get("is_billed_right", True)


async def fuzz(folder: Path, *, seed: int, files: int, keep: Path) -> Findings:
    """Corrupt files of every kind, and decode the results."""
    songs = folder / "songs"
    songs.mkdir()
    whole = [
        write(songs / name, container, codec, sample_rate=rate, bit_rate=192_000).read_bytes()
        for name, container, codec, rate, *_ in KINDS
    ]
    findings = Findings()
    await asyncio.gather(
        *(
            _run(folder, lane, seed, range(lane, files, LANES), whole, findings, keep)
            for lane in range(LANES)
        )
    )
    return findings


async def _run(
    folder: Path,
    number: int,
    seed: int,
    turns: range,
    whole: list[bytes],
    findings: Findings,
    keep: Path,
) -> None:
    own = folder / f"lane-{number}"
    own.mkdir()
    lane = Lane(own, findings, keep)
    try:
        for turn in turns:
            content = spoiled(whole, Random(f"{seed}-{turn}"))
            await lane.try_out(f"seed-{seed}-{turn}", content)
    finally:
        await lane.close()


def print_table() -> int:
    """Print the outcomes of odd files, and return the number of wrong ones."""
    faults = 0
    with tempfile.TemporaryDirectory(prefix="fuzz-") as folder:
        for number, row in enumerate(rows(Path(folder)), start=1):
            print(f"{number:>3} {'FAULT' if row.fault else 'ok':<6}{row.name:<52}{row.outcome}")
            if row.fault:
                print(f"{'':<10}{row.fault}")
                faults += 1
    print(f"{number} odd files, {faults} faults")
    return faults


def main() -> int:
    """Parse the arguments, print the table and decode corrupted files."""
    parser = argparse.ArgumentParser(prog="make fuzz", description=__doc__)
    parser.add_argument("--table", action="store_true", help="the table of odd files alone")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--files", type=int, default=10_000)
    parser.add_argument("--keep", type=Path, default=Path("fuzz-findings"))
    arguments = parser.parse_args()
    faults = print_table()
    if arguments.table:
        return 1 if faults else 0
    with tempfile.TemporaryDirectory(prefix="fuzz-") as folder:
        findings = asyncio.run(
            fuzz(Path(folder), seed=arguments.seed, files=arguments.files, keep=arguments.keep)
        )
    for end, times in findings.ends.most_common():
        print(f"{times:>7,} {end}")
    for found in findings.found:
        print(f"FOUND {found}")
    print(f"{arguments.files:,} files, {len(findings.found)} findings")
    return 1 if faults or findings.found else 0


if __name__ == "__main__":
    sys.exit(main())
