"""Cuts a signal that arrives in blocks into overlapping windows for a Fourier transform."""

import numpy as np
from numpy.typing import NDArray

from bot.audio.child.analysis.mono_blocks import Mono

Windows = NDArray[np.float32]
"""(windows, samples): views of a signal, which must not be written to."""


class Framer:
    """Keeps the samples that later windows need. The first window's centre is the first sample."""

    def __init__(self, *, size: int, hop: int) -> None:
        self._size, self._hop = size, hop
        self._held: Mono = np.zeros(size // 2, np.float32)

    def add(self, block: Mono) -> Windows:
        """Return the windows that the next block completes, if any."""
        signal = np.concatenate([self._held, block])
        count = max(0, (len(signal) - self._size) // self._hop + 1)
        self._held = signal[count * self._hop :]
        if not count:
            return np.zeros((0, self._size), np.float32)
        windows: Windows = np.lib.stride_tricks.sliding_window_view(signal, self._size)
        return windows[:: self._hop][:count]

    def rest(self) -> Windows:
        """Return the last windows, completed with silence."""
        return self.add(np.zeros(self._size // 2, np.float32))
