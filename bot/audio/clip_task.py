"""The task that cuts a short clip of a song for a soundboard, and its answer."""

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from bot.audio.rendition_tasks import frames_of
from bot.audio.spool import FRAME_BYTES, SAMPLE_RATE
from bot.processes.limits import MIB, Budget

CLIP_FRAMES: Final = 5 * SAMPLE_RATE
"""Discord accepts 5.2 s, and encoders may add a little."""
MOST_CLIP_BYTES: Final = 512 * 1024
"""Discord's limit."""
_LOWEST_PRIORITY = 4
_CPU_BASE_S = 60
_CPU_PER_S = 0.1


@dataclass(frozen=True, slots=True, kw_only=True)
class ClipTask:
    """Write the best `CLIP_FRAMES` of a master as MP3, or all of a shorter master.

    `others` are the rest of the song, which has half the master's weight in the choice. The clip
    begins at one of `beats`, in frames, if any leaves room for the clip's length.
    """

    stem: Path
    others: tuple[Path, ...]
    into: Path
    beats: tuple[int, ...] = ()

    @property
    def inputs(self) -> tuple[Path, ...]:
        return (self.stem, *self.others)

    @property
    def outputs(self) -> tuple[Path, ...]:
        return (self.into,)

    @property
    def frames(self) -> int:
        """The length of the clip."""
        return min(CLIP_FRAMES, frames_of(self.stem))

    @property
    def budget(self) -> Budget:
        duration_s = frames_of(self.stem) / SAMPLE_RATE
        return Budget(
            cpu_s=_CPU_BASE_S + round(_CPU_PER_S * duration_s * len(self.inputs)),
            file_bytes=CLIP_FRAMES * FRAME_BYTES + MIB,
            thread_pools=len(self.inputs) + 2,
            niceness=_LOWEST_PRIORITY,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Clipped:
    """The written clip: its start in the song and its length, in frames, and its size."""

    start: int
    frames: int
    size_bytes: int
