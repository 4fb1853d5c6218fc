"""The fields of rendition forms, and the values read from them."""

from collections.abc import Mapping
from dataclasses import replace

import pytest

from bot.domain.analysis import Analysis, BeatGrid, Certainty, Key, KeyEstimate
from bot.domain.errors import Reason, Rejected
from bot.domain.job import Job
from bot.domain.recipes import Recipe, Stem
from bot.domain.renditions import (
    UNCHANGED,
    Click,
    ClickGrid,
    NamedMix,
    Rendition,
    RenditionOutput,
)
from bot.i18n.translation import active_language
from bot.ui.cards.forms import ChoiceField, Form, TextField
from bot.ui.cards.rendition_forms import (
    key_form,
    mix_choices,
    mix_form,
    named_mix,
    with_key_and_speed,
    with_mix,
)
from tests.support.card_factories import REQUEST, a_job
from tests.support.installed_languages import installed

JAPANESE = next(each for each in installed() if each.code == "ja")
A_MINOR = KeyEstimate(key=Key(tonic=9, is_minor=True), certainty=Certainty.LIKELY)
OPEN_KEY = replace(A_MINOR, relative=Key(tonic=0, is_minor=False))
GRID = BeatGrid(
    first_beat_s=0.5, period_s=0.5, beats=300, beats_per_bar=4, downbeat=0, is_steady=True
)
SIX = a_job(request=replace(REQUEST, recipe=Recipe.SIX_STEMS))
LOWER = Rendition(cents=-200, speed_percent=85)
LEVELS = "levels"


def choice(form: Form, name: str) -> ChoiceField:
    [found] = [each for each in form.fields if each.name == name]
    assert isinstance(found, ChoiceField)
    return found


def names(form: Form) -> list[str]:
    return [each.name for each in form.fields]


def test_the_form_for_the_key_starts_from_what_is_shown() -> None:
    form = key_form(a_job(), LOWER)
    assert form.custom_id == "set-key:k7f2q:k-2.s85"
    assert names(form) == ["key", "speed"]
    assert choice(form, "key").chosen == "-2"
    assert choice(form, "speed").chosen == "85"
    assert "85" in [each.value for each in choice(form, "speed").choices]


@pytest.mark.parametrize(
    ("key", "detail"), [(A_MINOR, "G minor"), (OPEN_KEY, "G minor or B♭ major")]
)
def test_keys_are_called_by_their_names_if_the_songs_is_known(
    key: KeyEstimate, detail: str
) -> None:
    job = a_job(analysis=Analysis(key=key))
    choices = choice(key_form(job, UNCHANGED), "key").choices
    [lower] = [each for each in choices if each.value == "-2"]
    assert (lower.label, lower.detail) == ("−2", detail)
    assert len(choices) == 25
    assert all(each.detail is None for each in choice(key_form(a_job(), UNCHANGED), "key").choices)


def test_a_song_that_is_out_of_tune_can_be_tuned_and_stay_so() -> None:
    flat = a_job(analysis=Analysis(tuning_cents=-40))
    form = key_form(flat, UNCHANGED)
    assert choice(form, "tuning").chosen == "recorded"
    values = {"key": "-2", "speed": "100", "tuning": "standard"}
    tuned = with_key_and_speed(UNCHANGED, values, flat.analysis)
    assert tuned == Rendition(cents=-160)
    again = key_form(flat, tuned)
    assert (choice(again, "key").chosen, choice(again, "tuning").chosen) == ("-2", "standard")
    assert "tuning" not in names(key_form(a_job(analysis=Analysis(tuning_cents=20)), UNCHANGED))


def test_tuning_stays_within_the_limits() -> None:
    values = {"key": "12", "speed": "100", "tuning": "standard"}
    assert with_key_and_speed(UNCHANGED, values, Analysis(tuning_cents=-40)).cents == 1200


@pytest.mark.parametrize(
    "values",
    [
        {},
        {"key": "1"},
        {"key": "1", "speed": "151"},
        {"key": "high", "speed": "100"},
    ],
    ids=str,
)
def test_a_key_or_speed_out_of_range_is_refused(values: Mapping[str, str]) -> None:
    with pytest.raises(Rejected) as refused:
        with_key_and_speed(UNCHANGED, values, None)
    assert refused.value.problem.reason is Reason.OUT_OF_RANGE


def test_a_mix_has_a_level_for_each_stem_and_keeps_the_key() -> None:
    form = mix_form(a_job(), LOWER)
    assert names(form) == ["instrumental", "vocals"]
    assert choice(form, "vocals").chosen == "100"
    mix = with_mix(a_job(), LOWER, {"instrumental": "100", "vocals": "25"})
    assert mix == replace(LOWER, output=RenditionOutput.MIX, levels=((Stem.VOCALS, 25),))
    assert choice(mix_form(a_job(), mix), "vocals").chosen == "25"


def test_clicks_are_offered_where_the_beats_are_steady() -> None:
    steady = a_job(analysis=Analysis(grid=GRID))
    assert choice(mix_form(steady, UNCHANGED), "click").chosen == "none"
    mix = with_mix(steady, UNCHANGED, {"vocals": "100", "click": "half"})
    assert mix.click == Click(count_in_bars=1, is_throughout=True, grid=ClickGrid.HALF)
    assert choice(mix_form(steady, mix), "click").chosen == "half"
    shaky = a_job(analysis=Analysis(grid=replace(GRID, is_steady=False)))
    assert "click" not in names(mix_form(shaky, UNCHANGED))


def test_more_stems_than_fields_are_typed_or_chosen_by_name() -> None:
    form = mix_form(SIX, UNCHANGED)
    assert names(form) == ["mix", "levels"]
    levels = form.fields[1]
    assert isinstance(levels, TextField)
    assert with_mix(SIX, UNCHANGED, {LEVELS: levels.text}).levels == ()
    typed = with_mix(SIX, UNCHANGED, {LEVELS: "Vocals 0, drums: 150 %; piano=100"})
    assert typed.levels == ((Stem.DRUMS, 150), (Stem.VOCALS, 0))


def test_a_mix_that_was_chosen_by_name_counts_unless_levels_were_typed_too() -> None:
    before = {LEVELS: mix_form(SIX, UNCHANGED).fields[1].text}  # type: ignore[union-attr] # a TextField
    quiet = with_mix(SIX, UNCHANGED, {"mix": "no-drums", **before})
    assert quiet.levels == ((Stem.DRUMS, 0),)
    form = mix_form(SIX, quiet)
    assert choice(form, "mix").chosen == NamedMix.NO_DRUMS
    shown = {"mix": "no-drums", LEVELS: form.fields[1].text}  # type: ignore[union-attr] # a TextField
    assert with_mix(SIX, quiet, shown) == quiet
    assert with_mix(SIX, quiet, {**shown, "mix": "song"}).levels == ()
    assert with_mix(SIX, quiet, {**shown, "mix": "stems"}) == UNCHANGED
    typed = {**shown, LEVELS: "vocals 50"}
    assert with_mix(SIX, quiet, typed).levels == ((Stem.VOCALS, 50),)


def test_levels_of_no_name_stay_when_nothing_is_changed() -> None:
    own = Rendition(levels=((Stem.BASS, 150),))
    form = mix_form(SIX, own)
    assert choice(form, "mix").chosen is None
    assert with_mix(SIX, own, {LEVELS: form.fields[1].text}) == own  # type: ignore[union-attr] # a TextField


def test_the_levels_of_a_form_can_be_sent_back_in_every_language() -> None:
    levels = ((Stem.DRUMS, 150), (Stem.VOCALS, 0))
    for language in installed():
        with active_language(language):
            field = mix_form(SIX, Rendition(levels=levels)).fields[1]
            assert isinstance(field, TextField)
            assert len(field.text) <= field.max_length
            assert with_mix(SIX, UNCHANGED, {LEVELS: field.text}).levels == levels


@pytest.mark.parametrize(
    "typed", ["ボーカル 0、ドラム 50", "ボーカル0，ドラム50", "ボーカル：0、ドラム：50％"]
)
def test_levels_can_be_typed_as_japanese_is_written(typed: str) -> None:
    with active_language(JAPANESE):
        mix = with_mix(SIX, UNCHANGED, {LEVELS: typed})
    assert mix.levels == ((Stem.DRUMS, 50), (Stem.VOCALS, 0))


@pytest.mark.parametrize("typed", ["banjo 50", "vocals", "vocals 201", "50", "vocals -5"])
def test_levels_that_are_not_understood_are_refused(typed: str) -> None:
    with pytest.raises(Rejected) as refused:
        with_mix(SIX, UNCHANGED, {LEVELS: typed})
    assert refused.value.problem.reason is Reason.OUT_OF_RANGE


def test_a_named_mix_is_offered_only_where_its_stem_is() -> None:
    assert [each.value for each in mix_choices(a_job())] == [
        *("stems", "song", "guide-vocals", "quieter-voice", "no-vocals")
    ]
    with pytest.raises(Rejected) as refused:
        named_mix(a_job(), UNCHANGED, NamedMix.NO_DRUMS)
    assert refused.value.problem.reason is Reason.NO_SUCH_MIX


def test_a_named_mix_keeps_key_and_click() -> None:
    clicked = replace(LOWER, click=Click(count_in_bars=1))
    mix = named_mix(a_job(), clicked, NamedMix.GUIDE_VOCALS)
    assert mix == replace(clicked, levels=((Stem.VOCALS, 25),))


def test_jobs_of_one_stem_cannot_be_mixed() -> None:
    job: Job = a_job(request=replace(REQUEST, recipe=Recipe.DRUMS))
    assert [each.value for each in mix_choices(job)] == ["stems"]
