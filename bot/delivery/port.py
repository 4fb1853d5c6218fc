"""The port through which stems reach their reply; bot/ui implements it for Discord."""

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Protocol

from bot.domain.errors import SplitError
from bot.domain.job import DeliveryDifference, Job, JobId
from bot.domain.minutes import Usage
from bot.domain.recipes import AudioFormat, Stem


class ReplyUnavailable(SplitError):
    """The reply cannot be written just now; the same delivery may be tried again later."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliveryFile:
    """One encoded stem, named as the user will see it."""

    path: Path
    filename: str
    stem: Stem
    size_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliveryLink:
    """One stem that is fetched from an address."""

    stem: Stem
    url: str
    audio_format: AudioFormat | None
    """None if a third party holds it and does not say."""
    expires_at: datetime | None
    """None if unknown."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """Everything that the final reply shows."""

    files: tuple[DeliveryFile, ...]
    more: tuple[DeliveryFile, ...] = ()
    """What follows in a second message."""
    links: tuple[DeliveryLink, ...] = ()
    picture: Path | None
    audio_format: AudioFormat
    """What was encoded, which is not always what was requested."""
    alternatives: tuple[AudioFormat, ...] = ()
    """Other formats in which the same stems could be delivered just as well."""
    usage: Usage | None = None
    sent: DeliveryDifference | None = None

    def has_ended(self, now: datetime) -> bool:
        """Whether one of the links has expired."""
        return any(each.expires_at is not None and each.expires_at <= now for each in self.links)


@dataclass(frozen=True, slots=True)
class Delivered:
    """The reply shows the stems."""

    message_id: int | None


@dataclass(frozen=True, slots=True)
class Refused:
    """No route to the reply is open; `too_large` if smaller files might be accepted."""

    detail: str
    too_large: bool = False
    one_only: bool = False
    """A second message is impossible; a single one might be accepted."""


class DeliveryPort(Protocol):
    """Puts stems into a job's reply."""

    async def deliver(self, job: Job, delivery: Delivery, /) -> Delivered | Refused:
        """Show the stems in the job's reply; safe to repeat. Raises ReplyUnavailable."""
        ...

    def forget(self, job_id: JobId) -> None:
        """Forget a job whose reply is complete."""
        ...
