"""Draws the picture of a result: one waveform per stem, on a dark card that also suits light
themes.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from bot.audio.child import waveform
from bot.audio.child.waveform import Waveform
from bot.audio.stem_colours import Colour, colour_of
from bot.audio.tasks import Drawn, PictureTask, Row, part_of

_CARD: Colour = (30, 31, 34)
_LINE: Colour = (43, 45, 49)
_NAME: Colour = (219, 222, 225)
_TIME: Colour = (128, 132, 142)

# Discord shows the picture at about half its size, so it is sharp on dense screens. It is drawn
# even larger, and scaled down for smooth edges.
_OVERSAMPLING = 3
_WIDTH = 1200
_MARGIN = 36
_GUTTER = 32
_ROW_GAP = 20
_BAR, _PITCH = 5, 8
_AXIS_HEIGHT = 48
# A phone shows the picture at a quarter of its size, and the names must still be legible.
_NAME_SIZE, _TIME_SIZE = 36, 28
_PALETTE = 128
_QUIETEST_TOP = 0.1
_CURVE = 0.75
"""The exponent from loudness to height; below 1 it makes quiet passages taller."""

_TICK_STEPS_S = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 1200)
_MOST_TICKS = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class _Layout:
    """The picture's dimensions, in pixels after scaling down."""

    rows: int
    left: int

    @property
    def row_height(self) -> int:
        return 132 if self.rows <= 2 else 104 if self.rows <= 4 else 84

    @property
    def reach(self) -> float:
        return (self.row_height - _ROW_GAP) / 2

    @property
    def bars(self) -> int:
        return (_WIDTH - _MARGIN - self.left) // _PITCH

    @property
    def right(self) -> int:
        return self.left + self.bars * _PITCH

    @property
    def bottom(self) -> int:
        return _MARGIN // 2 + self.rows * self.row_height

    @property
    def height(self) -> int:
        return self.bottom + _AXIS_HEIGHT

    def middle(self, row: int) -> float:
        return _MARGIN / 2 + (row + 0.5) * self.row_height


class _Canvas:
    """A Pillow drawing that takes coordinates of the scaled-down picture."""

    def __init__(self, layout: _Layout) -> None:
        size = (_WIDTH * _OVERSAMPLING, layout.height * _OVERSAMPLING)
        self._image = Image.new("RGB", size, _CARD)
        self._draw = ImageDraw.Draw(self._image)

    def bar(self, box: tuple[float, float, float, float], colour: Colour) -> None:
        left, top, right, bottom = (round(at * _OVERSAMPLING) for at in box)
        radius = (right - left) // 2
        self._draw.rounded_rectangle((left, top, right - 1, bottom - 1), radius, colour)

    def text(
        self, at: tuple[float, float], text: str, *, size: int, anchor: str, colour: Colour
    ) -> None:
        x, y = (position * _OVERSAMPLING for position in at)
        font = ImageFont.load_default(size * _OVERSAMPLING)
        self._draw.text((x, y), text, colour, font, anchor)

    def finished(self) -> Image.Image:
        smooth = self._image.reduce(_OVERSAMPLING)
        return smooth.quantize(_PALETTE, dither=Image.Dither.NONE)


def picture(task: PictureTask) -> Drawn:
    """Draw the rows in order above a common time axis, and save them as PNG."""
    layout = _Layout(rows=len(task.rows), left=_MARGIN + _names_width(task.rows) + _GUTTER)
    waves = [waveform.measure(row.stem, layout.bars) for row in task.rows]
    duration_s = max(wave.duration_s for wave in waves)
    loudest = max(_loudness(wave) for wave in waves)
    canvas = _Canvas(layout)
    _draw_axis(canvas, layout, duration_s)
    for number, (row, wave) in enumerate(zip(task.rows, waves, strict=True)):
        colour = colour_of(row.label, number)
        _draw_name(canvas, layout, number, row, colour)
        _draw_wave(canvas, layout, number, wave, _top(wave, loudest), colour)
    part = part_of(task.into)
    canvas.finished().save(part, "PNG", optimize=True)
    part.replace(task.into)
    return Drawn(size_bytes=task.into.stat().st_size)


def _draw_wave(
    canvas: _Canvas, layout: _Layout, number: int, wave: Waveform, top: float, colour: Colour
) -> None:
    faint = _blend(colour, _CARD, 0.42)
    for index, (peak, rms) in enumerate(zip(wave.peaks, wave.rms, strict=True)):
        left, middle = layout.left + index * _PITCH, layout.middle(number)
        for level, shade in ((float(peak), faint), (float(rms), colour)):
            half = layout.reach * min(1.0, level / top) ** _CURVE
            half, shown = (half, shade) if half > _BAR / 2 else (_BAR / 2, faint)
            canvas.bar((left, middle - half, left + _BAR, middle + half), shown)


def heights(waves: Sequence[Waveform]) -> list[NDArray[np.float64]]:
    """Return how high each stem's peaks are drawn, from 0 to 1, on a common scale."""
    loudest = max(_loudness(wave) for wave in waves)
    return [np.minimum(1.0, wave.peaks / _top(wave, loudest)) ** _CURVE for wave in waves]


def _top(wave: Waveform, loudest: float) -> float:
    """Return the level that fills the row: the geometric mean of its own and the loudest stem's."""
    return max(_QUIETEST_TOP, math.sqrt(_loudness(wave) * loudest))


def _loudness(wave: Waveform) -> float:
    """Return a high percentile of the peaks, so that a single click does not flatten the rest."""
    return float(np.percentile(wave.peaks, 96))


def _draw_name(canvas: _Canvas, layout: _Layout, number: int, row: Row, colour: Colour) -> None:
    at = (layout.left - _GUTTER, layout.middle(number))
    canvas.text(at, row.label, size=_NAME_SIZE, anchor="rm", colour=_blend(colour, _NAME, 0.5))


def _draw_axis(canvas: _Canvas, layout: _Layout, duration_s: float) -> None:
    step_s = next(
        (step for step in _TICK_STEPS_S if duration_s / step <= _MOST_TICKS), _TICK_STEPS_S[-1]
    )
    for tick in range(math.floor(duration_s / step_s) + 1):
        x = layout.left + (layout.right - layout.left) * tick * step_s / max(duration_s, 1e-9)
        canvas.bar((x, _MARGIN / 2, x + 1, layout.bottom), _LINE)
        minutes, seconds = divmod(tick * step_s, 60)
        canvas.text(
            (x, layout.bottom + _AXIS_HEIGHT / 2 - 4),
            f"{minutes}:{seconds:02}",
            size=_TIME_SIZE,
            anchor="mm",
            colour=_TIME,
        )


def _names_width(rows: Sequence[Row]) -> int:
    font = ImageFont.load_default(_NAME_SIZE)
    return math.ceil(max(font.getlength(row.label) for row in rows))


def _blend(colour: Colour, other: Colour, share: float) -> Colour:
    red, green, blue = (
        round(one * share + two * (1 - share)) for one, two in zip(colour, other, strict=True)
    )
    return (red, green, blue)
