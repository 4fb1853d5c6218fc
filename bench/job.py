"""Measures whole jobs: one `/split` in the sandbox from the command to the stems in the reply.

    python -m bench.job [--minutes 4 20] [--song my.mp3]

Times include the download, decoding, separation, both encodings and the upload. Peak memory is
read from the kernel's own figures for the bot and for its engine worker.
"""

import argparse
import asyncio
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import av
from rich.console import Console
from rich.table import Table

from sandbox.bot_process import BotProcess
from sandbox.client import SandboxClient
from sandbox.demo import until_registered
from sandbox.server import Sandbox
from sandbox.song import write_song

WITHIN_S = 900.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One job's measure."""

    minutes: float
    wall_s: float
    bot_mib: float
    worker_mib: float

    @property
    def share(self) -> float:
        """Wall time over the song's length."""
        return self.wall_s / (self.minutes * 60)


async def measure(minutes: float, song: Path | None, scratch: Path) -> Run:
    """Run a bot of its own for one job."""
    settings = {"STEMCORD_MAX_DURATION_MINUTES": str(minutes + 1)}
    source = mp3_of(song or write_song(scratch / "short.wav"), scratch / "song.mp3", minutes)
    async with (
        Sandbox() as sandbox,
        BotProcess(
            sandbox, data_dir=scratch / "data", log=scratch / "bot.log", settings=settings
        ) as bot,
        SandboxClient(sandbox.base_url) as ada,
    ):
        await until_registered(ada)
        upload = await ada.upload(source)
        worker = asyncio.create_task(_worker_peak_mib(bot.pid))
        begun = time.perf_counter()
        answer = await ada.command("split", file={"upload": upload}, stems="karaoke")
        await ada.wait_for(
            lambda message: message["id"] == answer["message_id"] and message["attachments"],
            timeout_s=WITHIN_S,
        )
        wall_s = time.perf_counter() - begun
        return Run(
            minutes=minutes,
            wall_s=wall_s,
            bot_mib=_peak_mib(bot.pid),
            worker_mib=await worker,
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


async def _worker_peak_mib(bot_pid: int) -> float:
    """Return the engine worker's peak: asked until it has worked, for it may end by itself."""
    peak = 0.0
    idle_since = time.monotonic()
    while time.monotonic() - idle_since < 1.0:
        found = [pid for pid in _children(bot_pid) if "bot.engine.worker" in _command(pid)]
        peak_now = max((_peak_mib(pid) for pid in found), default=0.0)
        if peak_now > peak or not peak:
            peak, idle_since = max(peak, peak_now), time.monotonic()
        await asyncio.sleep(0.2)
    return peak


def _children(pid: int) -> list[int]:
    try:
        return [
            int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        ]
    except OSError:
        return []


def _command(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_text().replace("\0", " ")
    except OSError:
        return ""


def _peak_mib(pid: int) -> float:
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return 0.0
    return int(status.split("VmHWM:")[1].split()[0]) / 1024


async def main() -> None:
    """Measure each length and print a table."""
    parser = argparse.ArgumentParser(prog="bench.job", description=__doc__)
    parser.add_argument("--minutes", nargs="*", type=float, default=[4.0, 20.0])
    parser.add_argument("--song", type=Path, help="repeated to the length; one is made if left out")
    arguments = parser.parse_args()
    table = Table("song, min", "job, s", "share of length", "bot, MiB", "worker, MiB")
    for minutes in arguments.minutes:
        with tempfile.TemporaryDirectory(prefix="stemcord-") as folder:
            run = await measure(minutes, arguments.song, Path(folder))
        table.add_row(
            f"{run.minutes:g}",
            f"{run.wall_s:.1f}",
            f"{run.share:.3f}",
            f"{run.bot_mib:.0f}",
            f"{run.worker_mib:.0f}",
        )
    Console().print(table)


if __name__ == "__main__":
    asyncio.run(main())
