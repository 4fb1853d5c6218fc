"""What a refused edit means; the only place that reads Discord's codes for that."""

from enum import Enum

import discord

TOO_LARGE = 40005
# https://docs.discord.com/developers/topics/opcodes-and-status-codes
_AUTOMOD = frozenset({200000, 200001})
_OLD_MESSAGE_LIMIT = 30046
_ARCHIVED_THREAD = 50083
_NO_DMS = frozenset({50007, 50278})


class FailureKind(Enum):
    """What to do after a refusal."""

    LATER = "later"
    CLOSED = "closed"
    TOO_LARGE = "too_large"
    UNWANTED = "unwanted"
    """Refused for its words; plainer ones may pass."""


def failure_kind(error: discord.HTTPException) -> FailureKind:
    """Return what a refused edit means for the route it took."""
    if error.code == TOO_LARGE or error.status == 413:
        return FailureKind.TOO_LARGE
    if error.status == 429 or error.status >= 500 or error.code == _OLD_MESSAGE_LIMIT:
        return FailureKind.LATER
    if error.code in _AUTOMOD:
        return FailureKind.UNWANTED
    if error.status in (401, 403, 404) or error.code in {_ARCHIVED_THREAD, *_NO_DMS}:
        return FailureKind.CLOSED
    # Any other 4xx is about the content, so plainer words may pass.
    return FailureKind.UNWANTED
