"""Renditions are canonical, bounded, and survive JSON and tokens."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.domain.recipes import OUTPUTS, Recipe, Stem
from bot.domain.renditions import (
    Click,
    ClickGrid,
    NamedMix,
    Rendition,
    RenditionOutput,
    mixed,
    mixes_of,
)

clicks = st.builds(
    Click,
    count_in_bars=st.integers(1, 2),
    is_throughout=st.booleans(),
    grid=st.sampled_from(ClickGrid),
)
STEMS = [stem for stem in Stem if stem is not Stem.MIX]
renditions = st.builds(
    Rendition,
    cents=st.integers(-1200, 1200),
    speed_percent=st.integers(50, 150),
    output=st.sampled_from(RenditionOutput),
    levels=st.dictionaries(st.sampled_from(STEMS), st.integers(0, 200), max_size=6).map(
        lambda levels: tuple(levels.items())
    ),
    click=st.none() | clicks,
)
SIX = tuple(output.stem for output in OUTPUTS[Recipe.SIX_STEMS])


@settings(deadline=None)
@given(rendition=renditions)
def test_json_and_tokens_give_the_same_rendition_back(rendition: Rendition) -> None:
    assert Rendition.from_json(rendition.to_json()) == rendition
    assert Rendition.from_token(rendition.token) == rendition


@settings(deadline=None)
@given(rendition=renditions)
def test_equal_wishes_are_equal_bytes(rendition: Rendition) -> None:
    same = Rendition(
        cents=rendition.cents,
        speed_percent=rendition.speed_percent,
        output=rendition.output,
        levels=(*reversed(rendition.levels),),
        click=rendition.click,
    )
    assert (same, same.to_json(), same.token) == (rendition, rendition.to_json(), rendition.token)


def test_a_rendition_as_people_ask_for_it() -> None:
    rendition = Rendition(cents=-200, speed_percent=90, levels=((Stem.VOCALS, 25),))
    assert rendition.token == "k-2.s90.vocals25"
    assert rendition.to_json() == '{"cents":-200,"levels":{"vocals":25},"output":"mix","speed":90}'
    assert (Rendition().to_json(), Rendition().token) == ("{}", "plain")
    assert Rendition(cents=-215).token == "c-215"


def test_a_token_fits_a_custom_id() -> None:
    loudest = Rendition(
        cents=-1199,
        speed_percent=149,
        levels=tuple((stem, 199) for stem in SIX),
        click=Click(count_in_bars=2, is_throughout=True, grid=ClickGrid.DOUBLE),
    )
    assert len(loudest.token) <= 88


@pytest.mark.parametrize(
    "token",
    ["", "k13", "k-13", "s49", "s151", "vocals201", "k1.k2", "c100", "s100", "vocals100", "K1",
     "banjo50", "mix50", "plain.k1", "k1.", "mix.vocals5", "count3", "half", "k00002", "k1 ", "１"],
)  # fmt: skip
def test_a_token_from_elsewhere_is_refused(token: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - each says something else
        Rendition.from_token(token)


@pytest.mark.parametrize(
    "text",
    ["", "[]", "null", '{"cents":1201}', '{"cents":1.5}', '{"cents":true}', '{"speed":"90"}',
     '{"levels":{"vocals":-1}}', '{"levels":[]}', '{"levels":{"banjo":1}}', '{"more":1}',
     '{"click":{}}', '{"click":{"bars":0,"throughout":false,"grid":"normal"}}', '{"output":"x"}'],
)  # fmt: skip
def test_json_from_elsewhere_is_refused(text: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - each says something else
        Rendition.from_json(text)


def test_named_mixes_are_those_that_the_stems_can_give() -> None:
    karaoke = tuple(output.stem for output in OUTPUTS[Recipe.KARAOKE])
    assert mixes_of(Recipe.KARAOKE, karaoke) == (
        NamedMix.STEMS,
        NamedMix.SONG,
        NamedMix.GUIDE_VOCALS,
        NamedMix.QUIETER_VOICE,
        NamedMix.NO_VOCALS,
    )
    assert set(mixes_of(Recipe.SIX_STEMS, SIX)) == set(NamedMix)
    assert mixes_of(Recipe.DRUMS, (Stem.DRUMS,)) == (NamedMix.STEMS,)


def test_a_named_mix_keeps_key_and_speed() -> None:
    wished = Rendition(cents=300, speed_percent=80, levels=((Stem.DRUMS, 0),))
    quieter = mixed(wished, NamedMix.QUIETER_VOICE, Recipe.SIX_STEMS, SIX)
    assert quieter.token == "k3.s80.vocals50"
    assert mixed(quieter, NamedMix.STEMS, Recipe.SIX_STEMS, SIX).token == "k3.s80"
    assert mixed(Rendition(), NamedMix.SONG, Recipe.SIX_STEMS, SIX).token == "mix"
