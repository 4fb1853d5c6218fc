"""What users read for recipes, stems and formats; the values themselves are what they type."""

from collections.abc import Sequence

from bot.domain.recipes import OUTPUTS, AudioFormat, Recipe, Stem
from bot.i18n.translation import Text, say
from bot.ui.texts.figures import listed
from bot.ui.texts.safe_text import capitalised

RECIPES: dict[Recipe, Text] = {
    Recipe.KARAOKE: Text("Karaoke"),
    Recipe.INSTRUMENTAL: Text("Instrumental"),
    Recipe.VOCALS: Text("Vocals"),
    Recipe.KARAOKE_BACKING: Text("Karaoke with backing vocals"),
    Recipe.FOUR_STEMS: Text("4 stems"),
    Recipe.SIX_STEMS: Text("6 stems"),
    Recipe.NO_DRUMS: Text("No drums"),
    Recipe.NO_BASS: Text("No bass"),
    Recipe.NO_GUITAR: Text("No guitar"),
    Recipe.NO_PIANO: Text("No piano"),
    Recipe.DRUMS: Text("Drums"),
    Recipe.BASS: Text("Bass"),
    Recipe.GUITAR: Text("Guitar"),
    Recipe.PIANO: Text("Piano"),
    Recipe.STRINGS: Text("Strings"),
    Recipe.WIND: Text("Wind"),
    Recipe.SYNTH: Text("Synth"),
    Recipe.DEREVERB: Text("Without reverb"),
}

FORMATS: dict[AudioFormat, str] = {
    AudioFormat.MP3: "MP3",
    AudioFormat.FLAC: "FLAC",
    AudioFormat.WAV: "WAV",
    AudioFormat.OPUS: "Opus",
}

STEMS: dict[Stem, Text] = {
    Stem.VOCALS: Text("vocals"),
    Stem.LEAD_VOCALS: Text("lead vocals"),
    Stem.BACKING_VOCALS: Text("backing vocals"),
    Stem.INSTRUMENTAL: Text("instrumental"),
    Stem.DRUMS: Text("drums"),
    Stem.BASS: Text("bass"),
    Stem.GUITAR: Text("guitar"),
    Stem.PIANO: Text("piano"),
    Stem.STRINGS: Text("strings"),
    Stem.WIND: Text("wind"),
    Stem.SYNTH: Text("synth"),
    Stem.OTHER: Text("other"),
    Stem.DRY: Text("dry"),
    Stem.NO_DRUMS: Text("no drums"),
    Stem.NO_BASS: Text("no bass"),
    Stem.NO_GUITAR: Text("no guitar"),
    Stem.NO_PIANO: Text("no piano"),
}

_DETAILS = {
    Recipe.INSTRUMENTAL: Text("the song without its vocals"),
    Recipe.KARAOKE_BACKING: Text("backing vocals stay, lead vocals apart"),
}
_WITH_DETAIL = Text("{recipe}: {detail}")
_BASIC = Text("{label} (basic)")


def recipe_label(recipe: Recipe, *, is_basic: bool = False) -> str:
    """Return a recipe as it is offered, like `4 stems: vocals, drums, bass and other (basic)`."""
    label = say(RECIPES[recipe])
    if detail := _detail(recipe):
        label = say(_WITH_DETAIL, recipe=label, detail=detail)
    return say(_BASIC, label=label) if is_basic else label


def stem_name(stem: Stem) -> str:
    """Return a stem's name where it stands alone, like `No drums`."""
    return capitalised(say(STEMS[stem]))


def stems_line(stems: Sequence[Stem]) -> str:
    """Return stems as the start of a sentence, like `Instrumental and vocals`."""
    return capitalised(_listed(stems))


def stems_of(recipe: Recipe) -> tuple[Stem, ...]:
    """Return the stems that a recipe delivers, in the order in which they are shown."""
    return tuple(output.stem for output in OUTPUTS[recipe])


def _detail(recipe: Recipe) -> str:
    if recipe in _DETAILS:
        return say(_DETAILS[recipe])
    return _listed(stems_of(recipe)) if len(OUTPUTS[recipe]) > 1 else ""


def _listed(stems: Sequence[Stem]) -> str:
    return listed([say(STEMS[stem]) for stem in stems])
