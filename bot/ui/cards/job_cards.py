"""Cards for a job in progress and for the list of a user's jobs, as pure functions."""

from collections.abc import Sequence

from bot.domain.errors import Reason
from bot.domain.job import Job, State
from bot.i18n.translation import gettext
from bot.scheduling.progress import Progress, Stage
from bot.ui.cards.card import Card, Tone
from bot.ui.cards.controls import LABELS, Action, Button, Choice, Emphasis, Menu, MenuAction
from bot.ui.texts import labels, messages
from bot.ui.texts.figures import about, bar
from bot.ui.texts.names import RECIPES
from bot.ui.texts.safe_text import capitalised, safe, shortened

MAX_LISTED = 15
"""The most jobs in one list; more of the longest titles would not fit an embed."""
MAX_CANCEL_BUTTONS = 5
MAX_CHOICES = 25
"""Discord's limit for the options of a menu."""

_FILE_STAGES = frozenset({Stage.DOWNLOADING, Stage.CHECKING})
"""The stages that are over once the job is held, even if the board has no later one yet."""

_WAITING = frozenset({Stage.WAITING, Stage.NO_WORKER})

# For these reasons, trying again may help, since the song itself is not the cause.
_TRANSIENT = frozenset(
    {
        Reason.DOWNLOAD_FAILED,
        Reason.QUOTA,
        Reason.SPEND_CAP,
        Reason.NO_PROVIDER,
        Reason.PROVIDERS_FAILED,
        Reason.TIMED_OUT,
        Reason.BUSY,
        Reason.DISK_FULL,
        Reason.STEMS_LOST,
        Reason.INTERNAL,
    }
)


def card_of(job: Job, progress: Progress | None = None, *, is_closing: bool = False) -> Card:
    """Return the card of a job that has no result in this message.

    With `is_closing`, the card says how the user gets the result once this message can't be edited.
    """
    lines = _lines(job, progress)
    if is_closing and not job.state.is_final:
        lines = (*lines, "", gettext(messages.CLOSING, job_id=job.id))
    return Card(
        title=title_of(job),
        lines=lines,
        tone=_tone(job.state, progress),
        footer=job.id,
        buttons=_buttons(job),
        plain=gettext(messages.STATES[job.state]),
    )


def jobs_card(jobs: Sequence[Job]) -> Card:
    """List a user's jobs, with buttons to cancel them and a menu to show their stems again."""
    active = [job for job in jobs if is_cancellable(job)][:MAX_CANCEL_BUTTONS]
    with_stems = [job for job in jobs if job.has_stems][:MAX_CHOICES]
    return Card(
        title=gettext(labels.YOUR_SONGS),
        lines=tuple(map(_listed, jobs[:MAX_LISTED])) or (gettext(messages.NO_JOBS),),
        tone=Tone.QUIET,
        buttons=tuple(
            Button(Action.CANCEL, job.id, gettext(labels.CANCEL_ONE, job_id=job.id))
            for job in active
        ),
        menu=_show_menu(with_stems) if with_stems else None,
    )


def is_cancellable(job: Job) -> bool:
    """Whether the user may still cancel the job; a ready one is paid for."""
    return not job.state.is_final and job.state is not State.READY


def title_of(job: Job) -> str:
    """Return a card's title, like `Neon Rain · Karaoke`."""
    return f"{safe(job.title)} · {gettext(RECIPES[job.request.recipe])}"


def job_button(action: Action, job: Job) -> Button:
    """Return a button for the job, with the action's usual label."""
    is_retry = action is Action.TRY_AGAIN
    emphasis = Emphasis.PRIMARY if is_retry else Emphasis.NORMAL
    return Button(action, job.id, gettext(LABELS[action]), emphasis)


def _buttons(job: Job) -> tuple[Button, ...]:
    if is_cancellable(job):
        return (job_button(Action.CANCEL, job),)
    if job.state is State.KEPT and job.has_stems and job.problem is None:
        return (job_button(Action.SHOW, job),)
    if job.state is State.FAILED and job.problem and job.problem.reason in _TRANSIENT:
        return (job_button(Action.TRY_AGAIN, job),)
    return ()


def _show_menu(jobs: Sequence[Job]) -> Menu:
    choices = [
        Choice(job.id, shortened(job.title), f"{gettext(RECIPES[job.request.recipe])} · {job.id}")
        for job in jobs
    ]
    return Menu(
        action=MenuAction.SHOW_JOB, placeholder=gettext(labels.SHOW_ONE), choices=tuple(choices)
    )


def _listed(job: Job) -> str:
    return f"`{job.id}` **{safe(job.title)}** · {messages.standing(job)}"


def _lines(job: Job, progress: Progress | None) -> tuple[str, ...]:
    if job.state in (State.FAILED, State.CANCELLED):
        why = messages.problem(job.problem) if job.problem else gettext(messages.STATES[job.state])
        return (why, gettext(messages.NOTHING_CHARGED))
    if job.state is State.KEPT:
        return (messages.problem(job.problem) if job.problem else gettext(messages.KEPT),)
    is_outdated = job.state is State.HELD and progress and progress.stage in _FILE_STAGES
    if job.state is State.DELIVERED or progress is None or is_outdated:
        return (gettext(messages.STATES[job.state]),)
    if progress.fraction is None:
        is_foreseen = progress.stage is Stage.SEPARATING and progress.eta_s
        return (messages.stage(progress), *((_wait_line(progress),) if is_foreseen else ()))
    return (messages.stage(progress), _bar_line(progress.fraction, progress.eta_s))


def _bar_line(fraction: float, eta_s: float | None) -> str:
    if eta_s is None:
        return bar(fraction)
    return gettext(labels.BAR_WITH_WAIT, bar=bar(fraction), wait=about(eta_s))


def _wait_line(progress: Progress) -> str:
    return capitalised(gettext(labels.WAIT, wait=about(progress.eta_s or 0)))


def _tone(state: State, progress: Progress | None) -> Tone:
    match state:
        case State.DELIVERED | State.KEPT:
            return Tone.DONE
        case State.FAILED:
            return Tone.FAILED
        case State.CANCELLED:
            return Tone.QUIET
        case State.RECEIVED | State.HELD:
            return Tone.WAITING
        case State.SUBMITTING | State.PROCESSING | State.READY:
            is_waiting = progress is not None and progress.stage in _WAITING
            return Tone.WAITING if is_waiting else Tone.WORKING
