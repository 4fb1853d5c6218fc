"""The task that renders masters in another key, at another speed or as a mix, and its answer."""

from dataclasses import dataclass
from pathlib import Path

from bot.audio.click_track import ClickTrack
from bot.audio.spool import FRAME_BYTES, SAMPLE_RATE
from bot.audio.tasks import Level
from bot.domain.renditions import CENTS_A_SEMITONE, UNCHANGED_PERCENT
from bot.processes.limits import MIB, Budget

SEMITONES_AN_OCTAVE = 12
_LENGTH_BYTES, _LENGTH_MASK = slice(18, 26), (1 << 36) - 1
"""The length in a FLAC file's first block: the lowest 36 bits of these bytes (RFC 9639)."""
_LOWEST_PRIORITY = 4
_CPU_BASE_S = 60
_CPU_PER_S = 0.5


def frames_of(master: Path) -> int:
    """Return the length in a master's FLAC header, or 0 if there is none.

    The child reports a missing or damaged master. The bot's process has no library for audio.
    """
    try:
        with master.open("rb") as file:
            header = file.read(_LENGTH_BYTES.stop)
    except FileNotFoundError:
        return 0
    return int.from_bytes(header[_LENGTH_BYTES]) & _LENGTH_MASK


@dataclass(frozen=True, slots=True, kw_only=True)
class MasterPart:
    """A master and its level in an output."""

    master: Path
    level_percent: int = UNCHANGED_PERCENT
    is_drums: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class RenderedOutput:
    """A FLAC file to write, from one master or a mix of several."""

    path: Path
    parts: tuple[MasterPart, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class RenderTask:
    """Render outputs from masters of at most `frames` frames.

    With `drums_apart`, drums keep their pitch, and their attacks stay sharp at another speed.
    Without it, drums are treated like other stems. Clicks are mixed into every output.
    """

    files: tuple[RenderedOutput, ...]
    frames: int
    cents: int = 0
    speed_percent: int = UNCHANGED_PERCENT
    drums_apart: bool = True
    click: ClickTrack | None = None

    @property
    def inputs(self) -> tuple[Path, ...]:
        return tuple({part.master for file in self.files for part in file.parts})

    @property
    def outputs(self) -> tuple[Path, ...]:
        """Return the files to write, and their spools, which exist only as part files."""
        return tuple(path for file in self.files for path in (file.path, self.spool_of(file.path)))

    @property
    def budget(self) -> Budget:
        duration_s = max(self.frames, self.rendered_frames) / SAMPLE_RATE
        return Budget(
            cpu_s=_CPU_BASE_S + round(_CPU_PER_S * duration_s * len(self.files)),
            file_bytes=self.rendered_frames * FRAME_BYTES + MIB,  # a spool, larger than its FLAC
            thread_pools=len(self.inputs) + 2,
            niceness=_LOWEST_PRIORITY,
        )

    @property
    def speed(self) -> float:
        """The speed of the outputs as a factor."""
        return self.speed_percent / UNCHANGED_PERCENT

    @property
    def changes_sound(self) -> bool:
        """Whether the task needs a time stretch."""
        return bool(self.cents) or self.speed_percent != UNCHANGED_PERCENT

    @property
    def sample_rate(self) -> int:
        """The sample rate in whole Hz at which the stretched song has the new pitch."""
        return round(SAMPLE_RATE * 2 ** (self.cents / (CENTS_A_SEMITONE * SEMITONES_AN_OCTAVE)))

    @property
    def rendered_frames(self) -> int:
        """The length of every output, including the silence before a count-in."""
        return self.padding_frames + round(self.frames * UNCHANGED_PERCENT / self.speed_percent)

    @property
    def padding_frames(self) -> int:
        """The length of the silence before a count-in."""
        return self.click.padding_frames if self.click else 0

    @staticmethod
    def spool_of(path: Path) -> Path:
        """Return the spool that holds an output until the common factor is known."""
        return path.with_suffix(".f32")


@dataclass(frozen=True, slots=True, kw_only=True)
class Rendered:
    """The factor that scaled every output; it is 1.0 if all outputs had headroom."""

    factor: float
    frames: int
    levels: tuple[Level, ...]
