"""What `/help` says."""

from collections.abc import Sequence

from bot.i18n.translation import Message, gettext, number
from bot.ui.texts import labels
from bot.ui.texts.figures import row

_LINES: tuple[Message | None, ...] = (
    Message("I split a song into its parts: a karaoke version, the vocals, the drums, and so on."),
    None,
    Message("**`/split`** with a song starts one; this is where its stems will appear."),
    Message("Or send it to me in a DM, or choose `{menu}` in the menu of a message."),
    Message(
        "**`/jobs`** shows your songs, **`/result`** their stems again, **`/cancel`** stops one."
    ),
    Message("**`/quota`** shows your minutes, **`/privacy`** what I keep about you."),
    None,
    Message("A song may have up to {minutes} min and {size} MiB."),
    Message("A minute begun counts as a minute. What does not work out is not charged."),
    Message("**Stems:** {recipes}"),
)


def help_lines(
    *, recipes: Sequence[str], max_file_mib: float, max_minutes: float
) -> tuple[str, ...]:
    """Say what the bot does and how it is used."""
    facts = {
        "menu": gettext(labels.SPLIT_MENU),
        "minutes": number(max_minutes),
        "size": number(max_file_mib),
        "recipes": row(recipes),
    }
    return tuple(gettext(line, **facts) if line else "" for line in _LINES)
