"""What an audio child can be asked, and what it answers; shared by both sides, without libraries.

A child writes each output to `part_of(path)`, and moves it to `path` when it is complete.
"""

from dataclasses import dataclass
from pathlib import Path

from bot.audio.spool import FRAME_BYTES, SAMPLE_RATE
from bot.domain.errors import Reason, SplitError
from bot.domain.recipes import AudioFormat
from bot.processes.limits import MIB, Budget

_LARGEST_OUTPUT_BYTES = 4096 * MIB
_OWN_FILES_CPU_S = 900


def part_of(path: Path) -> Path:
    """Return where an output is written until it is complete."""
    return path.with_name(path.name + ".part")


def own_files_budget(*, thread_pools: int) -> Budget:
    """Return a generous budget: our own files are not hostile."""
    return Budget(
        cpu_s=_OWN_FILES_CPU_S, file_bytes=_LARGEST_OUTPUT_BYTES, thread_pools=thread_pools
    )


def _size_of(path: Path) -> int:
    # The child will report a missing file.
    return path.stat().st_size if path.exists() else 0


class OwnFilesTask:
    """A task that reads our own files; unless it says otherwise, it writes none."""

    __slots__ = ()

    thread_pools = 1

    @property
    def outputs(self) -> tuple[Path, ...]:
        return ()

    @property
    def budget(self) -> Budget:
        return own_files_budget(thread_pools=self.thread_pools)


@dataclass(frozen=True, slots=True, kw_only=True)
class DecodeTask:
    """Decode a stranger's file into a spool of at most `max_frames` frames."""

    source: Path
    into: Path
    max_frames: int

    @property
    def inputs(self) -> tuple[Path, ...]:
        return (self.source,)

    @property
    def outputs(self) -> tuple[Path, ...]:
        return (self.into,)

    @property
    def budget(self) -> Budget:
        """Return a budget that follows the file's size: a small one cannot burn a core for long."""
        for_its_size_s = 30 + 3 * _size_of(self.source) // MIB
        for_its_length_s = 60 + self.max_frames // SAMPLE_RATE // 5
        return Budget(
            cpu_s=min(for_its_size_s, for_its_length_s),
            file_bytes=self.max_frames * FRAME_BYTES + MIB,
            thread_pools=3,  # the decoder, the resampler, and its successor at a change of rate
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Decoded:
    """What a file turned out to hold; the length is counted in samples, not read from a header.

    `ends_early` means that the file breaks off mid-sound, although its structure or header promises
    more.
    """

    frames: int
    container: str
    codec: str
    title: str | None
    artist: str | None
    album: str | None
    ends_early: bool

    @property
    def duration_s(self) -> float:
        return self.frames / SAMPLE_RATE


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One spool's share of a mix; a gain of -1 subtracts it.

    `lag_frames` is the spool's delay, which the mix undoes.
    """

    spool: Path
    gain: float = 1.0
    lag_frames: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Mix:
    """One FLAC master to write: a weighted sum of spools."""

    path: Path
    parts: tuple[Part, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class CombineTask(OwnFilesTask):
    """Write every mix of one job; `frames` is the length, or None for the longest spool's."""

    mixes: tuple[Mix, ...]
    frames: int | None

    @property
    def inputs(self) -> tuple[Path, ...]:
        return tuple({part.spool for mix in self.mixes for part in mix.parts})

    @property
    def outputs(self) -> tuple[Path, ...]:
        return tuple(mix.path for mix in self.mixes)

    @property
    def budget(self) -> Budget:
        return own_files_budget(thread_pools=2 * len(self.mixes))


@dataclass(frozen=True, slots=True, kw_only=True)
class Level:
    """How loud a master is as written; full scale is 1.0."""

    peak: float
    rms: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Combined:
    """What was written: every mix was scaled by `factor`, which is 1.0 if none would clip."""

    factor: float
    frames: int
    levels: tuple[Level, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class MeasureTask(OwnFilesTask):
    """Measure sums of spools over `frames` without writing them."""

    sums: tuple[tuple[Part, ...], ...]
    frames: int

    @property
    def inputs(self) -> tuple[Path, ...]:
        return tuple({part.spool for parts in self.sums for part in parts})


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """How loud each sum is, in their order."""

    levels: tuple[Level, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class PassageTask(OwnFilesTask):
    """Find a passage of `frames` in which all of these spools are as loud as possible."""

    spools: tuple[Path, ...]
    frames: int

    @property
    def inputs(self) -> tuple[Path, ...]:
        return self.spools


@dataclass(frozen=True, slots=True, kw_only=True)
class Passage:
    """Where a passage begins, in frames from the start."""

    start: int


@dataclass(frozen=True, slots=True, kw_only=True)
class FitTask(OwnFilesTask):
    """Find a stem's lag behind its song, up to `max_lag_frames`, and its gain in it."""

    song: Path
    stem: Path
    max_lag_frames: int

    thread_pools = 3

    @property
    def inputs(self) -> tuple[Path, ...]:
        return (self.song, self.stem)


@dataclass(frozen=True, slots=True, kw_only=True)
class Fitted:
    """A stem's fit to its song: the song contains `gain` times the stem, `lag_frames` earlier.

    `likeness` is their correlation there, from -1 to 1; a negative one is that of an inverted stem.
    `sharpness` says how far one place stands out from all others: unrelated sounds reach 5, what is
    in the song 50 and more, but a bass only 15. Levels are of the whole spools.
    """

    lag_frames: int
    gain: float
    likeness: float
    sharpness: float
    song_rms: float
    stem_rms: float


@dataclass(frozen=True, slots=True, kw_only=True)
class EncodeTask(OwnFilesTask):
    """Encode a FLAC master for delivery, in at most `max_bytes` if given."""

    stem: Path
    into: Path
    format: AudioFormat
    max_bytes: int | None
    title: str | None
    artist: str | None
    album: str | None

    thread_pools = 3

    @property
    def inputs(self) -> tuple[Path, ...]:
        return (self.stem,)

    @property
    def outputs(self) -> tuple[Path, ...]:
        return (self.into,)


@dataclass(frozen=True, slots=True, kw_only=True)
class Encoded:
    """A file to deliver; `bit_rate` in bit/s is what was asked of a lossy encoder."""

    path: Path
    size_bytes: int
    format: AudioFormat
    bit_rate: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One stem in a picture: its name for people, and its master."""

    label: str
    stem: Path


@dataclass(frozen=True, slots=True, kw_only=True)
class PictureTask(OwnFilesTask):
    """Draw the waveforms of a job's stems, one row a stem, as PNG."""

    rows: tuple[Row, ...]
    into: Path

    thread_pools = 2

    @property
    def inputs(self) -> tuple[Path, ...]:
        return tuple(row.stem for row in self.rows)

    @property
    def outputs(self) -> tuple[Path, ...]:
        return (self.into,)


@dataclass(frozen=True, slots=True, kw_only=True)
class Drawn:
    """A picture's size in bytes."""

    size_bytes: int


Task = DecodeTask | CombineTask | MeasureTask | PassageTask | FitTask | EncodeTask | PictureTask
Answer = Decoded | Combined | Measured | Passage | Fitted | Encoded | Drawn


class DoesNotFit(SplitError):
    """A stem does not fit the allowed bytes, even at the lowest rate."""

    def __init__(self, *, needed_bytes: int, max_bytes: int) -> None:
        super().__init__(f"needs {needed_bytes} bytes of {max_bytes}")
        self.needed_bytes = needed_bytes
        self.max_bytes = max_bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class FileRejected:
    """The answer of a child that refuses the user's file."""

    reason: Reason


@dataclass(frozen=True, slots=True, kw_only=True)
class TooLarge:
    """The answer of a child whose output does not fit."""

    needed_bytes: int
    max_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class DiskFull:
    """The answer of a child that could not write its output."""

    detail: str


Refusal = FileRejected | TooLarge | DiskFull
