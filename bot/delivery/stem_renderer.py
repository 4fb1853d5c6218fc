"""Renders a job's masters in the requested key, speed and mix."""

from collections.abc import Mapping
from pathlib import Path

from bot.audio.click_track import ClickTrack, click_track
from bot.audio.rendition_tasks import MasterPart, RenderedOutput
from bot.audio.tools import AudioTools
from bot.delivery.port import Masters
from bot.domain.attempt import AttemptState
from bot.domain.errors import Reason, Rejected
from bot.domain.job import Job
from bot.domain.recipes import Stem
from bot.domain.renditions import RenditionOutput
from bot.providers.interface import Provider
from storage.stores.job_store import JobStore

_PERCUSSION = frozenset({Stem.DRUMS})


class StemRenderer:
    """Makes renditions of masters."""

    def __init__(
        self, *, audio: AudioTools, jobs: JobStore, providers: Mapping[str, Provider]
    ) -> None:
        self._audio = audio
        self._jobs = jobs
        self._providers = providers

    async def render(self, job: Job, masters: Masters, into: Path) -> Masters:
        """Return the files to encode: rendered files in `into`, or the unchanged masters.

        Raises Rejected with NO_SUCH_MIX for levels or clicks that these stems do not allow or that
        leave silence, and the errors of AudioTools.
        """
        rendition = job.request.rendition
        if rendition.is_plain:
            return masters
        if {stem for stem, _ in rendition.levels} - {stem for stem, _ in masters}:
            raise Rejected(Reason.NO_SUCH_MIX)
        parts = [
            (
                stem,
                MasterPart(
                    master=path,
                    level_percent=rendition.level_of(stem),
                    is_drums=stem in _PERCUSSION,
                ),
            )
            for stem, path in masters
        ]
        if not any(part.level_percent for _, part in parts):
            raise Rejected(Reason.NO_SUCH_MIX)
        if rendition.output is RenditionOutput.MIX:
            outputs = [(Stem.MIX, tuple(part for _, part in parts if part.level_percent))]
        else:
            outputs = [(stem, (part,)) for stem, part in parts]
        rendered = [(stem, into / f"{stem}.rendered.flac") for stem, _ in outputs]
        await self._audio.render(
            [
                RenderedOutput(path=path, parts=of)
                for (_, path), (_, of) in zip(rendered, outputs, strict=True)
            ],
            cents=rendition.cents,
            speed_percent=rendition.speed_percent,
            drums_apart=await self._are_drums_clean(job),
            click=_clicks(job),
        )
        return rendered

    async def _are_drums_clean(self, job: Job) -> bool:
        """Return whether the drums contain no pitched sound, unlike the drums of a basic model."""
        for attempt in reversed(await self._jobs.attempts(job.repeat_of or job.id)):
            provider = self._providers.get(attempt.provider)
            if attempt.state is AttemptState.DONE and provider is not None:
                models = provider.capabilities.models
                return not any(each.is_basic for each in models if each.name == attempt.model)
        return True


def _clicks(job: Job) -> ClickTrack | None:
    rendition = job.request.rendition
    if rendition.click is None:
        return None
    if job.analysis is None or job.analysis.grid is None or not job.analysis.grid.is_steady:
        raise Rejected(Reason.NO_SUCH_MIX)
    return click_track(job.analysis.grid, rendition.click, speed_percent=rendition.speed_percent)
