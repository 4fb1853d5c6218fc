"""Converts decoded frames of any layout and rate to stereo at the spool's rate, keeping every
channel.

FFmpeg would drop channels that it cannot place, and would lower the volume of mono.
"""

from collections.abc import Iterator
from functools import lru_cache

import numpy as np
from av.audio.frame import AudioFrame
from av.audio.layout import AudioLayout
from av.audio.resampler import AudioResampler
from numpy.typing import NDArray

from bot.audio.spool import CHANNELS, SAMPLE_RATE
from bot.domain.errors import Reason, Rejected

Samples = NDArray[np.float32]
"""Shaped (frames, channels)."""

_SAMPLE_RATES = range(1_000, 768_001)
_BLOCK_FRAMES = 1 << 16
_ABSURD = 1e9
_BESIDE = 0.5**0.5
"""The weight of every channel except front left and front right (ITU-R BS.775)."""

_USUAL_PLACES = {
    3: "LRC",
    4: "LRLR",
    5: "LRCLR",
    6: "LRCCLR",
    7: "LRCCCLR",
    8: "LRCCLRLR",
}
"""The channels' places, in WAVE order, for files that do not state them."""


class Mixdown:
    """Converts frames to stereo blocks; the format may change from one frame to the next."""

    def __init__(self) -> None:
        self._resampler: AudioResampler | None = None
        self._rate = SAMPLE_RATE

    def take(self, frame: AudioFrame) -> Iterator[Samples]:
        """Mix and resample one frame. Raises Rejected if its sample rate is implausible."""
        if frame.sample_rate not in _SAMPLE_RATES:
            raise Rejected(Reason.BROKEN_FILE)
        if frame.sample_rate != self._rate:
            yield from self.rest()
            self._rate = frame.sample_rate
        block = _plain(_numbers(frame)) @ _matrix(frame.layout)
        if self._rate == SAMPLE_RATE:
            yield block
            return
        if self._resampler is None:
            self._resampler = AudioResampler(format="flt", layout="stereo", rate=SAMPLE_RATE)
        yield from _resampled(self._resampler, _frame_of(block, self._rate))

    def rest(self) -> Iterator[Samples]:
        """Yield the samples that the resampler still holds."""
        if self._resampler is not None:
            yield from _resampled(self._resampler, None)
        self._resampler = None

    def silence(self, duration_s: float) -> Iterator[Samples]:
        """Yield the samples that the resampler still holds, then silence."""
        yield from self.rest()
        frames = round(duration_s * SAMPLE_RATE)
        for start in range(0, frames, _BLOCK_FRAMES):
            yield np.zeros((min(_BLOCK_FRAMES, frames - start), CHANNELS), np.float32)


def _numbers(frame: AudioFrame) -> Samples:
    """Return a frame's samples as floats, where full scale is 1.0."""
    raw = frame.to_ndarray()
    raw = raw.T if frame.format.is_planar else raw.reshape(-1, frame.layout.nb_channels)
    match raw.dtype.kind, raw.dtype.itemsize:
        case "f", _:
            # Values beyond float32's range become infinite and are silenced later.
            with np.errstate(over="ignore"):
                return raw.astype(np.float32)
        case "u", 1:
            return (raw.astype(np.float32) - 128) / np.float32(128)
        case _, width:
            return raw.astype(np.float32) / np.float32(1 << (8 * width - 1))


def _plain(samples: Samples) -> Samples:
    """Replace samples that are NaN, infinite or implausibly large with silence."""
    if not np.abs(samples).max(initial=0.0) < _ABSURD:
        samples[~(np.abs(samples) < _ABSURD)] = 0.0
    return samples


@lru_cache(maxsize=16)
def _matrix_of(places: tuple[str, ...]) -> Samples:
    """Return each channel's gains to the left and to the right output."""
    if len(places) == 1:
        return np.ones((1, CHANNELS), np.float32)
    matrix = np.zeros((len(places), CHANNELS), np.float32)
    for number, place in enumerate(places):
        weight = 1.0 if number < CHANNELS and place != "C" else _BESIDE
        matrix[number] = {"L": (weight, 0), "R": (0, weight), "C": (weight, weight)}.get(place, 0)
    if len(places) > max(_USUAL_PLACES):
        matrix *= (CHANNELS / len(places)) ** 0.5
    return matrix


def _matrix(layout: AudioLayout) -> Samples:
    return _matrix_of(_places(tuple(channel.name for channel in layout.channels)))


@lru_cache(maxsize=16)
def _places(names: tuple[str, ...]) -> tuple[str, ...]:
    """Return each channel's place: left, right, centre or low-frequency effects."""
    if all(name in _UNPLACED for name in names):
        return tuple(_USUAL_PLACES.get(len(names), "LR" * len(names))[: len(names)])
    places = tuple(_place(name) for name in names)
    return places if any(place in "LRC" for place in places) else ("C",) * len(names)


_UNPLACED = frozenset({"NONE", "UNSD", "UNK"})


def _place(name: str) -> str:
    if name.startswith("LFE"):
        return "low"
    return "L" if "L" in name else "R" if "R" in name else "C"


def _frame_of(block: Samples, rate: int) -> AudioFrame:
    packed = np.ascontiguousarray(block).reshape(1, -1)
    frame = AudioFrame.from_ndarray(packed, format="flt", layout="stereo")
    frame.sample_rate = rate
    return frame


def _resampled(resampler: AudioResampler, frame: AudioFrame | None) -> Iterator[Samples]:
    # A resampler with nothing to do also returns the None that flushes it.
    for converted in filter(None, resampler.resample(frame)):
        yield converted.to_ndarray().reshape(-1, CHANNELS).astype(np.float32, copy=False)
