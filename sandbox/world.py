"""The sandbox's state: which entities exist and who can see them. It sends no events."""

from collections.abc import Iterable
from dataclasses import replace

from sandbox.clock import SandboxClock
from sandbox.entities import (
    EVERYONE,
    Attachment,
    Channel,
    ChannelKind,
    Context,
    Guild,
    Message,
    Permission,
    Sound,
    User,
)
from sandbox.errors import DiscordError, Json
from sandbox.snowflake import Snowflakes

MIB = 1024 * 1024


class World:
    """Holds users, servers, channels, messages and registered commands.

    Lookups for the bot raise the DiscordError with which Discord would respond.
    """

    def __init__(self, *, clock: SandboxClock, application_name: str) -> None:
        self.clock = clock
        self.snowflakes = Snowflakes(clock)
        self.application_id = self.snowflakes.next()
        self.bot = User(id=self.application_id, name=application_name, is_bot=True)
        self.users: dict[int, User] = {self.bot.id: self.bot}
        self.guilds: dict[int, Guild] = {}
        self.channels: dict[int, Channel] = {}
        self.messages: dict[int, Message] = {}
        self.uploads: dict[int, Attachment] = {}
        self.sounds: dict[int, Sound] = {}
        self.commands: dict[int | None, list[Json]] = {None: []}
        self.attachment_size_limit = 10 * MIB
        self.bot_is_online = False
        # Discord's number for a server without boosts.
        self.soundboard_slots = 8

    @property
    def owner(self) -> User:
        """The user who owns the application."""
        return next(user for user in self.users.values() if user.is_owner)

    @property
    def people(self) -> list[User]:
        """Every user but the bot."""
        return [user for user in self.users.values() if not user.is_bot]

    def add_user(self, name: str, *, avatar_color: str = "#5865f2", is_owner: bool = False) -> User:
        """Add a user with a DM channel to the bot."""
        user = User(
            id=self.snowflakes.next(), name=name, avatar_color=avatar_color, is_owner=is_owner
        )
        self.users[user.id] = user
        self.add_private_channel(self.bot.name, members=[user.id, self.bot.id])
        return user

    def add_guild(self, guild: Guild) -> Guild:
        """Add or replace a server."""
        self.guilds[guild.id] = guild
        self.commands.setdefault(guild.id, [])
        return guild

    def add_text_channel(self, guild_id: int, name: str) -> Channel:
        """Add a channel to a server."""
        channel = Channel(
            id=self.snowflakes.next(), name=name, kind=ChannelKind.TEXT, guild_id=guild_id
        )
        self.channels[channel.id] = channel
        return channel

    def add_private_channel(self, name: str, *, members: Iterable[int]) -> Channel:
        """Add a DM, or a group for more than two users."""
        member_ids = tuple(members)
        channel = Channel(
            id=self.snowflakes.next(),
            name=name,
            kind=ChannelKind.DM if len(member_ids) == 2 else ChannelKind.GROUP,
            member_ids=member_ids,
            bot_can_view=self.bot.id in member_ids,
        )
        self.channels[channel.id] = channel
        return channel

    def set_bot_access(self, channel_id: int, *, view: bool = True, send: bool = True) -> None:
        """Set whether the bot can view a channel and send messages there."""
        channel = self.channels[channel_id]
        self.channels[channel_id] = replace(channel, bot_can_view=view, bot_can_send=send)

    def change_user(self, user_id: int, *, accepts_dms: bool, installed_app: bool) -> None:
        """Set whether a user accepts the bot's DMs and has installed the application."""
        user = self.users[user_id]
        self.users[user_id] = replace(user, accepts_dms=accepts_dms, installed_app=installed_app)

    def permit(self, user_id: int, permissions: int, *, is_allowed: bool) -> None:
        """Grant permissions to a user or the bot in every server, or refuse them.

        A server's owner keeps all permissions, even refused ones.
        """
        for guild in list(self.guilds.values()):
            granted = {**guild.granted, user_id: guild.granted.get(user_id, 0) | permissions}
            refused = {**guild.refused, user_id: guild.refused.get(user_id, 0) | permissions}
            (refused if is_allowed else granted)[user_id] &= ~permissions
            self.guilds[guild.id] = replace(guild, granted=granted, refused=refused)

    def guild_of(self, channel: Channel) -> Guild | None:
        """Return the server of a channel, if it is in one."""
        return None if channel.guild_id is None else self.guilds[channel.guild_id]

    def bot_dm(self, user_id: int) -> Channel:
        """Return the DM channel between a user and the bot."""
        if user_id not in self.users or user_id == self.bot.id:
            raise DiscordError(50033)
        return next(
            channel
            for channel in self.channels.values()
            if channel.kind is ChannelKind.DM and set(channel.member_ids) == {user_id, self.bot.id}
        )

    def context_of(self, channel: Channel) -> Context:
        """Return the context of an interaction in a channel."""
        if channel.guild_id is not None:
            return Context.GUILD
        return Context.BOT_DM if self.bot.id in channel.member_ids else Context.PRIVATE

    def integration_owners(self, user: User, channel: Channel) -> Json:
        """Return the installers of the application: the server under key 0, the user under 1."""
        owners: Json = {}
        guild = self.guild_of(channel)
        if guild is not None and guild.has_bot:
            owners["0"] = str(guild.id)
        elif self.bot.id in channel.member_ids:
            owners["0"] = "0"
        if user.installed_app:
            owners["1"] = str(user.id)
        return owners

    def may_see_channel(self, user_id: int, channel: Channel) -> bool:
        """Return whether a user is in a channel."""
        guild = self.guild_of(channel)
        return user_id in (channel.member_ids if guild is None else guild.members)

    def may_see(self, user_id: int, message: Message) -> bool:
        """Return whether a user can see a message."""
        if message.visible_to is not None:
            return user_id == message.visible_to
        return self.may_see_channel(user_id, self.channels[message.channel_id])

    def bot_sees(self, channel: Channel) -> bool:
        """Return whether the bot is in a channel."""
        guild = self.guild_of(channel)
        return channel.bot_can_view and (guild is None or guild.has_bot)

    def messages_in(self, channel_id: int) -> list[Message]:
        """Return a channel's messages, oldest first."""
        return [m for m in self.messages.values() if m.channel_id == channel_id]

    def sounds_of(self, guild_id: int) -> list[Sound]:
        """Return a server's sounds, oldest first."""
        return [sound for sound in self.sounds.values() if sound.guild_id == guild_id]

    def channel(self, channel_id: int) -> Channel:
        """Return a channel that the bot can see. Raises `10003` or `50001`."""
        channel = self.channels.get(channel_id)
        if channel is None:
            raise DiscordError(10003)
        if not self.bot_sees(channel):
            raise DiscordError(50001)
        return channel

    def writable_channel(self, channel_id: int) -> Channel:
        """Return a channel that the bot may write to. Also raises `50007` or `50013`."""
        channel = self.channel(channel_id)
        if not channel.bot_can_send:
            raise DiscordError(50013)
        others = [self.users[user_id] for user_id in channel.member_ids if user_id != self.bot.id]
        if not all(user.accepts_dms for user in others):
            raise DiscordError(50007)
        return channel

    def message(self, channel_id: int, message_id: int) -> Message:
        """Return a message that the bot's token can access. Raises `10008` for ephemeral ones."""
        self.channel(channel_id)
        message = self.messages.get(message_id)
        if message is None or message.channel_id != channel_id or message.is_ephemeral:
            raise DiscordError(10008)
        return message

    def bot_permissions(self, channel: Channel) -> int:
        """Return what the bot may do in a channel."""
        guild = self.guild_of(channel)
        held = EVERYONE if guild is None else guild.permissions_of(self.bot.id)
        return held if channel.bot_can_send else held & ~Permission.SEND_MESSAGES
