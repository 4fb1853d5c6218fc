"""Interprets Discord's error codes for refused edits; no other module does."""

from enum import Enum

import discord

TOO_LARGE = 40005
# https://docs.discord.com/developers/topics/opcodes-and-status-codes
_AUTOMOD = frozenset({200000, 200001})
_OLD_MESSAGE_LIMIT = 30046
_ARCHIVED_THREAD = 50083
_NO_DMS = frozenset({50007, 50278})


class FailureKind(Enum):
    """The kinds of refusals, by what can be done about them."""

    LATER = "later"
    CLOSED = "closed"
    TOO_LARGE = "too_large"
    UNWANTED = "unwanted"
    """Refused because of its words; simpler words may be accepted."""


def failure_kind(error: discord.HTTPException) -> FailureKind:
    """Return what kind of refusal this is, for the route that the edit took."""
    if error.code == TOO_LARGE or error.status == 413:
        return FailureKind.TOO_LARGE
    if error.status == 429 or error.status >= 500 or error.code == _OLD_MESSAGE_LIMIT:
        return FailureKind.LATER
    if error.code in _AUTOMOD:
        return FailureKind.UNWANTED
    if error.status in (401, 403, 404) or error.code in {_ARCHIVED_THREAD, *_NO_DMS}:
        return FailureKind.CLOSED
    # Any other 4xx concerns the content, so simpler words may be accepted.
    return FailureKind.UNWANTED
