"""Finds a stem's lag behind its song, its gain in it, and their similarity.

The lag is the peak of the cross-correlation over the stem's loudest passage, sharpened where that
points to one place; the gain is the least-squares one, <song, stem> / <stem, stem>, at that lag.
Both channels count: their mean would lose a stem whose channels are opposite. Lossy results are
late by their encoder's delay (1,105 samples for LAME's MP3, 2,112 for AAC), which must be undone
before a stem is subtracted from the song.

Transforms are numpy's: to load scipy's takes a child longer than to fit a short song.
"""

import math
from pathlib import Path

import numpy as np
import numpy.typing as npt

from bot.audio import spool
from bot.audio.spool import CHANNELS, FRAME_BYTES
from bot.audio.tasks import FitTask, Fitted

Series = npt.NDArray[np.float32]
"""One value for each lag."""
Samples = npt.NDArray[np.float32]
"""Frames by channels."""

_PASSAGE_FRAMES = 1 << 20
"""24 s: enough for a sharp peak, and bounded memory whatever the song's length."""
_BLOCK_FRAMES = 1 << 16
_SHARP = 24.0
"""Unrelated sounds reach 5, narrow bands 15, everything else 50 and more."""
_BETTER = 1.05
"""By this factor a flat peak must exceed the correlation without a lag: in a bass, which barely
changes from one sample to the next, other instruments move the peak."""


def fit(task: FitTask) -> Fitted:
    """Fit a stem to its song; all zeros when the stem is silent."""
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
        # A lagging stem has its sound at a later position than the song.
        lag_frames=margin - best,
        gain=float(correlation[best]) / energy,
        likeness=likeness,
        sharpness=sharpness,
        song_rms=song_power**0.5,
        stem_rms=stem_power**0.5,
    )


def _best(correlation: Series, sharpened: Series | None, unmoved: int) -> int:
    """Return the index of the lag; `sharpened` only where it points to one place."""
    if sharpened is not None:
        return int(np.argmax(np.abs(sharpened)))
    best = int(np.argmax(np.abs(correlation)))
    is_better = abs(correlation[best]) > _BETTER * abs(correlation[unmoved])
    return best if is_better else unmoved


def _power(path: Path) -> tuple[float, int]:
    """Return a spool's mean square over both channels, and the middle of its loudest passage.

    Over both, as masters are measured: out-of-phase sound would cancel in their mean.
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
    """Read frames; silence before the start and after the end of a spool."""
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
    """Return sum(song[n + k] * stem[n]) for every k from 0, plain and sharpened.

    Sharpening weights every frequency equally (the phase transform): music repeats itself, so the
    plain sum of a quiet stem may peak where the band plays the same chord again.
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
    """Return how far the peak stands out; that of a narrow band, like a bass, does not."""
    rms = float(np.sqrt(np.mean(np.square(sharpened, dtype=np.float64))))
    return float(np.abs(sharpened).max()) / max(rms, 1e-12)
