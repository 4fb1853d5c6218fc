"""Sentences that a user reads: what happened, and what they can do. Nothing is decided here.

Where a sentence needs figures that are not always known there are several, the most telling first;
the first that can be filled is used.
"""

from collections.abc import Mapping

from bot.domain.errors import Problem, Reason
from bot.domain.job import Job, State
from bot.domain.recipes import Recipe
from bot.i18n.translation import Message, PluralMessage, gettext
from bot.scheduling.progress import Progress, Stage
from bot.ui.texts.figures import about
from bot.ui.texts.names import RECIPES
from bot.ui.texts.safe_text import safe

Templates = tuple[Message | PluralMessage, ...]

REASONS: dict[Reason, Templates] = {
    Reason.NOT_AUDIO: (
        Message("I cannot read this file as audio. Send a song, such as an MP3, FLAC or WAV file."),
    ),
    Reason.EMPTY_FILE: (Message("This file is empty. Send it again, or another one."),),
    Reason.NO_AUDIO_TRACK: (Message("There is no sound in this file. Send one that has some."),),
    Reason.BROKEN_FILE: (
        Message("This file is damaged or cut off. Export it again, or send another copy."),
    ),
    Reason.TOO_BIG: (
        Message("This file is larger than {limit_mib} MiB. Send a shorter or more compressed one."),
        Message("This file is too large. Send a shorter or more compressed one."),
    ),
    Reason.TOO_LONG: (
        PluralMessage(
            "This song is longer than {limit_minutes} minute. Send a part of it.",
            "This song is longer than {limit_minutes} minutes. Send a part of it.",
            by="limit_minutes",
        ),
        Message("This song is too long. Send a part of it."),
    ),
    Reason.DOWNLOAD_FAILED: (
        Message("I could not get the file from Discord. Please send it again."),
    ),
    Reason.TOO_MANY_JOBS: (
        PluralMessage(
            "You have {limit} song on the way. Wait for one, or stop one with `/cancel`.",
            "You have {limit} songs on the way. Wait for one, or stop one with `/cancel`.",
            by="limit",
        ),
        Message("You have enough songs on the way. Wait for one, or stop one with `/cancel`."),
    ),
    Reason.QUOTA: (
        Message(
            "This takes {needed} min; you have {left}, or {shared} here, "
            "and more <t:{resets_at}:R>."
        ),
        Message("This song takes {needed} min; you have {left} left, and more <t:{resets_at}:R>."),
        Message("Your {allowance} min are used or on hold. You have more <t:{resets_at}:R>."),
        Message("You do not have enough minutes left for this song."),
    ),
    Reason.SPEND_CAP: (
        Message("The minutes that may be spent here are used up for now. Try again later."),
    ),
    Reason.BLOCKED: (
        Message("Those who run this bot have blocked you. Ask them if that is a mistake."),
    ),
    Reason.BLOCKED_HERE: (
        Message("You are blocked in this server. Ask its managers, or send me the song in a DM."),
    ),
    Reason.WRONG_CHANNEL: (
        Message("Songs are not split in this channel. Go to <#{channel_id}>."),
        Message("Songs are not split in this channel. Go to another one."),
    ),
    Reason.UNKNOWN_RECIPE: (Message("I do not know these stems. Choose some from the list."),),
    Reason.UNKNOWN_PROVIDER: (
        Message("There is no provider called {provider} here. Choose one from the list, or none."),
        Message("I do not know this provider. Choose one from the list, or none."),
    ),
    Reason.NO_PROVIDER: (
        Message("{provider} does not make “{recipe}”. Choose other stems, or no provider."),
        Message("“{recipe}” cannot be made here just now. Choose other stems."),
        Message("Nobody here can make these stems just now. Choose others, or try again later."),
    ),
    Reason.PROVIDERS_FAILED: (
        Message("{provider} could not split this song just now. Choose another provider, or none."),
        Message("This song could not be split just now. Try again in a while."),
    ),
    Reason.TIMED_OUT: (
        Message("Splitting this song took too long, so I stopped. Try again later."),
    ),
    Reason.BUSY: (Message("I have too much to do just now. Try again in a minute."),),
    Reason.DISK_FULL: (Message("There is no room for another song just now. Try again later."),),
    Reason.UNACKNOWLEDGED: (Message("Discord did not take my answer in time. Please try again."),),
    Reason.STOPPED_BY_USER: (Message("You stopped this one."),),
    Reason.STOPPED_BY_MANAGER: (Message("A manager of this server stopped this one."),),
    Reason.FILES_EXPIRED: (
        Message("These stems have been deleted. Send the song again to get new ones."),
    ),
    Reason.STEMS_LOST: (
        Message("The stems were made, but lost before I could put them here. Please try again."),
    ),
    Reason.SOURCE_GONE: (
        Message("Discord does not have this file any more. Please send it again."),
    ),
    Reason.NO_AUDIO_HERE: (
        Message("There is no song in this message. Choose one with an audio or video file."),
    ),
    Reason.ONE_SHOWING: (Message("I am still busy with your last request. Give me a moment."),),
    Reason.INTERNAL: (
        Message("Something went wrong on my side. Try again, or tell those who run this bot."),
    ),
    Reason.OWNER_ONLY: (Message("Only those who run this bot can do that."),),
    Reason.MANAGERS_ONLY: (Message("Only those who manage a server can do that, and only there."),),
    Reason.SERVER_ONLY: (Message("This is about a server. Use it in the one that is meant."),),
    Reason.NO_SUCH_SERVER: (Message("I am in no such server. Choose one from the list."),),
    Reason.ONE_OF_TWO: (Message("Choose either a person or a role."),),
    Reason.RAISES_ALLOWANCE: (
        Message("You can only lower these {ceiling} min. Those who run this bot can raise them."),
        Message("You can only lower this. Those who run this bot can raise it."),
    ),
    Reason.POOL_TOO_SMALL: (
        Message("This server's pool has {left} min left. Those who run this bot can fill it."),
        Message("This server's pool has too few minutes left. Those who run this bot can fill it."),
    ),
}

STAGES: dict[Stage, Templates] = {
    Stage.DOWNLOADING: (Message("Getting your file"),),
    Stage.CHECKING: (Message("Reading your file"),),
    Stage.WAITING: (
        Message("In line: {ahead} ahead, {wait}"),
        Message("In line: {ahead} ahead"),
        Message("Next in line, {wait}"),
        Message("Next in line"),
    ),
    Stage.SENDING: (
        Message("{former} cannot do it just now, so {provider} takes over"),
        Message("Sending the song to {provider}"),
        Message("Sending the song"),
    ),
    Stage.SEPARATING: (
        Message("{provider} took over from {former} and is separating"),
        Message("{provider} is separating"),
        Message("Separating"),
    ),
    Stage.FETCHING: (Message("Getting the stems from {provider}"), Message("Getting the stems")),
    Stage.MIXING: (Message("Mixing the stems"),),
    Stage.ENCODING: (Message("Encoding the stems"),),
    Stage.UPLOADING: (Message("Uploading the stems"),),
}

STATES: dict[State, Message] = {
    State.RECEIVED: Message("Starting"),
    State.HELD: Message("In line"),
    State.SUBMITTING: Message("Sending the song"),
    State.PROCESSING: Message("Separating"),
    State.READY: Message("Preparing the stems"),
    State.DELIVERED: Message("Done"),
    State.KEPT: Message("Made, but not sent"),
    State.FAILED: Message("Failed"),
    State.CANCELLED: Message("Cancelled"),
}

STANDING = Message("{recipe}: {state}")

SENT: dict[str, Message] = {
    "lower_bit_rate": Message("At a lower bit rate, to fit what Discord takes here."),
    "mp3_instead": Message("As MP3, because {wanted} is larger than what Discord takes here."),
}

LINK: Templates = (
    Message("[{label}]({url}), expires {when}"),
    Message("[{label}]({url})"),
)
CONTINUED = Message("The rest of the stems")

KEPT = Message(
    "The stems are made, but Discord did not let me put them here. `/result` brings them."
)
CLOSING = Message(
    "Discord lets me write here for 15 minutes only. If this takes longer, "
    "the stems come by direct message, or `/result` brings them: `{job_id}`"
)
CAME_BY_DM = Message("Discord did not let me put them where you asked for them.")
MADE_BEFORE = Message("You had these stems already, so nothing was charged.")
SENT_TO_DM = Message("The stems are in your direct messages.")
DM_REFUSED = Message("Discord does not let me write to you. Allow direct messages, then try again.")
UNSHOWN = Message("Discord did not let me show these stems here. Try again, or in another place.")
DELETE_REFUSED = Message(
    "Discord does not let me delete this message. Delete it yourself, if you can."
)
CHOOSE_RECIPE = Message("What shall I make of it?")
CHOOSE_SONG = Message("Which of these songs shall I split?")
SEND_A_SONG = Message("Send me a song as an audio or video file, and I split it into its parts.")
NOTHING_CHARGED = Message("Nothing was charged.")
CANCELLED = Message("**{title}** is cancelled. Nothing was charged.")
SPLIT_ALREADY = Message("**{title}** is split already; its stems are about to arrive.")
OVER_ALREADY = Message("**{title}** is over already.")
NOT_FOUND = Message("I know no such song of yours. `/jobs` shows those that I know.")
BAD_OPTION = Message("I do not understand one of the options. Choose from what is offered.")
COMMANDS_CHANGED = Message("This command has changed. Give Discord a minute, then try again.")
NO_JOBS = Message("You have no songs here yet. Start one with `/split`.")
UNKNOWN = Message(
    "Something went wrong on my side. Those who run this bot can find it as `{error_id}`."
)
PLAIN_RESULT = Message("Your stems are here.")


def problem(found: Problem) -> str:
    """Say why a request was refused or a job ended, and what may be done."""
    facts = {name: _fact(name, value) for name, value in found.facts.items() if value != ""}
    if found.reason is Reason.QUOTA and not found.facts.get("left") and "shared" not in facts:
        facts.pop("needed", None)  # Before the download nobody knows how many it takes.
    return _first_filled(REASONS[found.reason], facts)


def stage(progress: Progress) -> str:
    """Say what is happening to a job."""
    facts: dict[str, object] = {}
    if progress.provider:
        facts["provider"] = safe(progress.provider)
        if progress.former:
            facts["former"] = safe(progress.former)
    if progress.ahead:
        facts["ahead"] = progress.ahead
    if progress.eta_s is not None:
        facts["wait"] = about(progress.eta_s)
    return _first_filled(STAGES[progress.stage], facts)


def standing(job: Job) -> str:
    """Say what is made of a song and how far that is, like `Karaoke: Done`."""
    return gettext(
        STANDING, recipe=gettext(RECIPES[job.request.recipe]), state=gettext(STATES[job.state])
    )


def sent(note: str, wanted: str) -> str | None:
    """Say in what the delivered files differ from the wanted format; None for an unknown note."""
    template = SENT.get(note)
    return gettext(template, wanted=wanted) if template else None


def link(label: str, url: str, when: str | None) -> str:
    """Lead to a stem, and say until when that works, where it is known."""
    facts = {"label": label, "url": url} | ({} if when is None else {"when": when})
    return _first_filled(LINK, facts)


def cancelled(job: Job) -> str:
    """Say what came of a wish to cancel."""
    match job.state:
        case State.CANCELLED:
            words = CANCELLED
        case State.READY:
            words = SPLIT_ALREADY
        case _:
            words = OVER_ALREADY
    return gettext(words, title=safe(job.title))


def unknown(error_id: str) -> str:
    """Say that something unforeseen happened, with what finds it in the log."""
    return gettext(UNKNOWN, error_id=error_id)


def _fact(name: str, value: int | str) -> object:
    if isinstance(value, int):
        return value
    if name == "recipe" and value in set(Recipe):
        return gettext(RECIPES[Recipe(value)])
    return safe(value)


def _first_filled(templates: Templates, facts: Mapping[str, object]) -> str:
    for template in templates:
        if template.fields <= facts.keys():
            return gettext(template, **facts)
    raise LookupError(templates[-1])
