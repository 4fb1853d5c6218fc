"""The card: what a job's one reply shows, as a pure function of the job. Discord is not needed."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum, StrEnum

from bot.domain.job import Job, JobId, State
from bot.domain.quota import Usage
from bot.domain.stems import AudioFormat, Stem
from bot.services.delivery import Parcel
from bot.services.intake import Limits
from bot.services.plans import Offer
from bot.services.progress import Progress, Stage
from bot.ui import messages
from bot.ui.figures import about, bar, length
from bot.ui.names import FORMATS, RECIPES, stems_line
from bot.ui.text import safe

MAX_LISTED_BUTTONS = 5


class Tone(Enum):
    """How a card feels; rendering gives each its colour."""

    WAITING = "waiting"
    WORKING = "working"
    DONE = "done"
    FAILED = "failed"
    QUIET = "quiet"


class Action(StrEnum):
    """What a button does; the value begins its custom id."""

    CANCEL = "cancel"


@dataclass(frozen=True, slots=True)
class Button:
    """One button about one job."""

    action: Action
    job_id: JobId
    label: str


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
    plain: str = ""
    """The same in fixed words, for a server whose rules refuse the card's."""


def card_of(job: Job, progress: Progress | None = None) -> Card:
    """Draw a job that is on its way, or over without a result in this message."""
    return Card(
        title=title_of(job),
        lines=_lines(job, progress),
        tone=_tone(job.state, progress),
        footer=job.id,
        buttons=(Button(Action.CANCEL, job.id, "Cancel"),) if is_cancellable(job) else (),
        plain=messages.STATES[job.state],
    )


def result_card(job: Job, parcel: Parcel) -> Card:
    """Draw the result, for the message that gets the parcel's files."""
    wanted = FORMATS[job.request.audio_format]
    note = messages.sent(parcel.sent, wanted) if parcel.sent else None
    lines = (
        _summary(job, tuple(file.stem for file in parcel.files), parcel.audio_format),
        note,
        messages.charge(job.minutes, parcel.usage) if job.minutes is not None else None,
    )
    return Card(
        title=title_of(job),
        lines=tuple(line for line in lines if line),
        tone=Tone.DONE,
        footer=job.id,
        picture=parcel.picture.name if parcel.picture else None,
        plain=messages.PLAIN_RESULT,
    )


def jobs_card(jobs: list[Job]) -> Card:
    """List a user's jobs, with a button for each that can still be cancelled."""
    active = [job for job in jobs if is_cancellable(job)][:MAX_LISTED_BUTTONS]
    return Card(
        title="Your songs",
        lines=tuple(map(_listed, jobs)) or (messages.NO_JOBS,),
        tone=Tone.QUIET,
        buttons=tuple(Button(Action.CANCEL, job.id, f"Cancel {job.id}") for job in active),
    )


def quota_card(usage: Usage) -> Card:
    """Show how a user's minutes stand."""
    return Card(title="Your minutes", lines=messages.usage_lines(usage), tone=Tone.QUIET)


def help_card(offered: Sequence[Offer], limits: Limits) -> Card:
    """Explain the commands and this installation's limits."""
    lines = messages.help_lines(
        recipes=[RECIPES[offer.recipe] for offer in offered],
        max_file_mib=limits.max_file_mib,
        max_minutes=limits.max_duration_minutes,
    )
    return Card(title="Stemcord", lines=lines, tone=Tone.WORKING)


def is_cancellable(job: Job) -> bool:
    """Whether a user may still stop the job; what is ready is paid for."""
    return not job.state.is_final and job.state is not State.READY


def title_of(job: Job) -> str:
    """Return a card's title, like `Neon Rain · Karaoke`."""
    return f"{safe(job.title)} · {RECIPES[job.request.recipe]}"


def _listed(job: Job) -> str:
    state = messages.STATES[job.state]
    return f"`{job.id}` **{safe(job.title)}** · {RECIPES[job.request.recipe]}: {state}"


def _lines(job: Job, progress: Progress | None) -> tuple[str, ...]:
    if job.state in (State.FAILED, State.CANCELLED):
        why = messages.problem(job.problem) if job.problem else messages.STATES[job.state]
        return (why, messages.NOTHING_CHARGED)
    if job.state is State.KEPT:
        return (messages.KEPT,)
    if job.state is State.DELIVERED or progress is None:
        return (messages.STATES[job.state],)
    if progress.fraction is None:
        return (messages.stage(progress),)
    return (messages.stage(progress), _bar_line(progress.fraction, progress.eta_s))


def _bar_line(fraction: float, eta_s: float | None) -> str:
    return bar(fraction) if eta_s is None else f"{bar(fraction)}, {about(eta_s)} left"


def _summary(job: Job, stems: tuple[Stem, ...], audio_format: AudioFormat) -> str:
    parts = [stems_line(stems), FORMATS[audio_format]]
    if job.frames is not None:
        parts.insert(1, length(job.frames))
    return ", ".join(parts)


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
