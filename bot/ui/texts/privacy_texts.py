"""The sentences of `/privacy`: what is kept, who gets songs, and what deletion does."""

from collections.abc import Sequence
from datetime import timedelta

from bot.i18n.translation import Message, PluralMessage, gettext
from bot.ui.texts.figures import listed
from bot.ui.texts.safe_text import safe

TITLE = Message("Your privacy")
KEPT = PluralMessage(
    "**What I keep:** your song and its stems, for up to {hours} hour; what you asked for "
    "and where, so that `/jobs` and `/result` can find it; and how many minutes you have "
    "used.",
    "**What I keep:** your song and its stems, for up to {hours} hours; what you asked for "
    "and where, so that `/jobs` and `/result` can find it; and how many minutes you have "
    "used.",
    by="hours",
)
RECIPIENTS = Message(
    "**Who else gets your song:** {names} may get a signed link to the file, to separate it. "
    "See their own policies for what they keep."
)
NO_RECIPIENTS = Message(
    "**Who else gets your song:** no one. It is separated on the machine that I run on."
)
NEVER = Message("I don't show it to anyone else or use it for anything else.")
OFFER = Message("You can delete all of it at any time.")
DELETE = Message("Delete everything")

CONFIRM_TITLE = Message("Delete all your data?")
CONFIRM = Message(
    "This deletes your songs and stems with their names, addresses and links, and cancels "
    "songs in progress. It can't be undone."
)
STAYS = Message(
    "Two things stay, under a code instead of your name: your minutes of this period, until "
    "a week after it ends, and what the people who run this bot or a server decided about you, "
    "such as a block."
)
MESSAGES_STAY = Message(
    "My messages stay in Discord. First delete the ones you don't want, with the button below each."
)
CONFIRMED = Message("Yes, delete everything")

DONE_TITLE = Message("All your data is deleted")
DONE = PluralMessage(
    "{songs} song and everything that belonged to it.",
    "{songs} songs and everything that belonged to them.",
    by="songs",
)
DONE_NOTHING = Message("I had no data about you.")


def privacy_lines(*, keep: timedelta, recipients: Sequence[str]) -> tuple[str, ...]:
    """Say what is kept and who else gets it."""
    names = listed([safe(each) for each in recipients]) if recipients else ""
    return (
        gettext(KEPT, hours=_hours(keep)),
        "",
        gettext(RECIPIENTS, names=names) if recipients else gettext(NO_RECIPIENTS),
        "",
        gettext(NEVER),
        gettext(OFFER),
    )


def confirm_lines() -> tuple[str, ...]:
    """Say what deletion does and does not do."""
    return (gettext(CONFIRM), "", gettext(STAYS), "", gettext(MESSAGES_STAY))


def done_line(songs: int) -> str:
    """Say what was deleted."""
    return gettext(DONE, songs=songs) if songs else gettext(DONE_NOTHING)


def _hours(keep: timedelta) -> int:
    return max(1, round(keep / timedelta(hours=1)))
