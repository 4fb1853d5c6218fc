"""The forms for renditions, and the reading of their values. Does not use discord.py."""

import re
import unicodedata
from collections.abc import Mapping
from dataclasses import replace

from bot.domain.analysis import AUDIBLY_OFF_CENTS, Analysis
from bot.domain.errors import Reason, Rejected
from bot.domain.job import Job
from bot.domain.recipes import Stem
from bot.domain.renditions import (
    CENTS_A_SEMITONE,
    MAX_CENTS,
    UNCHANGED,
    UNCHANGED_PERCENT,
    Click,
    ClickGrid,
    NamedMix,
    Rendition,
    RenditionOutput,
    mixed,
    mixes_of,
)
from bot.i18n.translation import gettext
from bot.ui.cards.controls import Choice
from bot.ui.cards.forms import MAX_FIELDS, ChoiceField, Field, Form, FormAction, TextField
from bot.ui.texts import rendition_texts as texts
from bot.ui.texts.analysis_texts import key_names
from bot.ui.texts.names import STEMS, stem_name

SPEEDS = (50, 60, 70, 75, 80, 90, 100, 110, 125, 150)
LEVELS = (0, 25, 50, 75, 100, 150, 200)
KEY, SPEED, TUNING, MIX, CLICK, ALL_LEVELS = "key", "speed", "tuning", "mix", "click", "levels"
_STANDARD, _RECORDED = "standard", "recorded"
_NO_CLICK, _COUNT_IN = "none", "count-in"
_LEVEL = re.compile(r"(?P<stem>\D+?)\s*[:=]?\s*(?P<level>\d{1,3})\s*%?")


def subject_of(job: Job) -> str:
    """Return the subject of controls that change the job's rendition."""
    return f"{job.id}:{job.request.rendition.token}"


def key_form(job: Job, current: Rendition) -> Form:
    """Return the form for key and speed, with the current values and, if known, key names."""
    fields: list[Field] = [
        ChoiceField(
            name=KEY,
            label=gettext(texts.KEY_LABEL),
            detail=gettext(texts.KEY_DETAIL),
            choices=_key_choices(job.analysis),
            chosen=str(round(current.cents / CENTS_A_SEMITONE)),
        ),
        ChoiceField(
            name=SPEED,
            label=gettext(texts.SPEED_LABEL),
            choices=_speed_choices(current.speed_percent),
            chosen=str(current.speed_percent),
        ),
    ]
    if _is_off_tune(job.analysis):
        is_tuned = current.cents % CENTS_A_SEMITONE != 0
        fields.append(
            ChoiceField(
                name=TUNING,
                label=gettext(texts.TUNING_LABEL),
                choices=(
                    Choice(_RECORDED, gettext(texts.TUNING_KEPT)),
                    Choice(_STANDARD, gettext(texts.TUNING_STANDARD)),
                ),
                chosen=_STANDARD if is_tuned else _RECORDED,
            )
        )
    return Form(
        action=FormAction.KEY_AND_SPEED,
        subject=f"{job.id}:{current.token}",
        title=gettext(texts.KEY_TITLE),
        fields=tuple(fields),
    )


def mix_form(job: Job, current: Rendition) -> Form:
    """Return the form for the level of each stem, and for clicks where the beats allow them."""
    clicks = _click_field(job, current)
    room = MAX_FIELDS - len(clicks)
    if len(job.stems) <= room:
        fields: tuple[Field, ...] = tuple(_level_field(stem, current) for stem in job.stems)
    else:
        fields = (_mix_field(job, current), _levels_field(job, current))
    return Form(
        action=FormAction.MIX,
        subject=f"{job.id}:{current.token}",
        title=gettext(texts.MIX_TITLE),
        fields=(*fields, *clicks),
    )


def with_key_and_speed(
    current: Rendition, values: Mapping[str, str], analysis: Analysis | None
) -> Rendition:
    """Return the rendition with the submitted key and speed. Raises Rejected with OUT_OF_RANGE."""
    try:
        cents = current.with_key(int(values[KEY])).cents
        if values.get(TUNING) == _STANDARD and analysis and analysis.tuning_cents:
            cents -= analysis.tuning_cents
        cents = max(-MAX_CENTS, min(MAX_CENTS, cents))
        return replace(current, cents=cents, speed_percent=int(values[SPEED]))
    except (KeyError, ValueError) as exc:
        raise Rejected(Reason.OUT_OF_RANGE) from exc


def with_mix(job: Job, current: Rendition, values: Mapping[str, str]) -> Rendition:
    """Return the rendition as a mix with the submitted levels and clicks.

    Raises Rejected with OUT_OF_RANGE, or with NO_SUCH_MIX if the stems do not allow the mix.
    """
    try:
        levels = _levels_in(job, values)
        rendition = replace(
            current,
            output=RenditionOutput.MIX,
            levels=levels,
            click=_click_in(values.get(CLICK, _NO_CLICK)),
        )
    except ValueError as exc:
        raise Rejected(Reason.OUT_OF_RANGE) from exc
    named = values.get(MIX)
    is_typed = bool(levels) and rendition.levels != current.levels
    if named is None or is_typed or named == _name_of_mix(job, current):
        return rendition
    return named_mix(job, rendition, named)


def named_mix(job: Job, rendition: Rendition, name: str) -> Rendition:
    """Return the rendition with a named mix. Raises Rejected with NO_SUCH_MIX."""
    try:
        click = rendition.click
        found = mixed(rendition, NamedMix(name), job.request.recipe, job.stems)
    except ValueError as exc:
        raise Rejected(Reason.NO_SUCH_MIX) from exc
    return replace(found, click=click) if click and found.levels else found


def mix_choices(job: Job) -> tuple[Choice, ...]:
    """Return the named mixes that the job's stems allow."""
    return tuple(
        Choice(mix, texts.mix_name(mix)) for mix in mixes_of(job.request.recipe, job.stems)
    )


def _key_choices(analysis: Analysis | None) -> tuple[Choice, ...]:
    semitones = range(MAX_CENTS // CENTS_A_SEMITONE, -MAX_CENTS // CENTS_A_SEMITONE - 1, -1)
    known = analysis.key if analysis else None
    return tuple(
        Choice(
            str(each),
            texts.signed(each) if each else gettext(texts.ORIGINAL_KEY),
            key_names(known, semitones=each) if known else None,
        )
        for each in semitones
    )


def _speed_choices(current: int) -> tuple[Choice, ...]:
    speeds = sorted({*SPEEDS, current})
    return tuple(
        Choice(
            str(each),
            texts.percent(each),
            gettext(texts.ORIGINAL_SPEED) if each == UNCHANGED_PERCENT else None,
        )
        for each in speeds
    )


def _is_off_tune(analysis: Analysis | None) -> bool:
    return (
        analysis is not None
        and analysis.tuning_cents is not None
        and abs(analysis.tuning_cents) > AUDIBLY_OFF_CENTS
    )


def _level_field(stem: Stem, current: Rendition) -> ChoiceField:
    chosen = current.level_of(stem)
    levels = sorted({*LEVELS, chosen})
    return ChoiceField(
        name=stem,
        label=stem_name(stem),
        choices=tuple(Choice(str(each), texts.level(each)) for each in levels),
        chosen=str(chosen),
    )


def _mix_field(job: Job, current: Rendition) -> ChoiceField:
    return ChoiceField(
        name=MIX,
        label=gettext(texts.MIX_TITLE),
        choices=mix_choices(job),
        chosen=_name_of_mix(job, current),
        is_required=False,
    )


def _name_of_mix(job: Job, current: Rendition) -> NamedMix | None:
    """Return the named mix with the rendition's levels, regardless of key, speed and clicks."""
    if current.output is RenditionOutput.STEMS:
        return None
    recipe, stems = job.request.recipe, job.stems
    return next(
        (
            mix
            for mix in mixes_of(recipe, stems)
            if mix is not NamedMix.STEMS
            and mixed(UNCHANGED, mix, recipe, stems).levels == current.levels
        ),
        None,
    )


def _levels_field(job: Job, current: Rendition) -> TextField:
    return TextField(
        name=ALL_LEVELS,
        label=gettext(texts.LEVELS_LABEL),
        text=texts.stem_levels(job.stems, current),
        detail=gettext(texts.LEVELS_DETAIL, example=f"{gettext(STEMS[job.stems[0]])} 50"),
    )


def _click_field(job: Job, current: Rendition) -> tuple[Field, ...]:
    grid = job.analysis.grid if job.analysis else None
    if grid is None or not grid.is_steady:
        return ()
    along = [Choice(each, gettext(texts.GRIDS[each])) for each in ClickGrid]
    return (
        ChoiceField(
            name=CLICK,
            label=gettext(texts.CLICK_LABEL),
            choices=(
                Choice(_NO_CLICK, gettext(texts.CLICK_OFF)),
                Choice(_COUNT_IN, gettext(texts.CLICK_COUNT_IN)),
                *along,
            ),
            chosen=_click_value(current.click),
        ),
    )


def _click_value(click: Click | None) -> str:
    if click is None:
        return _NO_CLICK
    return str(click.grid) if click.is_throughout else _COUNT_IN


def _click_in(value: str) -> Click | None:
    if value == _NO_CLICK:
        return None
    if value == _COUNT_IN:
        return Click(count_in_bars=1)
    return Click(count_in_bars=1, is_throughout=True, grid=ClickGrid(value))


def _levels_in(job: Job, values: Mapping[str, str]) -> tuple[tuple[Stem, int], ...]:
    if ALL_LEVELS in values:
        return tuple(_typed_levels(job, values[ALL_LEVELS]))
    return tuple((stem, int(values[stem])) for stem in job.stems if stem in values)


def _typed_levels(job: Job, typed: str) -> list[tuple[Stem, int]]:
    """Read `vocals 50, drums 0`, in the user's language or with the stems' own names.

    Full-width signs and digits, which Japanese keyboards type, count as ASCII ones.
    """
    typed = unicodedata.normalize("NFKC", typed)
    names = {gettext(STEMS[stem]).casefold(): stem for stem in job.stems}
    names |= {stem.replace("_", " "): stem for stem in job.stems}
    found = {}
    for part in filter(None, (each.strip() for each in re.split(r"[,;\n、]", typed))):
        match = _LEVEL.fullmatch(part)
        stem = names.get(match["stem"].strip().casefold()) if match else None
        if match is None or stem is None:
            raise ValueError(part)
        found[stem] = int(match["level"])
    return list(found.items())
