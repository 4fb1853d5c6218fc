"""User actions: commands, buttons, forms, and sending and deleting messages."""

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from sandbox.bodies import Body, Received
from sandbox.command_rules import CHAT_INPUT, MESSAGE_MENU
from sandbox.components import SELECTS, Kind, find
from sandbox.conversation import Conversation, Sender
from sandbox.entities import Attachment, Channel, Message, Permission, User
from sandbox.errors import Json
from sandbox.interactions import Answer, Interaction, InteractionKind, Interactions
from sandbox.invocations import Invocations, NotAllowed
from sandbox.locales import LOCALES
from sandbox.media import MediaStore
from sandbox.modals import Modal, Modals
from sandbox.payloads import Payloads
from sandbox.world import World

NO_ANSWER = "The application did not respond"


class People:
    """Acts as a user. Raises NotAllowed for actions that a Discord client would not allow."""

    def __init__(
        self,
        *,
        world: World,
        payloads: Payloads,
        media: MediaStore,
        conversation: Conversation,
        interactions: Interactions,
        invocations: Invocations,
        modals: Modals,
    ) -> None:
        self._world = world
        self._payloads = payloads
        self._media = media
        self._conversation = conversation
        self._interactions = interactions
        self._invocations = invocations
        self._modals = modals

    def user(self, user_id: int) -> User:
        """Return a user."""
        user = self._world.users.get(user_id)
        if user is None or user.is_bot:
            raise NotAllowed("There is no such user.")
        return user

    def channel(self, channel_id: int, user: User) -> Channel:
        """Return a channel that a user is in."""
        channel = self._world.channels.get(channel_id)
        if channel is None or not self._world.may_see_channel(user.id, channel):
            raise NotAllowed("There is no such channel.")
        return channel

    def message(self, message_id: int, user: User) -> Message:
        """Return a message that a user can see."""
        message = self._world.messages.get(message_id)
        if message is None or not self._world.may_see(user.id, message):
            raise NotAllowed("There is no such message.")
        return message

    def upload(self, path: Path, name: str) -> Attachment:
        """Store a file that a user has chosen but not yet sent."""
        upload_id = self._world.snowflakes.next()
        attachment = self._media.store(
            path,
            attachment_id=upload_id,
            channel_id=self._world.application_id,
            name=name,
            is_ephemeral=True,
        )
        self._world.uploads[upload_id] = attachment
        return attachment

    def uploaded(self, upload_id: int) -> Attachment:
        """Return a chosen file."""
        attachment = self._world.uploads.get(upload_id)
        if attachment is None:
            raise NotAllowed("There is no such upload.")
        return attachment

    def speak(self, user: User, locale: str) -> None:
        """Set a user's language."""
        if locale not in LOCALES:
            raise NotAllowed("Discord has no such language.")
        self._world.users[user.id] = replace(user, locale=locale)

    async def use_command(
        self, user: User, channel: Channel, name: str, options: Json, locale: str | None
    ) -> Interaction:
        """Use a slash command. The value `{upload: id}` sets an option to an uploaded file."""
        invocation = self._invocations.find(name, CHAT_INPUT, user=user, channel=channel)
        uploads = self._uploads_in(options)
        data = invocation.data(self._invocations.fill(invocation, options, uploads, channel))
        return await self._interactions.ask(
            InteractionKind.COMMAND,
            user=user,
            channel=channel,
            name=name,
            data=data,
            locale=locale,
        )

    async def use_menu(
        self, user: User, channel: Channel, name: str, target: Message
    ) -> Interaction:
        """Use a message command."""
        invocation = self._invocations.find(name, MESSAGE_MENU, user=user, channel=channel)
        invocation.resolved["messages"] = {str(target.id): self._payloads.message(target)}
        data = invocation.data([]) | {"target_id": str(target.id)}
        del data["options"]
        return await self._interactions.ask(
            InteractionKind.COMMAND, user=user, channel=channel, name=name, data=data
        )

    async def complete(
        self, user: User, channel: Channel, name: str, options: Json, *, focused: str, typed: str
    ) -> Interaction:
        """Ask for autocomplete choices."""
        invocation = self._invocations.find(name, CHAT_INPUT, user=user, channel=channel)
        so_far = self._invocations.fill_so_far(invocation, options, focused=focused, typed=typed)
        return await self._interactions.ask(
            InteractionKind.AUTOCOMPLETE,
            user=user,
            channel=channel,
            name=name,
            data=invocation.data(so_far),
        )

    async def press(
        self, user: User, message: Message, custom_id: str, values: list[str]
    ) -> Interaction:
        """Press a button, or choose from a select menu."""
        component = find(message.components, custom_id)
        if component is None or component.get("disabled") or "type" not in component:
            raise NotAllowed("There is no such button, or it is disabled.")
        data: Json = {"custom_id": custom_id, "component_type": component["type"]}
        if component["type"] != Kind.BUTTON:
            _check_selection(component, values)
            data["values"] = values
        return await self._interactions.ask(
            InteractionKind.COMPONENT,
            user=user,
            channel=self._world.channels[message.channel_id],
            name=custom_id,
            data=data,
            source=message,
        )

    def form(self, user: User, modal_id: str) -> Modal:
        """Return a form that is open on a user's screen."""
        modal = self._modals.find(modal_id, user.id)
        if modal is None:
            raise NotAllowed("This form is no longer open.")
        return modal

    async def send_form(self, user: User, modal_id: str, fields: Json) -> Interaction:
        """Submit a form; it closes once the bot has answered.

        A field's value is a text, a list of values, true or false, or files as `{upload: id}`.
        """
        modal = self.form(user, modal_id)
        uploads = {
            name: [self.uploaded(_upload_id(each)) for each in _files_in(value)]
            for name, value in fields.items()
            if _files_in(value)
        }
        values = {name: value for name, value in fields.items() if name not in uploads}
        interaction = await self._interactions.ask(
            InteractionKind.MODAL,
            user=user,
            channel=modal.channel,
            name=modal.custom_id,
            data=self._modals.submission(modal, values, uploads),
            source=self._world.messages.get(modal.source_id or 0),
        )
        if interaction.answer is not None:
            self._modals.close(modal_id)
        return interaction

    async def write(
        self, user: User, channel: Channel, content: str, upload_ids: Iterable[int]
    ) -> Message:
        """Send a message with uploaded files."""
        body = Body(payload={"content": content})
        chosen = [self.uploaded(upload_id) for upload_id in dict.fromkeys(upload_ids)]
        for number, attachment in enumerate(chosen):
            body.files[number] = Received(name=attachment.shown_name, path=attachment.path)
            self._media.forget(attachment)
            del self._world.uploads[attachment.id]
        try:
            return await self._conversation.send(channel, body, sender=Sender(user_id=user.id))
        finally:
            body.discard()

    async def delete(self, user: User, message: Message) -> None:
        """Delete a message as its author or a manager, or dismiss an ephemeral message."""
        guild = self._world.guild_of(self._world.channels[message.channel_id])
        is_manager = guild is not None and bool(
            guild.permissions_of(user.id) & Permission.MANAGE_MESSAGES
        )
        if not (is_manager or user.id in (message.author_id, message.visible_to)):
            raise NotAllowed("You cannot delete this message.")
        await self._conversation.delete(message)

    def _uploads_in(self, values: Json) -> dict[str, Attachment]:
        return {
            name: self.uploaded(_upload_id(value))
            for name, value in values.items()
            if isinstance(value, dict)
        }


def answered(interaction: Interaction) -> Answer:
    """Return the bot's answer. Raises NotAllowed if none came in time."""
    if interaction.answer is None:
        raise NotAllowed(NO_ANSWER)
    return interaction.answer


def _upload_id(value: Json) -> int:
    text = str(value.get("upload"))
    return int(text) if text.isdecimal() else 0


def _files_in(value: object) -> list[Json]:
    """Return the `{upload: id}` objects that a modal's field holds, one or a list of them."""
    given = value if isinstance(value, list) else [value]
    return [each for each in given if isinstance(each, dict)]


def _check_selection(component: Json, values: list[str]) -> None:
    least, most = component.get("min_values"), component.get("max_values")
    least, most = 1 if least is None else least, 1 if most is None else most
    if component["type"] not in SELECTS or not least <= len(values) <= most:
        raise NotAllowed("That is not a selection that this menu takes.")
    offered = [option["value"] for option in component.get("options") or ()]
    if offered and not set(values) <= set(offered):
        raise NotAllowed("That is not among the menu's options.")
