"""Modals that the bot has shown and that have not been submitted yet."""

import secrets
from dataclasses import dataclass

from sandbox.entities import Attachment, Channel, User
from sandbox.errors import FormErrors, Json
from sandbox.interactions import Interaction
from sandbox.page_feed import PageFeed
from sandbox.payloads import Payloads

_ROW, _TEXT_INPUT, _TEXT, _LABEL, _FILE_UPLOAD, _RADIO, _CHECKBOX = 1, 4, 10, 18, 19, 21, 23
_MANY_VALUES = (3, 5, 6, 7, 8, 19, 22)


@dataclass(frozen=True, slots=True, kw_only=True)
class Modal:
    """A modal on a user's screen."""

    user: User
    channel: Channel
    custom_id: str
    title: str
    components: tuple[Json, ...]
    source_id: int | None


class Modals:
    """Shows modals and builds their submissions."""

    def __init__(self, *, feed: PageFeed, payloads: Payloads) -> None:
        self._feed = feed
        self._payloads = payloads
        self._shown: dict[str, Modal] = {}

    def show(self, interaction: Interaction, data: Json) -> str:
        """Show a modal to the interaction's user, and return its id in the sandbox."""
        errors = FormErrors()
        custom_id = errors.text("data.custom_id", data.get("custom_id"), longest=100, shortest=1)
        title = errors.text("data.title", data.get("title"), longest=45, shortest=1)
        components = errors.objects("data.components", data.get("components"), least=1, most=5)
        errors.raise_if_any()
        modal_id = secrets.token_hex(8)
        self._shown[modal_id] = Modal(
            user=interaction.user,
            channel=interaction.channel,
            custom_id=custom_id,
            title=title,
            components=tuple(components),
            source_id=interaction.source_id,
        )
        event = {"modal_id": modal_id, "channel_id": str(interaction.channel.id), "title": title}
        details = {"custom_id": custom_id, "components": components}
        self._feed.tell(interaction.user.id, {"type": "modal", **event, **details})
        return modal_id

    def find(self, modal_id: str, user_id: int) -> Modal | None:
        """Return a modal that is shown to a user."""
        modal = self._shown.get(modal_id)
        return modal if modal is not None and modal.user.id == user_id else None

    def close(self, modal_id: str) -> None:
        """Forget a modal that was submitted."""
        self._shown.pop(modal_id, None)

    def submission(self, modal: Modal, fields: Json, uploads: dict[str, Attachment]) -> Json:
        """Return the interaction's data. `fields` maps custom ids to values."""
        data: Json = {
            "custom_id": modal.custom_id,
            "components": [_filled(component, fields) for component in modal.components],
        }
        if uploads:
            written = {key: self._payloads.attachment(file) for key, file in uploads.items()}
            data["resolved"] = {"attachments": written}
        return data


def _filled(component: Json, fields: Json) -> Json:
    kind = component.get("type")
    if kind == _ROW:
        children = [_filled(child, fields) for child in component.get("components", [])]
        return {"type": kind, "id": component.get("id", 0), "components": children}
    if kind == _LABEL:
        child = _filled(component.get("component", {}), fields)
        return {"type": kind, "id": component.get("id", 0), "component": child}
    filled = {"type": kind, "id": component.get("id", 0)}
    if kind == _TEXT:
        return filled
    custom_id = component.get("custom_id", "")
    value = fields.get(custom_id)
    filled["custom_id"] = custom_id
    if kind in _MANY_VALUES:
        filled["values"] = value if isinstance(value, list) else [] if value is None else [value]
    else:
        filled["value"] = ("" if kind == _TEXT_INPUT else None) if value is None else value
    return filled
