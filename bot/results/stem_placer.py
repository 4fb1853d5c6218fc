"""Where the stems of an answer lie in their song, and whether they are of this song at all."""

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
"""Below this no file of a result can be aligned with the song, and none is shifted."""
FAINT = 0.05
"""A stem this quiet beside its song (-26 dB) may hold nothing but noise, and is not judged."""
LEAST_SHARE = 0.25
"""A stem is about as like its song as it is loud in it; a stranger is like none."""
SHARP, LEAST_SHARP_LIKENESS = 24.0, 0.03
"""A stem that was made louder is less like its song than it is loud, but has one sharp place."""
BETTER = 0.95
"""To move or turn stems must leave less of the song than this share of what is left as they are."""

Spools = Mapping[Stem, Path]


@dataclass(frozen=True, slots=True, kw_only=True)
class Placement:
    """How an answer's stems are read: all at one lag, some turned back."""

    lag_frames: int = 0
    inverted: frozenset[Stem] = frozenset()
    fits: Mapping[Stem, Fitted] = field(default_factory=dict)

    def part(self, stem: Stem, spool: Path) -> Part:
        """Return a stem as it adds up with the others."""
        gain = -1.0 if stem in self.inverted else 1.0
        return Part(spool=spool, gain=gain, lag_frames=self.lag_frames)

    def fitted(self, stem: Stem, spool: Path) -> Part:
        """Return a stem as loud as it is in the song; one that is not heard, not at all."""
        fit = self.fits[stem]
        gain = 0.0 if is_unheard(fit) else fit.gain
        return Part(spool=spool, gain=gain, lag_frames=fit.lag_frames)

    def is_silent(self, stem: Stem) -> bool:
        """Whether a fitted stem holds nothing of the song that is heard."""
        return stem in self.fits and is_unheard(self.fits[stem])


class StemPlacer:
    """Places the stems of an answer."""

    def __init__(self, *, audio: AudioTools) -> None:
        self._audio = audio

    async def place(self, spools: Spools, song: Path) -> Placement:
        """Fit every stem to the song.

        Raises ProviderProtocol for a stem that is not of this song, as when a vendor mixes up two
        songs or writes a wrong sample rate into a header.
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
        """Fit some stems of an answer that is exact and needs no moving."""
        return Placement(
            fits={stem: await self._audio.fit(song, spools[stem]) for stem in stems},
        )

    async def _verified(self, proposed: Placement, spools: Spools, song: Path) -> Placement:
        """Move and turn stems only where their sum comes closer to the song that way."""
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
        log.info("a lag of %d frames would not help", proposed.lag_frames)
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
    """Return the lag of all files of a result, measured on the loudest.

    All files of a result went through the same encoder, and a quiet one cannot be aligned.
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
