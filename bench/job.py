"""Measures whole jobs in the sandbox, from `/split` to the stems in the reply.

    python -m bench.job [--minutes 4 20] [--song my.mp3] [--runs 3] [--hosted]

Times include the download, decoding, separation, both encodings and the upload. CPU time and peak
memory are the kernel's own figures for the bot and its child processes (bench/meter.py). With
`--hosted`, a simulated vendor outside the bot separates the song, so the CPU time of the separation
is not counted. Other load on the machine hardly affects CPU time, but it affects wall time, so
compare wall time with CPU time.
"""

import argparse
import asyncio
import os
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import av
from rich.console import Console
from rich.table import Table

from bench.meter import Cost, Meter, Part
from sandbox.bot_process import BotProcess
from sandbox.client import SandboxClient
from sandbox.demo import until_registered
from sandbox.server import Sandbox
from sandbox.song import write_song

WITHIN_S = 900.0
SETTLED_S = 2.0
"""The time that the bot gets to delete what it no longer needs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """The measurements of one job, or the medians of several."""

    minutes: float
    wall_s: float
    cpu_s: float
    bot_mib: float
    worker_mib: float
    requests: float
    """The requests to Discord, from the acknowledgement to the last edit."""
    kept_mib: float
    """The audio on disk once the stems are delivered."""
    costs: Mapping[Part, Cost]

    @property
    def share(self) -> float:
        """Wall time divided by the song's length."""
        return self.wall_s / (self.minutes * 60)

    @property
    def spread(self) -> float:
        """Wall time divided by what it would be if all cores were always busy."""
        return self.wall_s * (os.cpu_count() or 1) / self.cpu_s


def middle(runs: Sequence[Run]) -> Run:
    """Return the medians of several runs with one song."""
    parts = [part for part in Part if any(part in run.costs for run in runs)]
    none = Cost(0.0, 0.0)
    return Run(
        minutes=runs[0].minutes,
        wall_s=median(run.wall_s for run in runs),
        cpu_s=median(run.cpu_s for run in runs),
        bot_mib=median(run.bot_mib for run in runs),
        worker_mib=median(run.worker_mib for run in runs),
        requests=median(run.requests for run in runs),
        kept_mib=median(run.kept_mib for run in runs),
        costs={
            part: Cost(
                median(run.costs.get(part, none).cpu_s for run in runs),
                median(run.costs.get(part, none).wall_s for run in runs),
            )
            for part in parts
        },
    )


async def measure(minutes: float, song: Path | None, scratch: Path, *, hosted: bool) -> Run:
    """Run a new bot for one job."""
    settings = {"STEMCORD_MAX_DURATION_MINUTES": str(minutes + 1)}
    source = mp3_of(song or write_song(scratch / "short.wav"), scratch / "song.mp3", minutes)
    async with (
        Sandbox() as sandbox,
        BotProcess(
            sandbox,
            data_dir=scratch / "data",
            log=scratch / "bot.log",
            settings=settings,
            vendors=hosted,
        ) as bot,
        SandboxClient(sandbox.base_url) as ada,
    ):
        await until_registered(ada)
        upload = await ada.upload(source)
        requests = sandbox.log.total
        async with Meter(bot.pid) as meter:
            answer = await ada.command("split", file={"upload": upload}, stems="karaoke")
            await ada.wait_for(
                lambda message: message["id"] == answer["message_id"] and message["attachments"],
                timeout_s=WITHIN_S,
            )
        await asyncio.sleep(SETTLED_S)
        requests = sandbox.log.total - requests
        kept = sum(each.stat().st_size for each in (scratch / "data/jobs").rglob("*.*"))
    return Run(
        minutes=minutes,
        wall_s=meter.wall_s,
        cpu_s=meter.cpu_s,
        bot_mib=meter.bot_mib,
        worker_mib=meter.worker_mib,
        requests=requests,
        kept_mib=kept / 2**20,
        costs=meter.costs(),
    )


def mp3_of(song: Path, into: Path, minutes: float) -> Path:
    """Encode a song as MP3, repeated until it is long enough."""
    with av.open(str(into), "w", format="mp3") as out:
        stream = out.add_stream("libmp3lame", rate=44_100, options={"b": "256k"})
        left = int(minutes * 60 * 44_100)
        resampler = av.AudioResampler(format="s16p", layout="stereo", rate=44_100)
        while left > 0:
            with av.open(str(song)) as container:
                for frame in container.decode(audio=0):
                    for part in resampler.resample(frame):
                        part.pts = None
                        out.mux(stream.encode(part))
                        left -= part.samples
                    if left <= 0:
                        break
        out.mux(stream.encode(None))
    return into


def table_of_jobs(runs: Sequence[Run]) -> Table:
    """Return a table with one row per length."""
    table = Table(
        *("song, min", "job, s", "share of length", "CPU, s", "wall x cores / CPU"),
        *("bot, MiB", "worker, MiB", "Discord requests", "kept, MiB"),
    )
    for run in runs:
        table.add_row(
            f"{run.minutes:g}",
            f"{run.wall_s:.1f}",
            f"{run.share:.3f}",
            f"{run.cpu_s:.1f}",
            f"{run.spread:.2f}",
            f"{run.bot_mib:.0f}",
            f"{run.worker_mib:.0f}",
            f"{run.requests:.0f}",
            f"{run.kept_mib:.0f}",
        )
    return table


def table_of_steps(run: Run) -> Table:
    """Return a table with one row per step."""
    table = Table("step", "CPU, s", "wall, s", title=f"{run.minutes:g} min, step by step")
    for part, cost in run.costs.items():
        table.add_row(part, f"{cost.cpu_s:.2f}", f"{cost.wall_s:.1f}")
    return table


async def main() -> None:
    """Measure each length and print tables."""
    parser = argparse.ArgumentParser(prog="bench.job", description=__doc__)
    parser.add_argument("--minutes", nargs="*", type=float, default=[4.0, 20.0])
    parser.add_argument("--song", type=Path, help="repeated to the length; one is made if left out")
    parser.add_argument("--runs", type=int, default=1, help="of each length; medians are shown")
    parser.add_argument("--hosted", action="store_true", help="have a vendor's stand-in separate")
    arguments = parser.parse_args()
    console = Console(width=None if sys.stdout.isatty() else 140)
    medians = []
    for minutes in arguments.minutes:
        runs = []
        for _ in range(arguments.runs):
            with tempfile.TemporaryDirectory(prefix="stemcord-") as folder:
                runs.append(
                    await measure(minutes, arguments.song, Path(folder), hosted=arguments.hosted)
                )
        medians.append(middle(runs))
        console.print(table_of_steps(medians[-1]))
    console.print(table_of_jobs(medians))


if __name__ == "__main__":
    asyncio.run(main())
