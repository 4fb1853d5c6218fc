"""The step from a provider's results to `ready`: fetches, decodes and mixes them into masters."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from pathlib import Path

from bot.audio.analysis_task import role_of
from bot.audio.spool import SILENCE
from bot.audio.tasks import Combined, Mix, Part
from bot.audio.tools import AudioTools
from bot.domain.analysis import Analysis
from bot.domain.attempt import Attempt
from bot.domain.errors import ProviderProtocol, SplitError
from bot.domain.job import Job, State
from bot.domain.minutes import Post
from bot.domain.recipes import UNNAMED, Stem
from bot.jobs.job_runtime import Core, MadeMasters, RetryAfter, StepResult
from bot.providers.interface import Model, Provider, RemembersModels
from bot.results.fetching import ResultFetcher, expected_results
from bot.results.stem_identifier import StemIdentifier
from bot.results.stem_placer import Placement, StemPlacer
from bot.scheduling.plans import Derivation, Subtract, Sum, derivations
from bot.scheduling.progress import Progress, Stage

log = logging.getLogger(__name__)

Spools = Mapping[Stem, Path]

SPOOL_ANALYSIS_WITHIN_S = 3.0
"""How long finished masters wait for the analysis, which takes about as long as writing them."""
_VOICES = (Stem.VOCALS, Stem.LEAD_VOCALS)


class CollectStep:
    """Turns a provider's results into the masters of a recipe's outputs."""

    def __init__(
        self,
        *,
        core: Core,
        audio: AudioTools,
        fetcher: ResultFetcher,
        identifier: StemIdentifier,
        placer: StemPlacer,
        restore_song: Callable[[Job], Awaitable[None]],
    ) -> None:
        """`restore_song` brings back a decoded song that is not on this disk."""
        self._core = core
        self._files = core.files
        self._audio = audio
        self._fetcher = fetcher
        self._identifier = identifier
        self._placer = placer
        self._restore_song = restore_song

    async def make(self, job: Job, attempt: Attempt, provider: Provider) -> MadeMasters:
        """Make the masters.

        Safe to repeat. Raises ResultsNotFetched if the results did not arrive, and another
        ProviderError if they are not what the provider declared.
        """
        model = await _model_of(provider, attempt)
        files = expected_results(attempt.files, model)
        title = provider.capabilities.title
        await self._core.disk_guard.require_floor()
        self._core.board.put(job.id, Progress(stage=Stage.FETCHING, provider=title))
        where = await self._files.prepare(job.id)
        await self._restore_song(job)
        fetched = await self._fetcher.fetch(job, files, provider, where)
        self._core.queue.release(job.id)
        self._core.board.put(job.id, Progress(stage=Stage.MIXING, provider=title))
        spools = await self._identifier.name(fetched, model, where)
        made = _derivations(job, model, spools)
        is_exact = provider.capabilities.gives_spools
        placement = await self._place(made, spools, where.mixture, is_exact=is_exact)
        mixed = {
            stem: Mix(path=where.master(stem), parts=parts)
            for stem, parts in _parts(made, spools, where.mixture, placement).items()
        }
        written, analysis = await self._written(job, mixed)
        _require_quieter_rests(made, written, placement)
        return MadeMasters(
            is_voiceless=_is_voiceless(made, written, placement),
            is_unnamed=made.keys() == set(UNNAMED),
            analysis=analysis,
        )

    async def finish(self, job: Job, made: MadeMasters) -> StepResult:
        """Store the masters, then set the job to `ready` and charge its minutes.

        Safe to repeat until the job is saved.
        """
        await self._files.settle(job.id)
        if made.analysis is not None:
            await self._core.jobs.note_analysis(job.id, made.analysis)
        await self._core.jobs.save(
            job.ready(
                self._core.clock.now(),
                is_voiceless=made.is_voiceless,
                is_unnamed=made.is_unnamed,
            ),
            expected=State.PROCESSING,
            ledger=Post(job.id),
        )
        await self._files.drop_work(job.id)
        log.info("%s is ready", job.id, extra={"job": job.id, "action": "ready"})
        return RetryAfter()

    async def _written(
        self, job: Job, mixed: Mapping[Stem, Mix]
    ) -> tuple[Combined, Analysis | None]:
        """Write the masters, and analyse the song in the meantime, as writing leaves cores idle.

        The spools are not read after this call.
        """
        listening = asyncio.create_task(self._heard(job, mixed), name=f"analysis of {job.id}")
        try:
            written = await self._audio.combine(list(mixed.values()), frames=job.frames)
            done, _ = await asyncio.wait([listening], timeout=SPOOL_ANALYSIS_WITHIN_S)
            return written, listening.result() if done else None
        finally:
            listening.cancel()
            await asyncio.gather(listening, return_exceptions=True)

    async def _heard(self, job: Job, mixed: Mapping[Stem, Mix]) -> Analysis | None:
        """Analyse the song, or return None if the analysis would have to wait, or fails."""
        if self._audio.is_analysing:
            return None
        parts = [(mix.parts, role_of(stem)) for stem, mix in mixed.items()]
        try:
            return await self._audio.analyse_mixes(parts, frames=job.frames or 0)
        except (SplitError, OSError) as exc:
            # The stems are useful without it, and it can still be made from the masters.
            log.warning("%s: its key and tempo could not be measured yet: %s", job.id, exc)
            return None

    async def _place(
        self, made: Mapping[Stem, Derivation], spools: Spools, song: Path, *, is_exact: bool
    ) -> Placement:
        if not is_exact:
            return await self._placer.place(spools, song)
        return await self._placer.fits_of(_subtracted(made), spools, song)


def _derivations(job: Job, model: Model, spools: Spools) -> Mapping[Stem, Derivation]:
    if spools.keys() == set(UNNAMED):
        return {stem: Sum(frozenset({stem})) for stem in sorted(spools)}
    made = derivations(job.request.recipe, model, frozenset(spools))
    if made is None or not model.stems <= spools.keys():
        raise ProviderProtocol(f"{model.name} returned {sorted(spools)}")
    return made


def _parts(
    made: Mapping[Stem, Derivation], spools: Spools, song: Path, placement: Placement
) -> dict[Stem, tuple[Part, ...]]:
    """Return what each output is mixed from.

    A stem that is subtracted from the song is delivered at the same level, so that both outputs add
    up to the song.
    """
    subtracted = _subtracted(made)
    mixed: dict[Stem, tuple[Part, ...]] = {}
    for output, derivation in made.items():
        match derivation:
            case Sum(stems):
                mixed[output] = tuple(
                    placement.fitted(each, spools[each])
                    if each in subtracted
                    else placement.part(each, spools[each])
                    for each in sorted(stems)
                )
            case Subtract(stem):
                away = placement.fitted(stem, spools[stem])
                mixed[output] = (Part(spool=song), replace(away, gain=-away.gain))
    return mixed


def _subtracted(made: Mapping[Stem, Derivation]) -> frozenset[Stem]:
    return frozenset(each.stem for each in made.values() if isinstance(each, Subtract))


def _require_quieter_rests(
    made: Mapping[Stem, Derivation], written: Combined, placement: Placement
) -> None:
    for (stem, derivation), level in zip(made.items(), written.levels, strict=True):
        if not isinstance(derivation, Subtract) or placement.is_silent(derivation.stem):
            continue
        residual_rms = level.rms / written.factor
        if residual_rms >= placement.fits[derivation.stem].song_rms:
            raise ProviderProtocol(f"{stem} is not quieter than the song")


def _is_voiceless(made: Mapping[Stem, Derivation], written: Combined, placement: Placement) -> bool:
    """Whether the provider found no voice, so that the rest equals the song."""
    levels = dict(zip(made, written.levels, strict=True))
    return any(
        placement.is_silent(stem)
        or (stem in levels and levels[stem].rms / written.factor < SILENCE)
        for stem in _VOICES
    )


async def _model_of(provider: Provider, attempt: Attempt) -> Model:
    if isinstance(provider, RemembersModels) and attempt.ref is not None:
        remembered = await provider.model_of(attempt.ref)
        if remembered is not None:
            return remembered
    name = attempt.model
    for model in provider.capabilities.models:
        if model.name == name:
            return model
    raise ProviderProtocol(f"{provider.capabilities.name} no longer declares {name}")
