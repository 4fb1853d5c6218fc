"""Stretches single segments of sound with python-stretch, whole or in two frequency bands.

A stretch smears attacks over the blocks that it analyses. With blocks long enough to resolve the
pitch of a bass, noisy attacks become up to 5 ms late at half speed. An attack is heard in the high
frequencies, for which short blocks suffice. So where attacks matter, each band has its own blocks.
"""

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from typing import Any

import numpy as np
import scipy.fft

from bot.audio.child.master import Samples
from bot.audio.spool import CHANNELS, SAMPLE_RATE
from bot.domain.errors import Reason, Rejected

Process = Callable[[Samples], Samples]

_HIGH_BLOCK_FRAMES, _HIGH_INTERVAL_FRAMES = 448, 112
_FILTER_TAPS = 1023
_FILTER_DELAY = _FILTER_TAPS // 2
_STRONG_STRETCH = 0.8
"""The highest factor at which noisy attacks in sound with tones would be over 1.5 ms late."""
_SEED = 1


class Blocks(Enum):
    """The length and interval of the blocks for low frequencies, and where those end, in Hz."""

    TONES = (round(0.12 * SAMPLE_RATE), round(0.03 * SAMPLE_RATE), 5_000)
    """Resolves the pitch of a bass; high frequencies are split off only at a strong stretch."""
    ATTACKS = (2048, 512, 300)
    """Keeps the attacks of drums, and the pitch of a kick."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stretcher:
    """Functions that play a segment at another speed, at the same pitch."""

    stretch: Process
    preview: Process
    """Faster, with less exact high frequencies."""


def stretcher(factor: float, blocks: Blocks) -> Stretcher:
    """Return a stretcher to `factor` times a segment's speed.

    Raises Rejected if this machine lacks the library for it.
    """
    block, interval, highest_hz = blocks.value
    low = _process(factor, block, interval)
    if blocks is Blocks.TONES and factor > _STRONG_STRETCH:
        return Stretcher(stretch=low, preview=low)
    # With a longer interval, several blocks would contain the same attack at different positions.
    high = _process(factor, _HIGH_BLOCK_FRAMES, round(_HIGH_INTERVAL_FRAMES * min(1.0, factor)))

    def stretch(segment: Samples) -> Samples:
        lows = _below(highest_hz, segment)
        made: Samples = low(lows) + high(segment - lows)
        return made

    return Stretcher(stretch=stretch, preview=low)


def require_library() -> None:
    """Raise Rejected if this machine lacks the library."""
    _library_type()


def _below(hz: float, sound: Samples) -> Samples:
    """Return the frequencies of a sound up to one, without delay."""
    low_pass = np.sinc(2 * hz / SAMPLE_RATE * (np.arange(_FILTER_TAPS) - _FILTER_DELAY))
    low_pass = (low_pass * np.hamming(_FILTER_TAPS)).astype(np.float32)
    size = scipy.fft.next_fast_len(len(sound) + _FILTER_TAPS, real=True)
    response = scipy.fft.rfft(low_pass / low_pass.sum(), size)[:, np.newaxis]
    spectrum = scipy.fft.rfft(sound, size, axis=0)
    lows: Samples = scipy.fft.irfft(spectrum * response, size, axis=0)
    return lows[_FILTER_DELAY : _FILTER_DELAY + len(sound)]


def _process(factor: float, block_frames: int, interval_frames: int) -> Process:
    library = _library_type()(_SEED)
    library.configure(CHANNELS, block_frames, interval_frames)
    library.timeFactor = factor

    def process(segment: Samples) -> Samples:
        made: Samples = library.process(np.ascontiguousarray(segment.T)).T
        return made

    return process


def _library_type() -> Any:
    try:
        from python_stretch import Signalsmith
    except ImportError as exc:
        raise Rejected(Reason.NO_TIME_STRETCH) from exc
    return Signalsmith.Stretch
