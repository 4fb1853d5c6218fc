"""A master's waveform: its loudness in each of many equal slices.

A master is measured while it is written, and its waveform is stored in one of its tags, so drawing
it later needs no decoding.
"""

import binascii
from base64 import b64decode, b64encode
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np
from numpy.typing import NDArray

from bot.audio.child import master
from bot.audio.child.master import Samples
from bot.audio.spool import CHANNELS, SAMPLE_RATE

TAG = "STEMCORD_WAVEFORM"
KEPT_SLICES = 1000
_STEPS = 65_535
_KEPT = np.dtype("<u2")


@dataclass(frozen=True, slots=True, kw_only=True)
class Waveform:
    """Peak and RMS of each slice, where full scale is 1.0."""

    duration_s: float
    peaks: NDArray[np.float64]
    rms: NDArray[np.float64]

    def tag(self, *, factor: float) -> str:
        """Return the waveform as the text of a tag, scaled by the master's factor."""
        levels = np.stack([self.peaks, self.rms]) * (factor * _STEPS)
        return b64encode(np.rint(levels).clip(0, _STEPS).astype(_KEPT).tobytes()).decode()

    @classmethod
    def from_tag(cls, text: str, *, duration_s: float) -> Self | None:
        """Read a tag; return None unless `tag` wrote it."""
        try:
            levels = np.frombuffer(b64decode(text, validate=True), _KEPT) / _STEPS
            peaks, rms = levels.reshape(2, KEPT_SLICES)
        except (binascii.Error, ValueError):
            return None
        return cls(duration_s=duration_s, peaks=peaks, rms=rms)

    def coarser(self, slices: int) -> "Waveform":
        """Return the waveform in fewer slices, whose borders are rounded to existing ones."""
        starts = np.arange(slices) * len(self.peaks) // slices
        counts = np.diff(starts, append=len(self.peaks))
        return Waveform(
            duration_s=self.duration_s,
            peaks=np.maximum.reduceat(self.peaks, starts),
            rms=np.sqrt(np.add.reduceat(np.square(self.rms), starts) / counts),
        )


class Gauge:
    """Measures a stem block by block, without holding all of it."""

    def __init__(self, *, frames: int, slices: int = KEPT_SLICES) -> None:
        self._frames = max(1, frames)
        self._starts = np.arange(slices) * self._frames // slices
        self._peaks, self._powers = np.zeros(slices), np.zeros(slices)
        self._at = 0

    def add(self, block: Samples) -> None:
        """Measure the next block."""
        last_frame = self._at + len(block) - 1
        first, last = np.searchsorted(self._starts, (self._at, last_frame), side="right") - 1
        here = slice(first, last + 1)
        edges = np.maximum(self._starts[here] - self._at, 0) * CHANNELS
        samples = block.ravel()
        peaks = np.maximum.reduceat(np.abs(samples), edges)
        self._peaks[here] = np.maximum(self._peaks[here], peaks)
        self._powers[here] += np.add.reduceat(np.square(samples, dtype=np.float64), edges)
        self._at += len(block)

    @property
    def peak(self) -> float:
        """The largest absolute sample so far, or NaN if any sample was NaN."""
        return float(self._peaks.max())

    @property
    def rms(self) -> float:
        """The RMS level of the whole stem, or NaN if any sample was NaN."""
        return float(np.sqrt(self._powers.sum() / (self._frames * CHANNELS)))

    @property
    def waveform(self) -> Waveform:
        """The peak and RMS of each slice measured so far."""
        lengths = np.diff(self._starts, append=self._frames) * CHANNELS
        return Waveform(
            duration_s=self._frames / SAMPLE_RATE,
            peaks=self._peaks,
            rms=np.sqrt(self._powers / np.maximum(lengths, 1)),
        )


def measure(stem: Path, slices: int) -> Waveform:
    """Return a master's waveform, from its tag if it has one."""
    with master.opened(stem) as container:
        frames = master.frames_in(container)
        tag = container.metadata.get(TAG, "")
        kept = Waveform.from_tag(tag, duration_s=frames / SAMPLE_RATE)
        if kept is not None and slices <= KEPT_SLICES:
            return kept.coarser(slices)
        gauge = Gauge(frames=frames, slices=slices)
        for block in master.blocks(container):
            gauge.add(block)
    return gauge.waveform
