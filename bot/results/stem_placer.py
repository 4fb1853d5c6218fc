"""Aligns stems with their song, and detects stems of another song."""

import logging
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from bot.audio.spool import SILENCE, frames_in
from bot.audio.tasks import Fitted, Part
from bot.audio.tools import AudioTools
from bot.concurrency import gather_or_raise
from bot.domain.errors import ProviderProtocol
from bot.domain.recipes import Stem

log = logging.getLogger(__name__)

LEAST_LIKENESS = 0.1
"""Below this similarity a stem cannot be aligned with the song, and no stem is shifted."""
FAINT = 0.05
"""Below this level relative to the song (-26 dB) a stem may be just noise, so it is not judged."""
LEAST_SHARE = 0.25
"""The least similarity of a stem to its song, relative to the stem's level; below it, the stem
belongs to another song."""
SHARP, LEAST_SHARP_LIKENESS = 24.0, 0.03
"""The least sharpness of a distinct peak, and the least similarity that is accepted for a stem with
one, such as a stem that was amplified."""
BETTER = 0.95
"""Stems are shifted or inverted only if the residual's level falls below this share of the present
one."""

Spools = Mapping[Stem, Path]


@dataclass(frozen=True, slots=True, kw_only=True)
class Placement:
    """The lag at which an answer's stems are mixed, and which of them are inverted."""

    lag_frames: int = 0
    inverted: frozenset[Stem] = frozenset()
    fits: Mapping[Stem, Fitted] = field(default_factory=dict)

    def part(self, stem: Stem, spool: Path) -> Part:
        """Return a stem's part in a sum with the others."""
        gain = -1.0 if stem in self.inverted else 1.0
        return Part(spool=spool, gain=gain, lag_frames=self.lag_frames)

    def fitted(self, stem: Stem, spool: Path) -> Part:
        """Return a stem at its level in the song; the gain is 0 if it is inaudible there."""
        fit = self.fits[stem]
        gain = 0.0 if is_unheard(fit) else fit.gain
        return Part(spool=spool, gain=gain, lag_frames=fit.lag_frames)

    def is_silent(self, stem: Stem) -> bool:
        """Whether a fitted stem contains nothing audible of the song."""
        return stem in self.fits and is_unheard(self.fits[stem])


class StemPlacer:
    """Aligns the stems of a provider's answer with their song."""

    def __init__(self, *, audio: AudioTools) -> None:
        self._audio = audio

    async def place(self, spools: Spools, song: Path) -> Placement:
        """Fit every stem to the song.

        Raises ProviderProtocol for a stem that is not of this song, for instance if a vendor mixes
        up two songs or writes a wrong sample rate into a header.
        """
        stems = tuple(spools)
        found = await gather_or_raise(self._audio.fit(song, spools[stem]) for stem in stems)
        fits = dict(zip(stems, found, strict=True))
        strangers = sorted(stem for stem, fit in fits.items() if _is_stranger(fit))
        if strangers:
            raise ProviderProtocol(f"not of this song: {', '.join(strangers)}")
        whole = Placement(lag_frames=_lag(found), inverted=_inverted(fits), fits=fits)
        if len(stems) == 1:
            return whole
        return await self._verified(whole, spools, song)

    async def fits_of(self, stems: Iterable[Stem], spools: Spools, song: Path) -> Placement:
        """Fit some stems of an answer that needs no shifting or inverting."""
        return Placement(
            fits={stem: await self._audio.fit(song, spools[stem]) for stem in stems},
        )

    async def _verified(self, proposed: Placement, spools: Spools, song: Path) -> Placement:
        """Shift and invert stems only if that brings their sum closer to the song."""
        lags = dict.fromkeys((0, proposed.lag_frames))
        turned = dict.fromkeys((frozenset[Stem](), proposed.inverted))
        candidates = [
            Placement(lag_frames=lag, inverted=inverted, fits=proposed.fits)
            for lag in lags
            for inverted in turned
        ]
        as_it_is, *others = candidates
        if not others:
            return as_it_is
        frames = frames_in(song)
        rests = [_rest(each, spools, song) for each in candidates]
        unmoved, *moved = await self._audio.measure(rests, frames=frames)
        best = min(range(len(others)), key=lambda number: moved[number].rms)
        if moved[best].rms < BETTER * unmoved.rms:
            return others[best]
        log.info(
            "stems are left as they are: a lag of %d frames would not help", proposed.lag_frames
        )
        return as_it_is


def is_unheard(fit: Fitted) -> bool:
    """Whether a stem is silent, or faint noise that is not in the song."""
    return fit.stem_rms < SILENCE or (_is_faint(fit) and not _is_like(fit))


def _is_stranger(fit: Fitted) -> bool:
    return not (fit.stem_rms < SILENCE or _is_faint(fit) or _is_like(fit))


def _is_faint(fit: Fitted) -> bool:
    return fit.stem_rms < FAINT * fit.song_rms


def _is_like(fit: Fitted) -> bool:
    likeness = abs(fit.likeness)
    if fit.sharpness >= SHARP and likeness >= LEAST_SHARP_LIKENESS:
        return True
    return likeness >= LEAST_SHARE * min(1.0, fit.stem_rms / max(fit.song_rms, 1e-12))


def _lag(fits: Iterable[Fitted]) -> int:
    """Return the lag of all stems, measured on the one that is easiest to align.

    All stems of an answer went through the same encoder, and a quiet one cannot be aligned.
    """
    surest = max(fits, key=lambda fit: abs(fit.likeness) * fit.stem_rms)
    return surest.lag_frames if abs(surest.likeness) >= LEAST_LIKENESS else 0


def _inverted(fits: Mapping[Stem, Fitted]) -> frozenset[Stem]:
    return frozenset(stem for stem, fit in fits.items() if fit.likeness <= -LEAST_LIKENESS)


def _rest(placement: Placement, spools: Spools, song: Path) -> tuple[Part, ...]:
    parts = (placement.part(stem, spool) for stem, spool in spools.items())
    return (
        Part(spool=song),
        *(Part(spool=part.spool, gain=-part.gain, lag_frames=part.lag_frames) for part in parts),
    )
