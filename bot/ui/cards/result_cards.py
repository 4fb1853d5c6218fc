"""Cards that come with a job's stems, as pure functions of the job and its delivery."""

from dataclasses import replace

from bot.delivery.port import Delivery
from bot.domain.job import Context, Job
from bot.domain.recipes import AudioFormat, Stem
from bot.domain.renditions import (
    CENTS_A_SEMITONE,
    COVERING,
    MAX_CENTS,
    MIN_SPEED_PERCENT,
    UNCHANGED_PERCENT,
    Rendition,
    RenditionOutput,
)
from bot.i18n.translation import gettext
from bot.ui.cards.card import Card, Tone
from bot.ui.cards.controls import (
    LABELS,
    Action,
    Button,
    Choice,
    LinkButton,
    Menu,
    MenuAction,
    More,
)
from bot.ui.cards.job_cards import job_button, title_of
from bot.ui.cards.link_lines import link_lines, plain_result
from bot.ui.cards.rendition_forms import subject_of
from bot.ui.texts import labels, messages, rendition_texts, usage_texts
from bot.ui.texts.analysis_texts import analysis_line
from bot.ui.texts.figures import length, row
from bot.ui.texts.names import FORMATS, stem_name, stems_line
from bot.ui.texts.rendition_texts import rendition_line

_STEPS_OF_SPEED = 10

_MORE_FORMATS = {
    AudioFormat.MP3: More.MP3,
    AudioFormat.FLAC: More.FLAC,
    AudioFormat.WAV: More.WAV,
}
_FORMAT_LABELS = {
    AudioFormat.MP3: labels.AS_MP3,
    AudioFormat.FLAC: labels.AS_FLAC,
    AudioFormat.WAV: labels.AS_WAV,
}


def result_card(job: Job, delivery: Delivery) -> Card:
    """Return the card for the message with the delivery's files."""
    is_dm = job.reply.context is Context.BOT_DM
    return _result(job, delivery, _cost(job, delivery), is_dm=is_dm)


def forwarded_card(job: Job, delivery: Delivery) -> Card:
    """Return the card for a DM to the user, if the job's reply is out of reach."""
    notes = (_cost(job, delivery), gettext(messages.CAME_BY_DM))
    return _result(job, delivery, *notes, is_dm=True)


def shown_again_card(job: Job, delivery: Delivery, *, is_dm: bool) -> Card:
    """Return the card for stems that are shown again, without their cost."""
    return _result(job, delivery, is_dm=is_dm)


def rendition_card(job: Job, delivery: Delivery, *, is_dm: bool) -> Card:
    """Return the card for what one person asked to be made from a job's stems."""
    card = _result(job, delivery, is_dm=is_dm)
    return replace(card, buttons=_next_steps(job), menu=_more_menu(job, delivery, is_dm=is_dm))


def dm_copy_card(job: Job, delivery: Delivery) -> Card:
    """Return the card for a copy of another user's stems in the asker's DM."""
    return replace(_result(job, delivery, is_dm=True), buttons=(), menu=None)


def interrupted_card(job: Job, again: Button) -> Card:
    """Return the card for a reply whose process ended before it was complete."""
    return Card(
        title=title_of(job),
        lines=(gettext(rendition_texts.INTERRUPTED),),
        tone=Tone.QUIET,
        footer=job.id,
        buttons=(again,),
        plain=gettext(rendition_texts.INTERRUPTED),
    )


def continued_card(job: Job) -> Card:
    """Return the card of the second message, for stems that did not fit into the reply."""
    return Card(
        title=title_of(job),
        lines=(gettext(messages.CONTINUED),),
        tone=Tone.DONE,
        footer=job.id,
        buttons=(job_button(Action.DELETE, job),),
        plain=gettext(messages.PLAIN_RESULT),
    )


def _result(job: Job, delivery: Delivery, *notes: str | None, is_dm: bool) -> Card:
    requested = FORMATS[job.request.audio_format]
    difference = messages.sent(delivery.sent, requested) if delivery.sent else None
    end = _early_end(job)
    lines = (
        summary(job, delivery.audio_format),
        rendition_line(job.request.rendition, job.analysis),
        analysis_line(job.heard) if job.heard else None,
        *_remarks(job),
        end,
        difference,
        *link_lines(delivery),
        *notes,
    )
    return Card(
        title=title_of(job),
        lines=tuple(line for line in lines if line),
        tone=Tone.DONE,
        footer=job.id,
        picture=delivery.picture.name if delivery.picture else None,
        buttons=_buttons(job, delivery),
        menu=_more_menu(job, delivery, is_dm=is_dm),
        plain=plain_result(delivery),
    )


def _buttons(job: Job, delivery: Delivery) -> tuple[Button | LinkButton, ...]:
    listen = delivery.mixer_url and LinkButton(delivery.mixer_url, gettext(labels.LISTEN))
    return (
        _rendition_button(Action.KEY_AND_SPEED, job),
        *((_rendition_button(Action.MIX, job),) if job.request.recipe in COVERING else ()),
        *((listen,) if listen else ()),
        job_button(Action.DELETE, job),
    )


def _rendition_button(action: Action, job: Job) -> Button:
    return Button(action, subject_of(job), gettext(LABELS[action]))


def _next_steps(job: Job) -> tuple[Button, ...]:
    """Return buttons for what singers ask next: a semitone down or up, slower, another mix."""
    current = job.request.rendition
    steps = (
        (labels.SEMITONE_DOWN, current.cents - CENTS_A_SEMITONE, current.speed_percent),
        (labels.SEMITONE_UP, current.cents + CENTS_A_SEMITONE, current.speed_percent),
        (labels.SLOWER, current.cents, current.speed_percent - _STEPS_OF_SPEED),
    )
    return (
        *(
            render_button(job, replace(current, cents=cents, speed_percent=speed), gettext(label))
            for label, cents, speed in steps
            if abs(cents) <= MAX_CENTS and speed >= MIN_SPEED_PERCENT
        ),
        _rendition_button(Action.KEY_AND_SPEED, job),
        *((_rendition_button(Action.MIX, job),) if job.request.recipe in COVERING else ()),
    )


def render_button(job: Job, rendition: Rendition, label: str) -> Button:
    """Return a button that makes a rendition in the job's format; it outlives a restart."""
    return Button(Action.RENDER, f"{job.id}:{rendition.token}:{job.request.audio_format}", label)


def zip_button(job: Job, label: str) -> Button:
    """Return a button that puts the job's stems into one file; it outlives a restart."""
    subject = f"{subject_of(job)}:{job.request.audio_format}"
    return Button(Action.ZIP, subject, label)


def _more_menu(job: Job, delivery: Delivery, *, is_dm: bool) -> Menu:
    formats = [
        Choice(_MORE_FORMATS[each], gettext(_FORMAT_LABELS[each])) for each in delivery.alternatives
    ]
    return Menu(
        action=MenuAction.MORE,
        subject=subject_of(job),
        placeholder=gettext(labels.MORE),
        choices=(
            *formats,
            Choice(f"{More.ZIP}:{delivery.audio_format}", gettext(labels.ZIP)),
            *(() if is_dm else (Choice(More.TO_DM, gettext(labels.TO_DM)),)),
            Choice(More.OTHER_RECIPE, gettext(labels.OTHER_RECIPE)),
        ),
    )


def _cost(job: Job, delivery: Delivery) -> str | None:
    if job.repeat_of is not None:
        return gettext(messages.MADE_BEFORE)
    return usage_texts.charge(job.minutes, delivery.usage) if job.minutes is not None else None


def summary(job: Job, audio_format: AudioFormat) -> str:
    """Say what was made, how long it is and in which format."""
    parts = [_made(job), FORMATS[audio_format]]
    if job.frames is not None:
        speed = job.request.rendition.speed_percent
        parts.insert(1, length(job.frames * UNCHANGED_PERCENT // speed))
    return row(parts)


def _made(job: Job) -> str:
    is_mix = job.request.rendition.output is RenditionOutput.MIX
    return stem_name(Stem.MIX) if is_mix else stems_line(job.stems)


def _remarks(job: Job) -> tuple[str, ...]:
    remarks = []
    if job.is_voiceless:
        remarks.append(gettext(messages.NO_VOICE))
    if job.is_unnamed:
        remarks.append(gettext(messages.PARTS_UNNAMED))
    return tuple(remarks)


def _early_end(job: Job) -> str | None:
    if not job.ends_early or job.frames is None:
        return None
    return gettext(messages.ENDS_EARLY, length=length(job.frames))
