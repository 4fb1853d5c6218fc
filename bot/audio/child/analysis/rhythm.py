"""Estimates tempo and beat grid from the onset strengths of the drums and the other stems."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from bot.audio.child.analysis import bar_line, beat_tracking, tempo
from bot.audio.child.analysis.beat_tracking import BeatLine, Pulse
from bot.audio.child.analysis.onset_strength import FRAMES_A_SECOND, Strength
from bot.audio.child.analysis.pitch_content import Chromagram
from bot.audio.child.analysis.tempo import Correlation, Hypothesis
from bot.domain.analysis import BeatGrid, TempoEstimate

_SHORTEST_S = 6.0
_SURE_RESIDUAL, _DOUBTED_RESIDUAL, _MOST_RESIDUAL = 0.03, 0.04, 0.10
_STEADY_RESIDUAL = 0.05
_OPEN_OCTAVE = 1.0
_LEAST_CORRELATION = 0.12
"""The least correlation of onsets with the onsets some beats later; noise has less."""
_SLOW_BPM = 90.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Signal:
    """A signal's onset strength, and the weights of its registers in beat tracking."""

    strength: Strength
    weights: tuple[float, float, float]


DRUMS = (2.0, 1.5, 0.5)
REST = (0.5, 0.5, 0.2)
MIX = (2.0, 1.0, 0.5)
"""Weights of the low, middle and high registers; the last is small, as hi-hats also sound between
beats.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rhythm:
    """A tempo and its beats."""

    tempo: TempoEstimate
    grid: BeatGrid


def rhythm(signals: Sequence[Signal], chroma: Chromagram) -> Rhythm | None:
    """Return tempo and beats, or None if there is no beat. The first signal determines the bars."""
    onsets = [tempo.rows(signal.strength) for signal in signals]
    if not onsets or onsets[0].shape[1] < _SHORTEST_S * FRAMES_A_SECOND:
        return None
    correlation = tempo.autocorrelation(np.concatenate(onsets))
    found = tempo.hypotheses(correlation)
    if not found or _regularity(correlation, found[0].period) < _LEAST_CORRELATION:
        return None
    pulse = _pulse(onsets, [signal.weights for signal in signals])
    chosen, line = _tracked(pulse, correlation, found)
    if line.residual > _MOST_RESIDUAL:
        return None
    bars = bar_line.find(line.times(), signals[0].strength, chroma)
    return Rhythm(tempo=_estimate(chosen, line, found), grid=_grid(line, bars))


def _regularity(correlation: Correlation, period: float) -> float:
    lags = [period * multiple for multiple in (1, 2, 4)]
    return float(np.interp(lags, np.arange(len(correlation)), correlation).mean())


def _pulse(onsets: Sequence[tempo.Rows], weights: Sequence[tuple[float, float, float]]) -> Pulse:
    total = np.zeros(onsets[0].shape[1])
    for rows, registers in zip(onsets, weights, strict=True):
        spread = rows.std(axis=1)
        scale = np.where(spread > 1e-6, registers / np.maximum(spread, 1e-6), 0)
        total += scale @ rows
    pulse: Pulse = total / max(float(total.std()), 1e-9)
    return pulse


def _tracked(
    pulse: Pulse, correlation: Correlation, found: Sequence[Hypothesis]
) -> tuple[Hypothesis, BeatLine]:
    """Return the best tempo and its beats, or half or double the tempo if that fits far better."""
    best = found[0]
    line = _line(pulse, correlation, best)
    octave = _octave(best, found)
    if line.residual > _DOUBTED_RESIDUAL and octave is not None:
        other = _line(pulse, correlation, octave)
        if other.residual < line.residual / 2:
            return octave, other
    return best, line


def _line(pulse: Pulse, correlation: Correlation, hypothesis: Hypothesis) -> BeatLine:
    period = tempo.refined_period(correlation, hypothesis.period)
    return beat_tracking.fit(beat_tracking.track(pulse, period))


def _octave(of: Hypothesis, found: Sequence[Hypothesis]) -> Hypothesis | None:
    return next((each for each in found if each.is_octave_of(of)), None)


def _estimate(chosen: Hypothesis, line: BeatLine, found: Sequence[Hypothesis]) -> TempoEstimate:
    bpm = 60 / line.period_s
    octave = _octave(chosen, found)
    is_open = octave is not None and octave.score > chosen.score - _OPEN_OCTAVE
    if not is_open and line.residual < _SURE_RESIDUAL:
        return TempoEstimate(bpm=bpm)
    is_doubled = octave.bpm > bpm if octave is not None else bpm < _SLOW_BPM
    return TempoEstimate(bpm=bpm, octave_bpm=bpm * 2 if is_doubled else bpm / 2)


def _grid(line: BeatLine, bars: bar_line.Bars) -> BeatGrid:
    return BeatGrid(
        first_beat_s=line.first_s,
        period_s=line.period_s,
        beats=line.beats,
        beats_per_bar=bars.beats_per_bar,
        downbeat=bars.downbeat,
        deviations_ms=tuple(round(1000 * each) for each in line.deviations_s),
        is_steady=line.residual < _STEADY_RESIDUAL,
    )
