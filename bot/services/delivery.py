"""The port through which stems reach their reply; bot/ui implements it for Discord."""

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from bot.domain.errors import SplitError
from bot.domain.job import Job
from bot.domain.quota import Usage
from bot.domain.stems import AudioFormat, Stem


class ReplyUnavailable(SplitError):
    """The reply cannot be written just now; the same delivery may be tried again later."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ParcelFile:
    """One encoded stem, named as the user will see it."""

    path: Path
    filename: str
    stem: Stem
    size_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Parcel:
    """Everything that the final reply shows."""

    files: tuple[ParcelFile, ...]
    picture: Path | None
    audio_format: AudioFormat
    """What was encoded, which is not always what was asked."""
    usage: Usage | None
    sent: str | None = None
    """A key for what differs from the request: `lower_bit_rate` or `mp3_instead`."""


@dataclass(frozen=True, slots=True)
class Delivered:
    """The reply shows the stems."""

    message_id: int | None


@dataclass(frozen=True, slots=True)
class Refused:
    """No way to the reply is open; `too_large` when smaller files might pass."""

    detail: str
    too_large: bool = False


class Delivery(Protocol):
    """Whoever can put a parcel into a job's reply."""

    async def deliver(self, job: Job, parcel: Parcel) -> Delivered | Refused:
        """Show the parcel in the job's reply; safe to repeat. Raises ReplyUnavailable."""
        ...
