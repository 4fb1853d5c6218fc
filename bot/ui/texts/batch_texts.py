"""Words for batches: on their card, in their form and in menus."""

from bot.domain.errors import Reason
from bot.domain.job import Job, State
from bot.i18n.translation import Message, PluralMessage, gettext
from bot.scheduling.progress import Progress
from bot.ui.texts import messages
from bot.ui.texts.figures import PER_CENT, length

FORM_TITLE = Message("Split several songs")
FILES_LABEL = Message("Songs")
FILES_DETAIL = Message("Up to {count} audio or video files")
STEMS_LABEL = Message("Stems")
TITLE = PluralMessage("{count} song · {recipe}", "{count} songs · {recipe}", by="count")
WAITING = Message("waits for its turn")
STARTING = Message("starting")
IN_LINE = Message("in line, {ahead} ahead")
DONE = Message("done, {length}")
SEPARATING = Message("separating, {percent}")
GET_STEMS = Message("Get the stems")
ALL_IN_ONE = Message("Zip: all songs in one")
ALL_OF_THEM = Message("All of them")
CHOOSE_RECIPE = Message("What should I make from each?")
CLOSING = Message(
    "Discord lets me edit this message for only 15 minutes. If this takes longer, this list will "
    "come by direct message, and `/jobs` has your songs."
)
CAME_BY_DM = Message("Discord didn't let me show this where you asked for it.")
PLAIN = Message("Your songs: see `/jobs`.")
CANCELLED = Message("The unfinished songs are cancelled, and nothing was charged for them.")


def song_status(job: Job, progress: Progress | None) -> str:
    """Return a song's progress or result in words."""
    if job.state in (State.DELIVERED, State.KEPT):
        return gettext(DONE, length=length(job.frames or 0))
    if job.state.is_final:
        return problem_of(job)
    if progress is None:
        return gettext(STARTING)
    if progress.fraction is not None:
        percent = gettext(PER_CENT, figure=int(min(1.0, max(0.0, progress.fraction)) * 100))
        return gettext(SEPARATING, percent=percent)
    if progress.ahead:
        return gettext(IN_LINE, ahead=progress.ahead)
    return messages.stage(progress)


def problem_of(job: Job) -> str:
    """Return why a song has no stems."""
    if job.problem is None:
        return gettext(messages.STATES[job.state])
    return messages.problem(job.problem)


def end_of(reason: Reason) -> str:
    """Return why a batch ended early."""
    if reason is Reason.UNACKNOWLEDGED:
        return gettext(messages.REASONS[reason][0])
    return gettext(CANCELLED)
