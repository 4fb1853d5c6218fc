"""Notifications that one bot of a database sends to the others. A lost signal only delays work."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Self

from bot.domain.job import JobId
from storage.database.protocols import Connection, Database
from storage.groups.shard_group import ShardGroup

CHANNEL = "stemcord_bots"
_NOTIFY = f"SELECT pg_notify('{CHANNEL}', ?)"


class SignalKind(StrEnum):
    """What a signal is about."""

    JOB = "job"
    """Another bot changed a job; the subject is the job's id."""
    PLACE = "place"
    """A place at a provider is free for the group; the subject is the provider."""


@dataclass(frozen=True, slots=True)
class Signal:
    """A signal, as it is sent: `job k7f2q`, or `place finevoice 0-3/16`."""

    kind: SignalKind
    subject: str
    group: str = ""

    def __str__(self) -> str:
        return f"{self.kind} {self.subject} {self.group}".rstrip()

    @classmethod
    def parse(cls, text: str) -> Self | None:
        """Decode a signal; return None for a kind that this version does not know."""
        kind, _, rest = text.partition(" ")
        subject, _, group = rest.partition(" ")
        return cls(SignalKind(kind), subject, group) if kind in set(SignalKind) else None


async def notify(conn: Connection, signal: Signal) -> None:
    """Send a signal when the transaction is committed."""
    await conn.execute_fetchall(_NOTIFY, (str(signal),))


class Signals:
    """Sends signals."""

    def __init__(self, *, db: Database, shards: ShardGroup) -> None:
        """`db` is a PostgreSQL database, and `shards` the group of this bot."""
        self._db = db
        self.shards = shards

    async def job_changed(self, job_id: JobId) -> None:
        """Tell the job's bot that the job was changed. Raises StoreUnavailable."""
        signal = Signal(SignalKind.JOB, job_id)
        await self._db.write(lambda conn: notify(conn, signal))
