"""Cards that come with a job's stems, as pure functions of the job and its delivery."""

from bot.delivery.port import Delivery
from bot.domain.job import Context, Job
from bot.domain.recipes import AudioFormat
from bot.i18n.translation import gettext
from bot.ui.cards.card import Card, Tone
from bot.ui.cards.controls import Action, Button
from bot.ui.cards.job_cards import job_button, title_of
from bot.ui.cards.link_lines import link_lines, plain_result
from bot.ui.texts import messages, usage_texts
from bot.ui.texts.figures import length, row
from bot.ui.texts.names import FORMATS, stems_line

MAX_FORMAT_BUTTONS = 2

_FORMAT_ACTIONS = {
    AudioFormat.MP3: Action.AS_MP3,
    AudioFormat.FLAC: Action.AS_FLAC,
    AudioFormat.WAV: Action.AS_WAV,
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
        _summary(job, delivery),
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
        buttons=_buttons(job, delivery, is_dm=is_dm),
        plain=plain_result(delivery),
    )


def _buttons(job: Job, delivery: Delivery, *, is_dm: bool) -> tuple[Button, ...]:
    formats = [job_button(_FORMAT_ACTIONS[each], job) for each in delivery.alternatives]
    return (
        job_button(Action.OTHER_RECIPE, job),
        *formats[:MAX_FORMAT_BUTTONS],
        *(() if is_dm else (job_button(Action.TO_DM, job),)),
        job_button(Action.DELETE, job),
    )


def _cost(job: Job, delivery: Delivery) -> str | None:
    if job.repeat_of is not None:
        return gettext(messages.MADE_BEFORE)
    return usage_texts.charge(job.minutes, delivery.usage) if job.minutes is not None else None


def _summary(job: Job, delivery: Delivery) -> str:
    parts = [stems_line(job.stems), FORMATS[delivery.audio_format]]
    if job.frames is not None:
        parts.insert(1, length(job.frames))
    return row(parts)


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
