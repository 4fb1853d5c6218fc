"""The database as the stores see it: SQLite or PostgreSQL.

Statements are written once, in SQL for both databases, with `?` or `:name` for parameters.
PostgreSQL's first migration defines the functions that only SQLite has.
"""

from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any, Protocol, TypeVar

T = TypeVar("T")
Parameters = Iterable[Any]
"""Parameters of a statement: a sequence for `?`, a mapping for `:name`."""


class ConstraintViolated(Exception):
    """A statement breaks a rule of the schema: a constraint, a unique index or a trigger."""


class TakenOver(Exception):
    """Another process is the database's bot now. The message is a sentence for the operator."""


class Row(Protocol):
    """A row of a result. Columns are read by name or by position."""

    def __getitem__(self, key: str | int, /) -> Any:
        """Return a column's value. Raises IndexError or KeyError for an unknown column."""
        ...

    def __iter__(self) -> Iterator[Any]:
        """Yield the values in order."""
        ...


class Cursor(Protocol):
    """The outcome of a statement."""

    @property
    def rowcount(self) -> int:
        """The number of rows that the statement changed."""
        ...


class Connection(Protocol):
    """A connection inside a transaction."""

    def execute(self, sql: str, parameters: Parameters = ..., /) -> Awaitable[Cursor]:
        """Run a statement."""
        ...

    def execute_fetchall(
        self, sql: str, parameters: Parameters = ..., /
    ) -> Awaitable[Iterable[Row]]:
        """Run a statement and return its rows."""
        ...

    def executemany(self, sql: str, parameters: Iterable[Parameters], /) -> Awaitable[Cursor]:
        """Run a statement once for each set of parameters."""
        ...


class Reader(Protocol):
    """Read-only access for one command, whether or not a bot is using the database."""

    def rows(self, sql: str, parameters: Parameters = ()) -> Sequence[Row]:
        """Return all rows of one query."""
        ...

    def snapshot(self) -> AbstractContextManager[None]:
        """Let all queries inside see the same committed state."""
        ...

    def pages(self) -> int:
        """Return the size of the database in its own pages."""
        ...

    def faults(self) -> list[str]:
        """Return the damage that the database finds in itself."""
        ...

    def lost_references(self) -> list[str]:
        """Return the rows that refer to a row that does not exist."""
        ...


class Ownership(Protocol):
    """The right of one process to write as the bot of a database, or of a part of it."""

    @property
    def fence(self) -> int | None:
        """The number of this ownership, which transactions check; None before `begin`."""
        ...

    @property
    def may_act(self) -> bool:
        """Whether no other process can be the owner yet, by this machine's clock."""
        ...

    @property
    def parameters(self) -> Mapping[str, int]:
        """The key of the row with the fence: `shard_count`, `first_shard` and `last_shard`."""
        ...

    async def begin(self) -> None:
        """Raise the fence, so that earlier owners can't write. The schema must be up to date.

        Raises StoreUnavailable, including when the lock was lost with its connection.
        """
        ...


class BotLock(Ownership, Protocol):
    """The lock of a PostgreSQL database, or of a shard group, which one process has at a time."""

    @property
    def is_reached(self) -> bool:
        """Whether the server answered last time."""
        ...

    async def acquire(self) -> None:
        """Wait until this process has the lock, even through outages of the server."""
        ...

    async def try_once(self) -> bool:
        """Try to take the lock, and return whether this process has it. Raises StoreUnavailable."""
        ...

    async def watch(self) -> None:
        """Keep the lock until cancelled, taking it again after outages of the server.

        Raises TakenOver once another process has it.
        """
        ...

    async def close(self) -> None:
        """Release the lock."""
        ...


class Database(Protocol):
    """An open database."""

    async def read(self, sql: str, parameters: Parameters = ()) -> Sequence[Row]:
        """Return all rows of one query, which sees a single committed state."""
        ...

    async def write(
        self, work: Callable[[Connection], Awaitable[T]], *, locks: Iterable[str] = ()
    ) -> T:
        """Run `work` in a transaction, committed when it returns and rolled back when it raises.

        Transactions that name a common lock run one after the other. Name one for everything that
        `work` reads in order to decide what to write, unless a statement's own WHERE guards it.
        SQLite runs all transactions one after the other.

        If the caller is cancelled, the transaction still runs to its end. `work` may only await
        statements on the connection, and may run again from its start after a deadlock. Raises
        ConstraintViolated, and StoreUnavailable or StoreBroken, with nothing written.
        """
        ...

    async def probe(self) -> None:
        """Check that the database accepts writes. Raises StoreUnavailable or StoreBroken."""
        ...

    async def scrub(self) -> None:
        """Remove the traces of deleted data from the database's files. Raises StoreUnavailable."""
        ...

    async def close(self) -> None:
        """Wait for running transactions, then close all connections."""
        ...
