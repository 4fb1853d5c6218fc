"""The tasks of an audio child and their answers. Both sides import this, so it needs no libraries.

A child writes each output to `part_of(path)`, and moves it to `path` once it is complete.
"""

from dataclasses import dataclass
from pathlib import Path

from bot.audio.spool import FRAME_BYTES, SAMPLE_RATE
from bot.domain.errors import Reason, SplitError
from bot.domain.recipes import AudioFormat
from bot.processes.limits import MIB, Budget

_LARGEST_OUTPUT_BYTES = 4096 * MIB
_OWN_FILES_CPU_S = 900
MOST_COVER_BYTES = 128 * 1024
"""The largest stored cover; a larger cover is left out."""


def part_of(path: Path) -> Path:
    """Return the path to which an output is written until it is complete."""
    return path.with_name(path.name + ".part")


def own_files_budget(*, thread_pools: int) -> Budget:
    """Return a generous budget for our own files, which are not hostile."""
    return Budget(
        cpu_s=_OWN_FILES_CPU_S, file_bytes=_LARGEST_OUTPUT_BYTES, thread_pools=thread_pools
    )


def _size_of(path: Path) -> int:
    # the child will report the missing file
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
    """Decode an untrusted file into a spool of at most `max_frames` frames."""

    source: Path
    into: Path
    max_frames: int
    cover: Path | None = None
    """The path for the picture from the file's tags, if it can be read."""

    @property
    def inputs(self) -> tuple[Path, ...]:
        return (self.source,)

    @property
    def outputs(self) -> tuple[Path, ...]:
        return (self.into,) if self.cover is None else (self.into, self.cover)

    @property
    def budget(self) -> Budget:
        """A budget proportional to the file's size, so that a small file cannot use a core for
        long.
        """
        for_its_size_s = 30 + 3 * _size_of(self.source) // MIB
        for_its_length_s = 60 + self.max_frames // SAMPLE_RATE // 5
        return Budget(
            cpu_s=min(for_its_size_s, for_its_length_s),
            file_bytes=self.max_frames * FRAME_BYTES + MIB,
            thread_pools=3,  # the decoder, a resampler, and the next one after a change of rate
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Decoded:
    """Facts about a decoded file, whose length is counted in samples, not read from a header.

    `ends_early` means that the sound breaks off before the length that the file states.
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

    `lag_frames` is the spool's delay, which mixing undoes.
    """

    spool: Path
    gain: float = 1.0
    lag_frames: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Mix:
    """A FLAC master to write: a weighted sum of spools."""

    path: Path
    parts: tuple[Part, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class CombineTask(OwnFilesTask):
    """Write every mix of a job, in `frames` frames or, if that is None, as long as the longest
    spool.
    """

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
    """The level of a master as written, where full scale is 1.0."""

    peak: float
    rms: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Combined:
    """The length and levels of the masters.

    Every mix was scaled by `factor`, which is 1.0 if none would clip.
    """

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
    """The level of each sum, in order."""

    levels: tuple[Level, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class PassageTask(OwnFilesTask):
    """Find a passage of `frames` frames in which all of these spools are as loud as possible."""

    spools: tuple[Path, ...]
    frames: int

    @property
    def inputs(self) -> tuple[Path, ...]:
        return self.spools


@dataclass(frozen=True, slots=True, kw_only=True)
class Passage:
    """The first frame of a passage."""

    start: int


@dataclass(frozen=True, slots=True, kw_only=True)
class FitTask(OwnFilesTask):
    """Measure a stem's lag behind its song, up to `max_lag_frames`, and its gain in the song."""

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

    `likeness` is their correlation there, from -1 to 1; it is negative for an inverted stem.
    `sharpness` says how distinct the peak is: 5 for unrelated sounds, 50 or more for a stem of the
    song, but only 15 for a bass. `song_rms` and `stem_rms` are the levels of the whole spools.
    """

    lag_frames: int
    gain: float
    likeness: float
    sharpness: float
    song_rms: float
    stem_rms: float


@dataclass(frozen=True, slots=True, kw_only=True)
class EncodeTask(OwnFilesTask):
    """Encode a FLAC master for delivery, in at most `max_bytes` bytes unless that is None."""

    stem: Path
    into: Path
    format: AudioFormat
    max_bytes: int | None
    title: str | None
    artist: str | None
    album: str | None
    cover: Path | None = None
    """The song's picture, for formats and limits with room for it."""
    key: str | None = None
    bpm: str | None = None

    thread_pools = 3

    @property
    def inputs(self) -> tuple[Path, ...]:
        return (self.stem,) if self.cover is None else (self.stem, self.cover)

    @property
    def outputs(self) -> tuple[Path, ...]:
        return (self.into,)


@dataclass(frozen=True, slots=True, kw_only=True)
class Encoded:
    """An encoded file. `bit_rate` is the rate requested from a lossy encoder, in bit/s; None
    otherwise.
    """

    path: Path
    size_bytes: int
    format: AudioFormat
    bit_rate: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One stem in a picture: its display name and its master."""

    label: str
    stem: Path


@dataclass(frozen=True, slots=True, kw_only=True)
class PictureTask(OwnFilesTask):
    """Draw the waveforms of a job's stems as PNG, one row per stem."""

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
    """The size of a finished picture, in bytes."""

    size_bytes: int


class DoesNotFit(SplitError):
    """The stem exceeds the allowed bytes even at the lowest rate."""

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
