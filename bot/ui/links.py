"""The lines of a card that lead to stems; Discord is not needed."""

from bot.services.delivery import Parcel, ParcelLink
from bot.services.naming import stem_label
from bot.ui import messages
from bot.ui.figures import moment
from bot.ui.names import FORMATS

LONGEST_PLAIN = 2000
"""What a message without a card may say."""


def link_lines(parcel: Parcel) -> tuple[str, ...]:
    """Return a line for each link."""
    return tuple(map(_line, parcel.links))


def plain_result(parcel: Parcel) -> str:
    """Say in fixed words that the stems are here; where that can be, with their links."""
    whole = "\n".join((messages.PLAIN_RESULT, *link_lines(parcel)))
    return whole if len(whole) <= LONGEST_PLAIN else messages.PLAIN_RESULT


def _line(link: ParcelLink) -> str:
    label = stem_label(link.stem)
    if link.audio_format is not None:
        label = f"{label}, {FORMATS[link.audio_format]}"
    when = None if link.expires_at is None else moment(link.expires_at)
    return messages.link(label, link.url, when)
