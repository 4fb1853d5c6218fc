"""Measures how soon commands are acknowledged, compared with a bare bot that only defers.

    python -m bench.burst [--rounds 3] [--commands 100] [--open-jobs 200] [--seconds 30]

The bots run as separate processes, one after the other in the same sandbox, on two cores. The burst
sends all `/split` commands at the same time. The steady load sends 20 commands a second, to
Stemcord while it processes small real songs. Times are from the command to the first answer.
"""

import argparse
import asyncio
import os
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

import av
from rich.console import Console
from rich.table import Table

from sandbox.bot_process import BotProcess
from sandbox.server import Sandbox
from sandbox.simulated_users import SimulatedUsers
from sandbox.song import write_song

CORES = 2
COMMANDS_A_SECOND = 20
MIX = ("split",) * 6 + ("jobs",) * 2 + ("quota",) * 2
SONG_S = 2.0
PATIENCE_S = 60.0
"""How long the sandbox waits for an answer: longer than Discord, to measure late answers."""
MOST_OVER_BARE_S = 0.050
MOST_STEADY_P99_S = 0.100
BARE, STEMCORD = "bench.bare_bot", "bot"
SETTINGS = {
    "STEMCORD_QUOTA_MINUTES": "1000000",
    "STEMCORD_MAX_ACTIVE_JOBS": "100000",
    "STEMCORD_LOG_LEVEL": "WARNING",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """The number and rate of commands."""

    commands: int
    open_jobs: int
    seconds: float


@dataclass(slots=True)
class Samples:
    """Acknowledgement times in seconds, by bot, over all rounds."""

    burst: dict[str, list[float]] = field(default_factory=lambda: {BARE: [], STEMCORD: []})
    steady: dict[str, list[float]] = field(default_factory=lambda: {BARE: [], STEMCORD: []})
    unanswered: int = 0


@dataclass(slots=True)
class Bench:
    """A sandbox with its users, and one song for each command."""

    scratch: Path
    sandbox: Sandbox
    users: SimulatedUsers
    songs: list[bytes]

    @asynccontextmanager
    async def running(self, module: str, home: Path) -> AsyncIterator[None]:
        """Run a bot for the duration of the block, entered once its commands are registered."""
        world = self.sandbox.world
        world.commands[None] = []
        bot = BotProcess(
            self.sandbox,
            data_dir=home / "data",
            log=home / "bot.log",
            settings=SETTINGS,
            module=module,
        )
        await bot.start()
        try:
            async with asyncio.timeout(PATIENCE_S):
                while not (world.bot_is_online and world.commands[None]):  # noqa: ASYNC110 - set by requests
                    await asyncio.sleep(0.05)
            await asyncio.sleep(1)  # the start itself is not measured
            yield
        finally:
            await bot.kill()
            while world.bot_is_online:  # noqa: ASYNC110 - until the sandbox notices
                await asyncio.sleep(0.01)

    async def upload(self, count: int) -> list[str]:
        """Upload songs, each with new content, and return their ids."""
        return [await self.users.upload("song.mp3", self.songs[n]) for n in range(count)]

    async def burst(self, commands: int) -> list[float]:
        """Let all users send a song at the same time, and return the answer times."""
        uploads = await self.upload(commands)
        before = len(self.users.answers)
        people = self.users.people[:commands]
        await asyncio.gather(
            *(
                self.users.command("split", person, file={"upload": upload})
                for person, upload in zip(people, uploads, strict=True)
            )
        )
        return self._took_s(before)

    async def steady(self, seconds: float, random: Random) -> list[float]:
        """Let users send commands at a steady rate, and return the answer times."""
        count = int(seconds * COMMANDS_A_SECOND)
        uploads = await self.upload(count)
        before = len(self.users.answers)
        due = time.monotonic()
        for upload in uploads:
            person = random.choice(self.users.people)
            command = random.choice(MIX)
            options = {"file": {"upload": upload}} if command == "split" else {}
            self.users.command_soon(command, person, **options)
            due += 1 / COMMANDS_A_SECOND
            await asyncio.sleep(max(0.0, due - time.monotonic()))
        await self.users.settle()
        return self._took_s(before)

    def _took_s(self, since: int) -> list[float]:
        return [each.took_s for each in self.users.answers[since:] if each.message_id is not None]


async def measure(load: Load, rounds: int, scratch: Path) -> Samples:
    """Alternate the two bots in one sandbox."""
    samples, count = Samples(), max(load.commands, load.open_jobs)
    uploads = max(count, int(load.seconds * COMMANDS_A_SECOND))
    songs = await asyncio.to_thread(write_songs, scratch, uploads)
    async with Sandbox() as sandbox, SimulatedUsers(sandbox) as users:
        sandbox.limits.is_enabled = False
        sandbox.interactions.answer_within_s = PATIENCE_S
        users.invite(count)
        bench = Bench(scratch, sandbox, users, songs)
        for number in range(rounds):
            for module in (BARE, STEMCORD):
                await _measure_round(bench, module, load, number, samples)
        samples.unanswered = sum(each.message_id is None for each in users.answers)
    return samples


async def _measure_round(
    bench: Bench, module: str, load: Load, number: int, samples: Samples
) -> None:
    for kind in ("burst", "steady"):
        home = bench.scratch / f"{module}-{number}-{kind}"
        home.mkdir()
        async with bench.running(module, home):
            if kind == "burst":
                samples.burst[module] += await bench.burst(load.commands)
                continue
            if module == STEMCORD:
                await bench.burst(load.open_jobs)
            samples.steady[module] += await bench.steady(load.seconds, Random(number))


def write_songs(scratch: Path, count: int) -> list[bytes]:
    """Return short MP3 files with different content, so that no job repeats another."""
    wav = write_song(scratch / "song.wav", seconds=SONG_S)
    return [_mp3(wav, scratch / "song.mp3", f"Song {number}") for number in range(count)]


def _mp3(wav: Path, path: Path, title: str) -> bytes:
    resampler = av.AudioResampler(format="s16p", layout="stereo", rate=44_100, frame_size=1152)
    with av.open(str(wav)) as source, av.open(str(path), "w", format="mp3") as out:
        out.metadata["title"] = title
        stream = out.add_stream("libmp3lame", rate=44_100, options={"b": "128k"})
        for frame in (*source.decode(audio=0), None):
            for part in resampler.resample(frame):
                out.mux(stream.encode(part))
        out.mux(stream.encode(None))
    return path.read_bytes()


def percentile(values: Sequence[float], share: float) -> float:
    """Return the value below which this share of the values lies."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def table(samples: Samples, load: Load) -> Table:
    """Return a table of the times in milliseconds."""
    drawn = Table("", "bot", "answers", "p50, ms", "p99, ms", "max, ms", "limit for p99")
    bare_p99_s = percentile(samples.burst[BARE], 0.99)
    limits = {
        "burst": f"{(bare_p99_s + MOST_OVER_BARE_S) * 1000:.0f} ms (bare + 50 ms)",
        "steady": f"{MOST_STEADY_P99_S * 1000:.0f} ms",
    }
    titles = {
        "burst": f"{load.commands} at once",
        "steady": f"{COMMANDS_A_SECOND} a second; Stemcord with {load.open_jobs} open jobs",
    }
    for kind, by_bot in (("burst", samples.burst), ("steady", samples.steady)):
        bare, stemcord = (_figures(by_bot[module]) for module in (BARE, STEMCORD))
        over = [mine - theirs for mine, theirs in zip(stemcord, bare, strict=True)]
        drawn.add_row(titles[kind], "bare", str(len(by_bot[BARE])), *_written(bare))
        answers = str(len(by_bot[STEMCORD]))
        drawn.add_row("", "Stemcord", answers, *_written(stemcord), limits[kind])
        drawn.add_row("", "difference", "", *(f"{each:+.0f}" for each in over), end_section=True)
    return drawn


def _figures(took_s: Sequence[float]) -> list[float]:
    return [
        each * 1000 for each in (percentile(took_s, 0.5), percentile(took_s, 0.99), max(took_s))
    ]


def _written(figures: Sequence[float]) -> list[str]:
    return [f"{each:.0f}" for each in figures]


async def main() -> None:
    """Measure and print a table."""
    parser = argparse.ArgumentParser(prog="bench.burst", description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--commands", type=int, default=100, help="sent at once")
    parser.add_argument("--open-jobs", type=int, default=200, help="beside the steady load")
    parser.add_argument("--seconds", type=float, default=30.0, help="length of the steady load")
    arguments = parser.parse_args()
    load = Load(
        commands=arguments.commands, open_jobs=arguments.open_jobs, seconds=arguments.seconds
    )
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:CORES])
    console = Console(width=None if sys.stdout.isatty() else 120)
    busy = os.getloadavg()[0]
    with tempfile.TemporaryDirectory(prefix="stemcord-") as folder:
        samples = await measure(load, arguments.rounds, Path(folder))
    console.print(table(samples, load))
    cores = len(os.sched_getaffinity(0))
    console.print(f"{cores} cores, load before it {busy:.1f}, unanswered {samples.unanswered}")


if __name__ == "__main__":
    asyncio.run(main())
