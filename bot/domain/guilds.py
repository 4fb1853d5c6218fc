"""Server rules, blocks, and the rank of a user who makes a decision."""

from dataclasses import dataclass, replace
from enum import IntEnum, StrEnum
from typing import Literal, Self

from bot.domain.errors import Reason, Rejected
from bot.domain.job import UserId
from bot.domain.recipes import AudioFormat, Recipe


class DeliveryMode(StrEnum):
    """The form in which stems reach the reply."""

    AUTO = "auto"
    FILES = "files"
    LINKS = "links"


@dataclass(frozen=True, slots=True, kw_only=True)
class GuildRules:
    """A server's rules; None stands for the installation's default."""

    channel_ids: frozenset[int] = frozenset()
    """The channels in which songs may be split; empty allows all."""
    recipe: Recipe | None = None
    audio_format: AudioFormat | None = None
    delivery: DeliveryMode | None = None
    is_private: bool | None = None

    def allows(self, *channel_ids: int | None) -> bool:
        """Whether songs may be split in a channel; for a thread, pass its parent's id as well."""
        return not self.channel_ids or not self.channel_ids.isdisjoint(channel_ids)

    def recipe_for(self, asked: Recipe | None) -> Recipe:
        """Return `asked`, else the server's default, else karaoke."""
        return asked or self.recipe or Recipe.KARAOKE

    def format_for(self, asked: AudioFormat | None) -> AudioFormat:
        """Return `asked`, else the server's default, else MP3."""
        return asked or self.audio_format or AudioFormat.MP3

    def is_private_for(self, asked: bool | None) -> bool:
        """Return `asked`, else the server's default, else False."""
        return bool(self.is_private) if asked is None else asked

    def with_channel_switched(self, channel_id: int) -> Self:
        """Return the rules with the channel added to the list, or removed if it was on it."""
        return replace(self, channel_ids=self.channel_ids ^ {channel_id})


@dataclass(frozen=True, slots=True, kw_only=True)
class RulesChange:
    """A change to a server's rules; None leaves a rule as it is."""

    is_reset: bool = False
    """Whether to start from the defaults instead of the current rules."""
    switched_channel_id: int | None = None
    """A channel to add to the list, or to remove if it is on it."""
    recipe: Recipe | None = None
    audio_format: AudioFormat | None = None
    delivery: DeliveryMode | None = None
    is_private: bool | None = None

    def apply(self, rules: GuildRules) -> GuildRules:
        """Return the rules after the change."""
        if self.is_reset:
            rules = GuildRules()
        if self.switched_channel_id is not None:
            rules = rules.with_channel_switched(self.switched_channel_id)
        return replace(
            rules,
            recipe=self.recipe or rules.recipe,
            audio_format=self.audio_format or rules.audio_format,
            delivery=self.delivery or rules.delivery,
            is_private=rules.is_private if self.is_private is None else self.is_private,
        )


class Block(StrEnum):
    """The scope of a block."""

    EVERYWHERE = "everywhere"
    HERE = "here"


@dataclass(frozen=True, slots=True)
class Subject:
    """The user or role whose minutes a decision is about."""

    kind: Literal["user", "role"]
    id: int
    guild_id: int | None
    """The server of the role, or the server in which a user is limited."""


class Rank(IntEnum):
    """A user's rights in the place where they act."""

    MEMBER = 0
    MANAGER = 1
    """May manage the server in which they act."""
    OWNER = 2
    """Owns the application, alone or as a member of its team."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Actor:
    """A user who makes a decision."""

    user_id: UserId
    rank: Rank
    guild_id: int | None = None
    """The server in which they act; None outside servers."""

    @property
    def is_owner(self) -> bool:
        """Whether they own the application."""
        return self.rank is Rank.OWNER

    def must_be(self, rank: Rank) -> None:
        """Raise Rejected unless the actor has at least this rank."""
        if self.rank < rank:
            raise Rejected(Reason.OWNER_ONLY if rank is Rank.OWNER else Reason.MANAGERS_ONLY)

    def server(self) -> int:
        """Return the server in which they act. Raises Rejected outside servers."""
        if self.guild_id is None:
            raise Rejected(Reason.SERVER_ONLY)
        return self.guild_id
