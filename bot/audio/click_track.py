"""Turns a song's tracked beats into clicks: a count-in, clicks throughout the song, or both."""

import math
from dataclasses import dataclass

from bot.audio.spool import SAMPLE_RATE
from bot.domain.analysis import BeatGrid
from bot.domain.renditions import UNCHANGED_PERCENT, Click, ClickGrid

_BEATS_PER_DEVIATION = 8
_BEATS_PER_CLICK = {ClickGrid.NORMAL: 1.0, ClickGrid.HALF: 2.0, ClickGrid.DOUBLE: 0.5}


@dataclass(frozen=True, slots=True, kw_only=True)
class ClickTrack:
    """Where clicks begin in a rendition, in frames.

    Positions count from the start of the `padding_frames` of silence before the song. `bars` has
    the clicks that begin a bar, `beats` all others.
    """

    padding_frames: int
    beats: tuple[int, ...]
    bars: tuple[int, ...]


def click_track(
    grid: BeatGrid, click: Click, *, speed_percent: int = UNCHANGED_PERCENT
) -> ClickTrack:
    """Return the clicks of a rendition at the given speed.

    A count-in ends at the first bar line; if it would begin before the song, silence is added
    before the song. On half and double grids a bar has as many clicks as on the normal grid, at
    half or twice the tempo. Raises ValueError if the beats are too unsteady for clicks.
    """
    if not grid.is_steady:
        raise ValueError("the beats are too unsteady for clicks")
    scale = UNCHANGED_PERCENT / speed_percent
    step = _BEATS_PER_CLICK[click.grid]
    counted = click.count_in_bars * grid.beats_per_bar
    begin_s = _beat_s(grid, grid.downbeat) * scale
    padding_s = max(0.0, counted * step * grid.period_s * scale - begin_s)
    times = [(-n, begin_s - n * step * grid.period_s * scale) for n in range(counted, 0, -1)]
    if click.is_throughout:
        numbers = _numbers(grid, step, from_the_bar=counted > 0)
        times += [(n, _beat_s(grid, grid.downbeat + n * step) * scale) for n in numbers]
    frames = [(n, round((padding_s + time_s) * SAMPLE_RATE)) for n, time_s in times]
    heard = [(n, frame) for n, frame in frames if frame >= 0]
    return ClickTrack(
        padding_frames=round(padding_s * SAMPLE_RATE),
        beats=tuple(frame for n, frame in heard if n % grid.beats_per_bar),
        bars=tuple(frame for n, frame in heard if n % grid.beats_per_bar == 0),
    )


def beat_frames(grid: BeatGrid) -> tuple[int, ...]:
    """Return the positions of the song's beats, in frames."""
    return tuple(round(_beat_s(grid, beat) * SAMPLE_RATE) for beat in range(grid.beats))


def _numbers(grid: BeatGrid, step: float, *, from_the_bar: bool) -> range:
    """Return the numbers of the clicks throughout the song, counted from its first bar line."""
    first = 0 if from_the_bar else -math.floor(grid.downbeat / step)
    return range(first, math.floor((grid.beats - 1 - grid.downbeat) / step) + 1)


def _beat_s(grid: BeatGrid, beat: float) -> float:
    return grid.first_beat_s + beat * grid.period_s + _deviation_ms(grid, beat) / 1000


def _deviation_ms(grid: BeatGrid, beat: float) -> float:
    """Return a beat's deviation from the grid, interpolated between known deviations."""
    known = grid.deviations_ms
    if not known:
        return 0.0
    place = min(max(beat / _BEATS_PER_DEVIATION, 0.0), len(known) - 1)
    before = math.floor(place)
    after = min(before + 1, len(known) - 1)
    return known[before] + (known[after] - known[before]) * (place - before)
