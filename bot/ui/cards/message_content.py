"""The content of one edit of a message: a card or fixed words, and optionally files."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Self

from bot.delivery.port import Delivery, DeliveryFile
from bot.domain.analysis import Analysis
from bot.domain.job import Job
from bot.i18n.translation import gettext
from bot.ui.cards.card import Card
from bot.ui.texts import messages
from bot.ui.texts.analysis_texts import stem_description


@dataclass(frozen=True, slots=True, kw_only=True)
class AttachmentFile:
    """A file to attach."""

    path: Path
    filename: str
    plain_filename: str
    """The file name in a message with fixed words, without any text from the user."""
    description: str | None = None
    """The description of the file's content for screen readers."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageContent:
    """The whole content of a message after an edit."""

    card: Card
    files: tuple[AttachmentFile, ...] | None = None
    """Files that replace the attachments; None keeps the current ones."""
    is_plain: bool = False
    """Whether to show the card's fixed words instead of the card."""

    def in_plain_words(self) -> Self:
        """Return the content without any words from the user."""
        files = self.files and tuple(
            replace(file, filename=file.plain_filename) for file in self.files
        )
        return replace(self, is_plain=True, files=files)


def attachment_files(job: Job, delivery: Delivery) -> tuple[AttachmentFile, ...]:
    """Return the delivery's files, followed by their picture."""
    stems = [_attachment_file(job, file) for file in delivery.files]
    if delivery.picture is not None:
        name = delivery.picture.name
        picture = AttachmentFile(
            path=delivery.picture,
            filename=name,
            plain_filename=name,
            description=gettext(messages.PICTURE),
        )
        stems.append(picture)
    return tuple(stems)


def second_message_files(job: Job, delivery: Delivery) -> tuple[AttachmentFile, ...]:
    """Return the files for a second message."""
    return tuple(_attachment_file(job, file) for file in delivery.more)


def _attachment_file(job: Job, file: DeliveryFile) -> AttachmentFile:
    return AttachmentFile(
        path=file.path,
        filename=file.filename,
        plain_filename=f"{file.stem.value}{file.path.suffix}",
        description=stem_description(file.stem, job.heard or Analysis()),
    )
