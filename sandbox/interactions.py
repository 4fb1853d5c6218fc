"""Interactions, from a user's action to the bot's answer or its timeout."""

import asyncio
import secrets
from dataclasses import dataclass, field
from enum import IntEnum

from sandbox.entities import Cause, Channel, Context, Message, User
from sandbox.errors import DiscordError, Json
from sandbox.gateway import Gateway
from sandbox.payloads import Payloads
from sandbox.world import World

ANSWER_WITHIN_S = 3.0
TOKEN_LIFETIME_S = 15 * 60
MOST_FOLLOW_UPS = 5


class InteractionKind(IntEnum):
    """Discord's interaction types."""

    COMMAND = 2
    COMPONENT = 3
    AUTOCOMPLETE = 4
    MODAL = 5


class AnswerKind(IntEnum):
    """Discord's interaction callback types."""

    MESSAGE = 4
    DEFERRED_MESSAGE = 5
    DEFERRED_UPDATE = 6
    UPDATE = 7
    CHOICES = 8
    MODAL = 9


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """The bot's first answer. From then on, `@original` refers to `message_id`."""

    kind: AnswerKind
    message_id: int | None = None
    choices: tuple[Json, ...] = ()
    modal_id: str | None = None


@dataclass(slots=True, kw_only=True)
class Interaction:
    """One interaction and its state."""

    id: int
    kind: InteractionKind
    user: User
    channel: Channel
    opened_at: float
    name: str
    owners: Json
    context: Context
    source_id: int | None = None
    event: Json = field(default_factory=dict)
    token: str = field(default_factory=lambda: secrets.token_urlsafe(48))
    answer: Answer | None = None
    is_taken: bool = False
    is_late: bool = False
    follow_ups: int = 0
    answered: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def cause(self) -> Cause:
        """The reference to this interaction in the message that answers it."""
        return Cause(
            interaction_id=self.id,
            kind=self.kind,
            user_id=self.user.id,
            name=self.name,
            owners=self.owners,
        )

    def release(self) -> None:
        """Release the claim after a refused answer, so that another can still be accepted."""
        self.is_taken = False
        if self.is_late:
            self.answered.set()

    def settle(self, answer: Answer) -> None:
        """Record the first answer and wake up the waiting request."""
        self.answer = answer
        self.answered.set()


class Interactions:
    """Opens interactions and tracks which of them can still be answered.

    `deliveries` is how many times each new interaction is sent to the bot.
    """

    def __init__(self, *, world: World, payloads: Payloads, gateway: Gateway) -> None:
        self.answer_within_s = ANSWER_WITHIN_S
        self.deliveries = 1
        self._world = world
        self._payloads = payloads
        self._gateway = gateway
        self._by_token: dict[str, Interaction] = {}

    @property
    def tokens(self) -> frozenset[str]:
        """Every token issued so far, for finding leaks in logs."""
        return frozenset(self._by_token)

    async def ask(
        self,
        kind: InteractionKind,
        *,
        user: User,
        channel: Channel,
        name: str,
        data: Json,
        source: Message | None = None,
        locale: str | None = None,
    ) -> Interaction:
        """Open an interaction, send it to the bot and wait for the first answer.

        The interaction has no answer if none came in time. The locale defaults to the person's own.
        """
        interaction = Interaction(
            id=self._world.snowflakes.next(),
            kind=kind,
            user=user,
            channel=channel,
            opened_at=self._world.clock.now(),
            name=name,
            owners=self._world.integration_owners(user, channel),
            context=self._world.context_of(channel),
            source_id=None if source is None else source.id,
        )
        self._forget_expired()
        self._by_token[interaction.token] = interaction
        interaction.event = self._payload(interaction, data, locale or user.locale)
        if source is not None:
            interaction.event["message"] = self._payloads.message(source)
        for _ in range(self.deliveries):
            await self._deliver(interaction)
        try:
            async with asyncio.timeout(self.answer_within_s):
                await interaction.answered.wait()
        except TimeoutError:
            # An answer is in time even if its body is still being read.
            interaction.is_late = True
            if interaction.is_taken:
                await interaction.answered.wait()
        return interaction

    async def redeliver(self, interaction_id: int) -> None:
        """Send an interaction to the bot once more, as Discord may after a resume."""
        for interaction in self._by_token.values():
            if interaction.id == interaction_id:
                await self._deliver(interaction)
                return
        raise LookupError(interaction_id)

    def take(self, interaction_id: int, token: str) -> Interaction:
        """Claim the first answer. Raises `10062` if it is too late, `40060` if already claimed."""
        interaction = self._by_token.get(token)
        if interaction is None or interaction.id != interaction_id:
            raise DiscordError(10062)
        if interaction.is_taken:
            raise DiscordError(40060)
        waited_s = self._world.clock.now() - interaction.opened_at
        if interaction.is_late or waited_s > self.answer_within_s:
            raise DiscordError(10062)
        interaction.is_taken = True
        return interaction

    def by_token(self, token: str) -> Interaction:
        """Return the answered interaction with this token. Raises `50027` or `10015`."""
        interaction = self._by_token.get(token)
        if interaction is None or self._has_expired(interaction):
            raise DiscordError(50027)
        if interaction.answer is None:
            raise DiscordError(10015)
        return interaction

    def count_follow_up(self, interaction: Interaction) -> None:
        """Count a follow-up. Raises `40094` after five of an app that only the user installed."""
        interaction.follow_ups += 1
        if "0" not in interaction.owners and interaction.follow_ups > MOST_FOLLOW_UPS:
            raise DiscordError(40094)

    async def _deliver(self, interaction: Interaction) -> None:
        guild_id = interaction.channel.guild_id
        await self._gateway.dispatch("INTERACTION_CREATE", interaction.event, guild_id=guild_id)

    def _has_expired(self, interaction: Interaction) -> bool:
        return self._world.clock.now() - interaction.opened_at >= TOKEN_LIFETIME_S

    def _forget_expired(self) -> None:
        for token, interaction in list(self._by_token.items()):
            if self._has_expired(interaction):
                del self._by_token[token]

    def _payload(self, interaction: Interaction, data: Json, locale: str) -> Json:
        channel = interaction.channel
        guild = self._world.guild_of(channel)
        payload: Json = {
            "id": str(interaction.id),
            "application_id": str(self._world.application_id),
            "type": interaction.kind.value,
            "token": interaction.token,
            "version": 1,
            "data": data,
            "context": interaction.context.value,
            "authorizing_integration_owners": interaction.owners,
            "attachment_size_limit": self._world.attachment_size_limit,
            "channel_id": str(channel.id),
            "channel": self._payloads.channel(channel),
            "app_permissions": str(self._world.bot_permissions(channel)),
            "locale": locale,
            "entitlements": [],
        }
        if guild is None:
            return payload | {"user": self._payloads.user(interaction.user)}
        permissions = str(guild.permissions_of(interaction.user.id))
        payload["channel"] |= {"permissions": permissions}
        return payload | {
            "guild_id": str(guild.id),
            "guild": {"id": str(guild.id), "locale": "en-US", "features": []},
            "guild_locale": "en-US",
            "member": self._payloads.member(guild, interaction.user.id, with_permissions=True),
        }
