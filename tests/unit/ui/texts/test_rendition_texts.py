"""Renditions in words."""

import pytest

from bot.domain.recipes import Stem
from bot.domain.renditions import Click, NamedMix, Rendition, RenditionOutput
from bot.i18n.translation import ENGLISH, Language, active_language
from bot.ui.texts.rendition_texts import level, mix_name, rendition_line, signed, stem_levels
from tests.support.installed_languages import installed

LANGUAGES = [ENGLISH, *installed()]
MIX = RenditionOutput.MIX


@pytest.mark.parametrize(
    ("rendition", "line"),
    [
        (Rendition(), None),
        (Rendition(cents=-200, speed_percent=90), "Key −2 · Speed 90 %"),
        (Rendition(cents=300), "Key +3"),
        (Rendition(cents=-160), "Tuned by −160 cents"),
        (Rendition(output=MIX), "Whole song"),
        (Rendition(levels=((Stem.VOCALS, 25),)), "Vocals 25 %"),
        (Rendition(click=Click(count_in_bars=1)), "Whole song · Count-in"),
        (
            Rendition(
                cents=100,
                levels=((Stem.VOCALS, 0),),
                click=Click(count_in_bars=1, is_throughout=True),
            ),
            "Key +1 · Vocals 0 % · Count-in · Click",
        ),
    ],
)
def test_a_line_says_what_a_rendition_changes(rendition: Rendition, line: str | None) -> None:
    assert rendition_line(rendition) == line


@pytest.mark.parametrize("language", LANGUAGES, ids=lambda each: each.code)
def test_every_mix_has_a_name_of_its_own(language: Language) -> None:
    with active_language(language):
        names = {mix_name(mix) for mix in NamedMix}
    assert len(names) == len(NamedMix)


def test_levels_say_what_they_mean() -> None:
    assert [level(each) for each in (0, 50, 100)] == ["Off", "50 %", "100 % (as in the song)"]
    rendition = Rendition(levels=((Stem.VOCALS, 25),))
    assert stem_levels((Stem.VOCALS, Stem.DRUMS), rendition) == "vocals 25, drums 100"


def test_a_sign_is_a_minus_and_not_a_hyphen() -> None:
    assert (signed(-2), signed(3)) == ("−2", "+3")
