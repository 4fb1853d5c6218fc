"""Every sentence of `/privacy`: what is kept, who gets songs, and what deletion does."""

from collections.abc import Sequence
from datetime import timedelta

from bot.i18n.translation import Message, PluralMessage, gettext
from bot.ui.texts.figures import listed
from bot.ui.texts.safe_text import safe

TITLE = Message("Your privacy")
KEPT = PluralMessage(
    "**What I keep:** your song and its stems, for up to {hours} hour; what you asked for, "
    "and where, so that `/jobs` and `/result` find it; and how many minutes you have used.",
    "**What I keep:** your song and its stems, for up to {hours} hours; what you asked for, "
    "and where, so that `/jobs` and `/result` find it; and how many minutes you have used.",
    by="hours",
)
RECIPIENTS = Message(
    "**Who else gets your song:** {names} may be given a signed link to the file, to separate it. "
    "What they keep is for them to say."
)
NO_RECIPIENTS = Message("**Who else gets your song:** nobody. It is separated where I run.")
NEVER = Message("I show it to nobody else, and use it for nothing else.")
OFFER = Message("You may have all of it deleted, at any time.")
DELETE = Message("Delete everything")

CONFIRM_TITLE = Message("Delete everything of yours?")
CONFIRM = Message(
    "Your songs and stems are deleted, with their names, addresses and links, and what is on its "
    "way is stopped. This cannot be undone."
)
STAYS = Message(
    "Two things stay, under a code in place of your name: the minutes of this period, until a "
    "week after it, and what those who run this bot or a server decided about you, such as a block."
)
MESSAGES_STAY = Message(
    "My messages stay in Discord. First delete those that you do not want, below each."
)
CONFIRMED = Message("Yes, delete everything")

DONE_TITLE = Message("Everything of yours is deleted")
DONE = PluralMessage(
    "{songs} song with all that belonged to it.",
    "{songs} songs with all that belonged to them.",
    by="songs",
)
DONE_NOTHING = Message("There was nothing of yours here.")


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
    """Say what deletion does, and what it does not."""
    return (gettext(CONFIRM), "", gettext(STAYS), "", gettext(MESSAGES_STAY))


def done_line(songs: int) -> str:
    """Say what was deleted."""
    return gettext(DONE, songs=songs) if songs else gettext(DONE_NOTHING)


def _hours(keep: timedelta) -> int:
    return max(1, round(keep / timedelta(hours=1)))
