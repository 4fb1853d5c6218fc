"""Figures as people read them: counts, lengths, waits, a bar of progress."""

import math
from collections.abc import Sequence
from datetime import datetime
from typing import Literal

from bot.domain.quota import SAMPLE_RATE

BAR_LENGTH = 10


class Counted(int):
    """A number that brings its noun along: `{jobs:song|songs}` gives `1 song` or `2 songs`."""

    def __format__(self, spec: str) -> str:
        """Return the number, followed by the form of the noun that fits it."""
        if "|" not in spec:
            return super().__format__(spec)
        one, many = spec.split("|")
        return f"{int(self)} {one if self == 1 else many}"


def length(frames: int) -> str:
    """Return a song's length, like `3:42` or `1:02:03`."""
    minutes, seconds = divmod(round(frames / SAMPLE_RATE), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{seconds:02}" if hours else f"{minutes}:{seconds:02}"


def about(wait_s: float) -> str:
    """Return a wait, as coarsely as it can be foreseen: `a few seconds`, `40 s`, `3 min`."""
    if wait_s < 8:
        return "a few seconds"
    if wait_s < 90:
        return f"about {math.ceil(wait_s / 5) * 5} s"
    return f"about {math.ceil(wait_s / 60)} min"


def bar(fraction: float) -> str:
    """Return a bar and its percentage, like `▰▰▰▰▰▱▱▱▱▱ 52 %`."""
    share = min(1.0, max(0.0, fraction))
    filled = int(share * BAR_LENGTH)
    return f"{'▰' * filled}{'▱' * (BAR_LENGTH - filled)} {int(share * 100)} %"


def listed(words: Sequence[str]) -> str:
    """Join words, like `vocals, drums and bass`."""
    *most, last = words
    return f"{', '.join(most)} and {last}" if most else last


def moment(at: datetime, style: Literal["R", "f"] = "R") -> str:
    """Return a time that Discord shows in the reader's own zone and language."""
    return f"<t:{int(at.timestamp())}:{style}>"
