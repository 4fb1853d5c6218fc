"""Batches: several songs from one request, with one reply for all.

A batch admits its songs one after the other. Each becomes a job without its own reply. A change of
such a job makes the batch's reply stale in the same transaction.
"""

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from bot.domain.errors import Problem, Reason, Rejected
from bot.domain.job import BatchId, Entry, Job, JobId, Reply, Source, UserId
from bot.domain.recipes import AudioFormat, Recipe
from storage.database.protocols import Connection, Database, Row
from storage.groups.shard_group import EVERY_SHARD, OWN_ROWS, ShardGroup
from storage.stores.job_rows import (
    NOT_UNDERSTOOD,
    UnreadableRow,
    UnreadableRows,
    Values,
    job_of,
    reply_of,
    reply_values,
    seconds,
    time_of,
)
from storage.stores.job_statements import IN_BATCH
from storage.stores.job_store import new_job_id
from storage.stores.lock_names import batches_of

_COLUMNS = """
    id, interaction_id, user_id, recipe, audio_format, entry, role_ids,
    channel_id, parent_channel_id, context, application_id, guild_id, message_id,
    token, token_expires_at, size_limit_bytes, locale, wanted_version,
    created_at, updated_at, acknowledged_at, reason, is_final
"""
_SELECT = "SELECT" + _COLUMNS + "FROM batches\n"
EVERY_BATCH = _SELECT
_BY_ID = _SELECT + "WHERE id = ?"
_BY_INTERACTION = _SELECT + "WHERE interaction_id = ?"
_OPEN = _SELECT + f"WHERE NOT is_final AND {OWN_ROWS} ORDER BY created_at, rowid"
_OPEN_OF_USER = _SELECT + "WHERE NOT is_final AND user_id = ? ORDER BY created_at, rowid"
_HAS_OPEN = f"""
SELECT EXISTS (SELECT 1 FROM batches WHERE NOT is_final AND {OWN_ROWS}) AS has_open
"""  # noqa: S608 - made of constants
# With `max_active` songs under way, or none left to start, a batch waits for its jobs.
_DUE = f"""
SELECT batches.id
FROM batches
LEFT JOIN batch_songs ON batch_songs.batch_id = batches.id
LEFT JOIN jobs ON jobs.id = batch_songs.job_id
WHERE NOT batches.is_final AND batches.acknowledged_at IS NOT NULL
    AND batches.id IN (SELECT id FROM batches WHERE NOT is_final AND {OWN_ROWS})
GROUP BY batches.id
HAVING batches.reason IS NOT NULL
    OR count(*) FILTER (WHERE NOT jobs.is_final) = 0
    OR (
        count(*) FILTER (WHERE NOT jobs.is_final) < :max_active
        AND count(*) FILTER (
            WHERE batch_songs.job_id IS NULL AND batch_songs.reason IS NULL
        ) > 0
    )
ORDER BY batches.created_at, batches.rowid
"""  # noqa: S608 - made of constants
_IS_TAKEN = "SELECT 1 FROM batches WHERE id = :id"
_BEFORE_INSERT = """
SELECT
    (SELECT id FROM batches WHERE interaction_id = :interaction_id) AS known,
    EXISTS (SELECT 1 FROM batches WHERE user_id = :user_id AND NOT is_final) AS is_open
"""
_INSERT = """
INSERT INTO batches (
    id, interaction_id, user_id, recipe, audio_format, entry, role_ids,
    channel_id, parent_channel_id, context, application_id, guild_id, message_id,
    token, token_expires_at, size_limit_bytes, locale, created_at, updated_at
) VALUES (
    :id, :interaction_id, :user_id, :recipe, :audio_format, :entry, :role_ids,
    :channel_id, :parent_channel_id, :context, :application_id, :guild_id, :message_id,
    :token, :token_expires_at, :size_limit_bytes, :locale, :created_at, :created_at
)
"""
_INSERT_SONG = """
INSERT INTO batch_songs (batch_id, number, filename, url, size_bytes, source_message_id)
VALUES (:batch_id, :number, :filename, :url, :size_bytes, :source_message_id)
"""
_SONGS = """
SELECT number, filename, url, size_bytes, source_message_id, job_id, reason, facts
FROM batch_songs
WHERE batch_id = ?
ORDER BY number
"""
_ACKNOWLEDGE = """
UPDATE batches SET
    acknowledged_at = :at, updated_at = :at, message_id = coalesce(:message_id, message_id),
    wanted_version = wanted_version + 1
WHERE id = :id AND acknowledged_at IS NULL AND NOT is_final
"""
_WITHDRAW = """
UPDATE batches SET
    acknowledged_at = CASE WHEN :in_doubt THEN :at END, updated_at = :at,
    reason = :reason, is_final = TRUE, wanted_version = wanted_version + 1
WHERE id = :id AND acknowledged_at IS NULL AND NOT is_final
"""
_STOP = """
UPDATE batches SET reason = :reason, updated_at = :at, wanted_version = wanted_version + 1
WHERE id = :id AND NOT is_final AND reason IS NULL
"""
_REFUSE_WAITING = """
UPDATE batch_songs SET reason = :reason, url = ''
WHERE batch_id = :id AND job_id IS NULL AND reason IS NULL
"""
_REFUSE_ONE = """
UPDATE batch_songs SET reason = :reason, facts = :facts, url = ''
WHERE batch_id = :id AND number = :number AND job_id IS NULL AND reason IS NULL
"""
_TOUCH = """
UPDATE batches SET updated_at = :at, wanted_version = wanted_version + 1 WHERE id = :id
"""
_CLOSE = """
UPDATE batches SET is_final = TRUE, updated_at = :at, wanted_version = wanted_version + 1
WHERE id = :id AND NOT is_final
    AND NOT EXISTS (
        SELECT 1 FROM batch_songs LEFT JOIN jobs ON jobs.id = batch_songs.job_id
        WHERE batch_songs.batch_id = batches.id
            AND NOT coalesce(jobs.is_final, batch_songs.reason IS NOT NULL)
    )
"""
_OWED = f"""
SELECT id, wanted_version FROM batches
WHERE shown_version < wanted_version AND acknowledged_at IS NOT NULL AND {OWN_ROWS}
"""  # noqa: S608 - made of constants
_SHOWN = """
UPDATE batches SET
    shown_version = CASE WHEN shown_version < :version THEN :version ELSE shown_version END,
    message_id = coalesce(:message_id, message_id)
WHERE id = :id
"""
_DROP_SECRETS = """
UPDATE batches SET token = NULL, token_expires_at = NULL
WHERE id = ? AND is_final AND (shown_version = wanted_version OR acknowledged_at IS NULL)
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchSong:
    """A song of a batch, which waits, has a job or was refused."""

    number: int
    """Its position in the request, from 1."""
    source: Source
    job_id: JobId | None = None
    problem: Problem | None = None
    """Why it was refused before it became a job."""

    @property
    def is_waiting(self) -> bool:
        """Whether the song has neither become a job nor been refused."""
        return self.job_id is None and self.problem is None


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """Several songs from one request."""

    id: BatchId
    interaction_id: int
    user_id: UserId
    recipe: Recipe
    audio_format: AudioFormat
    entry: Entry
    role_ids: tuple[int, ...] = ()
    reply: Reply
    created_at: datetime
    updated_at: datetime
    acknowledged_at: datetime | None = None
    reason: Reason | None = None
    """The reason to end its songs early."""
    is_final: bool = False
    """Whether every song has ended."""
    version: int = 1
    """The version of the reply that shows this state."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchContent:
    """A batch with its songs and their jobs."""

    batch: Batch
    songs: Sequence[BatchSong]
    jobs: dict[JobId, Job]

    def job_of(self, song: BatchSong) -> Job | None:
        """Return the song's job, or None if there is none that this version can read."""
        return None if song.job_id is None else self.jobs.get(song.job_id)

    @property
    def with_stems(self) -> list[Job]:
        """The jobs whose stems can be shown, in order."""
        found = (self.job_of(song) for song in self.songs)
        return [job for job in found if job is not None and job.has_stems]


class BatchStore:
    """Stores batches. Each method that writes is one transaction.

    With several bots on one database, methods that look for work return the group's batches only.
    """

    def __init__(self, *, db: Database, shards: ShardGroup = EVERY_SHARD) -> None:
        self._db = db
        self._own = shards.parameters
        self._unreadable = UnreadableRows("batches")
        self._unreadable_jobs = UnreadableRows("jobs of batches")

    async def add(self, batch: Batch, songs: Sequence[Source]) -> Batch:
        """Store a new batch and return it as stored, with another id if its own was taken.

        If the interaction already has a batch, return that batch unchanged.

        Raises Rejected with ONE_BATCH if the user has an open batch.
        """

        async def work(conn: Connection) -> Batch:
            values = _batch_values(batch)
            [found] = await conn.execute_fetchall(_BEFORE_INSERT, values)
            if found["known"] is not None:
                [known] = await conn.execute_fetchall(_BY_ID, (found["known"],))
                return batch_of(known)
            if found["is_open"]:
                raise Rejected(Reason.ONE_BATCH)
            added = batch
            while list(await conn.execute_fetchall(_IS_TAKEN, {"id": added.id})):
                added = replace(batch, id=BatchId(new_job_id()))
            await conn.execute(_INSERT, {**values, "id": added.id})
            await conn.executemany(_INSERT_SONG, list(_song_values(added.id, songs)))
            return added

        return await self._db.write(work, locks=[batches_of(batch.user_id)])

    async def get(self, batch_id: BatchId) -> Batch | None:
        """Return the batch, regardless of its owner."""
        return next(self._readable(await self._db.read(_BY_ID, (batch_id,))), None)

    async def of_interaction(self, interaction_id: int) -> Batch | None:
        """Return the interaction's batch."""
        rows = await self._db.read(_BY_INTERACTION, (interaction_id,))
        return next(self._readable(rows), None)

    async def content(self, batch_id: BatchId) -> BatchContent | None:
        """Return the batch with its songs and jobs."""
        batch = await self.get(batch_id)
        if batch is None:
            return None
        songs = [_song_of(row) for row in await self._db.read(_SONGS, (batch_id,))]
        jobs = self._readable_jobs(await self._db.read(IN_BATCH, (batch_id,)))
        return BatchContent(batch=batch, songs=songs, jobs={job.id: job for job in jobs})

    async def open(self) -> list[Batch]:
        """Return the group's batches that have not ended, oldest first."""
        return list(self._readable(await self._db.read(_OPEN, self._own)))

    async def open_of(self, user_id: UserId) -> list[Batch]:
        """Return the user's batches that have not ended, of any group."""
        return list(self._readable(await self._db.read(_OPEN_OF_USER, (user_id,))))

    async def has_open(self) -> bool:
        """Whether any of the group's batches has not ended."""
        [row] = await self._db.read(_HAS_OPEN, self._own)
        return bool(row["has_open"])

    async def due(self, *, max_active: int) -> list[BatchId]:
        """Return the group's acknowledged batches that can advance, oldest first.

        Songs of a user may be started while fewer than `max_active` of the batch are under way.
        """
        rows = await self._db.read(_DUE, {"max_active": max_active, **self._own})
        return [BatchId(row["id"]) for row in rows]

    async def acknowledge(
        self, batch_id: BatchId, now: datetime, *, message_id: int | None
    ) -> bool:
        """Record that Discord has shown the user an answer, and return whether it is the first."""
        values = {"id": batch_id, "at": seconds(now), "message_id": message_id}

        async def work(conn: Connection) -> bool:
            return (await conn.execute(_ACKNOWLEDGE, values)).rowcount == 1

        return await self._db.write(work)

    async def withdraw(self, batch_id: BatchId, now: datetime, *, in_doubt: bool) -> None:
        """End a batch whose user saw no answer, unless it has been acknowledged by now.

        With `in_doubt`, the user may have seen an answer, so the reply explains the end.
        """
        reason = Reason.UNACKNOWLEDGED
        values = {"id": batch_id, "at": seconds(now), "in_doubt": in_doubt, "reason": reason}

        async def work(conn: Connection) -> None:
            if (await conn.execute(_WITHDRAW, values)).rowcount == 1:
                await conn.execute(_REFUSE_WAITING, {"id": batch_id, "reason": reason})
                await conn.execute(_DROP_SECRETS, (batch_id,))

        await self._db.write(work)

    async def stop(self, batch_id: BatchId, now: datetime, reason: Reason) -> None:
        """Refuse the waiting songs, and record that the other songs must be cancelled.

        Safe to repeat; does nothing to a batch that has ended.
        """

        async def work(conn: Connection) -> None:
            values = {"id": batch_id, "at": seconds(now), "reason": reason}
            if (await conn.execute(_STOP, values)).rowcount == 1:
                await conn.execute(_REFUSE_WAITING, {"id": batch_id, "reason": reason})

        await self._db.write(work)

    async def refuse(self, batch_id: BatchId, number: int, now: datetime, problem: Problem) -> None:
        """Record why a waiting song does not become a job."""

        async def work(conn: Connection) -> None:
            values: Values = {
                "id": batch_id,
                "number": number,
                "reason": problem.reason,
                "facts": json.dumps(dict(problem.facts)),
            }
            if (await conn.execute(_REFUSE_ONE, values)).rowcount == 1:
                await conn.execute(_TOUCH, {"id": batch_id, "at": seconds(now)})

        await self._db.write(work)

    async def close(self, batch_id: BatchId, now: datetime) -> bool:
        """End a batch if all of its songs have ended, and return whether this call ended it."""

        async def work(conn: Connection) -> bool:
            values = {"id": batch_id, "at": seconds(now)}
            return (await conn.execute(_CLOSE, values)).rowcount == 1

        return await self._db.write(work)

    async def owed(self) -> dict[BatchId, int]:
        """Return the batches with stale replies, and the version that each should show."""
        rows = await self._db.read(_OWED, self._own)
        return {BatchId(row["id"]): row["wanted_version"] for row in rows}

    async def reply_shown(
        self, batch_id: BatchId, version: int, *, message_id: int | None = None
    ) -> bool:
        """Record that the reply shows `version`; return whether the batch still exists.

        An ended batch then no longer needs its token.
        """

        async def work(conn: Connection) -> bool:
            values = {"id": batch_id, "version": version, "message_id": message_id}
            is_there = (await conn.execute(_SHOWN, values)).rowcount == 1
            await conn.execute(_DROP_SECRETS, (batch_id,))
            return is_there

        return await self._db.write(work)

    def _readable(self, rows: Iterable[Row]) -> Iterator[Batch]:
        for row in rows:
            try:
                yield batch_of(row)
            except UnreadableRow as exc:
                self._unreadable.skip(row["id"], exc)

    def _readable_jobs(self, rows: Iterable[Row]) -> Iterator[Job]:
        for row in rows:
            try:
                yield job_of(row)
            except UnreadableRow as exc:
                self._unreadable_jobs.skip(row["id"], exc)


def batch_of(row: Row) -> Batch:
    """Build the batch from a row of `batches`. Raises UnreadableRow."""
    try:
        return Batch(
            id=BatchId(row["id"]),
            interaction_id=row["interaction_id"],
            user_id=UserId(row["user_id"]),
            recipe=Recipe(row["recipe"]),
            audio_format=AudioFormat(row["audio_format"]),
            entry=Entry(row["entry"]),
            role_ids=tuple(json.loads(row["role_ids"])),
            reply=reply_of(row),
            created_at=time_of(row["created_at"]),
            updated_at=time_of(row["updated_at"]),
            acknowledged_at=time_of(row["acknowledged_at"]),
            reason=None if row["reason"] is None else Reason(row["reason"]),
            is_final=bool(row["is_final"]),
            version=row["wanted_version"],
        )
    except NOT_UNDERSTOOD as exc:
        raise UnreadableRow(str(exc)) from exc


def _song_of(row: Row) -> BatchSong:
    problem = None
    if row["reason"] is not None:
        known = row["reason"] in set(Reason)
        reason = Reason(row["reason"]) if known else Reason.INTERNAL
        problem = Problem(reason, json.loads(row["facts"]) if known else {})
    return BatchSong(
        number=row["number"],
        source=Source(
            filename=row["filename"],
            url=row["url"],
            size_bytes=row["size_bytes"],
            message_id=row["source_message_id"],
        ),
        job_id=None if row["job_id"] is None else JobId(row["job_id"]),
        problem=problem,
    )


def _batch_values(batch: Batch) -> Values:
    return {
        "id": batch.id,
        "interaction_id": batch.interaction_id,
        "user_id": batch.user_id,
        "recipe": batch.recipe,
        "audio_format": batch.audio_format,
        "entry": int(batch.entry),
        "role_ids": json.dumps(batch.role_ids),
        "created_at": seconds(batch.created_at),
        **reply_values(batch.reply),
    }


def _song_values(batch_id: BatchId, songs: Sequence[Source]) -> Iterator[Values]:
    for number, source in enumerate(songs, start=1):
        yield {
            "batch_id": batch_id,
            "number": number,
            "filename": source.filename,
            "url": source.url,
            "size_bytes": source.size_bytes,
            "source_message_id": source.message_id,
        }
