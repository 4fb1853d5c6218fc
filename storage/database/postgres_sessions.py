"""Sessions on a PostgreSQL server: their settings, statements, rows and errors."""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from enum import Enum
from functools import lru_cache
from typing import Any

import psycopg
from psycopg import AsyncConnection, errors
from psycopg.abc import AdaptContext
from psycopg.adapt import Loader
from psycopg.conninfo import make_conninfo

from bot.domain.errors import StoreBroken, StoreUnavailable
from storage.database.protocols import ConstraintViolated, Parameters
from storage.database.schema import UnknownDatabase

LEAST_VERSION = 140000
"""PostgreSQL 14, the first with idle_session_timeout."""
APPLICATION_NAME = "stemcord"

# Both sides notice a dead peer after about 10 s, instead of hours.
_CONNECTION: Mapping[str, int] = {
    "connect_timeout": 3,
    "keepalives_idle": 5,
    "keepalives_interval": 2,
    "keepalives_count": 3,
    "tcp_user_timeout": 8000,
}
KEEP_ALIVES: Mapping[str, str] = {
    "tcp_keepalives_idle": "5",
    "tcp_keepalives_interval": "2",
    "tcp_keepalives_count": "3",
    "tcp_user_timeout": "8000",
}
READ_ONLY: Mapping[str, str] = {"default_transaction_read_only": "on"}

_LASTING = (
    errors.ReadOnlySqlTransaction,
    errors.InsufficientPrivilege,
    errors.InvalidAuthorizationSpecification,
)
"""Errors of permissions or of a read-only server, which only the operator can fix."""
_TOKEN = re.compile(r"""'(?:[^']|'')*'|"[^"]*"|--[^\n]*|::|:([a-z_]+)|\?|%""")
_NUL = "\0"


class PostgresRow(tuple[Any, ...]):
    """A row whose columns are read by name or by position."""

    __slots__ = ()
    _positions: Mapping[str, int]

    def __getitem__(self, key: Any, /) -> Any:
        """Return a column's value. Raises IndexError or KeyError for an unknown column."""
        return super().__getitem__(self._positions[key] if isinstance(key, str) else key)


class _WholeNumber(Loader):
    """Reads a sum of bigints, which has the type numeric, as an int."""

    def load(self, data: Any) -> int:
        """Return the number."""
        return int(bytes(data))


def rows(
    cursor: psycopg.Cursor[Any] | psycopg.AsyncCursor[Any],
) -> Callable[[Sequence[Any]], PostgresRow]:
    """Make rows with the names of the cursor's columns; a psycopg row factory."""
    names = tuple(column.name for column in cursor.description or ())
    return _row_class(names)


@lru_cache(maxsize=256)
def _row_class(names: tuple[str, ...]) -> type[PostgresRow]:
    positions = {name: position for position, name in enumerate(names)}
    return type("PostgresRow", (PostgresRow,), {"__slots__": (), "_positions": positions})


def conninfo(url: str) -> str:
    """Return the address with the parameters of every connection."""
    return make_conninfo(url, application_name=APPLICATION_NAME, **_CONNECTION)


async def connect(url: str, settings: Mapping[str, str]) -> AsyncConnection[PostgresRow]:
    """Open a connection outside the pools, in autocommit mode."""
    conn = await AsyncConnection[PostgresRow].connect(
        conninfo(url), autocommit=True, row_factory=rows
    )
    prepare(conn)
    if settings:
        await conn.execute(settings_statement(settings))
    return conn


def prepare(context: AdaptContext) -> None:
    """Set how this connection reads values."""
    context.adapters.register_loader("numeric", _WholeNumber)


def settings_for(wait_s: float) -> Mapping[str, str]:
    """Return the settings of a session whose statements time out after `wait_s`."""
    limit = f"{round(wait_s * 1000)}ms"
    timeouts = ("statement_timeout", "lock_timeout", "idle_in_transaction_session_timeout")
    return {**KEEP_ALIVES, **dict.fromkeys(timeouts, limit)}


def settings_statement(settings: Mapping[str, str]) -> bytes:
    """Return a statement that applies these settings to the session."""
    calls = ", ".join(f"set_config('{name}', '{value}', false)" for name, value in settings.items())
    return f"SELECT {calls}".encode()


@lru_cache(maxsize=1024)
def translated(sql: str) -> bytes:
    """Write the parameters `?` and `:name` as psycopg does, outside literals and comments."""
    return _TOKEN.sub(_placeholder, sql).encode()


def _placeholder(match: re.Match[str]) -> str:
    if match[0] == "?":
        return "%s"
    if match[1]:
        return f"%({match[1]})s"
    return match[0].replace("%", "%%")


def values(parameters: Parameters) -> Sequence[Any] | Mapping[str, Any]:
    """Return the parameters as PostgreSQL can store them: plain values, and texts without NUL."""
    if isinstance(parameters, Mapping):
        return {name: _plain(value) for name, value in parameters.items()}
    return [_plain(value) for value in parameters]


def _plain(value: Any) -> Any:
    if isinstance(value, Enum):
        return value.value
    return value.replace(_NUL, "") if isinstance(value, str) else value


@contextmanager
def translated_errors() -> Iterator[None]:
    """Raise the store's own errors in place of psycopg's that are not bugs."""
    try:
        yield
    except _LASTING as exc:
        raise StoreBroken(_line(exc)) from exc
    except (psycopg.IntegrityError, errors.RaiseException) as exc:
        # Without its cause, whose text contains the row and so users' texts.
        raise ConstraintViolated(exc.diag.message_primary or type(exc).__name__) from None
    except (psycopg.OperationalError, psycopg.InterfaceError) as exc:
        raise StoreUnavailable(_line(exc)) from exc


def _line(error: psycopg.Error) -> str:
    return " ".join(str(error).split()) or type(error).__name__


def check_server(server: Any, encoding: str) -> None:
    """Raise UnknownDatabase if the server is too old, or the database is not in UTF-8."""
    if server < LEAST_VERSION:
        raise UnknownDatabase("STEMCORD_DATABASE_URL: expected PostgreSQL 14 or newer.")
    if encoding != "UTF8":
        raise UnknownDatabase(
            f"The database is encoded in {encoding}; create one with ENCODING 'UTF8'."
        )


def names_in_order(locks: Iterable[str]) -> list[str]:
    """Return the names of locks in the order in which every transaction takes them."""
    return sorted(set(locks))
