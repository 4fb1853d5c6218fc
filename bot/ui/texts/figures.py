"""Formats figures for users: lists, lengths, waits, a progress bar."""

import math
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Literal

from bot.domain.minutes import SAMPLE_RATE
from bot.i18n.translation import Message, gettext

BAR_LENGTH = 10


A_FEW_SECONDS = Message("a few seconds")
ABOUT_SECONDS = Message("about {seconds} s")
ABOUT_MINUTES = Message("about {minutes} min")
PER_CENT = Message("{figure} %")
AND = Message("{most} and {last}")
COMMA = Message(", ")


def length(frames: int) -> str:
    """Return the length of a song, given in frames, like `3:42` or `1:02:03`."""
    minutes, seconds = divmod(round(frames / SAMPLE_RATE), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{seconds:02}" if hours else f"{minutes}:{seconds:02}"


def about(wait_s: float) -> str:
    """Return a rounded wait: `a few seconds`, `about 40 s` or `about 3 min`."""
    if wait_s < 8:
        return gettext(A_FEW_SECONDS)
    if wait_s < 90:
        return gettext(ABOUT_SECONDS, seconds=math.ceil(wait_s / 5) * 5)
    return gettext(ABOUT_MINUTES, minutes=math.ceil(wait_s / 60))


def bar(fraction: float) -> str:
    """Return a bar and its percentage, like `▰▰▰▰▰▱▱▱▱▱ 52 %`."""
    share = min(1.0, max(0.0, fraction))
    filled = int(share * BAR_LENGTH)
    figure = gettext(PER_CENT, figure=int(share * 100))
    return f"{'▰' * filled}{'▱' * (BAR_LENGTH - filled)} {figure}"


def listed(words: Sequence[str]) -> str:
    """Join words, like `vocals, drums and bass`."""
    *most, last = words
    return gettext(AND, most=row(most), last=last) if most else last


def row(words: Iterable[str]) -> str:
    """Join words with commas, like `vocals, drums, bass`."""
    return gettext(COMMA).join(words)


def moment(at: datetime, style: Literal["R", "f"] = "R") -> str:
    """Return a time in Discord's markup, which shows it in the reader's time zone and language."""
    return f"<t:{int(at.timestamp())}:{style}>"
