"""Finds bar lines from changes of harmony, bass drums and the backbeat."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bot.audio.child.analysis import onset_strength, pitch_content
from bot.audio.child.analysis.onset_strength import Strength
from bot.audio.child.analysis.pitch_content import Chromagram

USUAL_METER = 4
_OTHER_METER = 3
_CLEARLY = 1.5
"""The factor by which three beats in a bar must have stronger evidence than four."""
_FEWEST_BARS = 4
_HARMONY, _LOW, _BACKBEAT = 1.0, 0.5, -0.3
_REACH = 3
"""The distance from a beat, in frames, within which its onset is sought."""

Values = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Bars:
    """The number of beats in a bar, and the index of the first beat that begins a bar."""

    beats_per_bar: int
    downbeat: int


def find(beats_s: Values, strength: Strength, chroma: Chromagram) -> Bars:
    """Find the bars of a song from its beats, the onsets of its drums and its harmony."""
    accents = _HARMONY * _standardised(_changes(beats_s, chroma))
    accents += _LOW * _standardised(_onsets(beats_s, strength[0]))
    accents += _BACKBEAT * _standardised(_onsets(beats_s, strength[1]))
    usual, usual_contrast = _phase(accents, USUAL_METER)
    other, other_contrast = _phase(accents, _OTHER_METER)
    if len(beats_s) >= _FEWEST_BARS * _OTHER_METER and other_contrast > _CLEARLY * usual_contrast:
        return Bars(beats_per_bar=_OTHER_METER, downbeat=other)
    return Bars(beats_per_bar=USUAL_METER, downbeat=usual)


def _phase(accents: Values, meter: int) -> tuple[int, float]:
    """Return the bar's most accented beat, and its lead over the mean of the other beats."""
    means = np.array([accents[beat::meter].mean() for beat in range(min(meter, len(accents)))])
    best = int(means.argmax())
    return best, float(means[best] - np.delete(means, best).mean()) if len(means) > 1 else 0.0


def _changes(beats_s: Values, chroma: Chromagram) -> Values:
    """Return how much the harmony differs between the next two beats and the last two."""
    frames = np.rint(beats_s * pitch_content.FRAMES_A_SECOND).astype(int)
    totals = np.concatenate([np.zeros((1, chroma.shape[1])), chroma.cumsum(axis=0)])
    edges = np.clip(frames, 0, len(chroma))
    later = totals[np.append(edges[2:], [len(chroma)] * 2)[: len(edges)]] - totals[edges]
    earlier = totals[edges] - totals[np.append([0, 0], edges[:-2])[: len(edges)]]
    sizes = np.linalg.norm(later, axis=1) * np.linalg.norm(earlier, axis=1)
    likeness = (later * earlier).sum(axis=1) / np.maximum(sizes, 1e-9)
    changes: Values = np.where(sizes > 0, 1 - likeness, 0.0)
    return changes


def _onsets(beats_s: Values, strength: NDArray[np.float32]) -> Values:
    frames = np.rint(beats_s * onset_strength.FRAMES_A_SECOND).astype(int)
    near = np.clip(frames[:, np.newaxis] + np.arange(-_REACH, _REACH + 1), 0, len(strength) - 1)
    onsets: Values = strength[near].max(axis=1).astype(np.float64)
    return onsets


def _standardised(values: Values) -> Values:
    scaled: Values = (values - values.mean()) / max(float(values.std()), 1e-9)
    return scaled
