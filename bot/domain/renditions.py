"""Renditions: a finished result in another key, at another speed, or as another mix of its stems.

A `Rendition` holds only integers and is canonical, so equal requests are equal values with equal
JSON and equal tokens. Values from a client are parsed within the same limits.
"""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any, Self

from bot.domain.recipes import Recipe, Stem

CENTS_A_SEMITONE = 100
MAX_CENTS = 1200
MIN_SPEED_PERCENT, MAX_SPEED_PERCENT = 50, 150
MAX_LEVEL_PERCENT = 200
MAX_COUNT_IN_BARS = 2
UNCHANGED_PERCENT = 100

_TOKEN_PART = re.compile(
    r"(?P<kind>[kcs])(?P<value>-?[0-9]{1,4})"
    rf"|(?P<stem>count|{'|'.join(Stem)})(?P<level>[0-9]{{1,3}})"
    r"|(?P<word>[a-z]+)"
)
_PLAIN = "plain"


class RenditionOutput(StrEnum):
    """The files of a rendition."""

    STEMS = "stems"
    """A file for each stem."""
    MIX = "mix"
    """One file with all stems."""


class ClickGrid(StrEnum):
    """The relation of clicks to the tracked beats."""

    NORMAL = "normal"
    HALF = "half"
    DOUBLE = "double"


@dataclass(frozen=True, slots=True, kw_only=True)
class Click:
    """Clicks on the beats of a song: before its first bar, along with it, or both."""

    count_in_bars: int = 0
    is_throughout: bool = False
    grid: ClickGrid = ClickGrid.NORMAL

    def __post_init__(self) -> None:
        _check("count_in_bars", self.count_in_bars, 0, MAX_COUNT_IN_BARS)
        if not self.count_in_bars and not self.is_throughout:
            raise ValueError("a click needs a count-in or the whole song")


@dataclass(frozen=True, slots=True, kw_only=True)
class Rendition:
    """A rendition of a job's stems; the default changes nothing.

    `levels` holds percents by stem, sorted and without values of 100. Levels and clicks need a mix,
    so either of them sets `output` to `MIX`. Raises ValueError for values beyond the limits.
    """

    cents: int = 0
    speed_percent: int = UNCHANGED_PERCENT
    output: RenditionOutput = RenditionOutput.STEMS
    levels: tuple[tuple[Stem, int], ...] = ()
    click: Click | None = None

    def __post_init__(self) -> None:
        _check("cents", self.cents, -MAX_CENTS, MAX_CENTS)
        _check("speed", self.speed_percent, MIN_SPEED_PERCENT, MAX_SPEED_PERCENT)
        for stem, percent in self.levels:
            _check(stem, percent, 0, MAX_LEVEL_PERCENT)
            if stem is Stem.MIX:
                raise ValueError("the mix cannot have a level")
        if len(dict(self.levels)) < len(self.levels):
            raise ValueError("a stem has two levels")
        changed = tuple(sorted(each for each in self.levels if each[1] != UNCHANGED_PERCENT))
        object.__setattr__(self, "levels", changed)
        if changed or self.click:
            object.__setattr__(self, "output", RenditionOutput.MIX)

    @property
    def is_plain(self) -> bool:
        """Whether the rendition changes nothing."""
        return self == UNCHANGED

    @property
    def changes_sound(self) -> bool:
        """Whether the key or the speed changes."""
        return bool(self.cents) or self.speed_percent != UNCHANGED_PERCENT

    def level_of(self, stem: Stem) -> int:
        """Return a stem's level in percent."""
        return dict(self.levels).get(stem, UNCHANGED_PERCENT)

    def with_key(self, semitones: int) -> Self:
        """Return the same rendition in another key."""
        return replace(self, cents=semitones * CENTS_A_SEMITONE)

    def with_speed(self, percent: int) -> Self:
        """Return the same rendition at another speed."""
        return replace(self, speed_percent=percent)

    def to_json(self) -> str:
        """Return canonical JSON: sorted, defaults left out; `{}` if nothing changes."""
        told: dict[str, Any] = {}
        if self.cents:
            told["cents"] = self.cents
        if self.speed_percent != UNCHANGED_PERCENT:
            told["speed"] = self.speed_percent
        if self.output is RenditionOutput.MIX:
            told["output"] = str(self.output)
        if self.levels:
            told["levels"] = {str(stem): percent for stem, percent in self.levels}
        if self.click:
            told["click"] = {
                "bars": self.click.count_in_bars,
                "throughout": self.click.is_throughout,
                "grid": str(self.click.grid),
            }
        return json.dumps(told, sort_keys=True, separators=(",", ":"))

    @classmethod
    def from_json(cls, text: str) -> Self:
        """Read `to_json`'s output. Raises ValueError for anything else."""
        told = json.loads(text)
        if not isinstance(told, dict) or told.keys() - _FIELDS:
            raise ValueError("not a rendition")
        click = told.get("click")
        return cls(
            cents=_integer(told.get("cents", 0)),
            speed_percent=_integer(told.get("speed", UNCHANGED_PERCENT)),
            output=RenditionOutput(told.get("output", RenditionOutput.STEMS)),
            levels=_levels(told.get("levels", {})),
            click=_click(click) if click is not None else None,
        )

    @property
    def token(self) -> str:
        """The short form for custom ids and file names, such as `k-2.s90.vocals25`."""
        parts = []
        if self.cents:
            whole, rest = divmod(self.cents, CENTS_A_SEMITONE)
            parts.append(f"c{self.cents}" if rest else f"k{whole}")
        if self.speed_percent != UNCHANGED_PERCENT:
            parts.append(f"s{self.speed_percent}")
        parts += [f"{stem}{percent}" for stem, percent in self.levels]
        if self.click:
            parts += [f"count{self.click.count_in_bars}"] if self.click.count_in_bars else []
            parts += ["click"] if self.click.is_throughout else []
            parts += [] if self.click.grid is ClickGrid.NORMAL else [str(self.click.grid)]
        elif self.output is RenditionOutput.MIX and not self.levels:
            parts.append("mix")
        return ".".join(parts) or _PLAIN

    @classmethod
    def from_token(cls, token: str) -> Self:
        """Read `token`'s output. Raises ValueError for anything else."""
        found = _parts_of(token) if token != _PLAIN else {}
        count, throughout = int(found.pop("count", 0)), bool(found.pop("click", False))
        grid = ClickGrid(found.pop("grid", ClickGrid.NORMAL))
        rendition = cls(
            cents=found.pop("cents", 0),
            speed_percent=found.pop("speed", UNCHANGED_PERCENT),
            output=RenditionOutput.MIX if found.pop("mix", False) else RenditionOutput.STEMS,
            levels=tuple((Stem(name), level) for name, level in found.items()),
            click=Click(count_in_bars=count, is_throughout=throughout, grid=grid)
            if count or throughout
            else None,
        )
        if rendition.token != token:
            raise ValueError("not a canonical token")
        return rendition


class NamedMix(StrEnum):
    """Mixes that users choose by name; the values are what users and tools type."""

    STEMS = "stems"
    SONG = "song"
    GUIDE_VOCALS = "guide-vocals"
    QUIETER_VOICE = "quieter-voice"
    NO_VOCALS = "no-vocals"
    NO_DRUMS = "no-drums"
    NO_BASS = "no-bass"
    NO_GUITAR = "no-guitar"
    NO_PIANO = "no-piano"


COVERING = frozenset({Recipe.KARAOKE, Recipe.KARAOKE_BACKING, Recipe.FOUR_STEMS, Recipe.SIX_STEMS})
"""Recipes whose stems add up to the song, so they can be mixed."""

_VOICES = (Stem.VOCALS, Stem.LEAD_VOCALS)
_MIX_LEVELS: Mapping[NamedMix, tuple[tuple[Stem, ...], int]] = {
    NamedMix.GUIDE_VOCALS: (_VOICES, 25),
    NamedMix.QUIETER_VOICE: (_VOICES, 50),
    NamedMix.NO_VOCALS: (_VOICES, 0),
    NamedMix.NO_DRUMS: ((Stem.DRUMS,), 0),
    NamedMix.NO_BASS: ((Stem.BASS,), 0),
    NamedMix.NO_GUITAR: ((Stem.GUITAR,), 0),
    NamedMix.NO_PIANO: ((Stem.PIANO,), 0),
}


def mixed(rendition: Rendition, mix: NamedMix, recipe: Recipe, stems: Sequence[Stem]) -> Rendition:
    """Return the rendition with its mix replaced by a named mix.

    Raises ValueError if stems of that recipe do not allow it.
    """
    if mix is NamedMix.STEMS:
        return replace(rendition, output=RenditionOutput.STEMS, levels=(), click=None)
    if recipe not in COVERING:
        raise ValueError(f"the stems of {recipe} do not add up to the song")
    if mix is NamedMix.SONG:
        return replace(rendition, output=RenditionOutput.MIX, levels=())
    changed, percent = _MIX_LEVELS[mix]
    stem = next((each for each in stems if each in changed), None)
    if stem is None:
        raise ValueError(f"no stem for {mix}")
    return replace(rendition, output=RenditionOutput.MIX, levels=((stem, percent),))


def mixes_of(recipe: Recipe, stems: Sequence[Stem]) -> tuple[NamedMix, ...]:
    """Return the named mixes that these stems allow."""
    found = []
    for mix in NamedMix:
        try:
            mixed(UNCHANGED, mix, recipe, stems)
        except ValueError:
            continue
        found.append(mix)
    return tuple(found)


_FIELDS = frozenset({"cents", "speed", "output", "levels", "click"})


def _check(name: str, value: int, least: int, most: int) -> None:
    if not least <= value <= most:
        raise ValueError(f"{name} is not from {least} to {most}")


def _integer(value: object) -> int:
    if type(value) is not int:
        raise ValueError("not a whole number")
    return value


def _levels(told: object) -> tuple[tuple[Stem, int], ...]:
    if not isinstance(told, dict):
        raise ValueError("not levels")
    return tuple((Stem(name), _integer(percent)) for name, percent in told.items())


def _click(told: object) -> Click:
    if not isinstance(told, dict) or told.keys() != {"bars", "throughout", "grid"}:
        raise ValueError("not a click")
    if type(told["throughout"]) is not bool:
        raise ValueError("not a boolean")
    return Click(
        count_in_bars=_integer(told["bars"]),
        is_throughout=told["throughout"],
        grid=ClickGrid(told["grid"]),
    )


_KINDS = {"k": "cents", "c": "cents", "s": "speed"}
_WORDS: Mapping[str, tuple[str, Any]] = {
    "mix": ("mix", True),
    "click": ("click", True),
    "half": ("grid", "half"),
    "double": ("grid", "double"),
}


def _parts_of(token: str) -> dict[str, Any]:
    """Return the parts of a token by name; a stem's level is under the stem's name."""
    found: dict[str, Any] = {}
    for part in token.split("."):
        match = _TOKEN_PART.fullmatch(part)
        if match is None:
            raise ValueError("not a token")
        if match["kind"]:
            scale = CENTS_A_SEMITONE if match["kind"] == "k" else 1
            name, value = _KINDS[match["kind"]], int(match["value"]) * scale
        elif match["stem"]:
            name, value = match["stem"], int(match["level"])
        elif match["word"] in _WORDS:
            name, value = _WORDS[match["word"]]
        else:
            raise ValueError("not a token")
        if name in found:
            raise ValueError("a part occurs twice")
        found[name] = value
    return found


UNCHANGED = Rendition()
"""The rendition that changes nothing."""
