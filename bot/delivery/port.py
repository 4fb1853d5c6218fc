"""The port that puts stems into a job's reply; `bot/ui` implements it for Discord."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Protocol

from bot.domain.errors import SplitError
from bot.domain.job import DeliveryDifference, Job, JobId
from bot.domain.minutes import Usage
from bot.domain.recipes import AudioFormat, Stem

Masters = Sequence[tuple[Stem, Path]]
"""Finished stems in display order, as lossless files."""


class ReplyUnavailable(SplitError):
    """The reply cannot be written at the moment; the same delivery may be tried again later."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliveryFile:
    """An encoded stem, with the file name that the user will see."""

    path: Path
    filename: str
    stem: Stem
    size_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliveryLink:
    """A stem that users fetch from an address."""

    stem: Stem
    url: str
    audio_format: AudioFormat | None
    """The file's format; None if a provider holds the file."""
    expires_at: datetime | None
    """The time when the address expires; None if unknown."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """The stems of the final reply, as files and links."""

    files: tuple[DeliveryFile, ...]
    more: tuple[DeliveryFile, ...] = ()
    """Files for a second message."""
    links: tuple[DeliveryLink, ...] = ()
    picture: Path | None
    audio_format: AudioFormat
    """The format that was encoded, which may differ from the one requested."""
    alternatives: tuple[AudioFormat, ...] = ()
    """Other formats in which the same stems could be delivered as well."""
    usage: Usage | None = None
    mixer_url: str | None = None
    """The address of the mixer page."""
    model: str | None = None
    """The title of the model that made the stems, if users should know it."""
    sent: DeliveryDifference | None = None

    def has_ended(self, now: datetime) -> bool:
        """Whether any of the links has expired."""
        return any(each.expires_at is not None and each.expires_at <= now for each in self.links)


@dataclass(frozen=True, slots=True, kw_only=True)
class ZipDelivery:
    """All stems in one file, which is attached or has an address."""

    filename: str
    size_bytes: int
    audio_format: AudioFormat
    file: Path | None = None
    url: str | None = None
    expires_at: datetime | None = None
    sent: DeliveryDifference | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ClipDelivery:
    """A few seconds of one stem, as an MP3 file that fits a soundboard.

    They begin at the frame `start` of the song and last for `frames`.
    """

    file: Path
    stem: Stem
    start: int
    frames: int


@dataclass(frozen=True, slots=True)
class Delivered:
    """The reply shows the stems."""

    message_id: int | None


@dataclass(frozen=True, slots=True)
class Refused:
    """No route to the reply is open, or Discord refuses the files; `too_large` if they were too
    large.
    """

    detail: str
    too_large: bool = False
    one_only: bool = False
    """Whether the files might be accepted in a single message, since only the second was
    refused."""


class DeliveryPort(Protocol):
    """Puts stems into a job's reply."""

    async def deliver(self, job: Job, delivery: Delivery, /) -> Delivered | Refused:
        """Show the stems in the job's reply; safe to repeat. Raises ReplyUnavailable."""
        ...

    def forget(self, job_id: JobId) -> None:
        """Forget a job whose reply is complete."""
        ...
