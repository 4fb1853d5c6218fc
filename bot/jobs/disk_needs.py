"""How many bytes of the disk a job may need, from its request and its length."""

from collections.abc import Iterable

from bot.audio.spool import FRAME_BYTES
from bot.domain.job import Job, State
from bot.domain.recipes import OUTPUTS, AudioFormat, Recipe
from bot.providers.interface import Capabilities
from bot.scheduling.plans import plan

PCM_FRAME_BYTES = 4
"""A frame of 16-bit stereo: FLAC masters and what is encoded from them are no larger."""
LOSSY_FRAME_BYTES = 1
"""A frame at the highest bit rate, 256 kbit/s, is 0.73 bytes."""
SLACK_BYTES = 2 * 1024**2
"""For headers, tags with a cover each, and the picture."""
LOSSLESS = frozenset({AudioFormat.FLAC, AudioFormat.WAV})


class DiskNeeds:
    """Upper bounds on what jobs write, given the configured providers."""

    def __init__(self, providers: Iterable[Capabilities]) -> None:
        self._providers = tuple(providers)

    def to_wait(self, job: Job) -> int:
        """Return the need of a job that is not decoded: its file as the user sent it."""
        return job.request.source.size_bytes

    def to_separate(self, job: Job, frames: int) -> int:
        """Return the need of a job of this length from its decoding to its masters."""
        return self.to_wait(job) + SLACK_BYTES + frames * self._bytes_a_frame(job.request.recipe)

    def frames_within(self, job: Job, size_bytes: int) -> int:
        """Return the length of the longest song for which `to_separate` is at most this."""
        left = size_bytes - self.to_wait(job) - SLACK_BYTES
        return max(0, left // self._bytes_a_frame(job.request.recipe))

    def to_deliver(self, job: Job) -> int:
        """Return the need of a job with masters; a repeat's are those of the job before."""
        copies = 1 if job.repeat_of else 2
        outputs = len(OUTPUTS[job.request.recipe])
        return SLACK_BYTES + (job.frames or 0) * PCM_FRAME_BYTES * outputs * copies

    def to_show(self, job: Job) -> int:
        """Return the need of a job that is shown again in its format: one more encoded copy.

        That a lossless file is too large shows only once it is written, and then a lossy one
        follows; a lossy one may be encoded again for a link.
        """
        is_lossless = job.request.audio_format in LOSSLESS
        frame_bytes = LOSSY_FRAME_BYTES + (PCM_FRAME_BYTES if is_lossless else LOSSY_FRAME_BYTES)
        return SLACK_BYTES + (job.frames or 0) * frame_bytes * len(OUTPUTS[job.request.recipe])

    def of(self, job: Job) -> int:
        """Return the need of a job as it is stored."""
        if job.state is State.READY:
            return self.to_deliver(job)
        return self.to_wait(job) if job.frames is None else self.to_separate(job, job.frames)

    def _bytes_a_frame(self, recipe: Recipe) -> int:
        """Return the bytes of the song, of the results and of the masters, or of the files that
        the results are decoded from.
        """
        made = [plan(recipe, each) for each in self._providers]
        results = max((len(each.model.results) for each in made if each is not None), default=0)
        outputs = len(OUTPUTS[recipe])
        return FRAME_BYTES * (1 + results) + PCM_FRAME_BYTES * max(results, outputs)
