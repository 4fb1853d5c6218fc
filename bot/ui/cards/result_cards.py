"""Cards that come with a job's stems, as pure functions of the job and its delivery."""

from dataclasses import replace

from bot.delivery.port import ClipDelivery, Delivery, DeliveryLink
from bot.domain.job import Job
from bot.domain.recipes import AudioFormat, Stem
from bot.domain.renditions import UNCHANGED_PERCENT, RenditionOutput
from bot.i18n.translation import gettext
from bot.ui.cards.card import Card, Tone
from bot.ui.cards.controls import Action, Button
from bot.ui.cards.job_cards import job_button, title_of
from bot.ui.cards.result_controls import Place, more_menu, next_steps, result_buttons
from bot.ui.texts import messages, rendition_texts, usage_texts
from bot.ui.texts.analysis_texts import analysis_line
from bot.ui.texts.figures import length, moment, row
from bot.ui.texts.names import FORMATS, stem_name, stems_line
from bot.ui.texts.rendition_texts import rendition_line
from bot.ui.texts.safe_text import safe

MAX_PLAIN = 2000
"""Discord's limit for the text of a message."""


def result_card(job: Job, delivery: Delivery) -> Card:
    """Return the card for the message with the delivery's files."""
    return _result(job, delivery, _cost(job, delivery), place=Place.of(job.reply))


def forwarded_card(job: Job, delivery: Delivery) -> Card:
    """Return the card for a DM to the user, if the job's reply is out of reach."""
    notes = (_cost(job, delivery), gettext(messages.CAME_BY_DM))
    return _result(job, delivery, *notes, place=Place.DM)


def shown_again_card(job: Job, delivery: Delivery, *, place: Place) -> Card:
    """Return the card for stems that are shown again, without their cost."""
    return _result(job, delivery, place=place)


def rendition_card(job: Job, delivery: Delivery, *, place: Place) -> Card:
    """Return the card for a rendition that one person requested."""
    card = _result(job, delivery, place=place)
    return replace(card, buttons=next_steps(job))


def dm_copy_card(job: Job, delivery: Delivery) -> Card:
    """Return the card for a copy of another user's stems, sent to the requester by DM."""
    return replace(_result(job, delivery, place=Place.DM), buttons=(), menu=None)


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


def clip_card(job: Job, made: ClipDelivery) -> Card:
    """Return the card for a clip that only its requester sees, with a button that adds it."""
    what = gettext(
        messages.CLIP,
        stem=stem_name(made.stem),
        start=length(made.start),
        end=length(made.start + made.frames),
    )
    return Card(
        title=title_of(job),
        lines=(what, gettext(messages.CLIP_NEXT)),
        tone=Tone.DONE,
        footer=job.id,
        buttons=(job_button(Action.ADD_SOUND, job),),
        plain=gettext(messages.CLIP_NEXT),
    )


def clip_added_card(job: Job, name: str) -> Card:
    """Return the card for a clip that is on the soundboard."""
    return Card(
        title=title_of(job),
        lines=(gettext(messages.CLIP_ADDED, name=safe(name)),),
        tone=Tone.DONE,
        footer=job.id,
        plain=gettext(messages.PLAIN_CLIP_ADDED),
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


def _result(job: Job, delivery: Delivery, *notes: str | None, place: Place) -> Card:
    requested = FORMATS[job.request.audio_format]
    difference = messages.sent(delivery.sent, requested) if delivery.sent else None
    end = _early_end(job)
    lines = (
        summary(job, delivery.audio_format),
        rendition_line(job.request.rendition),
        analysis_line(job.heard) if job.heard else None,
        gettext(messages.MADE_WITH, model=safe(delivery.model)) if delivery.model else None,
        *_remarks(job),
        end,
        difference,
        *_link_lines(delivery),
        *notes,
    )
    return Card(
        title=title_of(job),
        lines=tuple(line for line in lines if line),
        tone=Tone.DONE,
        footer=job.id,
        picture=delivery.picture.name if delivery.picture else None,
        buttons=result_buttons(job, delivery),
        menu=more_menu(job, delivery, place),
        plain=plain_result(delivery),
    )


def _cost(job: Job, delivery: Delivery) -> str | None:
    if job.repeat_of is not None:
        return gettext(messages.MADE_BEFORE)
    return usage_texts.charge(job.minutes, delivery.usage) if job.minutes is not None else None


def summary(job: Job, audio_format: AudioFormat) -> str:
    """Return a line with the stems, their length and their format."""
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


def _link_lines(delivery: Delivery) -> tuple[str, ...]:
    return tuple(_link_line(link) for link in delivery.links)


def plain_result(delivery: Delivery) -> str:
    """Return a fixed text that says that the stems are here, with their links if they fit."""
    plain = gettext(messages.PLAIN_RESULT)
    whole = "\n".join((plain, *_link_lines(delivery)))
    return whole if len(whole) <= MAX_PLAIN else plain


def _link_line(link: DeliveryLink) -> str:
    label = stem_name(link.stem)
    if link.audio_format is not None:
        label = row([label, FORMATS[link.audio_format]])
    when = None if link.expires_at is None else moment(link.expires_at)
    return messages.link(label, link.url, when)
