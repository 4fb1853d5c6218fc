"""The lines of a card that lead to stems; Discord is not needed."""

from bot.delivery.port import Delivery, DeliveryLink
from bot.i18n.translation import gettext
from bot.ui.texts import messages
from bot.ui.texts.figures import moment, row
from bot.ui.texts.names import FORMATS, stem_name

LONGEST_PLAIN = 2000
"""What a message without a card may say."""


def link_lines(parcel: Delivery) -> tuple[str, ...]:
    """Return a line for each link."""
    return tuple(map(_line, parcel.links))


def plain_result(parcel: Delivery) -> str:
    """Say in fixed words that the stems are here; where that can be, with their links."""
    plain = gettext(messages.PLAIN_RESULT)
    whole = "\n".join((plain, *link_lines(parcel)))
    return whole if len(whole) <= LONGEST_PLAIN else plain


def _line(link: DeliveryLink) -> str:
    label = stem_name(link.stem)
    if link.audio_format is not None:
        label = row([label, FORMATS[link.audio_format]])
    when = None if link.expires_at is None else moment(link.expires_at)
    return messages.link(label, link.url, when)
