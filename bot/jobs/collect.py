"""From a provider's results to `ready`: fetch, decode, derive the outputs, write the masters."""

import logging
from collections.abc import Mapping
from pathlib import Path

from bot.audio.tasks import Fitted, Mix, Part
from bot.audio.tools import AudioTools
from bot.concurrency import gather_or_raise
from bot.domain.attempt import Attempt
from bot.domain.errors import ProviderProtocol
from bot.domain.job import Job, State
from bot.domain.minutes import Post
from bot.domain.recipes import Stem
from bot.jobs.job_runtime import Core, RetryAfter, StepResult
from bot.providers.interface import Model, Provider
from bot.results.fetching import ResultFetcher, expected_results
from bot.results.stem_identifier import StemIdentifier
from bot.scheduling.plans import Derivation, Subtract, Sum, derivations
from bot.scheduling.progress import Progress, Stage

log = logging.getLogger(__name__)

LEAST_LIKENESS = 0.1
"""Below this no file of an answer can be placed in the song, and none is moved."""


class CollectStep:
    """Turns what a provider returned into the masters of a recipe's outputs."""

    def __init__(
        self,
        *,
        core: Core,
        audio: AudioTools,
        fetcher: ResultFetcher,
        identifier: StemIdentifier,
    ) -> None:
        self._core = core
        self._files = core.files
        self._audio = audio
        self._fetcher = fetcher
        self._identifier = identifier

    async def collect(self, job: Job, attempt: Attempt, provider: Provider) -> StepResult:
        """Make the job ready and take its minutes. Safe to repeat until it is saved.

        Raises ResultsNotFetched when the results did not arrive, and another ProviderError when
        they are not what was declared.
        """
        model = _model_of(provider, attempt.model)
        files = expected_results(attempt.files, model)
        title = provider.capabilities.title
        await self._core.disk_guard.require_floor()
        self._core.board.put(job.id, Progress(stage=Stage.FETCHING, provider=title))
        where = await self._files.prepare(job.id)
        fetched = await self._fetcher.fetch(job, files, provider, where)
        self._core.queue.release(job.id)
        self._core.board.put(job.id, Progress(stage=Stage.MIXING, provider=title))
        spools = await self._identifier.name(fetched, model, where)
        made = derivations(job.request.recipe, model, frozenset(spools))
        if made is None or not model.stems <= spools.keys():
            raise ProviderProtocol(f"{attempt.provider} returned {sorted(spools)}")
        is_exact = provider.capabilities.gives_spools
        lag_frames = 0 if is_exact else await self._lag(spools, where.mixture)
        masters = {stem: where.master(stem) for stem in made}
        await self._write(job, made, masters, spools, where.mixture, lag_frames)
        await self._files.settle(job.id)
        await self._core.jobs.save(
            job.ready(self._core.clock.now()), expected=State.PROCESSING, ledger=Post(job.id)
        )
        await self._files.drop_work(job.id)
        log.info("%s is ready", job.id, extra={"job": job.id, "action": "ready"})
        return RetryAfter()

    async def _write(
        self,
        job: Job,
        made: Mapping[Stem, Derivation],
        masters: Mapping[Stem, Path],
        spools: Mapping[Stem, Path],
        song: Path,
        lag_frames: int,
    ) -> None:
        subtracted = {each.stem for each in made.values() if isinstance(each, Subtract)}
        fits = {stem: await self._audio.fit(song, spools[stem]) for stem in subtracted}
        mixes = []
        for stem, derivation in made.items():
            match derivation:
                case Sum(stems):
                    parts = [_part(spools[each], fits.get(each), lag_frames) for each in stems]
                case Subtract(taken):
                    fit = fits[taken]
                    away = Part(spool=spools[taken], gain=-fit.gain, lag_frames=fit.lag_frames)
                    parts = [Part(spool=song), away]
            mixes.append(Mix(path=masters[stem], parts=tuple(parts)))
        written = await self._audio.combine(mixes, frames=job.frames)
        for (stem, derivation), level in zip(made.items(), written.levels, strict=True):
            if isinstance(derivation, Subtract):
                residual_rms = level.rms / written.factor
                if residual_rms >= fits[derivation.stem].song_rms:
                    raise ProviderProtocol(f"{stem} is not quieter than the song")

    async def _lag(self, spools: Mapping[Stem, Path], song: Path) -> int:
        """Return by how much an answer's files lag: what the loudest one says, for all.

        The files of one answer went through the same encoder, and a quiet one cannot be placed.
        """
        fits = await gather_or_raise(self._audio.fit(song, spool) for spool in spools.values())
        surest = max(fits, key=lambda fit: abs(fit.likeness) * fit.stem_rms)
        return surest.lag_frames if abs(surest.likeness) >= LEAST_LIKENESS else 0


def _part(spool: Path, fit: Fitted | None, lag_frames: int) -> Part:
    """Take a stem as it is; one that is subtracted as well as loud as there, so that both add up
    to the song.
    """
    if fit is None:
        return Part(spool=spool, lag_frames=lag_frames)
    return Part(spool=spool, gain=fit.gain, lag_frames=fit.lag_frames)


def _model_of(provider: Provider, name: str) -> Model:
    for model in provider.capabilities.models:
        if model.name == name:
            return model
    raise ProviderProtocol(f"{provider.capabilities.name} does not declare {name} any more")
