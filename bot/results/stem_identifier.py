"""Identifies unlabelled stems by comparing them with vocals from the embedded engine.

FineVoice's `urls[]` are not labelled. If their file names say nothing either, both results of a
vocal remover are compared with the vocals that the embedded engine finds in an excerpt. If that
does not tell them apart, both are delivered, as part 1 and part 2, since they are paid for.
"""

import asyncio
import logging
from pathlib import Path
from typing import Protocol

from bot.audio.spool import FRAME_BYTES, SILENCE
from bot.audio.tasks import Fitted
from bot.audio.tools import AudioTools
from bot.domain.errors import EngineFailed, ModelUnavailable, ProviderProtocol
from bot.domain.minutes import SAMPLE_RATE
from bot.domain.recipes import UNNAMED, Stem
from bot.providers.interface import Model
from bot.results.fetching import Fetched
from storage.files.job_files import JobDir

log = logging.getLogger(__name__)

EXCERPT_FRAMES = 20 * SAMPLE_RATE
LEAST_LIKENESS = 0.4
LEAST_MARGIN = 0.15
"""The least difference between the two similarities; below it, choosing would be a guess."""
SAME_SOUND = 0.95
"""Above this similarity, two results are the same file, not two parts of a song."""
LEAST_VOICE = 0.3
"""The least level of the engine's vocals, relative to a part that is all voice."""

PAIR = frozenset({Stem.VOCALS, Stem.INSTRUMENTAL})


class Listener(Protocol):
    """Separates a song's vocals, as the embedded engine can."""

    async def vocals(self, mixture: Path, into: Path) -> Path:
        """Separate a spool's vocals. Raises ModelUnavailable or EngineFailed."""
        ...


class StemIdentifier:
    """Assigns stems to fetched results."""

    def __init__(self, *, audio: AudioTools, listener: Listener | None) -> None:
        """Without a listener, two unnamed results become part 1 and part 2."""
        self._audio = audio
        self._listener = listener

    async def name(self, fetched: Fetched, model: Model, where: JobDir) -> dict[Stem, Path]:
        """Return the spools by stem, or as PART_1 and PART_2 if they cannot be told apart.

        Raises ProviderProtocol if they are not the two parts of a song.
        """
        named = {file.stem: spool for file, spool in fetched.items() if file.stem is not None}
        nameless = [spool for file, spool in fetched.items() if file.stem is None]
        if len(named) + len(nameless) < len(fetched):
            raise ProviderProtocol("two results have the same name")
        if not nameless:
            return named
        if model.stems != PAIR or len(fetched) != len(PAIR):
            raise ProviderProtocol(f"{len(nameless)} results without a name")
        if len(nameless) == 1:
            [missing] = PAIR - named.keys()
            return {**named, missing: nameless[0]}
        return await self._listen(nameless, where)

    async def _listen(self, pair: list[Path], where: JobDir) -> dict[Stem, Path]:
        alike = await self._audio.fit(*pair)
        if abs(alike.likeness) > SAME_SOUND:
            raise ProviderProtocol("two results that sound alike")
        parts = dict(zip(UNNAMED, pair, strict=True))
        if self._listener is None:
            log.warning("two unnamed results, and no engine to compare them with")
            return parts
        start = await self._audio.passage(pair, frames=EXCERPT_FRAMES)
        excerpts = where.work / "excerpts"
        song, *candidates = await asyncio.to_thread(
            _excerpts, [where.mixture, *pair], excerpts, start
        )
        try:
            vocals = await self._listener.vocals(song, excerpts)
        except (ModelUnavailable, EngineFailed) as exc:
            log.warning("two unnamed results, and the engine cannot be used: %s", exc)
            return parts
        fits = [await self._audio.fit(each, vocals) for each in candidates]
        log.info("likeness to the vocals: %.2f and %.2f", *(fit.likeness for fit in fits))
        voice = _voice_of(fits)
        return (
            parts
            if voice is None
            else {
                Stem.VOCALS: pair[voice],
                Stem.INSTRUMENTAL: pair[1 - voice],
            }
        )


def _voice_of(fits: list[Fitted]) -> int | None:
    """Return the index of the part that matches the vocals; None if that is not certain."""
    silent = [number for number, fit in enumerate(fits) if fit.song_rms < SILENCE]
    if len(silent) == 1:
        [other] = {0, 1}.difference(silent)
        is_sung = (
            fits[other].likeness >= LEAST_LIKENESS
            and fits[other].stem_rms >= LEAST_VOICE * fits[other].song_rms
        )
        return other if is_sung else silent[0]
    likenesses = [fit.likeness for fit in fits]
    best = likenesses.index(max(likenesses))
    if likenesses[best] < LEAST_LIKENESS:
        return None
    return best if likenesses[best] - min(likenesses) >= LEAST_MARGIN else None


def _excerpts(spools: list[Path], into: Path, start: int) -> list[Path]:
    """Cut the same passage out of each spool."""
    into.mkdir(exist_ok=True)
    cut = []
    for spool in spools:
        excerpt = into / spool.name
        with spool.open("rb") as source, excerpt.open("wb") as out:
            source.seek(start * FRAME_BYTES)
            out.write(source.read(EXCERPT_FRAMES * FRAME_BYTES))
        cut.append(excerpt)
    return cut
