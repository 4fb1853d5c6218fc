"""Every sentence that a user reads: what happened, and what they can do. Nothing is decided here.

Sentences are templates, so that a catalogue can translate them. Where one needs figures that are
not always known there are several, the most telling first; the first that can be filled is used.
"""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from string import Formatter

from bot.domain.errors import Problem, Reason
from bot.domain.job import Job, State
from bot.domain.quota import Period, Usage
from bot.domain.stems import Recipe
from bot.services.progress import Progress, Stage
from bot.ui.figures import Counted, about, moment
from bot.ui.names import RECIPES
from bot.ui.text import safe

Templates = tuple[str, ...]

REASONS: dict[Reason, Templates] = {
    Reason.NOT_AUDIO: (
        "I cannot read this file as audio. Send a song, such as an MP3, FLAC or WAV file.",
    ),
    Reason.EMPTY_FILE: ("This file is empty. Send it again, or another one.",),
    Reason.NO_AUDIO_TRACK: ("There is no sound in this file. Send one that has some.",),
    Reason.BROKEN_FILE: (
        "This file is damaged or cut off. Export it again, or send another copy.",
    ),
    Reason.TOO_BIG: (
        "This file is larger than {limit_mib} MiB. Send a shorter or more compressed one.",
        "This file is too large. Send a shorter or more compressed one.",
    ),
    Reason.TOO_LONG: (
        "This song is longer than {limit_minutes:minute|minutes}. Send a part of it.",
        "This song is too long. Send a part of it.",
    ),
    Reason.DOWNLOAD_FAILED: ("I could not get the file from Discord. Please send it again.",),
    Reason.TOO_MANY_JOBS: (
        "You have {limit:song|songs} on the way. Wait for one, or stop one with `/cancel`.",
        "You have enough songs on the way. Wait for one, or stop one with `/cancel`.",
    ),
    Reason.QUOTA: (
        "This takes {needed} min; you have {left}, or {shared} here, and more <t:{resets_at}:R>.",
        "This song takes {needed} min; you have {left} left, and more <t:{resets_at}:R>.",
        "Your {allowance} min are used or on hold. You have more <t:{resets_at}:R>.",
        "You have not enough minutes left for this song.",
    ),
    Reason.SPEND_CAP: ("The minutes that may be spent here are used up for now. Try again later.",),
    Reason.BLOCKED: ("Those who run this bot have blocked you. Ask them if that is a mistake.",),
    Reason.BLOCKED_HERE: (
        "You are blocked in this server. Ask its managers, or send me the song in a DM.",
    ),
    Reason.WRONG_CHANNEL: (
        "Songs are not split in this channel. Go to <#{channel_id}>.",
        "Songs are not split in this channel. Go to another one.",
    ),
    Reason.UNKNOWN_RECIPE: ("I do not know these stems. Choose some from the list.",),
    Reason.UNKNOWN_PROVIDER: (
        "There is no provider called {provider} here. Choose one from the list, or none.",
        "I do not know this provider. Choose one from the list, or none.",
    ),
    Reason.NO_PROVIDER: (
        "{provider} does not make “{recipe}”. Choose other stems, or no provider.",
        "“{recipe}” cannot be made here just now. Choose other stems.",
        "Nobody here can make these stems just now. Choose others, or try again later.",
    ),
    Reason.PROVIDERS_FAILED: (
        "{provider} could not split this song just now. Choose another provider, or none.",
        "This song could not be split just now. Try again in a while.",
    ),
    Reason.TIMED_OUT: ("Splitting this song took too long, so I stopped. Try again later.",),
    Reason.BUSY: ("I have too much to do just now. Try again in a minute.",),
    Reason.DISK_FULL: ("There is no room for another song just now. Try again later.",),
    Reason.UNACKNOWLEDGED: ("Discord did not take my answer in time. Please try again.",),
    Reason.STOPPED_BY_USER: ("You stopped this one.",),
    Reason.STOPPED_BY_MANAGER: ("A manager of this server stopped this one.",),
    Reason.FILES_EXPIRED: ("These stems are deleted by now. Send the song again to get new ones.",),
    Reason.SOURCE_GONE: ("Discord does not have this file any more. Please send it again.",),
    Reason.NO_AUDIO_HERE: (
        "There is no song in this message. Choose one with an audio or video file.",
    ),
    Reason.ONE_SHOWING: ("I am still busy with your last wish. Give me a moment.",),
    Reason.INTERNAL: (
        "Something went wrong on my side. Try again, or tell those who run this bot.",
    ),
    Reason.OWNER_ONLY: ("Only those who run this bot can do that.",),
    Reason.MANAGERS_ONLY: ("Only those who manage a server can do that, and only there.",),
    Reason.SERVER_ONLY: ("This is about a server. Use it in the one that is meant.",),
    Reason.NO_SUCH_SERVER: ("I am in no such server. Choose one from the list.",),
    Reason.ONE_OF_TWO: ("Choose either a person or a role.",),
    Reason.RAISES_ALLOWANCE: (
        "You can only lower these {ceiling} min. Those who run this bot can raise them.",
        "You can only lower this. Those who run this bot can raise it.",
    ),
    Reason.POOL_TOO_SMALL: (
        "This server's pool has {left} min left. Those who run this bot can fill it.",
        "This server's pool has too few minutes left. Those who run this bot can fill it.",
    ),
}

STAGES: dict[Stage, Templates] = {
    Stage.DOWNLOADING: ("Getting your file",),
    Stage.CHECKING: ("Reading your file",),
    Stage.WAITING: (
        "In line: {ahead} ahead, {wait}",
        "In line: {ahead} ahead",
        "Next in line, {wait}",
        "Next in line",
    ),
    Stage.SENDING: (
        "{former} cannot do it just now, so {provider} takes over",
        "Sending the song to {provider}",
        "Sending the song",
    ),
    Stage.SEPARATING: (
        "{provider} took over from {former} and is separating",
        "{provider} is separating",
        "Separating",
    ),
    Stage.FETCHING: ("Getting the stems from {provider}", "Getting the stems"),
    Stage.MIXING: ("Mixing the stems",),
    Stage.ENCODING: ("Encoding the stems",),
    Stage.UPLOADING: ("Uploading the stems",),
}

STATES: dict[State, str] = {
    State.RECEIVED: "Starting",
    State.HELD: "In line",
    State.SUBMITTING: "Sending the song",
    State.PROCESSING: "Separating",
    State.READY: "Preparing the stems",
    State.DELIVERED: "Done",
    State.KEPT: "Made, but not sent",
    State.FAILED: "Failed",
    State.CANCELLED: "Cancelled",
}

SENT: dict[str, str] = {
    "lower_bit_rate": "At a lower bit rate, to fit what Discord takes here.",
    "mp3_instead": "As MP3, because {wanted} is larger than what Discord takes here.",
}

LINK: Templates = (
    "[{label}]({url}), expires {when}",
    "[{label}]({url})",
)
CONTINUED = "The rest of the stems"

KEPT = "The stems are made, but Discord did not let me put them here. `/result` brings them."
CLOSING = (
    "Discord lets me write here for 15 minutes only. If this takes longer, "
    "the stems come by direct message, or `/result` brings them: `{job_id}`"
)
CAME_BY_DM = "Discord did not let me put them where you asked for them."
MADE_BEFORE = "You had these stems already, so nothing was charged."
SENT_TO_DM = "The stems are in your direct messages."
DM_REFUSED = "Discord does not let me write to you. Allow direct messages, then try again."
UNSHOWN = "Discord did not let me show these stems here. Try again, or in another place."
DELETE_REFUSED = "Discord does not let me delete this message. Delete it yourself, if you can."
CHOOSE_RECIPE = "What shall I make of it?"
SONG_FROM = "Which of these songs shall I split?"
SEND_A_SONG = "Send me a song as an audio or video file, and I split it into its parts."
NOTHING_CHARGED = "Nothing was charged."
CHARGED = "{minutes} min charged, {left} of {total} left {period}"
CHARGED_TO_SERVER = "{minutes} min of this server's charged, {left} of {total} left {period}"
NOT_FOUND = "I know no such song of yours. `/jobs` shows those that I know."
BAD_OPTION = "I do not understand one of the options. Choose from what is offered."
COMMANDS_CHANGED = "This command has changed. Give Discord a minute, then try again."
NO_JOBS = "You have no songs here yet. Start one with `/split`."
UNKNOWN = "Something went wrong on my side. Those who run this bot find it as `{error_id}`."
PLAIN_RESULT = "Your stems are here."


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


def sent(note: str, wanted: str) -> str | None:
    """Say in what the delivered files differ from the wanted format; None for an unknown note."""
    template = SENT.get(note)
    return template.format(wanted=wanted) if template else None


def link(label: str, url: str, when: str | None) -> str:
    """Lead to a stem, and say until when that works, where it is known."""
    facts = {"label": label, "url": url} | ({} if when is None else {"when": when})
    return _first_filled(LINK, facts)


def charge(minutes: int, usage: Usage | None) -> str:
    """Say what a job cost, and what is left."""
    if usage is None:
        return f"{minutes} min charged"
    words = CHARGED if usage.guild_id is None else CHARGED_TO_SERVER
    return words.format(
        minutes=minutes, left=usage.left, total=usage.total, period=period(usage.period)
    )


def usage_lines(usage: Usage) -> tuple[str, ...]:
    """Say how a user's minutes stand."""
    held = f", {usage.held} on hold" if usage.held else ""
    return (
        f"**{usage.left} of {usage.total} min left** {period(usage.period)}",
        f"{usage.used} used{held}. All of them come back {moment(usage.period.ends_at)}.",
    )


def shared_lines(usage: Usage) -> tuple[str, ...]:
    """Say how the minutes stand that a server gave the user to spend there."""
    held = f", {usage.held} on hold" if usage.held else ""
    lapse = moment(usage.period.ends_at)
    return (
        f"**{usage.left} of {usage.total} min of this server's left** {period(usage.period)}",
        f"{usage.used} used{held}. Here they are taken first; what is left lapses {lapse}.",
    )


def pool_line(minutes: int) -> str:
    """Say to managers what they can hand out."""
    return f"This server's pool has {minutes} min to hand out, with `/admin quota grant`."


def period(found: Period) -> str:
    """Return a period as the end of a sentence."""
    span = found.ends_at - found.starts_at
    if span <= timedelta(days=1):
        return "today"
    return "this week" if span <= timedelta(days=7) else "this month"


def cancelled(job: Job) -> str:
    """Say what came of a wish to cancel."""
    title = f"**{safe(job.title)}**"
    match job.state:
        case State.CANCELLED:
            return f"{title} is cancelled. {NOTHING_CHARGED}"
        case State.READY:
            return f"{title} is split already; its stems are about to arrive."
        case _:
            return f"{title} is over already."


def unknown(error_id: str) -> str:
    """Say that something unforeseen happened, with what finds it in the log."""
    return UNKNOWN.format(error_id=error_id)


def help_lines(
    *, recipes: Sequence[str], max_file_mib: float, max_minutes: float
) -> tuple[str, ...]:
    """Say what the bot does and how it is used."""
    return (
        "I split a song into its parts: a karaoke version, the vocals, the drums, and so on.",
        "",
        "**`/split`** with a song starts one; this is where its stems will appear.",
        "Or send it to me in a DM, or choose `Split this audio` in the menu of a message.",
        "**`/jobs`** shows your songs, **`/result`** their stems again, **`/cancel`** stops one.",
        "**`/quota`** shows your minutes.",
        "",
        f"A song may have up to {max_minutes:g} min and {max_file_mib:g} MiB.",
        "A minute begun counts as a minute. What does not work out is not charged.",
        f"**Stems:** {', '.join(recipes)}",
    )


def _fact(name: str, value: int | str) -> object:
    if isinstance(value, int):
        return Counted(value)
    if name == "recipe" and value in set(Recipe):
        return RECIPES[Recipe(value)]
    return safe(value)


def _first_filled(templates: Templates, facts: Mapping[str, object]) -> str:
    for template in templates:
        if all(name in facts for _, name, _, _ in Formatter().parse(template) if name):
            return template.format_map(facts)
    raise LookupError(templates[-1])
