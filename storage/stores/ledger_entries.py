"""Ledger rows. Each moves minutes between two accounts and is never changed."""

from dataclasses import asdict, dataclass
from typing import Literal, assert_never

from bot.domain.errors import QuotaExceeded, StateMoved
from bot.domain.job import JobId
from bot.domain.minutes import Hold, LedgerEntry, Post, Refund, Usage, Void
from bot.domain.periods import Period
from storage.database.protocols import Connection, Row
from storage.stores.job_rows import Values, seconds
from storage.stores.pseudonyms import Pseudonym, account_pseudonym

HOUSE = "house"
"""The account that grants come from."""

USAGE = """
SELECT
    coalesce(sum(minutes) FILTER (WHERE kind = 'grant' AND credit = :available), 0) AS granted,
    coalesce(sum(minutes) FILTER (WHERE credit = :used), 0)
        - coalesce(sum(minutes) FILTER (WHERE debit = :used), 0) AS used,
    coalesce(sum(minutes) FILTER (WHERE credit = :held), 0)
        - coalesce(sum(minutes) FILTER (WHERE debit = :held), 0) AS held
FROM ledger
WHERE period = :period AND (debit = :available OR credit = :available OR credit = :used)
"""
OWN_USAGE = USAGE.replace(":", ":own_")
SERVER_USAGE = USAGE.replace(":", ":server_")
"""For statements that read both of a user's accounts at once."""
_BOTH_USAGES = f"""
SELECT
    own.granted AS own_granted, own.used AS own_used, own.held AS own_held,
    server.granted AS server_granted, server.used AS server_used, server.held AS server_held
FROM ({OWN_USAGE}) AS own CROSS JOIN ({SERVER_USAGE}) AS server
"""  # noqa: S608 - made of constants
_INSERT = """
INSERT INTO ledger
    (at, period, kind, debit, credit, minutes, job_id, hold_id, allowance, actor_id)
VALUES
    (:at, :period, :kind, :debit, :credit, :minutes, :job_id, :hold_id, :allowance, :actor_id)
"""
_HOLD_OF = """
SELECT hold.id, hold.period, hold.debit, hold.minutes, ending.kind AS ended_by
FROM ledger AS hold
LEFT JOIN ledger AS ending ON ending.hold_id = hold.id AND ending.kind IN ('post', 'void')
WHERE hold.job_id = ? AND hold.kind = 'hold'
"""
# A reset by the owner has already given back everything posted before it.
_POST_OF = """
SELECT
    post.period, post.credit AS used, hold.debit AS available, post.minutes, post.hold_id,
    EXISTS (
        SELECT 1 FROM ledger AS back
        WHERE back.hold_id = post.hold_id AND back.kind = 'refund'
            OR back.debit = post.credit AND back.period = post.period
                AND back.kind = 'reset' AND back.id > post.id
    ) AS is_back
FROM ledger AS post
JOIN ledger AS hold ON hold.id = post.hold_id
WHERE post.kind = 'post' AND hold.job_id = ? AND hold.kind = 'hold'
"""


def pool_of(guild_id: int) -> str:
    """Return the owner's name for a server's pool, also the prefix of its users' shares."""
    return f"pool:{guild_id}"


def shares_of(pseudonym: Pseudonym) -> str:
    """Return the LIKE pattern of the accounts in which servers gave the user minutes."""
    return f"pool:%:{Accounts.of_user(pseudonym).available}"


@dataclass(frozen=True, slots=True)
class Accounts:
    """An owner's three accounts. All start at zero in each period, and exclude the allowance."""

    owner: str

    @classmethod
    def of_user(cls, pseudonym: Pseudonym, guild_id: int | None = None) -> "Accounts":
        """Return a user's own accounts, or those for the minutes that a server gave them."""
        own = f"user:{pseudonym:x}"
        return cls(own if guild_id is None else f"{pool_of(guild_id)}:{own}")

    @classmethod
    def with_available(cls, account: str) -> "Accounts":
        """Return the accounts whose `available` account, debited by a hold, is `account`."""
        return cls(account.removesuffix(":available"))

    @property
    def guild_id(self) -> int | None:
        """The server whose minutes these are; None for a user's own."""
        kind, number, *_ = self.owner.split(":")
        return int(number) if kind == "pool" else None

    @property
    def available(self) -> str:
        """The account credited by grants and debited by holds. The allowance covers a deficit."""
        return f"{self.owner}:available"

    @property
    def held(self) -> str:
        """Minutes reserved by unfinished jobs."""
        return f"{self.owner}:held"

    @property
    def used(self) -> str:
        """Minutes used by finished jobs."""
        return f"{self.owner}:used"

    def in_period(self, period: Period) -> Values:
        """Return the parameters of the USAGE query."""
        return {
            "available": self.available,
            "held": self.held,
            "used": self.used,
            "period": period.key,
        }

    @classmethod
    def both(cls, alias: Pseudonym, guild_id: int | None, period: Period) -> Values:
        """Return parameters for both usage queries; outside servers, SERVER_USAGE gets NULLs."""
        own = cls.of_user(alias).in_period(period)
        server = dict.fromkeys(own) if guild_id is None else {}
        if guild_id is not None:
            server = cls.of_user(alias, guild_id).in_period(period)
        return {
            **{f"own_{name}": value for name, value in own.items()},
            **{f"server_{name}": value for name, value in server.items()},
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Transfer:
    """One row, which moves `minutes` from `debit` to `credit`."""

    kind: Literal["hold", "post", "void", "refund", "grant", "reset"]
    debit: str
    credit: str
    minutes: int
    period: str
    at: int
    job_id: JobId | None = None
    hold_id: int | None = None
    allowance: int | None = None
    actor_id: Pseudonym | None = None

    async def insert(self, conn: Connection) -> None:
        """Append the row inside the caller's transaction."""
        await conn.execute(_INSERT, asdict(self))


def usage_of(
    row: Row,
    period: Period,
    allowance: int,
    guild_id: int | None = None,
    *,
    prefix: str = "",
) -> Usage:
    """Build the usage from a row of the USAGE query whose column names start with `prefix`."""
    return Usage(
        allowance=allowance,
        granted=row[f"{prefix}granted"],
        used=row[f"{prefix}used"],
        held=row[f"{prefix}held"],
        period=period,
        guild_id=guild_id,
    )


async def apply(conn: Connection, entry: LedgerEntry, *, at: int) -> None:
    """Write the entry inside the caller's transaction.

    Writing the same post, void or refund again has no effect.

    Raises QuotaExceeded if a hold does not fit, and StateMoved if the job's minutes are no longer
    in the account that the entry debits.
    """
    match entry:
        case Hold():
            await _hold(conn, entry, at)
        case Post(job_id):
            await _end_hold(conn, job_id, "post", at)
        case Void(job_id):
            await _end_hold(conn, job_id, "void", at)
        case Refund(job_id):
            await _refund(conn, job_id, at)
        case _:
            assert_never(entry)


async def _hold(conn: Connection, hold: Hold, at: int) -> None:
    pseudonym = await account_pseudonym(conn, hold.user_id, hold.period)
    values = Accounts.both(pseudonym, hold.guild_id, hold.period)
    [row] = await conn.execute_fetchall(_BOTH_USAGES, values)
    own = usage_of(row, hold.period, hold.allowance, prefix="own_")
    shared = usage_of(row, hold.period, 0, hold.guild_id, prefix="server_")
    # The server's minutes come first because they can be spent nowhere else.
    for usage in (shared, own):
        if hold.minutes <= usage.left:
            return await _reserve(conn, hold, pseudonym, usage, at)
    raise QuotaExceeded(
        needed=hold.minutes,
        left=own.left,
        allowance=own.total,
        resets_at=seconds(hold.period.ends_at),
        shared=shared.left,
    )


async def _reserve(
    conn: Connection, hold: Hold, pseudonym: Pseudonym, usage: Usage, at: int
) -> None:
    accounts = Accounts.of_user(pseudonym, usage.guild_id)
    await Transfer(
        kind="hold",
        debit=accounts.available,
        credit=accounts.held,
        minutes=hold.minutes,
        period=hold.period.key,
        at=at,
        job_id=hold.job_id,
        allowance=usage.total,
    ).insert(conn)


async def _end_hold(
    conn: Connection, job_id: JobId, kind: Literal["post", "void"], at: int
) -> None:
    hold = next(iter(await conn.execute_fetchall(_HOLD_OF, (job_id,))), None)
    if hold is None:
        if kind == "void":
            return
        raise StateMoved(f"{job_id} holds no minutes to post")
    if hold["ended_by"] == kind:
        return
    if hold["ended_by"] is not None:
        raise StateMoved(f"{job_id}: {kind} came after {hold['ended_by']}")
    accounts = Accounts.with_available(hold["debit"])
    await Transfer(
        kind=kind,
        debit=accounts.held,
        credit=accounts.used if kind == "post" else accounts.available,
        minutes=hold["minutes"],
        period=hold["period"],  # the hold's period, even if a new one has begun
        at=at,
        job_id=job_id,
        hold_id=hold["id"],
    ).insert(conn)


async def _refund(conn: Connection, job_id: JobId, at: int) -> None:
    post = next(iter(await conn.execute_fetchall(_POST_OF, (job_id,))), None)
    if post is None or post["is_back"]:
        return
    await Transfer(
        kind="refund",
        debit=post["used"],
        credit=post["available"],
        minutes=post["minutes"],
        period=post["period"],
        at=at,
        job_id=job_id,
        hold_id=post["hold_id"],
    ).insert(conn)
