"""Makes untrusted text safe for a message: one line, no markup, no mentions, a limited length."""

import re

from bot.domain.titles import cut, plain

ZERO_WIDTH_SPACE = "\u200b"
MAX_LENGTH = 80

_MARKUP = re.compile(r"([\\*_~`|<>\[\]()#])")
_LIST_OR_RULE = re.compile(r"^([-+.])")
_MENTION = re.compile(r"@(?=\S)")
_LINK = re.compile(r"(?<=:)(?=//)")


def shortened(text: str, max_length: int = MAX_LENGTH) -> str:
    """Return `text` as one line of at most `max_length` characters; markup is kept."""
    return cut(plain(text), max_length)


def safe(text: str, max_length: int = MAX_LENGTH) -> str:
    """Return `text` shortened and escaped, so that Discord shows it literally."""
    line = _MARKUP.sub(r"\\\1", shortened(text, max_length))
    line = _LIST_OR_RULE.sub(r"\\\1", line)
    line = _MENTION.sub("@" + ZERO_WIDTH_SPACE, line)
    return _LINK.sub(ZERO_WIDTH_SPACE, line)


def capitalised(text: str) -> str:
    """Return `text` with an upper-case first letter."""
    return text[:1].upper() + text[1:]
