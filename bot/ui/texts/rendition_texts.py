"""Words for renditions: on cards, in forms, and for named mixes."""

from collections.abc import Iterator, Sequence

from bot.domain.job import Job
from bot.domain.recipes import Stem
from bot.domain.renditions import (
    CENTS_A_SEMITONE,
    UNCHANGED_PERCENT,
    ClickGrid,
    NamedMix,
    Rendition,
    RenditionOutput,
)
from bot.i18n.translation import Message, gettext
from bot.ui.texts.analysis_texts import info_lines
from bot.ui.texts.figures import PER_CENT
from bot.ui.texts.names import RECIPES, STEMS, stem_name

MIXES: dict[NamedMix, Message] = {
    NamedMix.STEMS: Message("Every stem in its own file"),
    NamedMix.SONG: Message("The whole song in one file"),
    NamedMix.GUIDE_VOCALS: Message("Guide vocals: the voice at 25 %"),
    NamedMix.QUIETER_VOICE: Message("Quieter voice: the voice at 50 %"),
    NamedMix.NO_VOCALS: Message("No vocals"),
    NamedMix.NO_DRUMS: Message("No drums"),
    NamedMix.NO_BASS: Message("No bass"),
    NamedMix.NO_GUITAR: Message("No guitar"),
    NamedMix.NO_PIANO: Message("No piano"),
}

KEY_TITLE = Message("Key & speed")
KEY_LABEL = Message("Key")
KEY_DETAIL = Message("In semitones from the original key")
ORIGINAL_KEY = Message("Original key")
SPEED_LABEL = Message("Speed")
ORIGINAL_SPEED = Message("Original speed")
TUNING_LABEL = Message("Tuning")
TUNING_KEPT = Message("As recorded")
TUNING_STANDARD = Message("Tune to A = 440 Hz")

MIX_TITLE = Message("Mix")
LEVEL_OFF = Message("Off")
LEVEL_FULL = Message("{level} (as in the song)")
LEVELS_LABEL = Message("Levels in %, from 0 to 200")
LEVELS_DETAIL = Message("Like this: {example}")
CLICK_LABEL = Message("Click")
CLICK_OFF = Message("No click")
CLICK_COUNT_IN = Message("One-bar count-in")
CLICK_ALONG = Message("Count-in and click")
CLICK_HALF = Message("Count-in and click, half as fast")
CLICK_DOUBLE = Message("Count-in and click, twice as fast")

GRIDS: dict[ClickGrid, Message] = {
    ClickGrid.NORMAL: CLICK_ALONG,
    ClickGrid.HALF: CLICK_HALF,
    ClickGrid.DOUBLE: CLICK_DOUBLE,
}

INTERRUPTED = Message("I was restarted while I made this. Nothing was charged.")
RENDERING_KEY = Message("Key {change}")
RENDERING_CENTS = Message("Tuned by {cents} cents")
RENDERING_SPEED = Message("Speed {percent}")
RENDERING_LEVEL = Message("{stem} {percent}")
RENDERING_SONG = Message("Whole song")
RENDERING_COUNT_IN = Message("Count-in")
RENDERING_CLICK = Message("Click")
_SEPARATOR = " · "


def rendition_line(rendition: Rendition) -> str | None:
    """Return a rendition's changes, like `Key −2 · Speed 90 %`, or None if there are none."""
    return _SEPARATOR.join(_changes(rendition)) or None


def mix_name(mix: NamedMix) -> str:
    """Return the label of a named mix."""
    return gettext(MIXES[mix])


def signed(semitones: int) -> str:
    """Return a number of semitones with its sign, like `−2` or `+3`."""
    return f"{semitones:+d}".replace("-", "−")


def percent(figure: int) -> str:
    """Return a percentage in the active language's form."""
    return gettext(PER_CENT, figure=figure)


def level(percents: int) -> str:
    """Return the label of a level in a form."""
    if percents == 0:
        return gettext(LEVEL_OFF)
    figure = percent(percents)
    return gettext(LEVEL_FULL, level=figure) if percents == UNCHANGED_PERCENT else figure


def stem_levels(stems: tuple[Stem, ...], rendition: Rendition) -> str:
    """Return the levels of all stems as one editable line, like `vocals 100, drums 0`."""
    return ", ".join(f"{gettext(STEMS[stem])} {rendition.level_of(stem)}" for stem in stems)


def zip_info(songs: Sequence[Job]) -> str:
    """Describe songs in plain text with Windows line ends, which every system reads.

    The figures are those of the rendition that each job requests.
    """
    return "\r\n\r\n".join("\r\n".join(_described(job)) for job in songs) + "\r\n"


def _changes(rendition: Rendition) -> Iterator[str]:
    if rendition.cents:
        yield _key_change(rendition)
    if rendition.speed_percent != UNCHANGED_PERCENT:
        yield gettext(RENDERING_SPEED, percent=percent(rendition.speed_percent))
    for stem, percents in rendition.levels:
        yield gettext(RENDERING_LEVEL, stem=stem_name(stem), percent=percent(percents))
    if rendition.output is RenditionOutput.MIX and not rendition.levels:
        yield gettext(RENDERING_SONG)
    if rendition.click:
        if rendition.click.count_in_bars:
            yield gettext(RENDERING_COUNT_IN)
        if rendition.click.is_throughout:
            yield gettext(RENDERING_CLICK)


def _key_change(rendition: Rendition) -> str:
    semitones, rest = divmod(rendition.cents, CENTS_A_SEMITONE)
    if rest:
        return gettext(RENDERING_CENTS, cents=f"{rendition.cents:+d}".replace("-", "−"))
    return gettext(RENDERING_KEY, change=signed(semitones))


def _described(job: Job) -> list[str]:
    rendition = job.request.rendition
    lines = [job.title, gettext(RECIPES[job.request.recipe])]
    if changed := rendition_line(rendition):
        lines.append(changed)
    if job.heard is not None:
        lines += info_lines(job.heard)
    return lines
