"""The text of `/help`."""

from collections.abc import Sequence

from bot.i18n.translation import Message, gettext, number
from bot.ui.texts import labels
from bot.ui.texts.figures import row

_LINES: tuple[Message | None, ...] = (
    Message("I split songs into their parts: a karaoke version, the vocals, the drums, and so on."),
    None,
    Message("Attach a song to **`/split`**. Its stems will appear in that same reply."),
    Message("**`/batch`** takes up to ten songs. Below a result you get all its files in one zip."),
    Message("Or send it to me in a DM, or choose `{menu}` from a message's menu."),
    Message(
        "**`/jobs`** lists your songs, **`/result`** shows stems again, **`/cancel`** stops a song."
    ),
    Message("**`/quota`** shows your minutes, **`/privacy`** what I keep about you."),
    None,
    Message("A song can be up to {minutes} min and {size} MiB."),
    Message("Started minutes count in full. If something goes wrong, nothing is charged."),
    Message("**Stems:** {recipes}"),
)


def help_lines(
    *, recipes: Sequence[str], max_file_mib: float, max_minutes: float
) -> tuple[str, ...]:
    """Explain what the bot does and how to use it."""
    facts = {
        "menu": gettext(labels.SPLIT_MENU),
        "minutes": number(max_minutes),
        "size": number(max_file_mib),
        "recipes": row(recipes),
    }
    return tuple(gettext(line, **facts) if line else "" for line in _LINES)
