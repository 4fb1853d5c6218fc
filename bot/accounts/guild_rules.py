"""The house rules of servers: who may ask, where, and what is meant when nothing is said."""

from bot.domain.errors import Reason, Rejected
from bot.domain.guilds import Block, GuildRules
from bot.domain.job import Reply, UserId
from storage.stores.guild_settings import GuildStore


class GuildAdmission:
    """Applies what managers and the owner decided."""

    def __init__(self, *, store: GuildStore) -> None:
        self._store = store

    async def rules(self, guild_id: int | None) -> GuildRules:
        """Return the server's rules; outside servers nothing is ruled."""
        return GuildRules() if guild_id is None else await self._store.rules(guild_id)

    async def admit(self, user_id: UserId, reply: Reply) -> None:
        """Raise Rejected when the user is blocked, or may not split songs in that channel."""
        block = await self._store.block_of(user_id, reply.guild_id)
        if block is not None:
            everywhere = block is Block.EVERYWHERE
            raise Rejected(Reason.BLOCKED if everywhere else Reason.BLOCKED_HERE)
        rules = await self.rules(reply.guild_id)
        if not rules.allows(reply.channel_id, reply.parent_channel_id):
            raise Rejected(Reason.WRONG_CHANNEL, channel_id=min(rules.channel_ids))
