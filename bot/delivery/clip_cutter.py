"""Cuts clips for soundboards from a job's masters."""

from pathlib import Path

from bot.audio.click_track import beat_frames
from bot.audio.tools import AudioTools
from bot.delivery.port import ClipDelivery
from bot.domain.job import Job
from bot.domain.recipes import Stem
from storage.files.job_files import JobFiles

_FILENAME = "clip.mp3"
_VOICES = (Stem.VOCALS, Stem.LEAD_VOCALS)


class ClipCutter:
    """Chooses a clip's stem and the beats at which it may begin."""

    def __init__(self, *, audio: AudioTools, files: JobFiles) -> None:
        self._audio = audio
        self._files = files

    async def cut(self, job: Job, into: Path) -> ClipDelivery:
        """Write the best seconds of the job's vocals, or of its first stem, unchanged in key and
        speed.

        Equal masters give equal bytes. Raises the errors of `AudioTools.clip`.
        """
        files, stem = self._files.of(job.id), clipped_stem(job)
        made = await self._audio.clip(
            files.master(stem),
            [files.master(each) for each in job.stems if each is not stem],
            into / _FILENAME,
            beats=_beats(job),
        )
        return ClipDelivery(file=into / _FILENAME, stem=stem, start=made.start, frames=made.frames)


def clipped_stem(job: Job) -> Stem:
    """Return the stem from which a job's clip is cut."""
    voices = [stem for stem in _VOICES if stem in job.stems]
    others = [stem for stem in job.stems if stem not in _VOICES]
    return [*others, *voices][0] if job.is_voiceless else [*voices, *others][0]


def _beats(job: Job) -> tuple[int, ...]:
    """Return the positions of the song's beats in frames; empty if they are too unsteady."""
    grid = job.analysis.grid if job.analysis else None
    return beat_frames(grid) if grid and grid.is_steady else ()
