"""The analysis of a song: its key, tempo, tuning and beats, with their certainty."""

import json
from dataclasses import asdict, dataclass, replace
from enum import StrEnum
from typing import Any, Self

PITCH_CLASSES = 12
AUDIBLY_OFF_CENTS = 35
"""A tuning further than this from A = 440 Hz makes the name of the key ambiguous."""

_MAJOR = ("C", "Db", "D", "Eb", "E", "F", "F#", "G", "Ab", "A", "Bb", "B")
_MINOR = ("C", "C#", "D", "Eb", "E", "F", "F#", "G", "G#", "A", "Bb", "B")


class Certainty(StrEnum):
    """The certainty of a key; no key is fully certain."""

    PERHAPS = "perhaps"
    LIKELY = "likely"


@dataclass(frozen=True, slots=True, kw_only=True)
class Key:
    """A key; `tonic` counts semitones up from C."""

    tonic: int
    is_minor: bool

    def __post_init__(self) -> None:
        if not 0 <= self.tonic < PITCH_CLASSES:
            raise ValueError("no such pitch class")

    @property
    def tonic_name(self) -> str:
        """The tonic as usually spelled in this mode, in ASCII, such as `F#` or `Bb`."""
        return (_MINOR if self.is_minor else _MAJOR)[self.tonic]

    @property
    def tag(self) -> str:
        """The value of ID3's TKEY frame, such as `F#m`."""
        return f"{self.tonic_name}m" if self.is_minor else self.tonic_name

    def shifted(self, semitones: int) -> Self:
        """Return the key that is this many semitones higher."""
        return replace(self, tonic=(self.tonic + semitones) % PITCH_CLASSES)


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyEstimate:
    """The most probable key."""

    key: Key
    certainty: Certainty
    relative: Key | None = None
    """The relative key, if it is about as probable."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TempoEstimate:
    """The tempo in beats per minute; `octave_bpm` is half or twice that, if it may be the tempo."""

    bpm: float
    octave_bpm: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class BeatGrid:
    """A grid of beats: beat n is at `first_beat_s + n * period_s`, plus its deviation.

    `deviations_ms` holds the deviation of every eighth beat; deviations between them are
    interpolated. `downbeat` is the number of the first beat that begins a bar.
    """

    first_beat_s: float
    period_s: float
    beats: int
    beats_per_bar: int
    downbeat: int
    deviations_ms: tuple[int, ...] = ()
    is_steady: bool
    """Whether the beats are close enough to the grid for clicks."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Analysis:
    """The analysis of a song; values that are too uncertain are None.

    `tuning_cents` is the deviation from A = 440 Hz, from -50 to 50.
    """

    key: KeyEstimate | None = None
    tempo: TempoEstimate | None = None
    tuning_cents: int | None = None
    grid: BeatGrid | None = None

    def to_json(self) -> str:
        """Return the analysis as JSON for `from_json`."""
        return json.dumps(asdict(self), sort_keys=True, separators=(",", ":"))

    @classmethod
    def from_json(cls, text: str) -> Self:
        """Read `to_json`'s output; `{}` is an analysis without any value. Raises ValueError."""
        try:
            told = json.loads(text)
            return cls(
                key=_key_estimate(told.get("key")),
                tempo=TempoEstimate(**told["tempo"]) if told.get("tempo") else None,
                tuning_cents=told.get("tuning_cents"),
                grid=_grid(told.get("grid")),
            )
        except (AttributeError, KeyError, TypeError) as exc:
            raise ValueError("not an analysis") from exc

    def rendered(self, *, cents: int, speed_percent: int) -> Self:
        """Return the analysis of a rendition in another key and speed, without its grid."""
        semitones, rest = divmod(cents + 50, 100)
        key = self.key and replace(
            self.key,
            key=self.key.key.shifted(semitones),
            relative=self.key.relative and self.key.relative.shifted(semitones),
        )
        tempo = self.tempo and TempoEstimate(
            bpm=self.tempo.bpm * speed_percent / 100,
            octave_bpm=self.tempo.octave_bpm and self.tempo.octave_bpm * speed_percent / 100,
        )
        tuning = None if self.tuning_cents is None else self.tuning_cents + rest - 50
        return replace(self, key=key, tempo=tempo, tuning_cents=tuning, grid=None)


def _key(told: Any) -> Key | None:
    return Key(**told) if told else None


def _key_estimate(told: Any) -> KeyEstimate | None:
    if not told:
        return None
    return KeyEstimate(
        key=Key(**told["key"]),
        certainty=Certainty(told["certainty"]),
        relative=_key(told.get("relative")),
    )


def _grid(told: Any) -> BeatGrid | None:
    if not told:
        return None
    return BeatGrid(**{**told, "deviations_ms": tuple(told["deviations_ms"])})
