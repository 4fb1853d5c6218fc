"""Cuts a master into chunks of equal length, each with some frames of context on either side."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import av
import numpy as np
from av.audio.frame import AudioFrame
from av.container import InputContainer

from bot.audio.child import master
from bot.audio.child.master import Samples
from bot.audio.spool import CHANNELS, SAMPLE_RATE


@dataclass(frozen=True, slots=True, kw_only=True)
class Grid:
    """The division of a song of `frames` into chunks of `length`, in frames at `rate`."""

    rate: int
    frames: int
    length: int
    before: int = 0
    after: int = 0

    def lengths(self) -> Iterator[int]:
        """Yield each chunk's length; the last may be shorter."""
        for start in range(0, self.frames, self.length):
            yield min(self.length, self.frames - start)


def chunks(stem: Path, grid: Grid) -> Iterator[Samples]:
    """Yield each chunk with the `before` frames ahead of it and the `after` frames behind it.

    One resampler processes the whole stem, so the seams between chunks are inaudible. Silence
    precedes and follows the stem.
    """
    with master.opened(stem) as container:
        blocks = (
            master.blocks(container)
            if grid.rate == SAMPLE_RATE
            else _resampled(container, grid.rate)
        )
        held = np.zeros((grid.before, CHANNELS), np.float32)
        for length in grid.lengths():
            needed = grid.before + length + grid.after
            held = _filled(held, blocks, needed)
            yield held[:needed]
            held = held[length:]


def _filled(held: Samples, blocks: Iterator[Samples], needed: int) -> Samples:
    """Extend the held frames with further blocks, and with silence after the last block."""
    parts, have = [held], len(held)
    while have < needed:
        block = next(blocks, None)
        if block is None:
            block = np.zeros((needed - have, CHANNELS), np.float32)
        parts.append(block)
        have += len(block)
    return np.concatenate(parts)


def _resampled(container: InputContainer, rate: int) -> Iterator[Samples]:
    resampler = av.AudioResampler(format="flt", layout="stereo", rate=rate)
    for frame in container.decode(container.streams.audio[0]):
        yield from map(_samples, resampler.resample(frame))
    yield from map(_samples, resampler.resample(None))


def _samples(frame: AudioFrame) -> Samples:
    return frame.to_ndarray().reshape(-1, CHANNELS).astype(np.float32, copy=False)
