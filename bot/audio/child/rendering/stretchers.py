"""Stretches single segments of sound with python-stretch, and keeps their attacks sharp.

A stretch smears attacks over the blocks that it analyses. At half speed, noisy ones are up to 5 ms
late with blocks for the pitch of a bass, and up to 3 ms with those for drums. Blocks of 6 ms would
do, but make sustained sounds rough, and cymbals most of all. So such short blocks are used around
attacks only, and for the high frequencies only, in which attacks are heard.
"""

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from typing import Any

import numpy as np
import scipy.fft
from numpy.typing import NDArray

from bot.audio.child.master import Samples
from bot.audio.spool import CHANNELS, SAMPLE_RATE
from bot.domain.errors import Reason, Rejected

Process = Callable[[Samples], Samples]

_STRONG_STRETCH = 0.8
"""The highest factor at which attacks are treated apart."""
_SHORT_BLOCKS = (256, 64)
_HIGH_HZ = 3_000
_FILTER_TAPS = 1023
_FILTER_DELAY = _FILTER_TAPS // 2
_STEP = 64
_STEPS_BEFORE = 20
"""The steps, 30 ms together, above whose mean power an attack rises."""
_RISE = 4.0
_AUDIBLE = 1e-3
"""The least power of an attack, relative to the loudest moment of the segment."""
_ATTACK_S = 0.015
_FADE_FRAMES = SAMPLE_RATE // 100
_SEED = 1


class Blocks(Enum):
    """The length and the interval of the analysed blocks, in frames."""

    TONES = (round(0.12 * SAMPLE_RATE), round(0.03 * SAMPLE_RATE))
    """Resolves the pitch of a bass."""
    ATTACKS = (2048, 512)
    """Keeps the attacks of drums."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stretcher:
    """Functions that play a segment at another speed, at the same pitch."""

    stretch: Process
    preview: Process
    """Faster, with smeared attacks."""


def stretcher(factor: float, blocks: Blocks) -> Stretcher:
    """Return a stretcher to `factor` times a segment's speed.

    Raises Rejected if this machine lacks the library for it.
    """
    smooth = _process(factor, *blocks.value)
    if factor > _STRONG_STRETCH:
        return Stretcher(stretch=smooth, preview=smooth)
    sharp = _process(factor, *_SHORT_BLOCKS)
    block_frames, _ = blocks.value

    def stretch(segment: Samples) -> Samples:
        lows = _below(_HIGH_HZ, segment)
        highs = segment - lows
        attacks = _attacks_in(highs)
        if not len(attacks):
            return smooth(segment)
        smeared = smooth(highs)
        # Before an attack, a smeared one is heard for half of a block.
        before, after = block_frames // 2, round(_ATTACK_S * SAMPLE_RATE / factor)
        weight = _weight_at(attacks / factor, len(smeared), before=before, after=after)
        made: Samples = smooth(lows) + smeared + weight * (sharp(highs) - smeared)
        return made

    return Stretcher(stretch=stretch, preview=smooth)


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


def _attacks_in(sound: Samples) -> NDArray[np.intp]:
    """Return the positions at which a sound suddenly becomes louder, in frames."""
    steps = len(sound) // _STEP
    power = np.square(sound[: steps * _STEP]).reshape(steps, -1).sum(axis=1, dtype=np.float64)
    if steps <= _STEPS_BEFORE:
        return np.zeros(0, np.intp)
    total = np.concatenate([[0.0], np.cumsum(power)])
    before = (total[_STEPS_BEFORE:-1] - total[: -_STEPS_BEFORE - 1]) / _STEPS_BEFORE
    now = power[_STEPS_BEFORE:]
    is_attack = (now > _RISE * before) & (now > _AUDIBLE * power.max())
    return (np.flatnonzero(is_attack) + _STEPS_BEFORE) * _STEP


def _weight_at(
    positions: NDArray[np.floating[Any]], frames: int, *, before: int, after: int
) -> Samples:
    """Return a weight of each frame: 1 around the positions, 0 elsewhere, with fades between."""
    edges = np.zeros(frames + _FADE_FRAMES + 1)
    near = np.round(positions).astype(int)
    np.add.at(edges, np.clip(near - before, 0, frames), 1)
    np.add.at(edges, np.clip(near + after, 0, frames) + _FADE_FRAMES, -1)
    is_near = np.concatenate([np.zeros(_FADE_FRAMES), np.cumsum(edges[:-1]) > 0])
    total = np.cumsum(is_near)
    faded: Samples = ((total[_FADE_FRAMES:] - total[:-_FADE_FRAMES]) / _FADE_FRAMES)[:frames]
    return faded.astype(np.float32)[:, np.newaxis]


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
