"""Sends, edits and deletes messages, and notifies the bot and the users."""

from dataclasses import dataclass, replace

from sandbox.bodies import Body
from sandbox.components import numbered
from sandbox.entities import Attachment, Cause, Channel, Message, MessageFlag
from sandbox.errors import DiscordError, FormErrors, Json
from sandbox.gateway import Gateway
from sandbox.media import MediaStore
from sandbox.message_rules import check_message
from sandbox.page_feed import PageFeed
from sandbox.world import World

_SETTABLE = (
    MessageFlag.SUPPRESS_EMBEDS | MessageFlag.SUPPRESS_NOTIFICATIONS | MessageFlag.COMPONENTS_V2
)
DEFAULT, REPLY = 0, 19


@dataclass(frozen=True, slots=True, kw_only=True)
class Sender:
    """A message's author, the interaction that it answers, and the reader if it is ephemeral."""

    user_id: int
    cause: Cause | None = None
    visible_to: int | None = None
    kind: int = DEFAULT


class Conversation:
    """Applies message bodies to the world by Discord's rules."""

    def __init__(
        self, *, world: World, media: MediaStore, gateway: Gateway, feed: PageFeed
    ) -> None:
        self._world = world
        self._media = media
        self._gateway = gateway
        self._feed = feed

    async def send(self, channel: Channel, body: Body, *, sender: Sender) -> Message:
        """Send a message. Raises DiscordError if its body is invalid."""
        check_message(body.payload)
        reply_to = self._reply_target(channel, body.payload)
        message = self._draft(channel, sender)
        message = replace(
            message,
            kind=message.kind if reply_to is None else REPLY,
            reply_to=reply_to,
            attachments=self._received(message, body),
        )
        message = self._filled(message, body.payload)
        if message.is_empty:
            self._discard(message.attachments)
            raise DiscordError(50006)
        return await self._publish(message)

    async def think(self, channel: Channel, *, sender: Sender) -> Message:
        """Send the "thinking…" message of a deferred answer."""
        message = self._draft(channel, sender)
        return await self._publish(replace(message, flags=message.flags | MessageFlag.LOADING))

    async def edit(self, message: Message, body: Body) -> Message:
        """Edit a message. Fields missing from the body are unchanged.

        The first edit of a deferred answer completes it, and does not count as an edit.
        """
        check_message(body.payload)
        kept, dropped = self._kept(message, body)
        edited_at = None if message.is_loading else self._world.clock.now()
        settled = replace(message.settled(), edited_at=edited_at)
        arrived = self._received(message, body)
        edited = self._filled(replace(settled, attachments=kept + arrived), body.payload)
        if edited.is_empty:
            self._discard(arrived)
            raise DiscordError(50006)
        self._discard(dropped)
        self._world.messages[edited.id] = edited
        self._feed.tell_seers(edited, {"type": "message_update", **self._feed.shown(edited)})
        channel = self._world.channels[edited.channel_id]
        await self._gateway.dispatch_message("MESSAGE_UPDATE", edited, channel)
        return edited

    async def delete(self, message: Message) -> None:
        """Delete a message with its files."""
        self._discard(message.attachments)
        del self._world.messages[message.id]
        event = {"id": str(message.id), "channel_id": str(message.channel_id)}
        self._feed.tell_seers(message, {"type": "message_delete", **event})
        channel = self._world.channels[message.channel_id]
        await self._gateway.dispatch_deletion(message, channel)

    def _draft(self, channel: Channel, sender: Sender) -> Message:
        return Message(
            id=self._world.snowflakes.next(),
            channel_id=channel.id,
            author_id=sender.user_id,
            created_at=self._world.clock.now(),
            kind=sender.kind,
            flags=0 if sender.visible_to is None else MessageFlag.EPHEMERAL,
            cause=sender.cause,
            visible_to=sender.visible_to,
        )

    async def _publish(self, message: Message) -> Message:
        self._world.messages[message.id] = message
        self._feed.tell_seers(message, {"type": "message_create", **self._feed.shown(message)})
        channel = self._world.channels[message.channel_id]
        await self._gateway.dispatch_message("MESSAGE_CREATE", message, channel)
        return message

    def _filled(self, message: Message, payload: Json) -> Message:
        """Apply the body's fields other than files."""
        if "content" in payload:
            message = replace(message, content=(payload["content"] or "").strip())
        if "embeds" in payload:
            message = replace(message, embeds=tuple(payload["embeds"] or ()))
        if "components" in payload:
            message = replace(message, components=numbered(payload["components"] or []))
        if payload.get("flags") is not None:
            flags = (message.flags & ~_SETTABLE) | (payload["flags"] & _SETTABLE)
            message = replace(message, flags=flags)
        return message

    def _kept(
        self, message: Message, body: Body
    ) -> tuple[tuple[Attachment, ...], tuple[Attachment, ...]]:
        """Split a message's files into those that an edit keeps and those that it drops."""
        listed = body.payload.get("attachments", ...)
        if listed is ...:
            return message.attachments, ()
        wanted = {str(item.get("id")) for item in listed or ()}
        known = {str(attachment.id) for attachment in message.attachments}
        if wanted - known - {str(number) for number in body.files}:
            raise DiscordError(50146)
        kept = tuple(a for a in message.attachments if str(a.id) in wanted)
        return kept, tuple(a for a in message.attachments if str(a.id) not in wanted)

    def _received(self, message: Message, body: Body) -> tuple[Attachment, ...]:
        """Store the body's files under the names and descriptions that it lists."""
        listed = {str(item.get("id")): item for item in body.payload.get("attachments") or ()}
        stored = []
        for number, received in sorted(body.files.items()):
            described = listed.get(str(number), {})
            stored.append(
                self._media.store(
                    received.path,
                    attachment_id=self._world.snowflakes.next(),
                    channel_id=message.channel_id,
                    name=str(described.get("filename") or received.name),
                    description=described.get("description"),
                    is_ephemeral=message.is_ephemeral,
                )
            )
        return tuple(stored)

    def _discard(self, attachments: tuple[Attachment, ...]) -> None:
        for attachment in attachments:
            self._media.discard(attachment)

    def _reply_target(self, channel: Channel, payload: Json) -> int | None:
        reference = payload.get("message_reference")
        if not isinstance(reference, dict):
            return None
        target = self._world.messages.get(_number(reference.get("message_id")))
        if target is not None and target.channel_id == channel.id and not target.is_ephemeral:
            return target.id
        if reference.get("fail_if_not_exists", True):
            errors = FormErrors()
            errors.add("message_reference", "REPLIES_UNKNOWN_MESSAGE", "Unknown message")
            errors.raise_if_any()
        return None


def _number(value: object) -> int:
    text = str(value)
    return int(text) if text.isdecimal() else 0
