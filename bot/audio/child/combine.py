"""Mixes spools into masters block by block, so memory use does not depend on the song's length."""

import math
import os
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import BinaryIO

import numpy as np

from bot.audio import spool
from bot.audio.child import master
from bot.audio.child.master import Samples
from bot.audio.child.waveform import TAG, Gauge
from bot.audio.spool import CHANNELS, FRAME_BYTES
from bot.audio.tasks import (
    Combined,
    CombineTask,
    Level,
    Measured,
    MeasureTask,
    Mix,
    Part,
    part_of,
)

Sums = Sequence[Sequence[Part]]

_BLOCK_FRAMES = 1 << 16


def combine(task: CombineTask) -> Combined:
    """Write every mix, scaled by one factor if any of them would clip."""
    sums = [mix.parts for mix in task.mixes]
    frames = task.frames if task.frames is not None else _longest(sums)
    gauges = _gauged(sums, frames)
    peak = max(gauge.peak for gauge in gauges)
    factor = min(1.0, master.LOUDEST / peak) if peak > 0 else 1.0
    _write(task.mixes, frames, factor, gauges)
    return Combined(
        factor=factor,
        frames=frames,
        levels=tuple(Level(peak=at.peak * factor, rms=at.rms * factor) for at in gauges),
    )


def measure(task: MeasureTask) -> Measured:
    """Measure the level of each sum without writing it."""
    gauges = _gauged(task.sums, task.frames)
    return Measured(levels=tuple(Level(peak=at.peak, rms=at.rms) for at in gauges))


def _gauged(sums: Sums, frames: int) -> list[Gauge]:
    gauges = [Gauge(frames=frames) for _ in sums]
    for blocks in mixed(sums, frames):
        for gauge, block in zip(gauges, blocks, strict=True):
            gauge.add(block)
    if not all(math.isfinite(gauge.rms) for gauge in gauges):
        raise ValueError("a spool holds samples that are not finite")
    return gauges


def _write(mixes: Sequence[Mix], frames: int, factor: float, gauges: Sequence[Gauge]) -> None:
    """Write all masters in parallel, while the next block is being mixed."""
    with ExitStack() as stack:
        writers = [
            stack.enter_context(
                master.written(part_of(mix.path), tags={TAG: gauge.waveform.tag(factor=factor)})
            )
            for mix, gauge in zip(mixes, gauges, strict=True)
        ]
        threads = stack.enter_context(ThreadPoolExecutor(len(mixes)))
        written: Iterator[None] = iter(())
        for blocks in mixed([mix.parts for mix in mixes], frames):
            scaled = [block * np.float32(factor) for block in blocks]
            deque(written, maxlen=0)  # wait for the previous block, and raise a writer's error
            written = threads.map(lambda write, block: write(block), writers, scaled)
        deque(written, maxlen=0)
    for mix in mixes:
        # Charges are durable, so the masters must be durable before they are charged for.
        with part_of(mix.path).open("rb") as whole:
            os.fsync(whole.fileno())
        part_of(mix.path).replace(mix.path)


def mixed(sums: Sums, frames: int) -> Iterator[list[Samples]]:
    """Yield one block of every sum at a time; each spool is opened once."""
    with ExitStack() as stack:
        files = {path: stack.enter_context(path.open("rb")) for path in _spools(sums)}
        for start in range(0, frames, _BLOCK_FRAMES):
            wanted = min(_BLOCK_FRAMES, frames - start)
            read = {
                (path, lag): _read(files[path], start + lag, wanted) for path, lag in _places(sums)
            }
            yield [_sum(parts, read, wanted) for parts in sums]


def _sum(parts: Sequence[Part], read: dict[tuple[Path, int], Samples], frames: int) -> Samples:
    total = np.zeros((frames, CHANNELS), np.float32)
    for part in parts:
        total += read[part.spool, part.lag_frames] * np.float32(part.gain)
    return total


def _read(file: BinaryIO, start: int, frames: int) -> Samples:
    """Read a block, with silence before a spool's start and after its end."""
    before = min(frames, max(0, -start))
    file.seek((start + before) * FRAME_BYTES)
    raw = file.read((frames - before) * FRAME_BYTES)
    block = np.zeros((frames, CHANNELS), np.float32)
    whole = len(raw) // FRAME_BYTES
    block[before : before + whole] = np.frombuffer(raw, "<f4", whole * CHANNELS).reshape(
        -1, CHANNELS
    )
    return block


def _places(sums: Sums) -> set[tuple[Path, int]]:
    """Return each pair of a spool and the lag at which it is read."""
    return {(part.spool, part.lag_frames) for parts in sums for part in parts}


def _spools(sums: Sums) -> set[Path]:
    return {part.spool for parts in sums for part in parts}


def _longest(sums: Sums) -> int:
    return max((spool.frames_in(path) for path in _spools(sums)), default=0)
