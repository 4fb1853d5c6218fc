"""Telling stems apart that came without a name, by listening.

FineVoice's `urls[]` carries no labels. Where a file's name says nothing either, two answers of a
vocal remover are compared with the vocals that the embedded engine hears in an excerpt.
"""

import asyncio
import logging
from pathlib import Path
from typing import Protocol

from bot.audio.spool import FRAME_BYTES, frames_in
from bot.audio.tools import AudioTools
from bot.domain.errors import EngineFailed, ModelUnavailable, ProviderProtocol
from bot.domain.minutes import SAMPLE_RATE
from bot.domain.recipes import Stem
from bot.providers.interface import Model
from bot.results.fetching import Fetched
from storage.files.job_files import JobDir

log = logging.getLogger(__name__)

EXCERPT_FRAMES = 20 * SAMPLE_RATE
LEAST_LIKENESS = 0.4
LEAST_MARGIN = 0.15
"""Between the two: less than this is a guess, and a wrong guess gives a singer the wrong file."""

PAIR = frozenset({Stem.VOCALS, Stem.INSTRUMENTAL})


class Listener(Protocol):
    """Whoever can hear the vocals in a song; the embedded engine."""

    async def vocals(self, mixture: Path, into: Path) -> Path:
        """Separate a spool's vocals. Raises ModelUnavailable or EngineFailed."""
        ...


class StemIdentifier:
    """Names fetched results."""

    def __init__(self, *, audio: AudioTools, listener: Listener | None) -> None:
        """Without a listener only named results can be used."""
        self._audio = audio
        self._listener = listener

    async def name(self, fetched: Fetched, model: Model, where: JobDir) -> dict[Stem, Path]:
        """Return the spools by stem. Raises ProviderProtocol when they cannot be told apart."""
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
        if self._listener is None:
            raise ProviderProtocol("two results without a name, and nobody to listen")
        excerpts = where.work / "excerpts"
        song, *candidates = await asyncio.to_thread(_excerpts, [where.mixture, *pair], excerpts)
        try:
            vocals = await self._listener.vocals(song, excerpts)
        except (ModelUnavailable, EngineFailed) as exc:
            raise ProviderProtocol(f"two results without a name: {exc}") from exc
        likenesses = [(await self._audio.fit(each, vocals)).likeness for each in candidates]
        best, other = (likenesses.index(extreme(likenesses)) for extreme in (max, min))
        log.info("likeness to the vocals: %.2f and %.2f", *likenesses)
        if likenesses[best] < LEAST_LIKENESS or likenesses[best] - likenesses[other] < LEAST_MARGIN:
            raise ProviderProtocol("two results that sound alike")
        return {Stem.VOCALS: pair[best], Stem.INSTRUMENTAL: pair[other]}


def _excerpts(spools: list[Path], into: Path) -> list[Path]:
    """Cut the same passage, from the middle of the first spool, out of each."""
    into.mkdir(exist_ok=True)
    start = max(0, (frames_in(spools[0]) - EXCERPT_FRAMES) // 2)
    cut = []
    for spool in spools:
        excerpt = into / spool.name
        with spool.open("rb") as source, excerpt.open("wb") as out:
            source.seek(start * FRAME_BYTES)
            out.write(source.read(EXCERPT_FRAMES * FRAME_BYTES))
        cut.append(excerpt)
    return cut
