"""Measures the studio's worker: whether its stems add up, and how soon it stops.

The worker runs a small RoFormer with random weights under the studio's interpreter, or, under this
one, a stand-in that only scales the song.
"""

import asyncio
import math
import os
import sys
import tempfile
import time
from collections.abc import Awaitable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from bench.material import Audio
from bot.audio.spool import FRAME_BYTES, SAMPLE_RATE
from bot.domain.errors import EngineFailed
from bot.engine.studio.studio_catalogue import Catalogue, read_catalogue
from bot.engine.studio.studio_engine import StudioEngine
from bot.engine.worker_host import EngineTimes
from tests.support.studio_catalogues import DUET, VOICE, write_catalogue
from tests.support.tiny_roformers import has_roformers, write_roformer

CHUNK = 2 * SAMPLE_RATE
"""The small network's chunk in samples; a chunk takes it about a second on one core."""
SHORT = SAMPLE_RATE
WHOLE = 30 * SAMPLE_RATE
ENDLESS = 3600 * SAMPLE_RATE
OVERLAP = 2
GRACE_S = 10.0
"""More than a worker takes to stop, so that nothing kills it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StudioFigures:
    """How a worker separated a song, and how it stopped in the middle of two others."""

    network: str
    left_over_db: float
    """The level of the song minus its stems, in dBFS."""
    chunk_s: float
    """How long a chunk takes."""
    cancelled_after_s: float
    ended_after_s: float
    """The time from the end of the worker's input to the end of its process."""
    files_left: int
    """The number of files that the two songs left behind."""


def studio_figures(*, python: Path | None, threads: int) -> StudioFigures:
    """Measure a worker under the studio's interpreter, if it has what RoFormers need."""
    if python is not None and not has_roformers(python):
        python = None
    with tempfile.TemporaryDirectory(prefix="stemcord-bench-") as scratch:
        folder = Path(scratch)
        if python is None:
            write_catalogue(folder / "models", [VOICE], [DUET])
            network, chunk = "a stand-in", VOICE.chunk
            catalogue = read_catalogue(folder / "models")
        else:
            network, chunk = "a small random network", CHUNK
            catalogue = write_roformer(python, folder / "models", "bs_roformer", chunk=chunk)
        engine = StudioEngine(
            python=python or Path(sys.executable),
            catalogue=catalogue,
            models=catalogue.models,
            device="cpu",
            threads=threads,
            times=EngineTimes(silence_s=120.0, grace_s=GRACE_S),
        )
        return asyncio.run(_measure(_Worker(engine, catalogue, folder), network, chunk))


class _Worker:
    """A worker with one model, and the folders of its songs."""

    def __init__(self, engine: StudioEngine, catalogue: Catalogue, scratch: Path) -> None:
        self.engine = engine
        (self._model,) = catalogue.models
        self._scratch = scratch
        self.has_progress = asyncio.Event()

    async def split(self, frames: int, into: str) -> list[Audio]:
        """Separate the first frames of the song, and return all stems."""
        stems = await self.engine.separate(
            self._model,
            self._song(frames),
            frames=frames,
            stems=self._model.stems,
            into=self._scratch / into,
            progress=self._note,
        )
        return [_read(path) for path in stems.values()]

    async def under_way(self, into: str) -> "asyncio.Task[list[Audio]]":
        """Begin a song that does not end on its own, and return in the middle of a chunk."""
        self.has_progress.clear()
        song = asyncio.create_task(self.split(ENDLESS, into))
        waiting = asyncio.create_task(self.has_progress.wait())
        await asyncio.wait([song, waiting], return_when=asyncio.FIRST_COMPLETED)
        waiting.cancel()
        return song

    def files_in(self, into: str) -> int:
        return len(list((self._scratch / into).iterdir()))

    def _note(self, fraction: float) -> None:
        if fraction > 0:  # a chunk is done, so the worker is in the next
            self.has_progress.set()

    def _song(self, frames: int) -> Path:
        path = self._scratch / f"{frames}.f32"
        if frames == ENDLESS:
            path.touch()
            os.truncate(path, frames * FRAME_BYTES)
        else:
            song_of(frames).T.astype("<f4").tofile(path)
        return path


def song_of(frames: int) -> Audio:
    """Return noise as (2, frames), at the level of music."""
    return np.random.default_rng(3).normal(0, 0.2, (2, frames)).astype(np.float32)


async def _measure(worker: _Worker, network: str, chunk: int) -> StudioFigures:
    try:
        await worker.split(SHORT, "first")  # loads the network
        began = time.perf_counter()
        stems = await worker.split(WHOLE, "whole")
        chunk_s = (time.perf_counter() - began) / (OVERLAP * math.ceil(WHOLE / chunk) + 1)
        left_over = song_of(WHOLE) - np.sum(stems, axis=0, dtype=np.float64)
        cancelled = await worker.under_way("cancelled")
        cancelled.cancel()
        cancelled_after_s = await _duration_s(_ended(cancelled))
        await worker.split(SHORT, "next")
        closed = await worker.under_way("closed")
        ended_after_s = await _duration_s(worker.engine.close())
        await _ended(closed)
    finally:
        await worker.engine.close()
    return StudioFigures(
        network=network,
        left_over_db=20 * math.log10(max(float(np.sqrt(np.mean(left_over**2))), 1e-12)),
        chunk_s=chunk_s,
        cancelled_after_s=cancelled_after_s,
        ended_after_s=ended_after_s,
        files_left=worker.files_in("cancelled") + worker.files_in("closed"),
    )


async def _duration_s(call: Awaitable[None]) -> float:
    began = time.perf_counter()
    await call
    return time.perf_counter() - began


async def _ended(song: "asyncio.Task[list[Audio]]") -> None:
    with suppress(EngineFailed, asyncio.CancelledError):
        await song


def _read(spool: Path) -> Audio:
    return np.fromfile(spool, "<f4").reshape(-1, 2).T
