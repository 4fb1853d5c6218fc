"""Measures a stem's lag behind its song, its gain in the song, and their similarity.

The lag is the peak of the cross-correlation over the stem's loudest passage, sharpened if that
gives a distinct peak; the gain is the least-squares one, <song, stem> / <stem, stem>, at that lag.
Both channels count: their mean would lose a stem whose channels are opposite. Lossy results are
late by their encoder's delay (1,105 samples for LAME's MP3, 2,112 for AAC), which must be undone
before a stem is subtracted from the song.

Transforms are numpy's, because loading scipy's takes a child longer than fitting a short song.
"""

import math
from pathlib import Path

import numpy as np
import numpy.typing as npt

from bot.audio import spool
from bot.audio.spool import CHANNELS, FRAME_BYTES
from bot.audio.tasks import FitTask, Fitted

Series = npt.NDArray[np.float32]
"""One value per lag."""
Samples = npt.NDArray[np.float32]
"""Shaped (frames, channels)."""

_PASSAGE_FRAMES = 1 << 20
"""24 s is enough for a sharp peak, and bounds the memory for songs of any length."""
_BLOCK_FRAMES = 1 << 16
_SHARP = 24.0
"""The sharpness above which a peak is distinct. Unrelated sounds reach 5, narrow bands 15 and
everything else 50 or more."""
_BETTER = 1.05
"""A peak that is not distinct must exceed the correlation at lag 0 by this factor: in a bass part,
which hardly changes from one sample to the next, other instruments shift the peak."""


def fit(task: FitTask) -> Fitted:
    """Measure how a stem fits its song; lag, gain and similarity are 0 for a silent stem."""
    song_power, _ = _power(task.song)
    stem_power, loudest = _power(task.stem)
    start = max(0, loudest - _PASSAGE_FRAMES // 2)
    stem = _stereo(task.stem, start, min(_PASSAGE_FRAMES, spool.frames_in(task.stem) - start))
    margin = task.max_lag_frames
    song = _stereo(task.song, start - margin, len(stem) + 2 * margin)
    energy = _energy(stem)
    if energy == 0.0:
        return Fitted(
            lag_frames=0,
            gain=0.0,
            likeness=0.0,
            sharpness=0.0,
            song_rms=song_power**0.5,
            stem_rms=0.0,
        )
    correlation, sharpened = (each[: 2 * margin + 1] for each in _correlate(song, stem))
    sharpness = _sharpness(sharpened)
    best = _best(correlation, sharpened if sharpness > _SHARP else None, margin)
    there = song[best : best + len(stem)]
    likeness = float(correlation[best]) / max(1e-12, (_energy(there) * energy) ** 0.5)
    return Fitted(
        # In a lagging stem, each sound comes later than in the song.
        lag_frames=margin - best,
        gain=float(correlation[best]) / energy,
        likeness=likeness,
        sharpness=sharpness,
        song_rms=song_power**0.5,
        stem_rms=stem_power**0.5,
    )


def _best(correlation: Series, sharpened: Series | None, unmoved: int) -> int:
    """Return the index of the best lag; `sharpened` is given only if its peak is distinct."""
    if sharpened is not None:
        return int(np.argmax(np.abs(sharpened)))
    best = int(np.argmax(np.abs(correlation)))
    is_better = abs(correlation[best]) > _BETTER * abs(correlation[unmoved])
    return best if is_better else unmoved


def _power(path: Path) -> tuple[float, int]:
    """Return a spool's mean square over both channels, and the middle of its loudest passage.

    The channels are not averaged first, because out-of-phase sound would cancel out. Masters are
    measured the same way.
    """
    frames = spool.frames_in(path)
    blocks = [
        float(np.square(_stereo(path, start, _BLOCK_FRAMES), dtype=np.float64).sum())
        for start in range(0, frames, _BLOCK_FRAMES)
    ]
    if not blocks:
        return 0.0, 0
    width = max(1, _PASSAGE_FRAMES // _BLOCK_FRAMES)
    passages = np.convolve(blocks, np.ones(width), mode="same")
    middle = int(np.argmax(passages)) * _BLOCK_FRAMES + _BLOCK_FRAMES // 2
    return sum(blocks) / (frames * CHANNELS), middle


def _energy(samples: Samples) -> float:
    flat = samples.ravel()
    return float(np.dot(flat, flat))


def _stereo(path: Path, start: int, frames: int) -> Samples:
    """Read frames; positions before the start or after the end of the spool are silent."""
    before = max(0, -start)
    with path.open("rb") as file:
        file.seek(max(0, start) * FRAME_BYTES)
        raw = file.read(max(0, frames - before) * FRAME_BYTES)
    whole = len(raw) // FRAME_BYTES
    samples = np.frombuffer(raw, "<f4", whole * CHANNELS).reshape(-1, CHANNELS)
    block = np.zeros((frames, CHANNELS), np.float32)
    block[before : before + whole] = samples
    return block


def _correlate(song: Samples, stem: Samples) -> tuple[Series, Series]:
    """Return sum(song[n + k] * stem[n]) for every k >= 0, plain and sharpened.

    Sharpening weights all frequencies equally (the phase transform). The plain sum of a quiet stem
    may peak at a repetition instead, since music plays the same chords again.
    """
    size = _fast_length(len(song) + len(stem))
    spectrum = _cross_spectrum(song[:, 0], stem[:, 0], size)
    for channel in range(1, CHANNELS):
        spectrum += _cross_spectrum(song[:, channel], stem[:, channel], size)
    strength = np.abs(spectrum)
    least = max(1e-9 * float(strength.max()), float(np.finfo(np.float32).tiny))
    phases = spectrum / np.maximum(strength, least)
    plain, sharpened = (np.fft.irfft(each, size) for each in (spectrum, phases))
    places = len(song) - len(stem) + 1
    return np.asarray(plain[:places], np.float32), np.asarray(sharpened[:places], np.float32)


def _fast_length(least: int) -> int:
    """Return the next length without a prime factor above 5, which transforms fastest."""
    lengths: list[int] = [
        odd << max(0, math.ceil(math.log2(least / odd)))
        for odd in (3**threes * 5**fives for threes in range(14) for fives in range(10))
    ]
    return min(length for length in lengths if length >= least)


def _cross_spectrum(song: Series, stem: Series, size: int) -> npt.NDArray[np.complex64]:
    return np.asarray(np.fft.rfft(song, size) * np.conj(np.fft.rfft(stem, size)))


def _sharpness(sharpened: Series) -> float:
    """Return the ratio of the peak to the RMS; it is low for narrow-band sounds such as a bass."""
    rms = float(np.sqrt(np.mean(np.square(sharpened, dtype=np.float64))))
    return float(np.abs(sharpened).max()) / max(rms, 1e-12)
