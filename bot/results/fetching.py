"""Fetches and decodes a provider's results, and checks that they are as long as the song."""

import asyncio
import logging
from collections.abc import Mapping
from pathlib import Path

from bot.audio.spool import SAMPLE_RATE, is_silent
from bot.audio.tools import AudioTools
from bot.concurrency import gather_or_raise
from bot.domain.attempt import RemoteFile
from bot.domain.errors import (
    ProviderDown,
    ProviderError,
    ProviderProtocol,
    Rejected,
    ResultsNotFetched,
    ResultsUnreachable,
    ResultTooBig,
)
from bot.domain.job import Job
from bot.providers.interface import Model, Provider
from storage.files.job_files import JobDir

log = logging.getLogger(__name__)

Fetched = Mapping[RemoteFile, Path]

TRIES = 2
"""The maximum number of fetches per file: a broken file is fetched once more."""
SLACK_S = 1.0
"""The number of seconds by which a result may be shorter than the song."""


def expected_results(files: tuple[RemoteFile, ...], model: Model) -> tuple[RemoteFile, ...]:
    """Return the results that the model declares, and those without a name.

    Raises ProviderProtocol if there are more than it declares, since each would be fetched.
    """
    expected = tuple(file for file in files if file.stem is None or file.stem in model.results)
    if len(expected) > len(model.results):
        raise ProviderProtocol(f"{len(files)} results, {len(model.results)} declared")
    return expected


class ResultFetcher:
    """Fetches results in any format and decodes them."""

    def __init__(self, *, audio: AudioTools) -> None:
        self._audio = audio

    async def fetch(
        self, job: Job, files: tuple[RemoteFile, ...], provider: Provider, where: JobDir
    ) -> Fetched:
        """Return every result as a spool in the job's work folder.

        Raises ResultsNotFetched, and ResultTooBig, after which another fetch is useless.
        """
        spools = await gather_or_raise(
            self._fetch_one(job, file, provider, where.work / f"result-{number}.f32", where.mixture)
            for number, file in enumerate(files)
        )
        return dict(zip(files, spools, strict=True))

    async def _fetch_one(
        self, job: Job, file: RemoteFile, provider: Provider, spool: Path, song: Path
    ) -> Path:
        is_spool = provider.capabilities.gives_spools
        into = spool if is_spool else spool.with_suffix(".download")
        for number in range(1, TRIES + 1):
            try:
                await provider.fetch(file, into)
            except ProviderDown as exc:
                raise ResultsUnreachable(str(exc)) from exc
            except ResultTooBig:
                raise
            except ProviderError as exc:
                raise ResultsNotFetched(str(exc)) from exc
            if is_spool or await self._decode(job, spool, song):
                return spool
            log.warning("%s: a result is broken, try %d of %d", job.id, number, TRIES)
        raise ResultsNotFetched("a result is broken each time")

    async def _decode(self, job: Job, spool: Path, song: Path) -> bool:
        """Decode a download; return whether it can be decoded and is long enough.

        A shorter one passes if the rest of the song is silent. The masters are padded later.
        """
        download = spool.with_suffix(".download")
        song_s = (job.frames or 0) / SAMPLE_RATE
        try:
            decoded = await self._audio.decode(download, spool, max_duration_s=2 * song_s + 60)
        except Rejected as exc:
            log.warning("%s: a result does not decode: %s", job.id, exc)
            return False
        await asyncio.to_thread(download.unlink)
        if decoded.duration_s >= song_s - SLACK_S:
            return True
        return await asyncio.to_thread(is_silent, song, decoded.frames)
