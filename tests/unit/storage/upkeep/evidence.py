"""A data directory with jobs in every state, and helpers to corrupt it."""

import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from datetime import timedelta
from enum import Enum
from pathlib import Path

import psycopg

from bot.domain.attempt import AttemptState, RemoteFile
from bot.domain.job import BatchId, Job, State, UserId
from bot.domain.minutes import Refund
from bot.domain.recipes import OUTPUTS
from storage.database.opening import PostgresUrl
from storage.database.protocols import Database
from storage.files.job_files import JobFiles
from storage.stores.batches import BatchStore
from storage.stores.guild_pools import GuildPools
from storage.stores.job_store import JobStore
from storage.stores.ledger import Ledger
from storage.upkeep.finding import Finding
from storage.upkeep.forgetting import Forgetting
from storage.upkeep.invariants import Terms, audit
from tests.support.both_databases import reopen
from tests.support.domain_factories import (
    ADMIN,
    NOW,
    PROBLEM,
    TODAY,
    USER,
    StillClock,
    a_batch,
    a_job,
    an_attempt,
    lead,
)


class Guard(Enum):
    """A guard of the schema that only some violations remove."""

    UNIQUE_REQUESTS = "unique requests"
    REFERENCES = "references"


UNGUARD = (
    "PRAGMA foreign_keys = ON",
    "DROP TRIGGER ledger_refuses_update",
    "DROP TRIGGER ledger_refuses_delete",
    "DROP TRIGGER forgotten_jobs_stay_so",
    "DROP TRIGGER forgotten_attempts_stay_so",
    "DROP INDEX ledger_one_hold_a_job",
    "DROP INDEX ledger_one_end_of_a_hold",
    "DROP INDEX ledger_one_refund_of_a_hold",
)
WITHOUT: Mapping[Guard, tuple[str, ...]] = {
    Guard.UNIQUE_REQUESTS: (
        "CREATE TABLE copied AS SELECT * FROM jobs",
        "PRAGMA foreign_keys = OFF",
        "DROP TABLE jobs",
        "PRAGMA legacy_alter_table = ON",  # lets other triggers refer to the dropped table
        "ALTER TABLE copied RENAME TO jobs",
        "CREATE UNIQUE INDEX jobs_by_id ON jobs (id)",
    ),
    Guard.REFERENCES: ("PRAGMA foreign_keys = OFF",),
}
POSTGRES_UNGUARD = (
    "DROP TRIGGER ledger_refuses_update ON ledger",
    "DROP TRIGGER ledger_refuses_delete ON ledger",
    "DROP TRIGGER forgotten_jobs_stay_so ON jobs",
    "DROP TRIGGER forgotten_attempts_stay_so ON attempts",
    *(statement for statement in UNGUARD if statement.startswith("DROP INDEX")),
)
POSTGRES_WITHOUT: Mapping[Guard, tuple[str, ...]] = {
    Guard.UNIQUE_REQUESTS: ("ALTER TABLE jobs DROP CONSTRAINT jobs_interaction_id_key",),
    Guard.REFERENCES: ("SET session_replication_role = replica",),
}
KEEP = timedelta(hours=24)
STRANGER = UserId(2**61 + 5)
LONG_AGO = NOW - timedelta(days=2)


@dataclass(frozen=True, slots=True)
class Evidence:
    """The data directory and its audit."""

    root: Path
    address: PostgresUrl | None = None
    """The PostgreSQL database; None for SQLite's file."""

    @property
    def database(self) -> Path:
        return self.root / "stemcord.db"

    @property
    def jobs(self) -> Path:
        return self.root / "jobs"

    def audit(self, *, drained: bool = False) -> list[Finding]:
        return audit(
            self.address or self.database, self.jobs, Terms(now=NOW, keep=KEEP, drained=drained)
        )

    def broken(self, *, drained: bool = False) -> dict[str, tuple[str, ...]]:
        """Return the violations of each broken claim."""
        findings = self.audit(drained=drained)
        return {each.claim: each.offenders for each in findings if not each.is_good}

    def plant(self, *statements: str | Guard) -> None:
        """Run statements with the schema's guards removed."""
        if self.address is not None:
            with psycopg.connect(self.address.secret, autocommit=True) as server:
                for each in _lines(POSTGRES_UNGUARD, statements, POSTGRES_WITHOUT):
                    assert server.execute(each.encode()).rowcount, f"changes nothing: {each}"
            return
        with closing(sqlite3.connect(self.database, isolation_level=None)) as conn:
            conn.execute("PRAGMA synchronous = OFF")
            for each in _lines(UNGUARD, statements, WITHOUT):
                assert conn.execute(each).rowcount, f"changes nothing: {each}"


def _lines(
    first: Iterable[str],
    statements: Iterable[str | Guard],
    without: Mapping[Guard, tuple[str, ...]],
) -> Iterator[str]:
    yield from first
    for each in statements:
        yield from without[each] if isinstance(each, Guard) else (each,)


async def collect(root: Path, address: PostgresUrl | None = None) -> Evidence:
    """Create the directory with one job per state, named after it, and some special cases."""
    evidence = Evidence(root, address)
    db = await reopen(address or evidence.database)
    try:
        jobs, ledger = JobStore(db=db), Ledger(db=db, clock=StillClock())
        for state in State:
            await _add(jobs, JobFiles(evidence.jobs), state)
        await _add_lost(jobs)
        await _add_expired(jobs)
        await _add_batch(db)
        await _add_forgotten(db)
        await ledger.grant(USER, 5, TODAY, ADMIN)
        await ledger.reset(USER, TODAY, ADMIN)
        pools = GuildPools(db=db, clock=StillClock())
        await pools.give(7, 20, TODAY, ADMIN)
        await pools.hand_out(7, USER, 20, TODAY, ADMIN)
    finally:
        await db.close()
    return evidence


async def _add(jobs: JobStore, files: JobFiles, state: State) -> Job:
    job = await lead(jobs, state, job=a_job(job_id=state.value))
    if state not in (State.RECEIVED, State.HELD):
        has_result = state in (State.READY, State.DELIVERED, State.KEPT)
        await jobs.record(an_attempt(job, state=AttemptState.NOT_SENT))
        ended = AttemptState.DONE if has_result else AttemptState.ACCEPTED
        await jobs.record(an_attempt(job, number=2, state=ended))
        where = await files.prepare(job.id)
        for output in OUTPUTS[job.request.recipe] if has_result else ():
            where.master(output.stem).write_bytes(b"flac")
    if state.is_final:
        for stale in await jobs.stale_replies(await jobs.owed()):
            if stale.job.id == job.id:
                await jobs.reply_shown(job.id, stale.version)
    return job


async def _add_lost(jobs: JobStore) -> None:
    job = await lead(jobs, State.READY, job=a_job(job_id="lost"))
    failed = job.failed(NOW, PROBLEM)
    await jobs.save(failed, expected=State.READY, ledger=Refund(job.id))
    for stale in await jobs.stale_replies(await jobs.owed()):
        if stale.job.id == job.id:
            await jobs.reply_shown(job.id, stale.version)


async def _add_expired(jobs: JobStore) -> None:
    job = a_job(job_id="expired", created_at=LONG_AGO, updated_at=LONG_AGO)
    job = await lead(jobs, State.DELIVERED, job=job)
    files = (RemoteFile("https://vendor.example/vocals.wav?signed=1"),)
    await jobs.record(an_attempt(job, state=AttemptState.DONE, files=files))
    await jobs.mark_expired(job.id)


async def _add_batch(db: Database) -> None:
    """Add a batch of two songs: one became a job that failed, the other was refused."""
    batches, jobs = BatchStore(db=db), JobStore(db=db)
    asked = a_job(job_id="of_batch", batch_id=BatchId("songs"), acknowledged_at=NOW)
    batch = a_batch(batch_id="songs")
    await batches.add(batch, [asked.request.source] * 2)
    await batches.acknowledge(batch.id, NOW, message_id=7)
    job = await jobs.add(asked, max_active=100, batch_number=1)
    await jobs.save(job.failed(NOW, PROBLEM), expected=State.RECEIVED)
    await batches.refuse(batch.id, 2, NOW, PROBLEM)
    assert await batches.close(batch.id, NOW)
    for batch_id, version in (await batches.owed()).items():
        await batches.reply_shown(batch_id, version)


async def _add_forgotten(db: Database) -> None:
    jobs = JobStore(db=db)
    job = await lead(jobs, State.DELIVERED, job=a_job(job_id="forgotten", user_id=STRANGER))
    files = (RemoteFile("https://vendor.example/vocals.wav?signed=1"),)
    await jobs.record(an_attempt(job, state=AttemptState.DONE, files=files))
    await Forgetting(db=db).forget(STRANGER, TODAY)
