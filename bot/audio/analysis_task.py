"""The tasks of analysing a song, and the role of each master in it."""

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from bot.audio.tasks import Part
from bot.domain.analysis import Analysis
from bot.domain.recipes import Stem
from bot.processes.limits import MIB, Budget

_CPU_S = 300
_BYTES_WRITTEN = MIB


class Role(StrEnum):
    """A master's content, as the analysis distinguishes it."""

    VOCALS = "vocals"
    DRUMS = "drums"
    BASS = "bass"
    REST = "rest"
    """Anything without drums or vocals, such as a guitar."""
    EVERYTHING = "everything"
    """Anything that may contain drums: the song, or most of it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Listened:
    """A master and its role."""

    master: Path
    role: Role


@dataclass(frozen=True, slots=True, kw_only=True)
class AnalyseTask:
    """Measure key, tempo, tuning and beats of the song that is the sum of these masters.

    The answer is an `Analysis` of bot/domain/analysis.py.
    """

    parts: tuple[Listened, ...]

    @property
    def inputs(self) -> tuple[Path, ...]:
        return tuple(part.master for part in self.parts)

    @property
    def outputs(self) -> tuple[Path, ...]:
        return ()

    @property
    def budget(self) -> Budget:
        return Budget(cpu_s=_CPU_S, file_bytes=_BYTES_WRITTEN, thread_pools=len(self.parts))


@dataclass(frozen=True, slots=True, kw_only=True)
class ListenedMix:
    """The spools from which a master is mixed, and the master's role."""

    parts: tuple[Part, ...]
    role: Role


@dataclass(frozen=True, slots=True, kw_only=True)
class AnalyseMixesTask:
    """Measure the same as `AnalyseTask` over `frames` frames of masters that need not exist yet."""

    mixes: tuple[ListenedMix, ...]
    frames: int

    @property
    def inputs(self) -> tuple[Path, ...]:
        return tuple({part.spool for mix in self.mixes for part in mix.parts})

    @property
    def outputs(self) -> tuple[Path, ...]:
        return ()

    @property
    def budget(self) -> Budget:
        return Budget(cpu_s=_CPU_S, file_bytes=_BYTES_WRITTEN, thread_pools=1)


_ROLES = {
    Stem.VOCALS: Role.VOCALS,
    Stem.LEAD_VOCALS: Role.VOCALS,
    Stem.BACKING_VOCALS: Role.VOCALS,
    Stem.DRUMS: Role.DRUMS,
    Stem.BASS: Role.BASS,
    Stem.GUITAR: Role.REST,
    Stem.PIANO: Role.REST,
    Stem.STRINGS: Role.REST,
    Stem.WIND: Role.REST,
    Stem.SYNTH: Role.REST,
    Stem.OTHER: Role.REST,
}


def role_of(stem: Stem) -> Role:
    """Return the role of a stem; `EVERYTHING` for the song without one part, or an unnamed part."""
    return _ROLES.get(stem, Role.EVERYTHING)


DEVIATION_EVERY_BEATS = 8
_PLAUSIBLE_BPM = (20.0, 500.0)
_MOST_CENTS = 50
_MOST_BEATS_PER_BAR = 16
_MOST_DEVIATION_MS = 10_000


def is_plausible(analysis: Analysis, *, seconds: float) -> bool:
    """Return whether the values that a child reports are possible for a song of this length.

    Clicks and the silence before a count-in are later computed from these values.
    """
    slowest, fastest = _PLAUSIBLE_BPM
    tempo, grid = analysis.tempo, analysis.grid
    if tempo and not all(
        slowest < bpm < fastest for bpm in (tempo.bpm, tempo.octave_bpm or tempo.bpm)
    ):
        return False
    if abs(analysis.tuning_cents or 0) > _MOST_CENTS:
        return False
    return grid is None or (
        60 / fastest < grid.period_s < 60 / slowest
        and 1 < grid.beats_per_bar <= _MOST_BEATS_PER_BAR
        and 0 <= grid.downbeat < grid.beats
        and abs(grid.first_beat_s) <= seconds
        and grid.first_beat_s + (grid.beats - 1) * grid.period_s <= seconds + grid.period_s
        and len(grid.deviations_ms) <= grid.beats // DEVIATION_EVERY_BEATS + 1
        and all(abs(each) <= _MOST_DEVIATION_MS for each in grid.deviations_ms)
    )
