"""Server rules: who may split songs, where, and with which defaults."""

from collections.abc import Collection

from bot.domain.errors import Reason, Rejected
from bot.domain.guilds import Block, GuildRules
from bot.domain.job import Reply, UserId
from storage.stores.guild_settings import GuildStore
from storage.stores.standing import Standing


class GuildAdmission:
    """Applies the server rules and blocks that managers and the owner have set."""

    def __init__(
        self,
        *,
        store: GuildStore,
        allowed_guilds: Collection[int] = frozenset(),
        allow_dms: bool = True,
    ) -> None:
        """Allow all servers if `allowed_guilds` is empty; `allow_dms` also covers user installs."""
        self._store = store
        self._allowed_guilds = frozenset(allowed_guilds)
        self._allow_dms = allow_dms

    async def rules(self, guild_id: int | None) -> GuildRules:
        """Return the server's rules, or the defaults outside servers."""
        return GuildRules() if guild_id is None else await self._store.rules(guild_id)

    def check(self, standing: Standing, reply: Reply) -> None:
        """Raise Rejected if the user is blocked or may not split songs where the reply is."""
        if not self._is_offered(reply):
            raise Rejected(Reason.NOT_OFFERED_HERE)
        self.check_rules(standing, reply)

    def check_rules(self, standing: Standing, reply: Reply) -> None:
        """Do the same where the operator is known to allow the bot, as for songs of a batch."""
        _refuse(standing.block)
        rules = standing.rules
        if not rules.allows(reply.channel_id, reply.parent_channel_id):
            raise Rejected(Reason.WRONG_CHANNEL, channel_id=min(rules.channel_ids))

    async def check_person(self, user_id: UserId, reply: Reply) -> None:
        """Raise Rejected if the user is blocked or the bot may not be used where the reply is."""
        if not self._is_offered(reply):
            raise Rejected(Reason.NOT_OFFERED_HERE)
        _refuse(await self._store.block_of(user_id, reply.guild_id))

    def _is_offered(self, reply: Reply) -> bool:
        """Whether the operator allows the bot where the reply is."""
        if reply.guild_id is None or reply.is_user_install:
            return self._allow_dms
        return not self._allowed_guilds or reply.guild_id in self._allowed_guilds


def _refuse(block: Block | None) -> None:
    if block is not None:
        is_everywhere = block is Block.EVERYWHERE
        raise Rejected(Reason.BLOCKED if is_everywhere else Reason.BLOCKED_HERE)
