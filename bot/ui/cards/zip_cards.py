"""Cards for stems in one file."""

from collections.abc import Sequence

from bot.delivery.port import ZipDelivery
from bot.domain.job import Job
from bot.i18n.translation import gettext
from bot.ui.cards.card import Card, Tone
from bot.ui.cards.job_cards import title_of
from bot.ui.cards.result_cards import summary
from bot.ui.texts import batch_texts, labels, messages
from bot.ui.texts.analysis_texts import analysis_line
from bot.ui.texts.figures import moment
from bot.ui.texts.names import FORMATS, RECIPES
from bot.ui.texts.rendition_texts import rendition_line
from bot.ui.texts.safe_text import safe

MAX_TITLE = 50
_MIB = 1024 * 1024


def zip_card(job: Job, made: ZipDelivery) -> Card:
    """Return the card for all of a job's stems in one file."""
    lines = (
        summary(job, made.audio_format),
        rendition_line(job.request.rendition),
        analysis_line(job.heard) if job.heard else None,
        *zip_lines(job, made),
    )
    return Card(
        title=title_of(job),
        lines=tuple(line for line in lines if line),
        tone=Tone.DONE,
        footer=job.id,
        plain=gettext(messages.PLAIN_RESULT),
    )


def songs_zip_card(songs: Sequence[Job], made: ZipDelivery) -> Card:
    """Return the card for the stems of several songs in one file."""
    titles = [f"{number}. {safe(job.title, MAX_TITLE)}" for number, job in enumerate(songs, 1)]
    recipe = gettext(RECIPES[songs[0].request.recipe])
    return Card(
        title=gettext(batch_texts.TITLE, count=len(songs), recipe=recipe),
        lines=(*titles, *zip_lines(songs[0], made)),
        tone=Tone.DONE,
        plain=gettext(messages.PLAIN_RESULT),
    )


def zip_lines(asked: Job, made: ZipDelivery) -> tuple[str, ...]:
    """Return lines on how the file differs from the request, and its link if it is not attached."""
    wanted = FORMATS[asked.request.audio_format]
    lines = []
    if made.sent and (difference := messages.sent(made.sent, wanted)):
        lines.append(difference)
    if made.url:
        label = gettext(labels.ZIP_LINK, size=max(1, round(made.size_bytes / _MIB)))
        when = None if made.expires_at is None else moment(made.expires_at)
        lines.append(messages.link(label, made.url, when))
    return tuple(lines)
