"""Servers' own rules: who may ask, where, and what is meant when nothing is said."""

from bot.domain.errors import Reason, Rejected
from bot.domain.guilds import Block, GuildRules
from bot.domain.job import Reply
from storage.stores.guild_settings import GuildStore
from storage.stores.standing import Standing


class GuildAdmission:
    """Applies what managers and the owner decided."""

    def __init__(self, *, store: GuildStore) -> None:
        self._store = store

    async def rules(self, guild_id: int | None) -> GuildRules:
        """Return the server's rules; outside servers nothing is ruled."""
        return GuildRules() if guild_id is None else await self._store.rules(guild_id)

    def check(self, standing: Standing, reply: Reply) -> None:
        """Raise Rejected when the user is blocked, or may not split songs in that channel."""
        if standing.block is not None:
            is_everywhere = standing.block is Block.EVERYWHERE
            raise Rejected(Reason.BLOCKED if is_everywhere else Reason.BLOCKED_HERE)
        rules = standing.rules
        if not rules.allows(reply.channel_id, reply.parent_channel_id):
            raise Rejected(Reason.WRONG_CHANNEL, channel_id=min(rules.channel_ids))
