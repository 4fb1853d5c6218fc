"""Simple filters that take a song apart: by panning, pitch and onset, not by learning.

Every stem is a share of the song's spectrum. The shares of the six stems add up to the whole, and
what a model calls its rest is the song minus its other stems, so a complete set adds up exactly.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

import numpy as np
import numpy.typing as npt
from scipy.ndimage import uniform_filter1d

Samples: TypeAlias = npt.NDArray[np.float32]
"""Stereo: two rows."""
Spectrum: TypeAlias = npt.NDArray[np.complex64]

RATE: Final = 44_100
REST: Final = "rest"

_HOP: Final = 2048
_FRAME: Final = 2 * _HOP
_CONTEXT: Final = 8
"""Frames on each side that an onset is judged by."""
_PAD: Final = (_CONTEXT + 1) * _HOP
STEP: Final = 256 * _HOP
"""Samples that are separated at a time."""

_WINDOW: Final = np.sin(np.pi * (np.arange(_FRAME) + 0.5) / _FRAME).astype(np.float32)
_HZ: Final = np.fft.rfftfreq(_FRAME, 1 / RATE)[None, :].astype(np.float32)
_TAIL: Final = 0.7
"""What a reverb leaves of a sound from one frame to the next."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Model:
    """What a vendor's model returns: its names, each with the share it is, or the rest.

    `kept_back` are shares that the rest is without although the model does not return them.
    """

    stems: Mapping[str, str]
    kept_back: tuple[str, ...] = ()

    def separate(self, song: Samples, shares: Mapping[str, Samples]) -> dict[str, Samples]:
        """Return the stems of a piece of song by the model's names."""
        named = {name: shares[share] for name, share in self.stems.items() if share != REST}
        taken: Samples = sum(
            [*named.values(), *(shares[share] for share in self.kept_back)], np.zeros_like(song)
        )
        return {name: named.get(name, song - taken) for name in self.stems}

    @property
    def shares(self) -> frozenset[str]:
        """The shares it needs."""
        return frozenset({*self.stems.values(), *self.kept_back}) - {REST}


def separated(blocks: Iterable[Samples], model: Model) -> Iterator[dict[str, Samples]]:
    """Yield a model's stems piece by piece, as long together as the song."""
    for window, length in _windows(blocks):
        song = window[:, _PAD:-_PAD]
        stems = model.separate(song, _shares(window, model.shares))
        yield {name: stem[:, :length] for name, stem in stems.items()}


def _windows(blocks: Iterable[Samples]) -> Iterator[tuple[Samples, int]]:
    """Yield pieces of song with `_PAD` samples on each side, and how much of each is song."""
    held: Samples = np.zeros((2, _PAD), np.float32)
    total = 0
    for block in blocks:
        total += block.shape[1]
        held = np.concatenate([held, block], axis=1)
        while held.shape[1] >= STEP + 2 * _PAD:
            yield held[:, : STEP + 2 * _PAD], STEP
            held = held[:, STEP:]
    fill = -total % _HOP
    held = np.concatenate([held, np.zeros((2, fill + _PAD), np.float32)], axis=1)
    while (left := held.shape[1] - 2 * _PAD - fill) > 0:
        yield held[:, : STEP + 2 * _PAD], min(STEP, left)
        held = held[:, STEP:]


def _shares(window: Samples, names: frozenset[str]) -> dict[str, Samples]:
    frames = np.lib.stride_tricks.sliding_window_view(window, _FRAME, axis=1)[:, ::_HOP]
    spectrum: Spectrum = np.fft.rfft(frames * _WINDOW).astype(np.complex64)
    masks = _masks(spectrum)
    inner = slice(_CONTEXT, -_CONTEXT)
    return {name: _sound(spectrum[:, inner] * masks[name][inner]) for name in names}


def _sound(spectrum: Spectrum) -> Samples:
    frames = np.fft.irfft(spectrum, _FRAME).astype(np.float32) * _WINDOW
    halves: Samples = frames[:, :-1, _HOP:] + frames[:, 1:, :_HOP]
    return halves.reshape(2, -1)


def _masks(spectrum: Spectrum) -> dict[str, npt.NDArray[Any]]:
    """Return how much of each frequency at each time belongs to which share."""
    left, right = spectrum
    powers = np.abs(left) ** 2, np.abs(right) ** 2
    power = powers[0] + powers[1] + 1e-12
    level = np.sqrt(power)
    pan = (powers[1] - powers[0]) / power
    centre = np.clip(2 * (left * right.conj()).real / power, 0, 1)
    onset = np.clip(1 - uniform_filter1d(level, 2 * _CONTEXT + 1, axis=0) / level, 0, 1)
    wanted = {
        "bass": _band(0, 180) * (1 - onset),
        "drums": onset,
        "vocals": centre**2 * _band(160, 8000),
        "guitar": np.clip(-2 * pan, 0, 1) * _band(80, 6000),
        "piano": np.clip(2 * pan, 0, 1) * _band(80, 6000),
        "strings": _band(200, 1500),
        "wind": _band(1500, 4000),
        "synthesizer": _band(4000, RATE),
    }
    masks = {}
    left_over = np.ones_like(level)
    for name, share in wanted.items():
        masks[name] = left_over * share
        left_over = left_over - masks[name]
    masks["lead_vocals"] = masks["vocals"] * centre**6
    masks["backing_vocals"] = masks["vocals"] - masks["lead_vocals"]
    masks["dry"] = power / (power + _tail(level) ** 2)
    return masks


def _tail(level: npt.NDArray[Any]) -> npt.NDArray[Any]:
    tail = np.zeros_like(level)
    for frames in range(1, _CONTEXT + 1):
        np.maximum(tail[frames:], level[:-frames] * _TAIL**frames, out=tail[frames:])
    return tail


def _band(low_hz: float, high_hz: float) -> npt.NDArray[Any]:
    """Return a band with soft edges, a third of an octave wide."""
    octaves = np.log2(np.maximum(_HZ, 1.0))
    rise = np.clip((octaves - np.log2(max(low_hz, 0.5))) * 3 + 0.5, 0, 1)
    fall = np.clip((np.log2(high_hz) - octaves) * 3 + 0.5, 0, 1)
    return np.asarray(rise * fall)
