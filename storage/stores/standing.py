"""A user's standing: blocks, server rules and minutes, read in one statement.

No decision or usage is cached, because the next decision or song may change it.
"""

import json
from dataclasses import dataclass

from bot.domain.guilds import Block, GuildRules
from bot.domain.job import Membership, UserId
from bot.domain.minutes import Terms, Usage
from bot.domain.periods import Period
from storage.database.protocols import Database
from storage.stores.allowances import TERMS
from storage.stores.guild_settings import BLOCKS, RULES, block_in, block_scopes, rules_of
from storage.stores.job_rows import Values
from storage.stores.ledger_entries import (
    OWN_USAGE,
    SERVER_USAGE,
    USAGE,
    Accounts,
    shares_of,
    usage_of,
)
from storage.stores.pseudonyms import Pseudonyms, UserNames, former_id

_STANDING = f"""
SELECT
    blocks.guild_id AS blocked_in,
    rules.channel_ids, rules.recipe, rules.audio_format, rules.delivery, rules.is_private,
    terms.given, terms.most,
    own.granted AS own_granted, own.used AS own_used, own.held AS own_held,
    server.granted AS server_granted, server.used AS server_used, server.held AS server_held
FROM ({BLOCKS}) AS blocks
CROSS JOIN ({TERMS}) AS terms
CROSS JOIN ({OWN_USAGE}) AS own
CROSS JOIN ({SERVER_USAGE}) AS server
LEFT JOIN ({RULES}) AS rules ON true
"""  # noqa: S608 - made of constants
# The range finds pool rows by index, and the pattern selects the user's.
_SHARED = """
SELECT coalesce(sum(minutes), 0) AS minutes
FROM ledger
WHERE credit >= 'pool:' AND credit < 'pool;' AND credit LIKE :shares
  AND period = :period AND kind = 'grant'
"""
_MINUTES = f"""
SELECT terms.given, terms.most, own.granted AS granted, shared.minutes AS shared
FROM ({TERMS}) AS terms CROSS JOIN ({USAGE}) AS own CROSS JOIN ({_SHARED}) AS shared
"""  # noqa: S608 - made of constants


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """A user's standing in a server or outside servers."""

    block: Block | None
    rules: GuildRules
    own: Usage
    """Their own account."""
    shared: Usage | None
    """The account of the minutes that the server gave them; None if it gave none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PeriodMinutes:
    """All minutes that a user received in a period, in every server."""

    total: int
    former_id: int
    """The number that replaces the user's id in jobs forgotten in this period."""


class Standings:
    """Reads one user's rows from several stores in one statement."""

    def __init__(self, *, db: Database, pseudonyms: Pseudonyms | None = None) -> None:
        """`pseudonyms` keeps the keys in use in memory; it is created if not given."""
        self._db = db
        self._pseudonyms = pseudonyms or Pseudonyms(db=db)

    async def standing(
        self, user_id: UserId, membership: Membership | None, period: Period, *, plain: int
    ) -> Standing:
        """Return the user's standing, with `plain` as the default allowance."""
        names = await self._pseudonyms.names(user_id, period)
        guild_id = membership.guild_id if membership else None
        values = {
            **_decisions(names, membership),
            **block_scopes(guild_id),
            **Accounts.both(names.account, guild_id, period),
        }
        [row] = await self._db.read(_STANDING, values)
        terms = Terms(given=row["given"], limit=row["most"])
        shared = usage_of(row, period, 0, guild_id, prefix="server_")
        return Standing(
            block=block_in(row["blocked_in"]),
            rules=GuildRules() if row["channel_ids"] is None else rules_of(row),
            own=usage_of(row, period, terms.allowance(plain), prefix="own_"),
            shared=shared if shared.granted else None,
        )

    async def minutes(
        self, user_id: UserId, membership: Membership | None, period: Period, *, plain: int
    ) -> PeriodMinutes:
        """Return the minutes that the user received in `period`, spent or unspent."""
        names = await self._pseudonyms.names(user_id, period)
        values = {
            **_decisions(names, membership),
            **Accounts.of_user(names.account).in_period(period),
            "shares": shares_of(names.account),
        }
        [row] = await self._db.read(_MINUTES, values)
        terms = Terms(given=row["given"], limit=row["most"])
        return PeriodMinutes(
            total=terms.allowance(plain) + row["granted"] + row["shared"],
            former_id=former_id(names.account),
        )


def _decisions(names: UserNames, membership: Membership | None) -> Values:
    return {
        "user_id": names.lasting,
        "guild_id": membership.guild_id if membership else None,
        "role_ids": json.dumps(membership.role_ids if membership else ()),
    }
