"""Displayed names of recipes, stems and formats, which differ from the values that users type."""

from collections.abc import Sequence

from bot.domain.recipes import OUTPUTS, AudioFormat, Recipe, Stem
from bot.i18n.translation import Message, gettext
from bot.ui.texts.figures import listed
from bot.ui.texts.safe_text import capitalised

RECIPES: dict[Recipe, Message] = {
    Recipe.KARAOKE: Message("Karaoke"),
    Recipe.INSTRUMENTAL: Message("Instrumental"),
    Recipe.VOCALS: Message("Vocals"),
    Recipe.KARAOKE_BACKING: Message("Karaoke with backing vocals"),
    Recipe.FOUR_STEMS: Message("4 stems"),
    Recipe.SIX_STEMS: Message("6 stems"),
    Recipe.NO_DRUMS: Message("No drums"),
    Recipe.NO_BASS: Message("No bass"),
    Recipe.NO_GUITAR: Message("No guitar"),
    Recipe.NO_PIANO: Message("No piano"),
    Recipe.DRUMS: Message("Drums"),
    Recipe.BASS: Message("Bass"),
    Recipe.GUITAR: Message("Guitar"),
    Recipe.PIANO: Message("Piano"),
    Recipe.STRINGS: Message("Strings"),
    Recipe.WIND: Message("Wind"),
    Recipe.SYNTH: Message("Synth"),
    Recipe.DEREVERB: Message("Without reverb"),
}

FORMATS: dict[AudioFormat, str] = {
    AudioFormat.MP3: "MP3",
    AudioFormat.FLAC: "FLAC",
    AudioFormat.WAV: "WAV",
    AudioFormat.OPUS: "Opus",
}

STEMS: dict[Stem, Message] = {
    Stem.VOCALS: Message("vocals"),
    Stem.LEAD_VOCALS: Message("lead vocals"),
    Stem.BACKING_VOCALS: Message("backing vocals"),
    Stem.INSTRUMENTAL: Message("instrumental"),
    Stem.DRUMS: Message("drums"),
    Stem.BASS: Message("bass"),
    Stem.GUITAR: Message("guitar"),
    Stem.PIANO: Message("piano"),
    Stem.STRINGS: Message("strings"),
    Stem.WIND: Message("wind"),
    Stem.SYNTH: Message("synth"),
    Stem.OTHER: Message("other"),
    Stem.DRY: Message("dry"),
    Stem.NO_DRUMS: Message("no drums"),
    Stem.NO_BASS: Message("no bass"),
    Stem.NO_GUITAR: Message("no guitar"),
    Stem.NO_PIANO: Message("no piano"),
    Stem.PART_1: Message("part 1"),
    Stem.PART_2: Message("part 2"),
    Stem.MIX: Message("mix"),
}

_DETAILS = {
    Recipe.INSTRUMENTAL: Message("the song without its vocals"),
    Recipe.KARAOKE_BACKING: Message("keeps the backing vocals, lead vocals separate"),
}
_WITH_DETAIL = Message("{recipe}: {detail}")
_BASIC = Message("{label} (basic)")


def recipe_label(recipe: Recipe, *, is_basic: bool = False) -> str:
    """Return a recipe's label, like `4 stems: vocals, drums, bass and other (basic)`."""
    label = gettext(RECIPES[recipe])
    if detail := _detail(recipe):
        label = gettext(_WITH_DETAIL, recipe=label, detail=detail)
    return gettext(_BASIC, label=label) if is_basic else label


def stem_name(stem: Stem) -> str:
    """Return a stem's name on its own, like `No drums`."""
    return capitalised(gettext(STEMS[stem]))


def stems_line(stems: Sequence[Stem]) -> str:
    """Return stems for the start of a sentence, like `Instrumental and vocals`."""
    return capitalised(_listed(stems))


def stems_of(recipe: Recipe) -> tuple[Stem, ...]:
    """Return the stems that a recipe delivers, in display order."""
    return tuple(output.stem for output in OUTPUTS[recipe])


def _detail(recipe: Recipe) -> str:
    if recipe in _DETAILS:
        return gettext(_DETAILS[recipe])
    return _listed(stems_of(recipe)) if len(OUTPUTS[recipe]) > 1 else ""


def _listed(stems: Sequence[Stem]) -> str:
    return listed([gettext(STEMS[stem]) for stem in stems])
