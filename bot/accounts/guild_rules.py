"""The house rules of servers: who may ask, where, and what is meant when nothing is said."""

from collections.abc import Collection

from bot.domain.errors import Reason, Rejected
from bot.domain.guilds import Block, GuildRules
from bot.domain.job import Context, Reply, UserId
from storage.stores.guild_settings import GuildStore


class GuildAdmission:
    """Applies what managers and the owner decided."""

    def __init__(
        self,
        *,
        store: GuildStore,
        allowed_guilds: Collection[int] = frozenset(),
        allow_dms: bool = True,
    ) -> None:
        """Without `allowed_guilds` every server may use the bot; `allow_dms` is for user installs,
        too.
        """
        self._store = store
        self._allowed_guilds = frozenset(allowed_guilds)
        self._allow_dms = allow_dms

    async def rules(self, guild_id: int | None) -> GuildRules:
        """Return the server's rules; outside servers nothing is ruled."""
        return GuildRules() if guild_id is None else await self._store.rules(guild_id)

    async def admit(self, user_id: UserId, reply: Reply) -> None:
        """Raise Rejected when the user is blocked, or may not split songs in that place."""
        if not self._is_offered(reply):
            raise Rejected(Reason.NOT_OFFERED_HERE)
        block = await self._store.block_of(user_id, reply.guild_id)
        if block is not None:
            everywhere = block is Block.EVERYWHERE
            raise Rejected(Reason.BLOCKED if everywhere else Reason.BLOCKED_HERE)
        rules = await self.rules(reply.guild_id)
        if not rules.allows(reply.channel_id, reply.parent_channel_id):
            raise Rejected(Reason.WRONG_CHANNEL, channel_id=min(rules.channel_ids))

    def _is_offered(self, reply: Reply) -> bool:
        """Whether the operator lets the bot be used where the reply stands."""
        if reply.context in (Context.GUILD, Context.GUILD_EPHEMERAL):
            return not self._allowed_guilds or reply.guild_id in self._allowed_guilds
        return self._allow_dms
