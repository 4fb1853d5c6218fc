"""From a provider's results to `ready`: fetch, decode, derive the outputs, write the masters."""

import logging
from pathlib import Path

from bot.audio.tasks import Mix, Part
from bot.audio.tools import AudioTools
from bot.domain.attempt import Attempt, RemoteFile
from bot.domain.clock import Clock
from bot.domain.errors import ProviderProtocol, Rejected
from bot.domain.job import Job, State
from bot.domain.quota import Post
from bot.domain.stems import Stem
from bot.providers.base import Model, Provider
from bot.services.line import Line
from bot.services.outcomes import Again, Next
from bot.services.plans import Derivation, Subtract, Sum, derivations
from bot.services.progress import Progress, ProgressBoard, Stage
from bot.services.together import together
from storage.files import JobDir, JobFiles
from storage.jobs import JobStore

log = logging.getLogger(__name__)


class Results:
    """Turns what a provider returned into the masters of a recipe's outputs."""

    def __init__(
        self,
        *,
        jobs: JobStore,
        files: JobFiles,
        audio: AudioTools,
        line: Line,
        board: ProgressBoard,
        clock: Clock,
        max_duration_s: float,
    ) -> None:
        self._jobs = jobs
        self._files = files
        self._audio = audio
        self._line = line
        self._board = board
        self._clock = clock
        self._max_duration_s = max_duration_s

    async def collect(self, job: Job, attempt: Attempt, provider: Provider) -> Next:
        """Make the job ready and take its minutes. Safe to repeat until it is saved.

        Raises ProviderError when the results cannot be had or are not what was declared.
        """
        title = provider.capabilities.title
        self._board.put(job.id, Progress(stage=Stage.FETCHING, provider=title))
        where = await self._files.prepare(job.id)
        spools = await self._fetch(attempt.files, provider, where)
        self._line.leave(job.id)
        self._board.put(job.id, Progress(stage=Stage.MIXING, provider=title))
        model = _model_of(provider, attempt.model)
        made = derivations(job.request.recipe, model, frozenset(spools))
        if made is None:
            raise ProviderProtocol(f"{attempt.provider} returned {sorted(spools)}")
        mixes = [
            Mix(path=where.master(stem), parts=_parts(derivation, spools, where.mixture))
            for stem, derivation in made.items()
        ]
        await self._audio.combine(mixes, frames=job.frames)
        await self._jobs.save(
            job.ready(self._clock.now()), expected=State.PROCESSING, ledger=Post(job.id)
        )
        await self._files.drop_work(job.id)
        log.info("%s is ready", job.id, extra={"job": job.id, "action": "ready"})
        return Again()

    async def _fetch(
        self, files: tuple[RemoteFile, ...], provider: Provider, where: JobDir
    ) -> dict[Stem, Path]:
        fetched = await together(
            self._fetch_one(file, number, provider, where.work) for number, file in enumerate(files)
        )
        return dict(fetched)

    async def _fetch_one(
        self, file: RemoteFile, number: int, provider: Provider, work: Path
    ) -> tuple[Stem, Path]:
        if file.stem is None:
            raise ProviderProtocol(f"{provider.capabilities.name} did not name a stem")
        spool = work / f"{file.stem}.f32"
        if provider.capabilities.gives_spools:
            await provider.fetch(file, spool)
            return file.stem, spool
        fetched = work / f"result-{number}"
        await provider.fetch(file, fetched)
        try:
            await self._audio.decode(fetched, spool, max_duration_s=self._max_duration_s + 60)
        except Rejected as exc:
            raise ProviderProtocol(f"a result does not decode: {exc}") from exc
        return file.stem, spool


def _model_of(provider: Provider, name: str) -> Model:
    for model in provider.capabilities.models:
        if model.name == name:
            return model
    raise ProviderProtocol(f"{provider.capabilities.name} does not declare {name} any more")


def _parts(derivation: Derivation, spools: dict[Stem, Path], song: Path) -> tuple[Part, ...]:
    match derivation:
        case Sum(stems):
            return tuple(Part(spool=spools[stem], gain=1.0) for stem in sorted(stems))
        case Subtract(stem):
            return (Part(spool=song, gain=1.0), Part(spool=spools[stem], gain=-1.0))
