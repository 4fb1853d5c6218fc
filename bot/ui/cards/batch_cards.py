"""The card and the form of a batch, as pure functions."""

from collections.abc import Iterable, Mapping

from bot.domain.job import JobId
from bot.domain.recipes import Recipe
from bot.domain.titles import title_of
from bot.i18n.translation import gettext
from bot.scheduling.plans import Offer
from bot.scheduling.progress import Progress
from bot.ui.cards.card import Card, Tone
from bot.ui.cards.controls import ALL_SONGS, Action, Button, Choice, Menu, MenuAction
from bot.ui.cards.forms import ChoiceField, FilesField, Form, FormAction
from bot.ui.cards.song_cards import recipe_choices
from bot.ui.texts import batch_texts as texts
from bot.ui.texts import labels, messages
from bot.ui.texts.names import RECIPES
from bot.ui.texts.safe_text import safe, shortened
from bot.ui.texts.usage_texts import CHARGED_ALONE
from storage.stores.batches import BatchContent, BatchSong

FILES = "files"
STEMS = "stems"
"""The names of the form's fields."""
MAX_FILES = 10
MAX_TITLE = 50
"""Ten lines with titles of this length and long reasons fit into an embed."""
MAX_LABEL = 100


def batch_form(offers: Iterable[Offer], chosen: Recipe) -> Form:
    """Return the form for the files and the stems to make from each."""
    choices = recipe_choices(offers)
    values = {choice.value for choice in choices}
    return Form(
        action=FormAction.BATCH,
        title=gettext(texts.FORM_TITLE),
        fields=(
            FilesField(
                name=FILES,
                label=gettext(texts.FILES_LABEL),
                detail=gettext(texts.FILES_DETAIL, count=MAX_FILES),
                max_files=MAX_FILES,
            ),
            ChoiceField(
                name=STEMS,
                label=gettext(texts.STEMS_LABEL),
                choices=choices,
                chosen=chosen if chosen in values else None,
            ),
        ),
    )


def batch_card(
    content: BatchContent,
    progress: Mapping[JobId, Progress | None],
    *,
    is_closing: bool = False,
    is_dm_copy: bool = False,
) -> Card:
    """Return the card with the songs of a batch and the progress of each.

    With `is_closing`, the card says how the user learns the result after it can't be edited.
    """
    batch = content.batch
    lines = [_line(content, song, progress) for song in content.songs]
    lines += _notes(content)
    if is_closing and not batch.is_final:
        lines += ["", gettext(texts.CLOSING)]
    if is_dm_copy:
        lines += ["", gettext(texts.CAME_BY_DM)]
    recipe = gettext(RECIPES[batch.recipe])
    cancel = Button(Action.CANCEL_BATCH, batch.id, gettext(labels.CANCEL))
    is_cancellable = not batch.is_final and batch.reason is None
    return Card(
        title=gettext(texts.TITLE, count=len(content.songs), recipe=recipe),
        lines=tuple(lines),
        tone=_tone(content),
        footer=batch.id,
        buttons=(cancel,) if is_cancellable else (),
        menu=_menu(content),
        plain=gettext(texts.PLAIN),
    )


def _line(content: BatchContent, song: BatchSong, progress: Mapping[JobId, Progress | None]) -> str:
    job = content.job_of(song)
    title = job.title if job is not None else title_of(song.source.filename)
    if job is not None:
        status = texts.song_status(job, progress.get(job.id))
    elif song.problem is not None:
        status = messages.problem(song.problem)
    else:
        status = gettext(texts.WAITING)
    return f"{song.number}. **{safe(title, MAX_TITLE)}** · {status}"


def _notes(content: BatchContent) -> list[str]:
    notes = []
    if content.batch.reason is not None:
        notes.append(texts.end_of(content.batch.reason))
    charged = sum(job.minutes or 0 for job in content.with_stems if job.repeat_of is None)
    if content.batch.is_final and charged:
        notes.append(gettext(CHARGED_ALONE, minutes=charged))
    return ["", *notes] if notes else []


def _menu(content: BatchContent) -> Menu | None:
    """Return the menu that shows stems, or None while there are no stems."""
    choices = [
        Choice(str(song.number), shortened(f"{song.number}. {job.title}", MAX_LABEL))
        for song in content.songs
        if (job := content.job_of(song)) is not None and job.has_stems
    ]
    if not choices:
        return None
    return Menu(
        action=MenuAction.SHOW_SONG,
        subject=content.batch.id,
        placeholder=gettext(texts.GET_STEMS),
        choices=(*choices, Choice(ALL_SONGS, gettext(texts.ALL_IN_ONE))),
    )


def _tone(content: BatchContent) -> Tone:
    if not content.batch.is_final:
        return Tone.WORKING if content.jobs else Tone.WAITING
    if content.with_stems:
        return Tone.DONE
    return Tone.QUIET if content.batch.reason is not None else Tone.FAILED
