"""Changes the speed of a sound and keeps its pitch, in segments, so memory use is bounded.

Segments that are stretched separately have unrelated phases. Each is therefore cut where the sound
is quietest, stretched with some of its surroundings, and cross-faded with the next. The gain of a
cross-fade depends on the correlation of its two sides. A segment's position is computed from the
song's beginning, so errors do not add up.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from bot.audio.child.master import Samples
from bot.audio.child.rendering.sample_source import Source
from bot.audio.child.rendering.stretchers import Blocks, Stretcher, stretcher
from bot.audio.spool import CHANNELS, SAMPLE_RATE

_SEGMENT_FRAMES = 12 * SAMPLE_RATE
_CONTEXT_FRAMES = SAMPLE_RATE // 4
_EXTRA_CONTEXTS = (0, 577, 1361, 2549, 4153, 6047, 8329, 10847)
"""Irregular amounts, up to a quarter of a second, by which a segment may begin earlier."""
_MOST_CONTEXT_FRAMES = _CONTEXT_FRAMES + max(_EXTRA_CONTEXTS)
_PREVIEW_FRAMES = SAMPLE_RATE // 8
_QUIET_STEP = SAMPLE_RATE // 100
_QUIET_STEPS = 5
_FADE_FRAMES = 60 * SAMPLE_RATE // 1000
_ALIKE = 0.8
_LEAST_LIKENESS = -0.5
"""Limits the gain to 6 dB where the two sides cancel each other out."""


def stretched(
    source: Source, frames: int, *, factor: float, by: Blocks, pitch: float = 1.0
) -> Iterator[Samples]:
    """Return `frames` frames of a source at `factor` times their speed.

    `pitch` is the ratio of the final pitch to the song's, as in `stretcher`.

    Raises Rejected if this machine lacks the library for it.
    """
    stretch = _Stretch(factor=factor, stretcher=stretcher(factor, by, pitch=pitch))
    return _joined(_Reader(source), frames, stretch)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Take:
    """A stretched segment; `begin` is the position of its first frame in the output."""

    begin: int
    sound: Samples

    def between(self, first: int, last: int) -> Samples:
        return self.sound[first - self.begin : last - self.begin]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Stretch:
    """A speed, and the stretcher for it."""

    factor: float
    stretcher: Stretcher

    def place_of(self, frame: int) -> int:
        """Return the position of a source frame in the output."""
        return round(frame / self.factor)

    def take(self, reader: "_Reader", start: int, end: int) -> _Take:
        """Stretch a segment of the source."""
        sound = self.stretcher.stretch(reader.between(start, end))
        return _Take(begin=self.place_of(start), sound=sound)

    def preview(self, reader: "_Reader", start: int, end: int) -> _Take:
        """Stretch a segment of the source in less computing time, with smeared attacks."""
        sound = self.stretcher.preview(reader.between(start, end))
        return _Take(begin=self.place_of(start), sound=sound)

    @property
    def segment_frames(self) -> int:
        """The most frames in a segment of the source, so that its stretched form is bounded too."""
        return round(_SEGMENT_FRAMES * min(1.0, self.factor))

    @property
    def fade_frames(self) -> int:
        """The frames of the source that make one cross-fade when stretched."""
        return math.ceil(_FADE_FRAMES * self.factor)


class _Reader:
    """Holds the part of a source that the current segment needs."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._start = -_MOST_CONTEXT_FRAMES
        self._held: Samples = np.zeros((_MOST_CONTEXT_FRAMES, CHANNELS), np.float32)

    def between(self, start: int, end: int) -> Samples:
        """Return frames of the source, none of which `let_go` has dropped."""
        missing = end - self._start - len(self._held)
        if missing > 0:
            self._held = np.concatenate([self._held, self._source.read(missing)])
        return self._held[start - self._start : end - self._start]

    def let_go(self, before: int) -> None:
        """Drop the frames before this one."""
        self._held = self._held[before - self._start :].copy()
        self._start = before


def _joined(reader: _Reader, frames: int, stretch: _Stretch) -> Iterator[Samples]:
    """Yield the stretched segments, each cross-faded with the one before."""
    half, begin, tail = _FADE_FRAMES // 2, 0, None
    while begin < frames:
        end = _next_cut(reader, begin, frames, stretch)
        reader.let_go(begin - _MOST_CONTEXT_FRAMES)
        start = begin - _CONTEXT_FRAMES
        if tail is not None:
            start = _best_start(reader, begin, tail, stretch)
        made = stretch.take(reader, start, end + _CONTEXT_FRAMES)
        first = stretch.place_of(begin) - (half if tail is not None else 0)
        last = stretch.place_of(end) + (half if end < frames else 0)
        piece = made.between(first, last)
        if tail is not None:
            piece = np.concatenate([_crossfaded(tail, piece[: len(tail)]), piece[len(tail) :]])
        if end < frames:
            piece, tail = piece[: -2 * half], piece[-2 * half :]
        yield piece
        begin = end


def _best_start(reader: _Reader, begin: int, tail: Samples, stretch: _Stretch) -> int:
    """Return the start at which a segment best continues `tail`, the end of the segment before it.

    A stretched tone keeps its phase at the start of the stretch, so different starts give different
    phases at the same position. Several starts before the cross-fade are tried.
    """
    starts = [begin - _CONTEXT_FRAMES - extra for extra in _EXTRA_CONTEXTS]
    first = stretch.place_of(begin) - len(tail) // 2
    likeness: dict[int, float] = {}
    for start in starts:
        made = stretch.preview(reader, start, begin + _PREVIEW_FRAMES)
        likeness[start] = _likeness(tail, made.between(first, first + len(tail)))
        if likeness[start] >= _ALIKE:
            return start
    return max(starts, key=likeness.__getitem__)


def _next_cut(reader: _Reader, begin: int, frames: int, stretch: _Stretch) -> int:
    """Return the end of the segment from `begin` on: the quietest moment of its last quarter.

    A remainder too short for a cross-fade stays in the segment.
    """
    most = stretch.segment_frames
    if frames - begin <= most + stretch.fade_frames:
        return frames
    earliest = begin + most * 3 // 4
    sound = reader.between(earliest, begin + most)
    steps = len(sound) // _QUIET_STEP
    power = np.square(sound[: steps * _QUIET_STEP], dtype=np.float64)
    by_step = power.reshape(steps, -1).sum(axis=1)
    quietest = int(np.convolve(by_step, np.ones(_QUIET_STEPS), "valid").argmin())
    return earliest + quietest * _QUIET_STEP + _QUIET_STEPS * _QUIET_STEP // 2


def _crossfaded(out: Samples, into: Samples) -> Samples:
    """Fade from one sound into another of the same length, at constant loudness."""
    alike = max(_LEAST_LIKENESS, _likeness(out, into))
    weight = ((np.arange(len(out)) + 0.5) / len(out))[:, np.newaxis]
    gain = 1 / np.sqrt(weight**2 + (1 - weight) ** 2 + 2 * alike * weight * (1 - weight))
    faded: Samples = (((1 - weight) * out + weight * into) * gain).astype(np.float32)
    return faded


def _likeness(one: Samples, other: Samples) -> float:
    """Return the correlation of two sounds, from -1 to 1; it is 1 if either is silent."""
    powers = float(np.vdot(one, one)) * float(np.vdot(other, other))
    return min(1.0, float(np.vdot(one, other)) / powers**0.5) if powers > 0 else 1.0
