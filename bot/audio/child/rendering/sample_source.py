"""Sources of samples that return as many frames as a reader requests."""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Protocol

import numpy as np
from av.container import InputContainer

from bot.audio.child import master
from bot.audio.child.master import Samples
from bot.audio.rendition_tasks import MasterPart
from bot.audio.spool import CHANNELS, SAMPLE_RATE
from bot.domain.renditions import UNCHANGED_PERCENT


class Source(Protocol):
    """Stereo samples in order, followed by silence."""

    def read(self, frames: int) -> Samples:
        """Return the next `frames` frames, exactly."""


class Pieces:
    """Reads samples that arrive in pieces of any length."""

    def __init__(self, pieces: Iterable[Samples]) -> None:
        self._pieces = iter(pieces)
        self._left = np.zeros((0, CHANNELS), np.float32)

    def read(self, frames: int) -> Samples:
        """Return the next `frames` frames, exactly."""
        wanted = np.zeros((frames, CHANNELS), np.float32)
        filled = 0
        while filled < frames:
            if not len(self._left):
                piece = next(self._pieces, None)
                if piece is None:
                    break
                self._left = piece
            taken = self._left[: frames - filled]
            wanted[filled : filled + len(taken)] = taken
            self._left = self._left[len(taken) :]
            filled += len(taken)
        return wanted


class Sum:
    """Adds up sources, each with a gain."""

    def __init__(self, weighted: Sequence[tuple[Source, float]]) -> None:
        self._weighted = weighted

    def read(self, frames: int) -> Samples:
        """Return the next `frames` frames, exactly."""
        total = np.zeros((frames, CHANNELS), np.float32)
        for source, gain in self._weighted:
            total += source.read(frames) * np.float32(gain)
        return total


@contextmanager
def opened_mix(parts: Sequence[MasterPart]) -> Iterator[Source]:
    """Open masters as one source, mixed at their levels."""
    with ExitStack() as stack:
        weighted = [
            (
                Pieces(_blocks(stack.enter_context(master.opened(part.master)))),
                part.level_percent / UNCHANGED_PERCENT,
            )
            for part in parts
        ]
        yield Sum(weighted)


def blocks(source: Source, frames: int, *, most: int = 1 << 16) -> Iterator[Samples]:
    """Yield `frames` frames of a source, in blocks of at most `most`."""
    for start in range(0, frames, most):
        yield source.read(min(most, frames - start))


def _blocks(container: InputContainer) -> Iterator[Samples]:
    stream = container.streams.audio[0]
    if (stream.sample_rate, stream.channels) != (SAMPLE_RATE, CHANNELS):
        raise ValueError(f"not a master: {stream.channels} channels at {stream.sample_rate} Hz")
    return master.blocks(container)
