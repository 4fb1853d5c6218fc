"""Spools (their layout is in bot.audio.spool) read and written piece by piece.

Plain reads and not a memory map: mapped pages count as the process's own, and would grow with
the song.
"""

import os
from io import BufferedWriter, FileIO
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bot.audio.spool import CHANNELS, FRAME_BYTES
from bot.processes.descriptors import Closing

Samples = NDArray[np.float32]
"""Audio as (..., 2 channels, frames)."""

Place = Path | int
"""A file, by its path or by an open descriptor, which stays open."""

_FORMAT = np.dtype("<f4")


class SpoolMismatch(ValueError):
    """A spool is missing or has the wrong length."""


class Spool(Closing):
    """A finished spool, readable at any place; use as a context manager."""

    def __init__(self, place: Place, *, frames: int) -> None:
        self.frames = frames
        try:
            self._file = FileIO(place, "rb", closefd=isinstance(place, Path))
        except OSError as exc:
            raise SpoolMismatch(f"{place} cannot be read: {exc.strerror}") from exc
        found = os.fstat(self._file.fileno()).st_size
        if found != frames * FRAME_BYTES:
            self._file.close()
            raise SpoolMismatch(f"a spool has {found} bytes for {frames} frames")

    def close(self) -> None:
        self._file.close()

    def read(self, start: int, stop: int) -> Samples:
        """Return the frames from `start` to `stop`, with silence outside the song."""
        samples = np.zeros((stop - start, CHANNELS), _FORMAT)
        first, last = max(start, 0), min(stop, self.frames)
        if first < last:
            self._fill(samples[first - start : last - start], at=first * FRAME_BYTES)
        return np.ascontiguousarray(samples.T)

    def _fill(self, samples: NDArray[np.float32], *, at: int) -> None:
        view = samples.data.cast("B")
        while view:
            count = os.preadv(self._file.fileno(), [view], at)
            if not count:
                raise SpoolMismatch("a spool was cut short while being read")
            view, at = view[count:], at + count


class SpoolWriter(Closing):
    """A spool being written from start to end; use as a context manager."""

    def __init__(self, place: Place) -> None:
        self._file = BufferedWriter(FileIO(place, "wb", closefd=isinstance(place, Path)))

    def close(self) -> None:
        self._file.close()

    def write(self, samples: Samples) -> None:
        """Append samples, shaped (2 channels, frames)."""
        self._file.write(np.ascontiguousarray(samples.T, _FORMAT).data)
