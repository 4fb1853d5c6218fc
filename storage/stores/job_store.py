"""Stores jobs with their attempts, events and outstanding replies."""

import json
import secrets
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import datetime
from typing import NamedTuple

from bot.domain.analysis import Analysis
from bot.domain.attempt import Attempt
from bot.domain.errors import Reason, Rejected, StateMoved
from bot.domain.job import BatchId, Job, JobId, Request, State, UserId
from bot.domain.minutes import LedgerEntry, SpendCap
from storage.database.protocols import Connection, Database, Row
from storage.groups import vendor_places
from storage.groups.shard_group import EVERY_SHARD, ShardGroup
from storage.groups.vendor_places import Place, places_at
from storage.stores import job_statements as sql
from storage.stores import ledger_entries, vendor_spending
from storage.stores.job_rows import (
    UnreadableRow,
    UnreadableRows,
    attempt_of,
    attempt_values,
    job_of,
    job_values,
    seconds,
    work_values,
)
from storage.stores.lock_names import account_of, jobs_of, spending_under

# Without the ambiguous 0, 1, i, l and o, because people retype ids by hand.
_ALPHABET = "23456789abcdefghjkmnpqrstuvwxyz"
_ID_LENGTH = 5


def new_job_id() -> JobId:
    """Return a random public id, like `k7f2q`."""
    return JobId("".join(secrets.choice(_ALPHABET) for _ in range(_ID_LENGTH)))


class StaleReply(NamedTuple):
    """A job with a stale reply, and the version of the reply that this job produces."""

    job: Job
    version: int


class JobWithAttempts(NamedTuple):
    """A job and its attempts, in the order of their submits."""

    job: Job
    attempts: list[Attempt]


class JobStore:
    """Stores jobs. Each method that writes is one transaction.

    Several bots may share a database, each with its group. Methods that look for work return the
    group's jobs only; a job that is asked for by its id or by its user may be any group's.
    """

    def __init__(self, *, db: Database, shards: ShardGroup = EVERY_SHARD) -> None:
        self._db = db
        self._own = shards.parameters
        self._unreadable = UnreadableRows("jobs")
        self._unreadable_attempts = UnreadableRows("attempts")

    @property
    def unreadable(self) -> int:
        """The number of jobs that this version could not read. They are left unchanged."""
        return len(self._unreadable)

    async def add(self, job: Job, *, max_active: int, batch_number: int | None = None) -> Job:
        """Store a new job and return it as stored, with another id if its own was taken.

        If the interaction already has a job, return that job unchanged. A job of a batch is stored
        as the song with that number. Raises Rejected when the user has `max_active` unfinished
        jobs, and StateMoved if the song is no longer waiting.
        """

        async def work(conn: Connection) -> Job:
            values = {
                "id": job.id,
                "interaction_id": job.interaction_id,
                "user_id": job.request.user_id,
            }
            [found] = await conn.execute_fetchall(sql.BEFORE_INSERT, values)
            if found["known"] is not None:
                [known] = await conn.execute_fetchall(sql.BY_ID, (found["known"],))
                return job_of(known)
            if found["active"] >= max_active:
                raise Rejected(Reason.TOO_MANY_JOBS, limit=max_active)
            added = await _insert(conn, job, is_taken=bool(found["is_taken"]))
            if batch_number is not None:
                await _fill_slot(conn, added, batch_number)
            return added

        return await self._db.write(work, locks=[jobs_of(job.request.user_id)])

    async def get(self, job_id: JobId) -> Job | None:
        """Return the job, regardless of its owner."""
        return next(self._readable(await self._db.read(sql.BY_ID, (job_id,))), None)

    async def with_attempts(self, job_id: JobId) -> JobWithAttempts | None:
        """Return the job and its attempts in order of submission, from one snapshot.

        Skips a job with an attempt that this version cannot read, because an unknown submit would
        be repeated.
        """
        rows = await self._db.read(sql.WITH_ATTEMPTS, (job_id,))
        if not rows:
            return None
        try:
            return JobWithAttempts(job_of(rows[0]), list(_attempts_beside(rows)))
        except UnreadableRow as exc:
            self._unreadable.skip(job_id, exc)
            return None

    async def of_interaction(self, interaction_id: int) -> Job | None:
        """Return the interaction's job."""
        rows = await self._db.read(sql.BY_INTERACTION, (interaction_id,))
        return next(self._readable(rows), None)

    async def of_user(self, user_id: UserId, limit: int) -> list[Job]:
        """Return the user's jobs, newest first."""
        return list(self._readable(await self._db.read(sql.OF_USER, (user_id, limit))))

    async def with_stems(self, user_id: UserId, limit: int) -> list[Job]:
        """Return the user's jobs with results that can be shown again, newest first."""
        return list(self._readable(await self._db.read(sql.WITH_STEMS, (user_id, limit))))

    async def made_before(self, request: Request, digest: str) -> Job | None:
        """Return the user's finished job for the same file and request, if its stems are kept."""
        asked = (request.user_id, digest, request.recipe, request.provider)
        return next(self._readable(await self._db.read(sql.MADE_BEFORE, asked)), None)

    async def unfinished(self) -> list[Job]:
        """Return the group's jobs that are not in a final state, oldest first."""
        return list(self._readable(await self._db.read(sql.UNFINISHED, self._own)))

    async def unfinished_ids(self) -> frozenset[JobId]:
        """Return every group's jobs that are not in a final state."""
        rows = await self._db.read(sql.UNFINISHED_ANYWHERE)
        return frozenset(JobId(row["id"]) for row in rows)

    async def known_ids(self) -> frozenset[JobId]:
        """Return every job that may have files."""
        return frozenset(JobId(row["id"]) for row in await self._db.read(sql.WITH_FILES))

    async def save(
        self,
        job: Job,
        *,
        expected: State,
        attempt: Attempt | None = None,
        caps: Sequence[SpendCap] = (),
        place: Place | None = None,
        ledger: LedgerEntry | None = None,
        note: str = "",
        reply_is_current: bool = False,
        only_unacknowledged: bool = False,
    ) -> None:
        """Save a job that is in state `expected`, with all related changes, in one transaction.

        The reply becomes stale, unless `reply_is_current` says that it already shows the change.
        Raises StateMoved if the job has left `expected`, or has been acknowledged and
        `only_unacknowledged` is set; SpendCapReached if a new attempt exceeds one of `caps`;
        NoPlaceFree if it cannot have its `place`; and QuotaExceeded if a hold does not fit. Nothing
        is written in these cases.
        """

        async def work(conn: Connection) -> None:
            values = {
                **work_values(job),
                "id": job.id,
                "message_id": job.reply.message_id,
                "expected": expected,
                "reply_is_current": reply_is_current,
                "only_unacknowledged": only_unacknowledged,
            }
            if (await conn.execute(sql.SAVE, values)).rowcount != 1:
                raise StateMoved(f"{job.id} is no longer {expected}")
            await conn.execute(sql.ADD_EVENT, _event(job, expected, note))
            if attempt is not None:
                await vendor_spending.admit(conn, attempt.cost_minutes, caps)
                await conn.execute(sql.PUT_ATTEMPT, attempt_values(attempt))
            if place is not None:
                guild_id, at = job.reply.guild_id, seconds(job.updated_at)
                await vendor_places.take(conn, place, job_id=job.id, guild_id=guild_id, at=at)
            if ledger is not None:
                await ledger_entries.apply(conn, ledger, at=seconds(job.updated_at))
            await conn.execute(sql.DROP_SECRETS, (job.id,))
            await _make_batch_stale(conn, job)

        locks = [] if attempt is None else spending_under(caps)
        if ledger is not None:
            locks.append(account_of(job.request.user_id))
        if place is not None:
            locks.append(places_at(place.provider))
        await self._db.write(work, locks=locks)

    async def acknowledge(self, job_id: JobId, now: datetime, *, message_id: int | None) -> bool:
        """Record that Discord has shown the user an answer, and return whether it is the first.

        Does nothing if the job is already acknowledged or finished.
        """

        async def work(conn: Connection) -> bool:
            at = seconds(now)
            values = {"job_id": job_id, "at": at, "message_id": message_id}
            if (await conn.execute(sql.ACKNOWLEDGE, values)).rowcount != 1:
                return False
            received = State.RECEIVED
            event = {"from_state": received, "to_state": received, "note": "acknowledged"}
            await conn.execute(sql.ADD_EVENT, {"job_id": job_id, "at": at, **event})
            return True

        return await self._db.write(work)

    async def record(self, attempt: Attempt) -> None:
        """Store an attempt, regardless of its job's state."""
        values = attempt_values(attempt)
        await self._db.write(lambda conn: conn.execute(sql.PUT_ATTEMPT, values))

    async def in_batch(self, batch_id: BatchId) -> list[Job]:
        """Return the jobs of a batch."""
        return list(self._readable(await self._db.read(sql.IN_BATCH, (batch_id,))))

    async def attempts(self, job_id: JobId) -> list[Attempt]:
        """Return the job's attempts in order of submission, without those that this version cannot
        read.
        """
        rows = await self._db.read(sql.ATTEMPTS, (job_id,))
        return list(self._readable_attempts(rows))

    async def left_open(self) -> list[Attempt]:
        """Return the open attempts of jobs that ended without a result."""
        return list(self._readable_attempts(await self._db.read(sql.LEFT_OPEN, self._own)))

    async def abandoned_since(self, since: datetime) -> list[Attempt]:
        """Return accepted attempts submitted at or after `since` that were abandoned."""
        values = {"since": seconds(since), **self._own}
        rows = await self._db.read(sql.ABANDONED_SINCE, values)
        return list(self._readable_attempts(rows))

    async def owed(self) -> dict[JobId, int]:
        """Return the jobs with stale replies, and the version that each reply should show."""
        rows = await self._db.read(sql.OWED, self._own)
        return {JobId(row["id"]): row["wanted_version"] for row in rows}

    async def stale_replies(self, among: Iterable[JobId]) -> list[StaleReply]:
        """Return these jobs' stale replies, longest-waiting first."""
        rows = await self._db.read(sql.STALE, (json.dumps(list(among)),))
        versions = {row["id"]: row["wanted_version"] for row in rows}
        return [StaleReply(job, versions[job.id]) for job in self._readable(rows)]

    async def reply_shown(
        self, job_id: JobId, version: int, *, message_id: int | None = None
    ) -> None:
        """Record that the reply shows `version`. A finished job then no longer needs its token."""

        async def work(conn: Connection) -> None:
            values = {"id": job_id, "version": version, "message_id": message_id}
            await conn.execute(sql.REPLY_SHOWN, values)
            await conn.execute(sql.DROP_SECRETS, (job_id,))

        await self._db.write(work)

    async def note_analysis(self, job_id: JobId, analysis: Analysis) -> None:
        """Store the analysis of the job's stems."""
        values = (analysis.to_json(), job_id)
        await self._db.write(lambda conn: conn.execute(sql.NOTE_ANALYSIS, values))

    async def readdress(self, job_id: JobId, url: str) -> None:
        """Store the new address of the user's file, unless the job's files have expired."""
        await self._db.write(lambda conn: conn.execute(sql.READDRESS, (url, job_id)))

    async def expired(self, before: datetime) -> list[JobId]:
        """Return jobs that may have files and have not changed since `before`, oldest first."""
        values = {"before": seconds(before), **self._own}
        return [JobId(row["id"]) for row in await self._db.read(sql.EXPIRED, values)]

    async def mark_expired(self, job_id: JobId) -> None:
        """Mark the job's files as deleted, and delete the secrets that gave access to them."""

        async def work(conn: Connection) -> None:
            await conn.execute(sql.MARK_EXPIRED, (job_id,))
            await conn.execute(sql.FORGET_REMOTE_FILES, (job_id,))

        await self._db.write(work)

    def _readable(self, rows: Iterable[Row]) -> Iterator[Job]:
        """Build the jobs from readable rows, and log each unreadable row once."""
        for row in rows:
            try:
                yield job_of(row)
            except UnreadableRow as exc:
                self._unreadable.skip(row["id"], exc)

    def _readable_attempts(self, rows: Iterable[Row]) -> Iterator[Attempt]:
        for row in rows:
            try:
                yield attempt_of(row)
            except UnreadableRow as exc:
                self._unreadable_attempts.skip(f"an attempt of {row['job_id']}", exc)


def _attempts_beside(rows: Iterable[Row]) -> Iterator[Attempt]:
    """Build the attempts from rows of the WITH_ATTEMPTS query."""
    for row in rows:
        values = {name: row[f"{sql.ATTEMPT_PREFIX}{name}"] for name in sql.ATTEMPT_COLUMNS}
        if values["job_id"] is not None:
            yield attempt_of(values)


async def _insert(conn: Connection, job: Job, *, is_taken: bool) -> Job:
    while is_taken:
        job = replace(job, id=new_job_id())
        is_taken = bool(list(await conn.execute_fetchall(sql.ID_TAKEN, {"id": job.id})))
    [row] = await conn.execute_fetchall(sql.INSERT, job_values(job))
    await conn.execute(sql.ADD_EVENT, _event(job, None, ""))
    return job_of(row)


async def _fill_slot(conn: Connection, job: Job, number: int) -> None:
    values = {"job_id": job.id, "batch_id": job.batch_id, "number": number}
    if (await conn.execute(sql.FILL_SLOT, values)).rowcount != 1:
        raise StateMoved(f"song {number} of {job.batch_id} no longer waits")
    await _make_batch_stale(conn, job)


async def _make_batch_stale(conn: Connection, job: Job) -> None:
    if job.batch_id is not None:
        values = {"batch_id": job.batch_id, "at": seconds(job.updated_at)}
        await conn.execute(sql.STALE_BATCH, values)


def _event(job: Job, from_state: State | None, note: str) -> dict[str, str | int | None]:
    return {
        "job_id": job.id,
        "from_state": from_state,
        "to_state": job.state,
        "at": seconds(job.updated_at),
        "note": note,
    }
