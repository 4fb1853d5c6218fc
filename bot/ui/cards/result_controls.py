"""The buttons and the menu below a result, as pure functions of the job and its delivery."""

from dataclasses import replace
from enum import Enum

from bot.delivery.port import Delivery
from bot.domain.job import Context, Job, Reply
from bot.domain.recipes import AudioFormat
from bot.domain.renditions import (
    CENTS_A_SEMITONE,
    COVERING,
    MAX_CENTS,
    MIN_SPEED_PERCENT,
    Rendition,
    RenditionOutput,
)
from bot.i18n.translation import gettext
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
from bot.ui.cards.job_cards import job_button
from bot.ui.cards.rendition_forms import subject_of
from bot.ui.texts import labels

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


class Place(Enum):
    """The place of a card, which determines its controls."""

    SERVER = "server"
    DM = "dm"
    ELSEWHERE = "elsewhere"

    @classmethod
    def of(cls, reply: Reply) -> "Place":
        """Return the place of a reply; a server without the bot is `ELSEWHERE`."""
        if reply.context is Context.BOT_DM:
            return cls.DM
        is_outside = reply.context is Context.GUILD_USER_INSTALL
        return cls.ELSEWHERE if reply.guild_id is None or is_outside else cls.SERVER


def result_buttons(job: Job, delivery: Delivery) -> tuple[Button | LinkButton, ...]:
    """Return the buttons of a result: key and speed, mix, the mixer page, and deletion."""
    listen = delivery.mixer_url and LinkButton(delivery.mixer_url, gettext(labels.LISTEN))
    return (
        _rendition_button(Action.KEY_AND_SPEED, job),
        *_mix_button(job),
        *((listen,) if listen else ()),
        job_button(Action.DELETE, job),
    )


def next_steps(job: Job) -> tuple[Button, ...]:
    """Return buttons for likely next requests: a semitone down or up, slower, another mix."""
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
        *_mix_button(job),
    )


def render_button(job: Job, rendition: Rendition, label: str) -> Button:
    """Return a button that makes a rendition in the job's format, and works after a restart."""
    return Button(Action.RENDER, f"{job.id}:{rendition.token}:{job.request.audio_format}", label)


def zip_button(job: Job, label: str) -> Button:
    """Return a button that puts the job's stems into one file, and works after a restart."""
    subject = f"{subject_of(job)}:{job.request.audio_format}"
    return Button(Action.ZIP, subject, label)


def more_menu(job: Job, delivery: Delivery, place: Place) -> Menu:
    """Return the menu for less frequent requests; it offers a zip only for several files."""
    formats = [
        Choice(_MORE_FORMATS[each], gettext(_FORMAT_LABELS[each])) for each in delivery.alternatives
    ]
    zip_choice = Choice(f"{More.ZIP}:{delivery.audio_format}", gettext(labels.ZIP))
    return Menu(
        action=MenuAction.MORE,
        subject=subject_of(job),
        placeholder=gettext(labels.MORE),
        choices=(
            *formats,
            *((zip_choice,) if _has_several_files(job) else ()),
            *((Choice(More.CLIP, gettext(labels.CLIP)),) if place is Place.SERVER else ()),
            *(() if place is Place.DM else (Choice(More.TO_DM, gettext(labels.TO_DM)),)),
            Choice(More.OTHER_RECIPE, gettext(labels.OTHER_RECIPE)),
        ),
    )


def _mix_button(job: Job) -> tuple[Button, ...]:
    if job.request.recipe not in COVERING:
        return ()
    return (_rendition_button(Action.MIX, job),)


def _rendition_button(action: Action, job: Job) -> Button:
    return Button(action, subject_of(job), gettext(LABELS[action]))


def _has_several_files(job: Job) -> bool:
    return job.request.rendition.output is RenditionOutput.STEMS and len(job.stems) > 1
