"""Sentences for users: what happened, and what they can do. This module makes no decisions.

A sentence whose facts are not always known has several templates, the most precise first. The first
one whose facts are all known is used.
"""

from collections.abc import Mapping

from bot.domain.errors import Problem, Reason
from bot.domain.job import DeliveryDifference, Job, State
from bot.domain.recipes import Recipe
from bot.i18n.translation import Message, PluralMessage, gettext
from bot.scheduling.progress import Progress, Stage
from bot.ui.texts.figures import about
from bot.ui.texts.names import RECIPES
from bot.ui.texts.safe_text import safe

Templates = tuple[Message | PluralMessage, ...]

REASONS: dict[Reason, Templates] = {
    Reason.NOT_AUDIO: (
        Message("I can't read this file as audio. Send a song, such as an MP3, FLAC or WAV file."),
    ),
    Reason.EMPTY_FILE: (Message("This file is empty. Send it again, or another one."),),
    Reason.NO_AUDIO_TRACK: (Message("There is no sound in this file. Send one with sound."),),
    Reason.BROKEN_FILE: (
        Message("This file is damaged or incomplete. Export it again, or send another copy."),
    ),
    Reason.UNREAD_KIND: (
        Message("I cannot read this kind of file. Send the song as an MP3, FLAC or WAV file."),
    ),
    Reason.UNREAD_CODEC: (
        Message("I do not support this file's audio codec. Export the song as MP3, FLAC or WAV."),
    ),
    Reason.TOO_SHORT: (
        Message("There is too little sound in this file to split. Send a longer one."),
    ),
    Reason.TOO_BIG: (
        Message("This file is larger than {limit_mib} MiB. Send a shorter or more compressed one."),
        Message("This file is too large. Send a shorter or more compressed one."),
    ),
    Reason.TOO_LONG: (
        PluralMessage(
            "This song is longer than {limit_minutes} minute. Send part of it.",
            "This song is longer than {limit_minutes} minutes. Send part of it.",
            by="limit_minutes",
        ),
        Message("This song is too long. Send part of it."),
    ),
    Reason.DOWNLOAD_FAILED: (
        Message("I couldn't get the file from Discord. Please send it again."),
    ),
    Reason.TOO_MANY_JOBS: (
        PluralMessage(
            "You already have {limit} song in progress. Wait for it to finish, or stop it "
            "with `/cancel`.",
            "You already have {limit} songs in progress. Wait for one to finish, or stop one "
            "with `/cancel`.",
            by="limit",
        ),
        Message(
            "You have too many songs in progress. Wait for one to finish, or stop one "
            "with `/cancel`."
        ),
    ),
    Reason.QUOTA: (
        Message(
            "This song needs {needed} min. You have {left} left, or {shared} in this server, "
            "and get more <t:{resets_at}:R>."
        ),
        Message(
            "This song needs {needed} min. You have {left} left, and get more <t:{resets_at}:R>."
        ),
        Message("Your {allowance} min are used or on hold. You get more <t:{resets_at}:R>."),
        Message("You don't have enough minutes left for this song."),
    ),
    Reason.SPEND_CAP: (
        Message("The minutes that can be spent here are used up for now. Try again later."),
    ),
    Reason.BLOCKED: (
        Message(
            "The people who run this bot have blocked you. Ask them if you think that's a mistake."
        ),
    ),
    Reason.BLOCKED_HERE: (
        Message("You're blocked in this server. Ask its managers, or send me the song in a DM."),
    ),
    Reason.NOT_OFFERED_HERE: (
        Message("I can't split songs here. The people who run me chose where I can."),
    ),
    Reason.WRONG_CHANNEL: (
        Message("I can't split songs in this channel. Use <#{channel_id}>."),
        Message("I can't split songs in this channel. Use another one."),
    ),
    Reason.UNKNOWN_RECIPE: (Message("I don't know these stems. Choose some from the list."),),
    Reason.UNKNOWN_PROVIDER: (
        Message("There is no provider called {provider} here. Choose one from the list, or none."),
        Message("I don't know this provider. Choose one from the list, or none."),
    ),
    Reason.NO_PROVIDER: (
        Message("{provider} can't make “{recipe}”. Choose other stems, or no provider."),
        Message("“{recipe}” can't be made here right now. Choose other stems."),
        Message("These stems can't be made here right now. Choose others, or try again later."),
    ),
    Reason.PROVIDERS_FAILED: (
        Message("{provider} couldn't split this song. Choose another provider, or none."),
        Message("This song couldn't be split right now. Try again in a while."),
    ),
    Reason.TIMED_OUT: (
        Message("Splitting this song took too long, so I stopped. Try again later."),
    ),
    Reason.BUSY: (Message("I'm too busy right now. Try again in a minute."),),
    Reason.DISK_FULL: (Message("There is no room for another song right now. Try again later."),),
    Reason.UNREADABLE_FILES: (
        Message("I couldn't read the last files you sent. You can send another <t:{again_at}:R>."),
        Message("I couldn't read the last files you sent. Try again later."),
    ),
    Reason.TOO_MANY_REPEATS: (
        Message(
            "You already have these stems and have asked for them too often. Get them with "
            "`/result`, or send the song again <t:{again_at}:R>."
        ),
        Message("You already have these stems. Get them with `/result`."),
    ),
    Reason.MACHINE_TOO_SMALL: (
        Message(
            "This is my fault: my machine has too little memory to split songs. Only the people "
            "who run me can fix that."
        ),
    ),
    Reason.NO_SUCH_MIX: (
        Message("These stems can't give that mix. Split the song into more stems first."),
    ),
    Reason.RENDER_LIMIT: (
        PluralMessage(
            "I render at most {minutes} minute of music an hour for each person. You can ask "
            "again <t:{again_at}:R>.",
            "I render at most {minutes} minutes of music an hour for each person. You can ask "
            "again <t:{again_at}:R>.",
            by="minutes",
        ),
        PluralMessage(
            "I render at most {minutes} minute of music an hour for each person, and this song is "
            "longer.",
            "I render at most {minutes} minutes of music an hour for each person, and this song is "
            "longer.",
            by="minutes",
        ),
        Message("This bot does not render songs in another key, speed or mix."),
    ),
    Reason.ONE_BATCH: (
        Message("You already have a batch in progress. Wait for it to finish, or cancel it."),
    ),
    Reason.TOO_MANY_SONGS: (
        Message("I take up to {limit} songs at once. Send fewer."),
        Message("I can't take so many songs at once. Send fewer."),
    ),
    Reason.OUT_OF_RANGE: (
        Message("That key, speed or level is out of range. Choose another one."),
    ),
    Reason.NO_TIME_STRETCH: (
        Message(
            "I can't change the key or the speed: a library is missing on my machine. Only the "
            "people who run me can fix that."
        ),
    ),
    Reason.NO_SOUNDBOARD: (
        Message("There is no soundboard here. Ask for the clip in a server that I'm in."),
    ),
    Reason.MAY_NOT_ADD_SOUNDS: (
        Message(
            "You need the permission *Create Expressions* in this server to add to its soundboard."
        ),
    ),
    Reason.BOT_MAY_NOT_ADD_SOUNDS: (
        Message(
            "I need the permission *Create Expressions* in this server to add the clip. You can "
            "still download the file and add it yourself."
        ),
    ),
    Reason.SOUNDBOARD_FULL: (
        Message(
            "This server's soundboard is full. Delete one of its sounds, then press the button "
            "again, or keep the file."
        ),
    ),
    Reason.SOUND_REFUSED: (
        Message("Discord didn't take the clip. Try again later, or add the file yourself."),
    ),
    Reason.UNACKNOWLEDGED: (Message("Discord didn't accept my answer in time. Please try again."),),
    Reason.STOPPED_BY_USER: (Message("You cancelled this song."),),
    Reason.STOPPED_BY_MANAGER: (Message("A manager of this server cancelled this song."),),
    Reason.FILES_EXPIRED: (
        Message("These stems have been deleted. Send the song again to get new ones."),
    ),
    Reason.STEMS_LOST: (
        Message("The stems were made, but lost before I could post them. Please try again."),
    ),
    Reason.SOURCE_GONE: (Message("Discord no longer has this file. Please send it again."),),
    Reason.NO_AUDIO_HERE: (
        Message("There is no song in this message. Choose one with an audio or video file."),
    ),
    Reason.ONE_SHOWING: (Message("I'm still working on your last request. Give me a moment."),),
    Reason.INTERNAL: (
        Message("Something went wrong on my side. Try again, or tell the people who run this bot."),
    ),
    Reason.OWNER_ONLY: (Message("Only the people who run this bot can do that."),),
    Reason.MANAGERS_ONLY: (
        Message("Only server managers can do that, and only in their own server."),
    ),
    Reason.SERVER_ONLY: (Message("Use this command in the server that it's about."),),
    Reason.NO_SUCH_SERVER: (
        Message("I can't tell which server you mean. Choose one from the list."),
    ),
    Reason.ONE_OF_TWO: (Message("Choose either a person or a role."),),
    Reason.RAISES_ALLOWANCE: (
        Message("You can only go below {ceiling} min. The people who run this bot can raise that."),
        Message("You can only lower this. The people who run this bot can raise it."),
    ),
    Reason.POOL_TOO_SMALL: (
        Message(
            "This server's pool has only {left} min left. The people who run this bot can fill it."
        ),
        Message(
            "This server's pool doesn't have enough minutes left. The people who run "
            "this bot can fill it."
        ),
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
    Stage.NO_WORKER: (Message("Waiting: no worker can take this song right now"),),
    Stage.SENDING: (
        Message("{former} can't do it right now, so {provider} is taking over"),
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

SENT: dict[DeliveryDifference, Message] = {
    DeliveryDifference.LOWER_BIT_RATE: Message(
        "At a lower bit rate, to fit Discord's size limit here."
    ),
    DeliveryDifference.FLAC_INSTEAD: Message(
        "As FLAC, which loses nothing, because {wanted} would exceed Discord's size limit here."
    ),
    DeliveryDifference.MP3_INSTEAD: Message(
        "As MP3, because {wanted} would exceed Discord's size limit here."
    ),
    DeliveryDifference.NOT_RENDERED: Message(
        "As they are, because I can't change key or speed on this machine."
    ),
}

LINK: Templates = (
    Message("[{label}]({url}), expires {when}"),
    Message("[{label}]({url})"),
)
ZIP_TOO_LARGE = Message(
    "All files in one would be too large for Discord here. Get them one by one, or as MP3."
)
CLIP = Message("{stem}, from {start} to {end}")
CLIP_NEXT = Message("Only you can see this. The button adds it to this server's soundboard.")
CLIP_ADDED = Message("Added to this server's soundboard as “{name}”.")
CONTINUED = Message("The rest of the stems")

KEPT = Message(
    "The stems are ready, but Discord didn't let me post them here. Get them with `/result`."
)
CLOSING = Message(
    "Discord lets me edit this message for only 15 minutes. If this takes longer, the stems "
    "will come by direct message, or you can get them with `/result`: `{job_id}`"
)
CAME_BY_DM = Message("Discord didn't let me post them where you asked for them.")
ENDS_EARLY = Message("Your file breaks off at {length}, so the stems end there too.")
NO_VOICE = Message("I heard no voice in this song.")
PARTS_UNNAMED = Message(
    "I couldn't tell which of the two parts is the vocals, so here are both of them."
)
MADE_WITH = Message("Made with {model}.")
MADE_BEFORE = Message("You already had these stems, so nothing was charged.")
SENT_TO_DM = Message("The stems are in your direct messages.")
DM_REFUSED = Message("Discord doesn't let me message you. Allow direct messages, then try again.")
UNSHOWN = Message("Discord didn't let me show these stems here. Try again, or try somewhere else.")
DELETE_REFUSED = Message(
    "Discord doesn't let me delete this message. Delete it yourself if you can."
)
CHOOSE_RECIPE = Message("What should I make from it?")
CHOOSE_SONG = Message("Which of these songs should I split?")
SEND_A_SONG = Message("Send me a song as an audio or video file, and I'll split it into its parts.")
NOTHING_CHARGED = Message("Nothing was charged.")
CANCELLED = Message("**{title}** is cancelled. Nothing was charged.")
SPLIT_ALREADY = Message("**{title}** is already split. Its stems are about to arrive.")
OVER_ALREADY = Message("**{title}** has already ended.")
NOT_FOUND = Message("I can't find that song among yours. See them with `/jobs`.")
BAD_OPTION = Message("One of the options isn't valid. Choose from the suggestions.")
STORE_BROKEN = Message(
    "Something is broken on my side that only the people who run me can fix. "
    "My log has the details."
)
LEFTOVER_COMMAND = Message(
    "This command is left over from an earlier version of me. The people who run me can remove it; "
    "my other commands work."
)
COMMANDS_CHANGED = Message("This command has changed. Give Discord a minute, then try again.")
NO_JOBS = Message("You have no songs here yet. Start one with `/split`.")
UNKNOWN = Message(
    "Something went wrong on my side. The people who run this bot can find it as `{error_id}`."
)
PLAIN_CLIP_ADDED = Message("The clip is on this server's soundboard.")
PLAIN_RESULT = Message("Your stems are here.")
PICTURE = Message("Waveforms of the stems")


def problem(found: Problem) -> str:
    """Say why a request was refused or a job ended, and what the user can do."""
    facts = {name: _fact(name, value) for name, value in found.facts.items() if value != ""}
    if found.reason is Reason.QUOTA and not found.facts.get("left") and "shared" not in facts:
        facts.pop("needed", None)  # unknown before the download
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
    """Say what is made from a song and how far the job is, like `Karaoke: Done`."""
    return gettext(
        STANDING, recipe=gettext(RECIPES[job.request.recipe]), state=gettext(STATES[job.state])
    )


def sent(difference: DeliveryDifference, wanted: str) -> str | None:
    """Say how the delivered files differ from the requested format; None if no sentence applies."""
    template = SENT.get(difference)
    return gettext(template, wanted=wanted) if template else None


def link(label: str, url: str, when: str | None) -> str:
    """Return a link to a stem, with its expiry time if that is known."""
    facts = {"label": label, "url": url} | ({} if when is None else {"when": when})
    return _first_filled(LINK, facts)


def cancelled(job: Job) -> str:
    """Say how a request to cancel ended."""
    match job.state:
        case State.CANCELLED:
            words = CANCELLED
        case State.READY:
            words = SPLIT_ALREADY
        case _:
            words = OVER_ALREADY
    return gettext(words, title=safe(job.title))


def unknown(error_id: str) -> str:
    """Say that something unexpected happened, with the id of the error in the log."""
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
