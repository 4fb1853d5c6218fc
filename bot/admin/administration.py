"""Decisions of the owner and of server managers; each method checks the actor's rank first.

The owner grants minutes, sets allowances and fills servers' pools. Managers can lower allowances in
their server, hand out its pool, block users there and set its rules.
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
    """Carries out decisions; every method raises Rejected if the actor may not make them."""

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
        """Set a user's allowance per period; None removes it.

        An allowance set by the owner applies everywhere. One set by a manager applies in their
        server only and cannot raise the user's allowance. `membership` is the user's, in that
        server.
        """
        actor.must_be(Rank.MANAGER)
        guild_id = actor.guild_id if actor.is_owner else actor.server()
        subject = Subject("user", user_id, guild_id)
        await self._decide(actor, subject, minutes, user_id, membership)

    async def set_role(self, actor: Actor, role_id: int, minutes: int | None) -> None:
        """Set the allowance per period of everyone with the role; None removes it."""
        actor.must_be(Rank.MANAGER)
        guild_id = actor.server()
        holder = Membership(guild_id=guild_id, role_ids=(role_id,))
        await self._decide(actor, Subject("role", role_id, guild_id), minutes, None, holder)

    async def grant(self, actor: Actor, user_id: UserId, minutes: int) -> int | None:
        """Give a user minutes until the period ends.

        The owner creates minutes, which can be spent anywhere; None is returned. A manager takes
        minutes from the server's pool, which can be spent in that server only; the minutes left in
        the pool are returned.
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
        """Add minutes to a server's pool, from which its managers can grant; return the pool's new
        size.

        If `guild_id` is None, the pool of the actor's own server is filled.
        """
        actor.must_be(Rank.OWNER)
        guild_id = actor.server() if guild_id is None else guild_id
        left = await self._stores.pools.give(
            guild_id, minutes, self._quotas.period, by=actor.user_id
        )
        _note(actor, "fill_pool", server=guild_id, minutes=minutes)
        return left

    async def pool_seen_by(self, actor: Actor) -> int | None:
        """Return the minutes that the actor can hand out in their server, or None if there are
        none.
        """
        if actor.rank < Rank.MANAGER or actor.guild_id is None:
            return None
        return await self._stores.pools.left(actor.guild_id) or None

    async def reset(self, actor: Actor, user_id: UserId) -> int:
        """Give back the minutes that a user has used and return how many; open holds stay."""
        actor.must_be(Rank.OWNER)
        back = await self._stores.ledger.reset(user_id, self._quotas.period, by=actor.user_id)
        _note(actor, "reset", user=user_id, minutes=back)
        return back

    async def empty_pool(self, actor: Actor) -> int:
        """Remove the minutes left in the server's pool; return how many there were."""
        actor.must_be(Rank.OWNER)
        guild_id = actor.server()
        back = await self._stores.pools.take_back(guild_id, self._quotas.period, by=actor.user_id)
        _note(actor, "empty_pool", server=guild_id, minutes=back)
        return back

    async def block(self, actor: Actor, user_id: UserId) -> bool:
        """Block a user in the actor's server, or everywhere if the owner asks; return whether that
        is new.
        """
        is_new = await self._stores.servers.block(user_id, _reach(actor), by=actor.user_id)
        _note(actor, "block", user=user_id)
        return is_new

    async def unblock(self, actor: Actor, user_id: UserId) -> bool:
        """Unblock a user; return whether they were blocked.

        A manager lifts the block of their server. The owner lifts both the block everywhere and the
        block of the server they ask from. Raises Rejected if a manager tries to lift the owner's
        block.
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
