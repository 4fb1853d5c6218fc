"""The lines of a card with links to stems. Does not use discord.py."""

from bot.delivery.port import Delivery, DeliveryLink
from bot.i18n.translation import gettext
from bot.ui.texts import messages
from bot.ui.texts.figures import moment, row
from bot.ui.texts.names import FORMATS, stem_name

MAX_PLAIN = 2000
"""Discord's limit for the text of a message."""


def link_lines(delivery: Delivery) -> tuple[str, ...]:
    """Return one line per link."""
    return tuple(map(_line, delivery.links))


def plain_result(delivery: Delivery) -> str:
    """Say in fixed words that the stems are here, and add their links if they fit."""
    plain = gettext(messages.PLAIN_RESULT)
    whole = "\n".join((plain, *link_lines(delivery)))
    return whole if len(whole) <= MAX_PLAIN else plain


def _line(link: DeliveryLink) -> str:
    label = stem_name(link.stem)
    if link.audio_format is not None:
        label = row([label, FORMATS[link.audio_format]])
    when = None if link.expires_at is None else moment(link.expires_at)
    return messages.link(label, link.url, when)
