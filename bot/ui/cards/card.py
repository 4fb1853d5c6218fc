"""The card: what a job's one reply shows, as a pure function of the job. Discord is not needed."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum

from bot.delivery.port import Delivery
from bot.domain.errors import Reason
from bot.domain.job import Context, Job, State
from bot.domain.minutes import Usage
from bot.domain.recipes import AudioFormat, Stem
from bot.i18n.translation import gettext
from bot.jobs.intake import Limits
from bot.scheduling.plans import Offer
from bot.scheduling.progress import Progress, Stage
from bot.ui.cards.controls import BUTTON_LABELS, SHOW_MENU, Action, Button, Choice, Menu
from bot.ui.cards.link_lines import link_lines, plain_result
from bot.ui.texts import labels, messages, usage_texts
from bot.ui.texts.figures import about, bar, length, row
from bot.ui.texts.help_texts import help_lines
from bot.ui.texts.names import FORMATS, RECIPES, stems_line, stems_of
from bot.ui.texts.safe_text import capitalised, safe, shortened

MAX_LISTED_BUTTONS = 5

_OF_THE_FILE = frozenset({Stage.DOWNLOADING, Stage.CHECKING})
"""Over once the job is held, although nobody has put a later stage on the board yet."""

# Trying again is of use where the song itself is not to blame.
_PASSING = frozenset(
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
_FORMAT_BUTTONS = {
    AudioFormat.MP3: Action.AS_MP3,
    AudioFormat.FLAC: Action.AS_FLAC,
    AudioFormat.WAV: Action.AS_WAV,
}


class Tone(Enum):
    """How a card feels; rendering gives each its colour."""

    WAITING = "waiting"
    WORKING = "working"
    DONE = "done"
    FAILED = "failed"
    QUIET = "quiet"


@dataclass(frozen=True, slots=True, kw_only=True)
class Card:
    """What a message shows; equal cards look the same."""

    title: str
    lines: tuple[str, ...]
    tone: Tone
    footer: str | None = None
    picture: str | None = None
    """The name of an attachment of the same message."""
    buttons: tuple[Button, ...] = ()
    menu: Menu | None = None
    plain: str = ""
    """The same in fixed words, for a server whose rules refuse the card's."""


def card_of(job: Job, progress: Progress | None = None, *, is_closing: bool = False) -> Card:
    """Draw a job that is on its way, or over without a result in this message.

    With `is_closing` it says how the result will be had once the message can be edited no more.
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


def result_card(job: Job, parcel: Delivery) -> Card:
    """Draw the result, for the message that gets the parcel's files."""
    return _result(job, parcel, _cost(job, parcel), is_dm=job.reply.context is Context.BOT_DM)


def forwarded_card(job: Job, parcel: Delivery) -> Card:
    """Draw the result for the user's DM, because the reply cannot be reached."""
    return _result(job, parcel, _cost(job, parcel), gettext(messages.CAME_BY_DM), is_dm=True)


def shown_again_card(job: Job, parcel: Delivery, *, is_dm: bool) -> Card:
    """Draw stems that were delivered before; what they cost was said then."""
    return _result(job, parcel, is_dm=is_dm)


def _result(job: Job, parcel: Delivery, *notes: str | None, is_dm: bool) -> Card:
    wanted = FORMATS[job.request.audio_format]
    note = messages.sent(parcel.sent, wanted) if parcel.sent else None
    end = _early_end(job)
    summary = _summary(job, stems_of(job.request.recipe), parcel.audio_format)
    return Card(
        title=title_of(job),
        lines=tuple(line for line in (summary, end, note, *link_lines(parcel), *notes) if line),
        tone=Tone.DONE,
        footer=job.id,
        picture=parcel.picture.name if parcel.picture else None,
        buttons=_result_buttons(job, parcel, is_dm=is_dm),
        plain=plain_result(parcel),
    )


def continued_card(job: Job) -> Card:
    """Draw the head of the message that has those stems for which the reply had no room."""
    return Card(
        title=title_of(job),
        lines=(gettext(messages.CONTINUED),),
        tone=Tone.DONE,
        footer=job.id,
        buttons=(_button(Action.DELETE, job),),
        plain=gettext(messages.PLAIN_RESULT),
    )


def jobs_card(jobs: Sequence[Job]) -> Card:
    """List a user's jobs, to cancel what is on its way and to show again what is made."""
    active = [job for job in jobs if is_cancellable(job)][:MAX_LISTED_BUTTONS]
    made = [job for job in jobs if job.has_stems]
    return Card(
        title=gettext(labels.YOUR_SONGS),
        lines=tuple(map(_listed, jobs)) or (gettext(messages.NO_JOBS),),
        tone=Tone.QUIET,
        buttons=tuple(
            Button(Action.CANCEL, job.id, gettext(labels.CANCEL_ONE, job_id=job.id))
            for job in active
        ),
        menu=_show_menu(made) if made else None,
    )


def quota_card(usage: Usage, shared: Usage | None = None, pool: int | None = None) -> Card:
    """Show how a user's minutes stand, and to a manager what is in the server's pool."""
    lines = [*usage_texts.usage_lines(usage)]
    if shared is not None:
        lines += ["", *usage_texts.shared_lines(shared)]
    if pool is not None:
        lines += ["", usage_texts.pool_line(pool)]
    return Card(title=gettext(labels.YOUR_MINUTES), lines=tuple(lines), tone=Tone.QUIET)


def help_card(offered: Sequence[Offer], limits: Limits) -> Card:
    """Explain the commands and this installation's limits."""
    lines = help_lines(
        recipes=[gettext(RECIPES[offer.recipe]) for offer in offered],
        max_file_mib=limits.max_file_mib,
        max_minutes=limits.max_duration_minutes,
    )
    return Card(title="Stemcord", lines=lines, tone=Tone.WORKING)


def is_cancellable(job: Job) -> bool:
    """Whether a user may still stop the job; what is ready is paid for."""
    return not job.state.is_final and job.state is not State.READY


def title_of(job: Job) -> str:
    """Return a card's title, like `Neon Rain · Karaoke`."""
    return f"{safe(job.title)} · {gettext(RECIPES[job.request.recipe])}"


def _buttons(job: Job) -> tuple[Button, ...]:
    if is_cancellable(job):
        return (_button(Action.CANCEL, job),)
    if job.state is State.KEPT and job.has_stems and job.problem is None:
        return (_button(Action.SHOW, job),)
    if job.state is State.FAILED and job.problem and job.problem.reason in _PASSING:
        return (_button(Action.TRY_AGAIN, job),)
    return ()


def _result_buttons(job: Job, parcel: Delivery, *, is_dm: bool) -> tuple[Button, ...]:
    formats = [_button(_FORMAT_BUTTONS[each], job) for each in parcel.alternatives]
    return (
        _button(Action.OTHER_RECIPE, job),
        *formats[:2],
        *(() if is_dm else (_button(Action.TO_DM, job),)),
        _button(Action.DELETE, job),
    )


def _button(action: Action, job: Job) -> Button:
    return Button(action, job.id, gettext(BUTTON_LABELS[action]))


def _show_menu(made: Sequence[Job]) -> Menu:
    choices = [
        Choice(job.id, shortened(job.title), f"{gettext(RECIPES[job.request.recipe])} · {job.id}")
        for job in made
    ]
    return Menu(custom_id=SHOW_MENU, placeholder=gettext(labels.SHOW_ONE), choices=tuple(choices))


def _cost(job: Job, parcel: Delivery) -> str | None:
    if job.repeat_of is not None:
        return gettext(messages.MADE_BEFORE)
    return usage_texts.charge(job.minutes, parcel.usage) if job.minutes is not None else None


def _listed(job: Job) -> str:
    return f"`{job.id}` **{safe(job.title)}** · {messages.standing(job)}"


def _lines(job: Job, progress: Progress | None) -> tuple[str, ...]:
    if job.state in (State.FAILED, State.CANCELLED):
        why = messages.problem(job.problem) if job.problem else gettext(messages.STATES[job.state])
        return (why, gettext(messages.NOTHING_CHARGED))
    if job.state is State.KEPT:
        return (messages.problem(job.problem) if job.problem else gettext(messages.KEPT),)
    is_past = job.state is State.HELD and progress and progress.stage in _OF_THE_FILE
    if job.state is State.DELIVERED or progress is None or is_past:
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


def _summary(job: Job, stems: tuple[Stem, ...], audio_format: AudioFormat) -> str:
    parts = [stems_line(stems), FORMATS[audio_format]]
    if job.frames is not None:
        parts.insert(1, length(job.frames))
    return row(parts)


def _early_end(job: Job) -> str | None:
    if not job.ends_early or job.frames is None:
        return None
    return gettext(messages.ENDS_EARLY, length=length(job.frames))


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
            is_waiting = progress is not None and progress.stage is Stage.WAITING
            return Tone.WAITING if is_waiting else Tone.WORKING
