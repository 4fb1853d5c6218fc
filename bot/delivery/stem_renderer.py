"""Renders a job's masters in the requested key, speed and mix."""

from pathlib import Path

from bot.audio.click_track import ClickTrack, click_track
from bot.audio.rendition_tasks import MasterPart, RenderedOutput
from bot.audio.tools import AudioTools
from bot.delivery.port import Masters
from bot.domain.errors import Reason, Rejected
from bot.domain.job import Job
from bot.domain.recipes import Stem
from bot.domain.renditions import RenditionOutput
from bot.scheduling.model_lookup import ModelLookup

_PERCUSSION = frozenset({Stem.DRUMS})


class StemRenderer:
    """Makes renditions of masters."""

    def __init__(self, *, audio: AudioTools, models: ModelLookup) -> None:
        self._audio = audio
        self._models = models

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
        model = await self._models.model_of(job)
        return model is None or not model.is_basic


def _clicks(job: Job) -> ClickTrack | None:
    rendition = job.request.rendition
    if rendition.click is None:
        return None
    if job.analysis is None or job.analysis.grid is None or not job.analysis.grid.is_steady:
        raise Rejected(Reason.NO_SUCH_MIX)
    return click_track(job.analysis.grid, rendition.click, speed_percent=rendition.speed_percent)
