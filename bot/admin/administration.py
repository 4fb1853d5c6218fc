"""Decisions of the owner and of server managers; each first checks the actor's rank.

The owner alone gives: allowances, minutes, pools. A server's managers lower allowances in their
server, hand out its pool, block in it and set its rules.
"""

import logging
from dataclasses import dataclass

from bot.accounts.quotas import Quotas
from bot.domain.errors import Reason, Rejected
from bot.domain.guilds import Actor, GuildRules, Rank, RulesChange, Subject
from bot.domain.job import Membership, UserId
from storage.stores.allowances import Allowances
from storage.stores.guild_pools import GuildPools
from storage.stores.guild_settings import GuildStore
from storage.stores.ledger import Ledger

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountStores:
    """The stores that decisions are written to."""

    ledger: Ledger
    pools: GuildPools
    allowances: Allowances
    servers: GuildStore


class Administration:
    """Makes decisions; raises Rejected if the actor may not."""

    def __init__(self, *, stores: AccountStores, quotas: Quotas) -> None:
        self._stores = stores
        self._quotas = quotas

    async def set_user(
        self,
        actor: Actor,
        user_id: UserId,
        minutes: int | None,
        membership: Membership | None = None,
    ) -> None:
        """Set what a user is allowed in a period, or remove that with None.

        An allowance set by the owner applies everywhere; one set by a manager applies in their
        server and can only lower it. `membership` is the user's there.
        """
        actor.must_be(Rank.MANAGER)
        guild_id = actor.guild_id if actor.is_owner else actor.server()
        subject = Subject("user", user_id, guild_id)
        await self._decide(actor, subject, minutes, user_id, membership)

    async def set_role(self, actor: Actor, role_id: int, minutes: int | None) -> None:
        """Set what everyone with the role is allowed in a period, or remove that with None."""
        actor.must_be(Rank.MANAGER)
        guild_id = actor.server()
        holder = Membership(guild_id=guild_id, role_ids=(role_id,))
        await self._decide(actor, Subject("role", role_id, guild_id), minutes, None, holder)

    async def grant(self, actor: Actor, user_id: UserId, minutes: int) -> int | None:
        """Give a user minutes until the period ends.

        The owner's minutes are created, and can be spent anywhere. A manager's minutes come from
        the server's pool and can be spent only there; return what the pool has left.
        """
        actor.must_be(Rank.MANAGER)
        period = self._quotas.period
        if actor.is_owner:
            await self._stores.ledger.grant(user_id, minutes, period, by=actor.user_id)
            left = None
        else:
            left = await self._stores.pools.hand_out(
                actor.server(), user_id, minutes, period, by=actor.user_id
            )
        _note(actor, "grant", user=user_id, minutes=minutes)
        return left

    async def fill_pool(self, actor: Actor, guild_id: int | None, minutes: int) -> int:
        """Give a server minutes for its managers to hand out; return the pool's new size.

        The server defaults to the actor's.
        """
        actor.must_be(Rank.OWNER)
        guild_id = actor.server() if guild_id is None else guild_id
        left = await self._stores.pools.give(
            guild_id, minutes, self._quotas.period, by=actor.user_id
        )
        _note(actor, "fill_pool", server=guild_id, minutes=minutes)
        return left

    async def pool_seen_by(self, actor: Actor) -> int | None:
        """Return what the actor can hand out in their server; None if that is nothing."""
        if actor.rank < Rank.MANAGER or actor.guild_id is None:
            return None
        return await self._stores.pools.left(actor.guild_id) or None

    async def reset(self, actor: Actor, user_id: UserId) -> int:
        """Give a user's own used minutes back and return how many; open holds stay."""
        actor.must_be(Rank.OWNER)
        back = await self._stores.ledger.reset(user_id, self._quotas.period, by=actor.user_id)
        _note(actor, "reset", user=user_id, minutes=back)
        return back

    async def empty_pool(self, actor: Actor) -> int:
        """Take back what the server has not handed out; return how many minutes that was."""
        actor.must_be(Rank.OWNER)
        guild_id = actor.server()
        back = await self._stores.pools.take_back(guild_id, self._quotas.period, by=actor.user_id)
        _note(actor, "empty_pool", server=guild_id, minutes=back)
        return back

    async def block(self, actor: Actor, user_id: UserId) -> bool:
        """Block a user, everywhere if the owner asks; return whether that is new."""
        is_new = await self._stores.servers.block(user_id, _reach(actor), by=actor.user_id)
        _note(actor, "block", user=user_id)
        return is_new

    async def unblock(self, actor: Actor, user_id: UserId) -> bool:
        """Unblock a user, everywhere if the owner asks; return whether they were blocked.

        The owner also lifts the block of the server they ask from. Raises Rejected if a manager
        tries to lift the owner's block.
        """
        lifted = await self._stores.servers.unblock(user_id, _reach(actor))
        if actor.is_owner and actor.guild_id is not None:
            lifted |= await self._stores.servers.unblock(user_id, actor.guild_id)
        if not lifted and await self._stores.servers.block_of(user_id, actor.guild_id):
            raise Rejected(Reason.OWNER_ONLY)
        _note(actor, "unblock", user=user_id)
        return lifted

    async def change_rules(self, actor: Actor, change: RulesChange) -> GuildRules:
        """Change the rules of the actor's server and return the result."""
        actor.must_be(Rank.MANAGER)
        rules = await self._stores.servers.change_rules(
            actor.server(), change.apply, by=actor.user_id
        )
        _note(actor, "change_rules")
        return rules

    async def _decide(
        self,
        actor: Actor,
        subject: Subject,
        minutes: int | None,
        user_id: UserId | None,
        membership: Membership | None,
    ) -> None:
        if actor.is_owner:
            await self._stores.allowances.give(subject, minutes, by=actor.user_id)
        else:
            ceiling = await self._quotas.ceiling(user_id, membership)
            if minutes is not None and minutes > ceiling:
                raise Rejected(Reason.RAISES_ALLOWANCE, ceiling=ceiling)
            await self._stores.allowances.limit(subject, minutes, by=actor.user_id)
        _note(actor, "set_quota", subject=subject.kind, id=subject.id, minutes=minutes)


def _reach(actor: Actor) -> int | None:
    actor.must_be(Rank.MANAGER)
    return None if actor.is_owner else actor.server()


def _note(actor: Actor, action: str, **values: object) -> None:
    log.info(
        "%s %d in %s: %s %s",
        actor.rank.name.lower(),
        actor.user_id,
        actor.guild_id,
        action,
        values,
        extra={"action": action},
    )
