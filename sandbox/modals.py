"""Modals that the bot has shown and that have not been submitted yet."""

import secrets
from collections.abc import Mapping
from dataclasses import dataclass

from sandbox.components import numbered
from sandbox.entities import Attachment, Channel, User
from sandbox.errors import Json
from sandbox.interactions import Interaction
from sandbox.modal_answers import filled
from sandbox.modal_rules import check_modal
from sandbox.page_feed import PageFeed
from sandbox.payloads import Payloads


@dataclass(frozen=True, slots=True, kw_only=True)
class Modal:
    """A modal on a user's screen."""

    id: str
    user: User
    channel: Channel
    custom_id: str
    title: str
    components: tuple[Json, ...]
    source_id: int | None

    def written(self) -> Json:
        """Return the modal as the page and tests see it."""
        return {
            "modal_id": self.id,
            "channel_id": str(self.channel.id),
            "custom_id": self.custom_id,
            "title": self.title,
            "components": list(self.components),
        }


class Modals:
    """Shows modals and builds their submissions."""

    def __init__(self, *, feed: PageFeed, payloads: Payloads) -> None:
        self._feed = feed
        self._payloads = payloads
        self._shown: dict[str, Modal] = {}

    def show(self, interaction: Interaction, data: Json) -> str:
        """Show a modal to the interaction's user; return its id in the sandbox."""
        check_modal(data)
        modal = Modal(
            id=secrets.token_hex(8),
            user=interaction.user,
            channel=interaction.channel,
            custom_id=data["custom_id"],
            title=data["title"],
            components=numbered(data["components"]),
            source_id=interaction.source_id,
        )
        self._shown[modal.id] = modal
        self._feed.tell(interaction.user.id, {"type": "modal", **modal.written()})
        return modal.id

    def find(self, modal_id: str, user_id: int) -> Modal | None:
        """Return a modal that is shown to a user."""
        modal = self._shown.get(modal_id)
        return modal if modal is not None and modal.user.id == user_id else None

    def close(self, modal_id: str) -> None:
        """Forget a modal that was submitted."""
        self._shown.pop(modal_id, None)

    def submission(
        self, modal: Modal, fields: Json, uploads: Mapping[str, list[Attachment]]
    ) -> Json:
        """Return the interaction's data; `fields` and `uploads` are keyed by custom id."""
        data: Json = {
            "custom_id": modal.custom_id,
            "components": filled(modal.components, fields, uploads),
        }
        files = [file for chosen in uploads.values() for file in chosen]
        if files:
            written = {str(file.id): self._payloads.attachment(file) for file in files}
            data["resolved"] = {"attachments": written}
        return data
