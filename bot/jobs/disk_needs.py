"""Estimates how many bytes of disk space a job needs, from its request and length."""

from collections.abc import Iterable

from bot.audio.click_track import click_track
from bot.audio.spool import FRAME_BYTES
from bot.domain.job import Job, State
from bot.domain.recipes import OUTPUTS, AudioFormat, Recipe
from bot.domain.renditions import UNCHANGED_PERCENT, RenditionOutput
from bot.providers.interface import Capabilities
from bot.scheduling.plans import plan

PCM_FRAME_BYTES = 4
"""A frame of 16-bit stereo. FLAC masters and files encoded from them are no larger."""
LOSSY_FRAME_BYTES = 1
"""A frame at the highest bit rate, 256 kbit/s, is 0.73 bytes."""
SLACK_BYTES = 2 * 1024**2
"""For headers, tags with a cover each, and the picture."""
LOSSLESS = frozenset({AudioFormat.FLAC, AudioFormat.WAV})


class DiskNeeds:
    """Upper bounds on what jobs write, given the configured providers."""

    def __init__(self, providers: Iterable[Capabilities]) -> None:
        """Keep `providers`, which are iterated over for each estimate."""
        self._providers = providers

    def to_wait(self, job: Job) -> int:
        """Return the need of a job before decoding: the size of the user's file."""
        return job.request.source.size_bytes

    def to_separate(self, job: Job, frames: int) -> int:
        """Return the need of a job with `frames` frames, from decoding to its masters."""
        return self.to_wait(job) + SLACK_BYTES + frames * self._bytes_a_frame(job.request.recipe)

    def frames_within(self, job: Job, size_bytes: int) -> int:
        """Return the most frames for which `to_separate` is at most `size_bytes`."""
        left = size_bytes - self.to_wait(job) - SLACK_BYTES
        return max(0, left // self._bytes_a_frame(job.request.recipe))

    def to_deliver(self, job: Job) -> int:
        """Return the need of a job whose masters exist; a repeat's masters belong to the earlier
        job.
        """
        plain = (job.frames or 0) * PCM_FRAME_BYTES * len(OUTPUTS[job.request.recipe])
        # Stems that cannot be rendered are encoded unchanged.
        encoded = max(plain, _rendered_frames(job) * PCM_FRAME_BYTES * _output_count(job))
        masters = 0 if job.repeat_of else plain
        return SLACK_BYTES + masters + encoded + _to_render(job)

    def to_show(self, job: Job) -> int:
        """Return the need of a job that is shown again in its format: one more encoded copy.

        A lossless file must be written before its size is known; if it is too large, a lossy file
        follows. A lossy file may be encoded again for a link.
        """
        is_lossless = job.request.audio_format in LOSSLESS
        frame_bytes = LOSSY_FRAME_BYTES + (PCM_FRAME_BYTES if is_lossless else LOSSY_FRAME_BYTES)
        encoded = SLACK_BYTES + _rendered_frames(job) * frame_bytes * _output_count(job)
        return encoded + _to_render(job)

    def to_zip(self, job: Job) -> int:
        """Return the need of a job whose stems are put into one file.

        They are encoded to fit into a message, may be encoded again for a link, and are copied into
        the file.
        """
        is_lossless = job.request.audio_format in LOSSLESS
        frame_bytes = PCM_FRAME_BYTES if is_lossless else LOSSY_FRAME_BYTES
        copies = 3 * _rendered_frames(job) * frame_bytes * _output_count(job)
        return SLACK_BYTES + copies + _to_render(job)

    def of(self, job: Job) -> int:
        """Return the need of a job in its stored state."""
        if job.state is State.READY:
            return self.to_deliver(job)
        return self.to_wait(job) if job.frames is None else self.to_separate(job, job.frames)

    def _bytes_a_frame(self, recipe: Recipe) -> int:
        """Return the bytes needed per frame.

        These are the spools of the song and the results, plus the masters or the result files,
        whichever are larger.
        """
        made = [plan(recipe, each) for each in self._providers]
        models = [each.model for each in made if each is not None]
        results = max((len(each.results) for each in models), default=0)
        spools = max((len(each.results) + each.extra_spools for each in models), default=0)
        outputs = len(OUTPUTS[recipe])
        return FRAME_BYTES * (1 + spools) + PCM_FRAME_BYTES * max(results, outputs)


def _to_render(job: Job) -> int:
    """Return what a rendition needs besides its encoded files: a spool and a FLAC per output."""
    if job.request.rendition.is_plain:
        return 0
    return _rendered_frames(job) * (FRAME_BYTES + PCM_FRAME_BYTES) * _output_count(job)


def _rendered_frames(job: Job) -> int:
    rendition, grid = job.request.rendition, job.analysis.grid if job.analysis else None
    frames = -(-(job.frames or 0) * UNCHANGED_PERCENT // rendition.speed_percent)
    if rendition.click is None or grid is None or not grid.is_steady:
        return frames
    clicks = click_track(grid, rendition.click, speed_percent=rendition.speed_percent)
    return clicks.padding_frames + frames


def _output_count(job: Job) -> int:
    is_mix = job.request.rendition.output is RenditionOutput.MIX
    return 1 if is_mix else len(OUTPUTS[job.request.recipe])
