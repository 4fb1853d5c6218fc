"""The entities of the sandbox's world. payloads.py converts them to Discord's JSON."""

from dataclasses import dataclass, field, replace
from enum import IntEnum, IntFlag
from pathlib import Path

from sandbox.errors import Json
from sandbox.locales import ENGLISH


class Permission(IntFlag):
    """The permissions that matter to a bot that sends messages and adds sounds."""

    ADMINISTRATOR = 1 << 3
    MANAGE_CHANNELS = 1 << 4
    MANAGE_GUILD = 1 << 5
    VIEW_CHANNEL = 1 << 10
    SEND_MESSAGES = 1 << 11
    MANAGE_MESSAGES = 1 << 13
    EMBED_LINKS = 1 << 14
    ATTACH_FILES = 1 << 15
    READ_MESSAGE_HISTORY = 1 << 16
    MANAGE_ROLES = 1 << 28
    MANAGE_GUILD_EXPRESSIONS = 1 << 30
    USE_APPLICATION_COMMANDS = 1 << 31
    CREATE_GUILD_EXPRESSIONS = 1 << 43


EVERYONE = (
    Permission.VIEW_CHANNEL
    | Permission.SEND_MESSAGES
    | Permission.EMBED_LINKS
    | Permission.ATTACH_FILES
    | Permission.READ_MESSAGE_HISTORY
    | Permission.USE_APPLICATION_COMMANDS
)
ALL_PERMISSIONS = (1 << 53) - 1


class MessageFlag(IntFlag):
    """Bits of a message's `flags`."""

    SUPPRESS_EMBEDS = 1 << 2
    EPHEMERAL = 1 << 6
    LOADING = 1 << 7
    SUPPRESS_NOTIFICATIONS = 1 << 12
    COMPONENTS_V2 = 1 << 15


class ChannelKind(IntEnum):
    """The channel types that the sandbox supports."""

    TEXT = 0
    DM = 1
    GROUP = 3


class Context(IntEnum):
    """The context in which an interaction happened."""

    GUILD = 0
    BOT_DM = 1
    PRIVATE = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class User:
    """A person, or the bot."""

    id: int
    name: str
    avatar_color: str = "#5865f2"
    is_bot: bool = False
    is_owner: bool = False
    accepts_dms: bool = True
    installed_app: bool = False
    locale: str = ENGLISH
    """The language of the user's Discord client."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Role:
    """A server's role."""

    id: int
    name: str
    permissions: int
    position: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Guild:
    """A server; `members` maps a user to their roles.

    `granted` and `refused` are permissions that a member has besides or in spite of their roles.
    """

    id: int
    name: str
    owner_id: int
    roles: tuple[Role, ...]
    members: dict[int, tuple[int, ...]]
    has_bot: bool = True
    granted: dict[int, int] = field(default_factory=dict)
    refused: dict[int, int] = field(default_factory=dict)

    def permissions_of(self, user_id: int) -> int:
        """Return what a member may do in this server."""
        if user_id == self.owner_id:
            return ALL_PERMISSIONS
        held = {self.id, *self.members.get(user_id, ())}
        granted = self.granted.get(user_id, 0)
        for role in self.roles:
            if role.id in held:
                granted |= role.permissions
        granted &= ~self.refused.get(user_id, 0)
        return ALL_PERMISSIONS if granted & Permission.ADMINISTRATOR else granted


@dataclass(frozen=True, slots=True, kw_only=True)
class Channel:
    """A channel. `member_ids` is set for DMs and groups only."""

    id: int
    name: str
    kind: ChannelKind
    guild_id: int | None = None
    member_ids: tuple[int, ...] = ()
    bot_can_view: bool = True
    bot_can_send: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Attachment:
    """A stored file. `title` keeps the original name if `filename` was sanitized."""

    id: int
    channel_id: int
    filename: str
    title: str | None
    size_bytes: int
    content_type: str
    path: Path
    is_ephemeral: bool = False
    description: str | None = None
    width: int | None = None
    height: int | None = None

    @property
    def shown_name(self) -> str:
        """The name that users see and download."""
        return self.filename if self.title is None else self.title + Path(self.filename).suffix


@dataclass(frozen=True, slots=True, kw_only=True)
class Sound:
    """A sound of a server's soundboard; its volume is from 0 to 1."""

    id: int
    guild_id: int
    name: str
    volume: float
    emoji_id: str | None
    emoji_name: str | None
    creator_id: int
    content_type: str
    path: Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Cause:
    """The interaction that a message answers."""

    interaction_id: int
    kind: int
    user_id: int
    name: str
    owners: Json


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """A message. Its `embeds` still refer to files as `attachment://name`."""

    id: int
    channel_id: int
    author_id: int
    created_at: float
    kind: int = 0
    content: str = ""
    flags: int = 0
    edited_at: float | None = None
    embeds: tuple[Json, ...] = ()
    attachments: tuple[Attachment, ...] = ()
    components: tuple[Json, ...] = ()
    cause: Cause | None = None
    visible_to: int | None = None
    reply_to: int | None = None
    snapshot: "Message | None" = None
    """A copy of the original message at the time of forwarding."""

    @property
    def is_ephemeral(self) -> bool:
        """Whether only one user sees it."""
        return self.visible_to is not None

    @property
    def is_loading(self) -> bool:
        """Whether the message still shows "thinking…"."""
        return bool(self.flags & MessageFlag.LOADING)

    @property
    def is_empty(self) -> bool:
        """Whether the message has no content."""
        return not (
            self.content or self.embeds or self.attachments or self.components or self.snapshot
        )

    def settled(self) -> "Message":
        """Return the message without "thinking…"."""
        return replace(self, flags=self.flags & ~MessageFlag.LOADING)
