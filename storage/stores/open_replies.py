"""Replies that show that files are being made from a finished job.

The work is known only in memory, so a process that ends leaves such replies unfinished. With the
row, the next process can tell the user and offer to start over.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from bot.domain.job import JobId, UserId
from bot.domain.recipes import AudioFormat
from bot.domain.renditions import Rendition
from storage.database.protocols import Database, Row
from storage.groups.shard_group import EVERY_SHARD, OWN_ROWS, ShardGroup
from storage.stores.job_rows import (
    NOT_UNDERSTOOD,
    UnreadableRow,
    UnreadableRows,
    seconds,
    time_of,
)

_ADD = """
INSERT INTO open_replies (
    interaction_id, job_id, user_id, rendition, audio_format, kind,
    application_id, token, token_expires_at, locale, guild_id
) VALUES (
    :interaction_id, :job_id, :user_id, :rendition, :audio_format, :kind,
    :application_id, :token, :token_expires_at, :locale, :guild_id
)
ON CONFLICT (interaction_id) DO NOTHING
"""
_CLOSE = "DELETE FROM open_replies WHERE interaction_id = ?"
_EVERY = f"SELECT * FROM open_replies WHERE {OWN_ROWS} ORDER BY interaction_id"  # noqa: S608 - made of constants
_DROP_EXPIRED = "DELETE FROM open_replies WHERE token_expires_at < ?"


class ReplyKind(StrEnum):
    """The kind of work that an open reply waits for."""

    RESULT = "result"
    DM = "dm"
    ZIP = "zip"
    BATCH_ZIP = "batch_zip"
    CLIP = "clip"


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenReply:
    """A reply that waits for files made from a job, and the data to edit it."""

    interaction_id: int
    job_id: JobId
    user_id: UserId
    """The requester, who need not be the job's user."""
    kind: ReplyKind
    rendition: Rendition
    audio_format: AudioFormat
    application_id: int
    token: str
    """The interaction's token; a secret."""
    token_expires_at: datetime
    locale: str
    guild_id: int | None = None
    """The server in which the reply is, or None in direct messages."""


class OpenReplies:
    """Stores open replies, each in a row that is deleted when the reply is complete."""

    def __init__(self, *, db: Database, shards: ShardGroup = EVERY_SHARD) -> None:
        self._db = db
        self._shards = shards
        self._unreadable = UnreadableRows("open replies")

    async def add(self, reply: OpenReply) -> None:
        """Store a reply before work on it begins. Safe to repeat."""
        values = {
            "interaction_id": reply.interaction_id,
            "job_id": reply.job_id,
            "user_id": reply.user_id,
            "kind": reply.kind,
            "rendition": reply.rendition.to_json(),
            "audio_format": reply.audio_format,
            "application_id": reply.application_id,
            "token": reply.token,
            "token_expires_at": seconds(reply.token_expires_at),
            "locale": reply.locale,
            "guild_id": self._server_of(reply),
        }
        await self._db.write(lambda conn: conn.execute(_ADD, values))

    async def close(self, interaction_id: int) -> None:
        """Delete a reply that is complete. Safe to repeat."""
        await self._db.write(lambda conn: conn.execute(_CLOSE, (interaction_id,)))

    async def every(self) -> list[OpenReply]:
        """Return the group's open replies, oldest first.

        Skips rows that this version cannot read; they expire with their tokens.
        """
        rows = await self._db.read(_EVERY, self._shards.parameters)
        return list(self._readable(rows))

    async def drop_expired(self, now: datetime) -> None:
        """Delete replies that can no longer be edited."""
        await self._db.write(lambda conn: conn.execute(_DROP_EXPIRED, (seconds(now),)))

    def _readable(self, rows: Iterable[Row]) -> Iterator[OpenReply]:
        for row in rows:
            try:
                yield _open_reply_of(row)
            except UnreadableRow as exc:
                self._unreadable.skip(f"a reply of {row['job_id']}", exc)

    def _server_of(self, reply: OpenReply) -> int | None:
        """Return the reply's server if it is one of this group's, else the group's first server."""
        is_own = self._shards.owns(reply.guild_id)
        return reply.guild_id if is_own else self._shards.first_server


def _open_reply_of(row: Row) -> OpenReply:
    """Build a reply from its row. Raises UnreadableRow."""
    try:
        return OpenReply(
            interaction_id=row["interaction_id"],
            job_id=JobId(row["job_id"]),
            user_id=UserId(row["user_id"]),
            kind=ReplyKind(row["kind"]),
            rendition=Rendition.from_json(row["rendition"]),
            audio_format=AudioFormat(row["audio_format"]),
            application_id=row["application_id"],
            token=row["token"],
            token_expires_at=time_of(row["token_expires_at"]),
            locale=row["locale"],
            guild_id=row["guild_id"],
        )
    except NOT_UNDERSTOOD as exc:
        raise UnreadableRow(str(exc)) from exc
