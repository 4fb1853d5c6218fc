"""Every sentence of `/privacy`: what is kept, who gets songs, and what deletion does."""

from collections.abc import Sequence
from datetime import timedelta

from bot.ui.figures import Counted, listed
from bot.ui.text import safe

TITLE = "Your privacy"
KEPT = (
    "**What I keep:** your song and its stems, for up to {hours:hour|hours}; what you asked for, "
    "and where, so that `/jobs` and `/result` find it; and how many minutes you have used."
)
RECIPIENTS = (
    "**Who else gets your song:** {names} may be given a signed link to the file, to separate it. "
    "What they keep is for them to say."
)
NO_RECIPIENTS = "**Who else gets your song:** nobody. It is separated where I run."
NEVER = "I show it to nobody else, and use it for nothing else."
OFFER = "You may have all of it deleted, at any time."
DELETE = "Delete everything"

CONFIRM_TITLE = "Delete everything of yours?"
CONFIRM = (
    "Your songs and stems are deleted, with their names, addresses and links, and what is on its "
    "way is stopped. This cannot be undone."
)
STAYS = (
    "Two things stay, under a code in place of your name: the minutes of this period, until it "
    "is over, and what those who run this bot or a server decided about you, such as a block."
)
MESSAGES_STAY = "My messages stay in Discord. Delete those that you do not want first, below each."
CONFIRMED = "Yes, delete everything"

DONE_TITLE = "Everything of yours is deleted"
DONE = "{songs:song|songs} with all that belonged to it."
DONE_MANY = "{songs:song|songs} with all that belonged to them."
DONE_NOTHING = "There was nothing of yours here."


def privacy_lines(*, keep: timedelta, recipients: Sequence[str]) -> tuple[str, ...]:
    """Say what is kept and who else gets it."""
    names = listed([safe(each) for each in recipients]) if recipients else ""
    return (
        KEPT.format(hours=Counted(_hours(keep))),
        "",
        RECIPIENTS.format(names=names) if recipients else NO_RECIPIENTS,
        "",
        NEVER,
        OFFER,
    )


def confirm_lines() -> tuple[str, ...]:
    """Say what deletion does, and what it does not."""
    return (CONFIRM, "", STAYS, "", MESSAGES_STAY)


def done_line(songs: int) -> str:
    """Say what was deleted."""
    template = DONE_NOTHING if not songs else DONE if songs == 1 else DONE_MANY
    return template.format(songs=Counted(songs))


def _hours(keep: timedelta) -> int:
    return max(1, round(keep / timedelta(hours=1)))
