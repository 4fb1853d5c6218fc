"""Separates songs with simple filters based on panning, pitch and onsets.

Every stem is a share of the song's spectrum. The shares of the six stems add up to 1. A model's
rest is the song minus its other stems, so a complete set of stems adds up to the song exactly.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

import numpy as np
import numpy.typing as npt
from scipy.ndimage import uniform_filter1d

Samples: TypeAlias = npt.NDArray[np.float32]
"""(2 channels, samples)."""
Spectrum: TypeAlias = npt.NDArray[np.complex64]

RATE: Final = 44_100
REST: Final = "rest"

_HOP: Final = 2048
_FRAME: Final = 2 * _HOP
_CONTEXT: Final = 8
"""Frames on each side used to detect an onset."""
_PAD: Final = (_CONTEXT + 1) * _HOP
STEP: Final = 256 * _HOP
"""Samples separated at a time."""

_WINDOW: Final = np.sin(np.pi * (np.arange(_FRAME) + 0.5) / _FRAME).astype(np.float32)
_HZ: Final = np.fft.rfftfreq(_FRAME, 1 / RATE)[None, :].astype(np.float32)
_TAIL: Final = 0.7
"""The fraction of a reverberated sound that remains from one frame to the next."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Model:
    """The outputs of a vendor's model: stem names, each mapped to a share or the rest.

    `kept_back` names shares that are excluded from the rest although the model does not return
    them.
    """

    stems: Mapping[str, str]
    kept_back: tuple[str, ...] = ()

    def separate(self, song: Samples, shares: Mapping[str, Samples]) -> dict[str, Samples]:
        """Return the stems of a piece of song, by the model's names."""
        named = {name: shares[share] for name, share in self.stems.items() if share != REST}
        taken: Samples = sum(
            [*named.values(), *(shares[share] for share in self.kept_back)], np.zeros_like(song)
        )
        return {name: named.get(name, song - taken) for name in self.stems}

    @property
    def shares(self) -> frozenset[str]:
        """The shares that the model needs."""
        return frozenset({*self.stems.values(), *self.kept_back}) - {REST}


def separated(blocks: Iterable[Samples], model: Model) -> Iterator[dict[str, Samples]]:
    """Yield a model's stems piece by piece, in total as long as the song."""
    for window, length in _windows(blocks):
        song = window[:, _PAD:-_PAD]
        stems = model.separate(song, _shares(window, model.shares))
        yield {name: stem[:, :length] for name, stem in stems.items()}


def _windows(blocks: Iterable[Samples]) -> Iterator[tuple[Samples, int]]:
    """Yield pieces of the song with `_PAD` extra samples on each side, and their own lengths."""
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
    """Return each share's fraction of every frequency at every time."""
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
    """Return a band-pass response whose soft edges are a third of an octave wide."""
    octaves = np.log2(np.maximum(_HZ, 1.0))
    rise = np.clip((octaves - np.log2(max(low_hz, 0.5))) * 3 + 0.5, 0, 1)
    fall = np.clip((np.log2(high_hz) - octaves) * 3 + 0.5, 0, 1)
    return np.asarray(rise * fall)
