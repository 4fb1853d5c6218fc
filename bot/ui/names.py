"""What users read for recipes, stems and formats; the values themselves are what they type."""

from collections.abc import Sequence

from bot.domain.stems import OUTPUTS, AudioFormat, Recipe, Stem
from bot.services.naming import stem_label
from bot.ui.figures import listed

RECIPES: dict[Recipe, str] = {
    Recipe.KARAOKE: "Karaoke",
    Recipe.INSTRUMENTAL: "Instrumental",
    Recipe.VOCALS: "Vocals",
    Recipe.KARAOKE_BACKING: "Karaoke with backing vocals",
    Recipe.FOUR_STEMS: "4 stems",
    Recipe.SIX_STEMS: "6 stems",
    Recipe.NO_DRUMS: "No drums",
    Recipe.NO_BASS: "No bass",
    Recipe.NO_GUITAR: "No guitar",
    Recipe.NO_PIANO: "No piano",
    Recipe.DRUMS: "Drums",
    Recipe.BASS: "Bass",
    Recipe.GUITAR: "Guitar",
    Recipe.PIANO: "Piano",
    Recipe.STRINGS: "Strings",
    Recipe.WIND: "Wind",
    Recipe.SYNTH: "Synth",
    Recipe.DEREVERB: "Without reverb",
}

FORMATS: dict[AudioFormat, str] = {
    AudioFormat.MP3: "MP3",
    AudioFormat.FLAC: "FLAC",
    AudioFormat.WAV: "WAV",
    AudioFormat.OPUS: "Opus",
}

_SINGLE_ALL_BUT = {Recipe.INSTRUMENTAL: "the song without its vocals"}


def recipe_label(recipe: Recipe, *, is_basic: bool = False) -> str:
    """Return a recipe as it is offered, like `4 stems: vocals, drums, bass and other (basic)`."""
    label = f"{RECIPES[recipe]}{_detail(recipe)}"
    return f"{label} (basic)" if is_basic else label


def stems_line(stems: Sequence[Stem]) -> str:
    """Return stems as the start of a sentence, like `Instrumental and vocals`."""
    words = listed([stem_label(stem).lower() for stem in stems])
    return words[0].upper() + words[1:]


def stems_of(recipe: Recipe) -> tuple[Stem, ...]:
    """Return the stems that a recipe delivers, in the order in which they are shown."""
    return tuple(output.stem for output in OUTPUTS[recipe])


def _detail(recipe: Recipe) -> str:
    if detail := _SINGLE_ALL_BUT.get(recipe):
        return f": {detail}"
    if len(OUTPUTS[recipe]) == 1:
        return ""
    if recipe is Recipe.KARAOKE_BACKING:
        return ": backing vocals stay, lead vocals apart"
    return f": {stems_line(stems_of(recipe)).lower()}"
