"""Stems, audio formats and recipes: what users can ask for, and the outputs that they get."""

from dataclasses import dataclass
from enum import StrEnum


class AudioFormat(StrEnum):
    """The format of delivered stems."""

    MP3 = "mp3"
    FLAC = "flac"
    WAV = "wav"
    OPUS = "opus"


class Stem(StrEnum):
    """One part of a song, as 44.1 kHz stereo audio."""

    VOCALS = "vocals"
    LEAD_VOCALS = "lead_vocals"
    BACKING_VOCALS = "backing_vocals"
    INSTRUMENTAL = "instrumental"
    DRUMS = "drums"
    BASS = "bass"
    GUITAR = "guitar"
    PIANO = "piano"
    STRINGS = "strings"
    WIND = "wind"
    SYNTH = "synth"
    OTHER = "other"
    DRY = "dry"
    NO_DRUMS = "no_drums"
    NO_BASS = "no_bass"
    NO_GUITAR = "no_guitar"
    NO_PIANO = "no_piano"
    PART_1 = "part_1"
    PART_2 = "part_2"
    MIX = "mix"
    """All stems of a job in one file; only a rendition has it."""


UNNAMED = (Stem.PART_1, Stem.PART_2)
"""The stems of a result whose two parts could not be told apart."""


class Recipe(StrEnum):
    """A named set of outputs; users and tools type the values."""

    KARAOKE = "karaoke"
    INSTRUMENTAL = "instrumental"
    VOCALS = "vocals"
    KARAOKE_BACKING = "karaoke-backing"
    FOUR_STEMS = "4-stems"
    SIX_STEMS = "6-stems"
    NO_DRUMS = "no-drums"
    NO_BASS = "no-bass"
    NO_GUITAR = "no-guitar"
    NO_PIANO = "no-piano"
    DRUMS = "drums"
    BASS = "bass"
    GUITAR = "guitar"
    PIANO = "piano"
    STRINGS = "strings"
    WIND = "wind"
    SYNTH = "synth"
    DEREVERB = "dereverb"


@dataclass(frozen=True, slots=True)
class Output:
    """One output of a recipe, defined by the parts of the song that it contains.

    If `without` is empty, the output is the stem itself. Otherwise it is the song without those
    stems, and `stem` is only its name. Plans use this to work out whether a provider's stems can be
    mixed, or subtracted from the song, to make the output.
    """

    stem: Stem
    without: frozenset[Stem] = frozenset()


def _only(stem: Stem) -> Output:
    return Output(stem)


def _all_but(*without: Stem, named: Stem) -> Output:
    return Output(named, frozenset(without))


_RHYTHM = (Stem.VOCALS, Stem.DRUMS, Stem.BASS)
_SIX = (*_RHYTHM, Stem.GUITAR, Stem.PIANO)

OUTPUTS: dict[Recipe, tuple[Output, ...]] = {
    Recipe.KARAOKE: (_all_but(Stem.VOCALS, named=Stem.INSTRUMENTAL), _only(Stem.VOCALS)),
    Recipe.INSTRUMENTAL: (_all_but(Stem.VOCALS, named=Stem.INSTRUMENTAL),),
    Recipe.VOCALS: (_only(Stem.VOCALS),),
    Recipe.KARAOKE_BACKING: (
        _all_but(Stem.LEAD_VOCALS, named=Stem.INSTRUMENTAL),
        _only(Stem.LEAD_VOCALS),
    ),
    Recipe.FOUR_STEMS: (*map(_only, _RHYTHM), _all_but(*_RHYTHM, named=Stem.OTHER)),
    Recipe.SIX_STEMS: (*map(_only, _SIX), _all_but(*_SIX, named=Stem.OTHER)),
    Recipe.NO_DRUMS: (_all_but(Stem.DRUMS, named=Stem.NO_DRUMS),),
    Recipe.NO_BASS: (_all_but(Stem.BASS, named=Stem.NO_BASS),),
    Recipe.NO_GUITAR: (_all_but(Stem.GUITAR, named=Stem.NO_GUITAR),),
    Recipe.NO_PIANO: (_all_but(Stem.PIANO, named=Stem.NO_PIANO),),
    Recipe.DRUMS: (_only(Stem.DRUMS),),
    Recipe.BASS: (_only(Stem.BASS),),
    Recipe.GUITAR: (_only(Stem.GUITAR),),
    Recipe.PIANO: (_only(Stem.PIANO),),
    Recipe.STRINGS: (_only(Stem.STRINGS),),
    Recipe.WIND: (_only(Stem.WIND),),
    Recipe.SYNTH: (_only(Stem.SYNTH),),
    Recipe.DEREVERB: (_only(Stem.DRY),),
}
"""The outputs of each recipe, in display order."""
