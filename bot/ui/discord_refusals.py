"""What Discord means by refusing an edit; the only place that reads its codes for that."""

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
    """Not in these words; perhaps in plainer ones."""


def failure_kind(error: discord.HTTPException) -> FailureKind:
    """Say what a refused edit means for the way it took."""
    if error.code == TOO_LARGE or error.status == 413:
        return FailureKind.TOO_LARGE
    if error.status == 429 or error.status >= 500 or error.code == _OLD_MESSAGE_LIMIT:
        return FailureKind.LATER
    if error.code in _AUTOMOD:
        return FailureKind.UNWANTED
    if error.status in (401, 403, 404) or error.code in {_ARCHIVED_THREAD, *_NO_DMS}:
        return FailureKind.CLOSED
    # Any other 4xx is about what was sent, so it may pass in plainer words.
    return FailureKind.UNWANTED
