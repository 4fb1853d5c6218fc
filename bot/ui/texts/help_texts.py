"""What `/help` says."""

from collections.abc import Sequence

from bot.i18n.translation import Text, number, say
from bot.ui.texts import labels
from bot.ui.texts.figures import row

_LINES: tuple[Text | None, ...] = (
    Text("I split a song into its parts: a karaoke version, the vocals, the drums, and so on."),
    None,
    Text("**`/split`** with a song starts one; this is where its stems will appear."),
    Text("Or send it to me in a DM, or choose `{menu}` in the menu of a message."),
    Text("**`/jobs`** shows your songs, **`/result`** their stems again, **`/cancel`** stops one."),
    Text("**`/quota`** shows your minutes, **`/privacy`** what I keep about you."),
    None,
    Text("A song may have up to {minutes} min and {size} MiB."),
    Text("A minute begun counts as a minute. What does not work out is not charged."),
    Text("**Stems:** {recipes}"),
)


def help_lines(
    *, recipes: Sequence[str], max_file_mib: float, max_minutes: float
) -> tuple[str, ...]:
    """Say what the bot does and how it is used."""
    facts = {
        "menu": say(labels.SPLIT_MENU),
        "minutes": number(max_minutes),
        "size": number(max_file_mib),
        "recipes": row(recipes),
    }
    return tuple(say(line, **facts) if line else "" for line in _LINES)
