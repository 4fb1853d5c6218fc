"""Stretches single segments of sound with python-stretch, and keeps their attacks sharp.

Stretching smears attacks over the blocks that are analysed. At half speed, noisy attacks are up to
5 ms late with blocks that resolve the pitch of a bass, and up to 3 ms late with those for drums.
Blocks of 6 ms would keep attacks sharp, but they make sustained sounds rough, cymbals most of all.
So such short blocks are used only around attacks, to stretch again the high frequencies, in which
attacks are heard. In a song that is slowed down, the first 3 ms of an attack are not stretched at
all.
"""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import Enum
from functools import cache
from typing import Any

import numpy as np
import scipy.fft
from numpy.typing import NDArray

from bot.audio.child.master import Samples
from bot.audio.child.rendering.attacks import attacks_in, onsets_of
from bot.audio.spool import CHANNELS, SAMPLE_RATE
from bot.domain.errors import Reason, Rejected

Process = Callable[[Samples], Samples]

_MILD_CHANGE = 0.13
"""The largest relative change of the length at which attacks are not sharpened."""
_SHORT_BLOCKS = (256, 64)
_HIGH_HZ = 3_000
_FILTER_TAPS = 255
_FILTER_DELAY = _FILTER_TAPS // 2
_ATTACK_S = 0.015
_FADE_FRAMES = SAMPLE_RATE // 100
_MARGIN_FRAMES = 320
"""The extra frames that are stretched on either side of a part: more than a short block."""
_LEAD_FRAMES, _HEAD_FRAMES, _HEAD_FADE_FRAMES = 32, 132, 132
"""The frames of an attack that are not stretched: fading in before its onset, in full, and fading
out.
"""
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
    """Takes less computing time, but smears attacks."""


def stretcher(factor: float, blocks: Blocks, *, pitch: float = 1.0) -> Stretcher:
    """Return a stretcher that plays segments at `factor` times their speed.

    `pitch` is the ratio of the rendition's pitch to the song's. Segments were already raised, or
    will be lowered later, so the blocks are shortened accordingly.

    Raises Rejected if this machine lacks the library for it.
    """
    block_frames, interval_frames = (round(frames / max(1.0, pitch)) for frames in blocks.value)
    smooth = _process(factor, block_frames, interval_frames)
    if abs(1 / factor - 1) <= _MILD_CHANGE:
        return Stretcher(stretch=smooth, preview=smooth)
    sharp = _process(factor, *(round(frames * min(1.0, pitch)) for frames in _SHORT_BLOCKS))
    high_hz = _HIGH_HZ * max(1.0, pitch)
    # In raised sound, copied heads would disturb the notes, and attacks are on time without them.
    copies_heads = 1 / (factor * max(1.0, pitch)) - 1 > _MILD_CHANGE
    # A smeared attack becomes audible up to half a block early.
    before = block_frames // 2 + _FADE_FRAMES
    after = round(_ATTACK_S * SAMPLE_RATE / factor) + _FADE_FRAMES

    def stretch(segment: Samples) -> Samples:
        made = smooth(segment)
        highs = segment - _below(high_hz, segment)
        attacks = attacks_in(highs)
        onsets = onsets_of(attacks, highs) if copies_heads else []
        ranges = _ranges_around(attacks / factor, len(made), before=before, after=after)
        for first, last in ranges:
            sharpened = _part(sharp, highs, first, last, factor=factor)
            for onset in onsets:
                _copy_head(highs, onset, into=sharpened, at=round(onset / factor) - first)
            smeared = _part_above(high_hz, made, first, last)
            made[first:last] += _weight(last - first) * (sharpened - smeared)
        return made

    return Stretcher(stretch=stretch, preview=smooth)


def require_library() -> None:
    """Raise Rejected if this machine lacks the library."""
    _library_type()


def _part(process: Process, sound: Samples, first: int, last: int, *, factor: float) -> Samples:
    """Return a part of a stretched sound, stretching no more than it needs."""
    start = max(0, math.floor(first * factor) - _MARGIN_FRAMES)
    end = math.ceil(last * factor) + _MARGIN_FRAMES
    silence = np.zeros((max(0, end - len(sound)), CHANNELS), np.float32)
    made = process(np.concatenate([sound[start:end], silence]))
    part: Samples = made[first - round(start / factor) :][: last - first].copy()
    return part


def _part_above(hz: float, sound: Samples, first: int, last: int) -> Samples:
    """Return the frequencies above `hz` of a part of a sound."""
    start = max(0, first - _FILTER_DELAY)
    around = sound[start : last + _FILTER_DELAY]
    return (around - _below(hz, around))[first - start :][: last - first]


def _below(hz: float, sound: Samples) -> Samples:
    """Return the frequencies of a sound up to `hz`, without delay."""
    size = scipy.fft.next_fast_len(len(sound) + _FILTER_TAPS, real=True)
    response = scipy.fft.rfft(_low_pass(hz), size)[:, np.newaxis]
    spectrum = scipy.fft.rfft(sound, size, axis=0)
    lows: Samples = scipy.fft.irfft(spectrum * response, size, axis=0)
    return lows[_FILTER_DELAY : _FILTER_DELAY + len(sound)]


@cache
def _low_pass(hz: float) -> NDArray[np.float32]:
    taps = np.sinc(2 * hz / SAMPLE_RATE * (np.arange(_FILTER_TAPS) - _FILTER_DELAY))
    taps *= np.hamming(_FILTER_TAPS)
    low_pass: NDArray[np.float32] = (taps / taps.sum()).astype(np.float32)
    return low_pass


def _copy_head(sound: Samples, onset: int, *, into: Samples, at: int) -> None:
    """Copy the beginning of an attack to a position, if it is complete and fits there."""
    weight = _head_weight()
    source = sound[max(0, onset - _LEAD_FRAMES) :][: len(weight)]
    there = into[max(0, at - _LEAD_FRAMES) :][: len(weight)]
    if min(onset, at) >= _LEAD_FRAMES and len(source) == len(there) == len(weight):
        there += weight * (source - there)


@cache
def _head_weight() -> Samples:
    weight: Samples = np.concatenate(
        [
            np.linspace(0, 1, _LEAD_FRAMES, endpoint=False),
            np.ones(_HEAD_FRAMES),
            np.linspace(1, 0, _HEAD_FADE_FRAMES),
        ]
    )[:, np.newaxis].astype(np.float32)
    return weight


def _ranges_around(
    positions: NDArray[np.floating[Any]], frames: int, *, before: int, after: int
) -> Iterator[tuple[int, int]]:
    """Yield the start and end of each range around ascending positions, within `frames` frames.

    Ranges that overlap are joined.
    """
    if not len(positions):
        return
    near = np.round(positions).astype(int)
    gaps = np.flatnonzero(np.diff(near) > before + after)
    starts = np.maximum(near[[0, *(gaps + 1)]] - before, 0)
    ends = np.minimum(near[[*gaps, -1]] + after, frames)
    yield from zip(starts.tolist(), ends.tolist(), strict=True)


def _weight(frames: int) -> Samples:
    """Return the weight of each frame: 1, with fades at both ends."""
    ramp = np.arange(1, frames + 1, dtype=np.float32) / _FADE_FRAMES
    weight: Samples = np.minimum(np.minimum(ramp, ramp[::-1]), 1)[:, np.newaxis]
    return weight


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
