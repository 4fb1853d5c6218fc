"""Sentences about minutes: what a song cost, what is left, and when more come."""

from datetime import timedelta

from bot.domain.minutes import Usage
from bot.domain.periods import Period
from bot.i18n.translation import Message, gettext
from bot.ui.texts.figures import moment

CHARGED_ALONE = Message("{minutes} min charged")
CHARGED = Message("{minutes} min charged, {left} of {total} left {period}")
CHARGED_TO_SERVER = Message(
    "{minutes} min from this server charged, {left} of {total} left {period}"
)
LEFT = Message("**{left} of {total} min left** {period}")
USED = Message("{used} used. All minutes come back {when}.")
USED_AND_HELD = Message("{used} used, {held} on hold. All minutes come back {when}.")
SHARED_LEFT = Message("**{left} of {total} min from this server left** {period}")
SHARED_USED = Message("{used} used. Songs here use these first. Unused ones expire {when}.")
SHARED_USED_AND_HELD = Message(
    "{used} used, {held} on hold. Songs here use these first. Unused ones expire {when}."
)
POOL = Message("This server's pool has {minutes} min to hand out with `/admin quota grant`.")
TODAY = Message("today")
THIS_WEEK = Message("this week")
THIS_MONTH = Message("this month")


def charge(minutes: int, usage: Usage | None) -> str:
    """Say what a job cost and how many minutes are left."""
    if usage is None:
        return gettext(CHARGED_ALONE, minutes=minutes)
    words = CHARGED if usage.guild_id is None else CHARGED_TO_SERVER
    return gettext(
        words, minutes=minutes, left=usage.left, total=usage.total, period=period(usage.period)
    )


def usage_lines(usage: Usage) -> tuple[str, ...]:
    """Describe a user's minutes."""
    return _standing(usage, LEFT, USED_AND_HELD if usage.held else USED)


def shared_lines(usage: Usage) -> tuple[str, ...]:
    """Describe the minutes that a server gave the user to spend in it."""
    return _standing(usage, SHARED_LEFT, SHARED_USED_AND_HELD if usage.held else SHARED_USED)


def pool_line(minutes: int) -> str:
    """Tell managers how many minutes they can hand out."""
    return gettext(POOL, minutes=minutes)


def period(found: Period) -> str:
    """Return a period as it appears at the end of a sentence, like `this week`."""
    span = found.ends_at - found.starts_at
    if span <= timedelta(days=1):
        return gettext(TODAY)
    return gettext(THIS_WEEK if span <= timedelta(days=7) else THIS_MONTH)


def _standing(usage: Usage, left: Message, used: Message) -> tuple[str, ...]:
    return (
        gettext(left, left=usage.left, total=usage.total, period=period(usage.period)),
        gettext(used, used=usage.used, held=usage.held, when=moment(usage.period.ends_at)),
    )
