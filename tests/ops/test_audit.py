"""The audit: clean on what the services leave, and a planted violation is the one it names."""

import asyncio
import shutil
import sqlite3
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import pytest

from bot.domain.job import State
from bot.ops.finding import Finding
from storage.schema import UnknownDatabase, migrations
from tests.ops.evidence import Evidence, collect


@dataclass(frozen=True, slots=True)
class Violation:
    """Statements that break one claim, and the id that the audit has to name."""

    claim: str
    offender: str
    statements: tuple[str, ...]

    def __str__(self) -> str:
        return f"{self.claim}: {self.offender}"


def breaks(claim: str, offender: str, *statements: str) -> Violation:
    return Violation(claim, offender, statements)


MOVE = "at, period, kind, debit, credit, minutes, job_id, hold_id, allowance, actor_id"
TRY = "model, state, cost_minutes, submitted_at, updated_at"
WITHOUT_UNIQUE_REQUESTS = (
    "CREATE TABLE copied AS SELECT * FROM jobs",
    "PRAGMA foreign_keys = OFF",
    "DROP TABLE jobs",
    "PRAGMA legacy_alter_table = ON",  # triggers elsewhere may name the table meanwhile
    "ALTER TABLE copied RENAME TO jobs",
    "CREATE UNIQUE INDEX jobs_by_id ON jobs (id)",
)


def repeat(kind: str, job: str) -> str:
    where = f"WHERE job_id = '{job}' AND kind = '{kind}'"
    return f"INSERT INTO ledger ({MOVE}) SELECT {MOVE} FROM ledger {where}"


VIOLATIONS = [
    breaks(
        "no work before its acknowledgement",
        "held",
        "UPDATE jobs SET acknowledged_at = NULL WHERE id = 'held'",
    ),
    breaks(
        "one job a request",
        "kept failed",
        *WITHOUT_UNIQUE_REQUESTS,
        "UPDATE jobs SET interaction_id = 0 WHERE id IN ('kept', 'failed')",
    ),
    breaks(
        "events lead to the state, by allowed steps",
        "received",
        "DELETE FROM events WHERE job_id = 'received'",
    ),
    breaks(
        "events lead to the state, by allowed steps",
        "kept",
        "DELETE FROM events WHERE job_id = 'kept' AND to_state = 'processing'",
    ),
    breaks(
        "events lead to the state, by allowed steps",
        "submitting",
        "DELETE FROM events WHERE job_id = 'submitting' AND to_state = 'submitting'",
    ),
    breaks(
        "events lead to the state, by allowed steps",
        "failed",
        "UPDATE events SET to_state = 'delivered' WHERE job_id = 'failed' AND to_state = 'failed'",
    ),
    breaks(
        "the ledger sums to zero for everyone, gifts apart",
        "99",
        "UPDATE ledger SET id = 99, debit = 'user:666:used' WHERE kind = 'reset'",
    ),
    breaks("minutes are held as measured, once", "held", repeat("hold", "held")),
    breaks(
        "minutes are held as measured, once", "held", "DELETE FROM ledger WHERE job_id = 'held'"
    ),
    breaks(
        "minutes are held as measured, once",
        "submitting",
        "UPDATE ledger SET minutes = 3 WHERE job_id = 'submitting'",
    ),
    breaks(
        "a hold ends with its job, once",
        "delivered",
        "DELETE FROM ledger WHERE job_id = 'delivered' AND kind = 'post'",
    ),
    breaks("a hold ends with its job, once", "kept", repeat("post", "kept")),
    breaks("a hold ends with its job, once", "held", "DELETE FROM jobs WHERE id = 'held'"),
    breaks(
        "posts are of jobs that were ready, voids of the rest",
        "failed",
        "UPDATE ledger SET kind = 'post', credit = replace(credit, 'available', 'used') "
        "WHERE job_id = 'failed' AND kind = 'void'",
    ),
    breaks(
        "posts are of jobs that were ready, voids of the rest",
        "delivered",
        "UPDATE ledger SET kind = 'void', credit = replace(credit, 'used', 'available') "
        "WHERE job_id = 'delivered' AND kind = 'post'",
    ),
    *(
        breaks(
            "what was held is posted or given back",
            "ready",
            f"UPDATE ledger SET {change} WHERE job_id = 'ready' AND kind = 'post'",
        )
        for change in (
            "minutes = 9",
            "period = '2026-11-21'",
            "debit = replace(debit, 'held', 'available')",
            "credit = replace(credit, 'used', 'available')",
        )
    ),
    breaks(
        "no hold above the allowance it was admitted under",
        "kept",
        "UPDATE ledger SET allowance = 3 WHERE job_id = 'kept' AND kind = 'hold'",
    ),
    breaks(
        "no pool hands out more than it was given",
        "pool:7:available",
        "UPDATE ledger SET minutes = 19 WHERE credit = 'pool:7:available'",
    ),
    breaks(
        "billed by decoded length",
        "ready",
        "UPDATE jobs SET frames = 1 + frames WHERE id = 'ready'",
    ),
    breaks("billed by decoded length", "held", "UPDATE jobs SET frames = NULL WHERE id = 'held'"),
    *(
        breaks(
            "nothing is sent twice to a hosted provider",
            "failed at finevoice",
            f"INSERT INTO attempts (job_id, provider, number, {TRY}) "
            f"SELECT job_id, provider, 3, {TRY} FROM attempts "
            f"WHERE job_id = 'failed' AND number = {like}",
        )
        for like in (1, 2)
    ),
    breaks(
        "no song is started over and over here",
        "failed at local",
        *(
            f"INSERT INTO attempts (job_id, provider, number, {TRY}) "
            f"VALUES ('failed', 'local', {number}, 'spleeter', 'failed', 0, 1, 1)"
            for number in (1, 2, 3, 4)
        ),
    ),
    breaks(
        "finished replies show how it ended",
        "failed",
        "UPDATE jobs SET wanted_version = wanted_version + 1, updated_at = updated_at - 7200 "
        "WHERE id = 'failed'",
    ),
    *(
        breaks(
            "no token is kept without need",
            job,
            f"UPDATE jobs SET token = 'a token' WHERE id = '{job}'",
        )
        for job in ("kept", "expired")
    ),
    breaks(
        "no signed address outlives the files",
        "expired",
        "UPDATE jobs SET url = url || '?hm=2' WHERE id = 'expired'",
    ),
    breaks(
        "no signed address outlives the files",
        "expired",
        "UPDATE attempts SET files = '[[\"https://vendor.example/a?signed=1\", null]]' "
        "WHERE job_id = 'expired'",
    ),
    breaks(
        "no files past their time",
        "delivered",
        "UPDATE jobs SET updated_at = updated_at - 100000 WHERE id = 'delivered'",
    ),
    breaks(
        "no reference leads nowhere",
        "events row 1",
        "PRAGMA foreign_keys = OFF",
        "DELETE FROM jobs WHERE id = 'received'",
    ),
]


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("original")
    asyncio.run(collect(root))
    return root


@pytest.fixture
def evidence(original: Path, tmp_path: Path) -> Evidence:
    shutil.copytree(original, tmp_path, dirs_exist_ok=True)
    return Evidence(tmp_path)


def test_what_the_services_leave_is_clean(evidence: Evidence):
    findings = evidence.audit()
    assert [str(each) for each in findings if not each.is_good] == []
    assert {each.invariant for each in findings} == {1, 2, 3, 4, 5, 6, 7, 8}


@pytest.mark.parametrize("violation", VIOLATIONS, ids=str)
def test_a_violation_breaks_its_claim_and_no_other(evidence: Evidence, violation: Violation):
    evidence.plant(*violation.statements)
    assert evidence.broken() == {violation.claim: (violation.offender,)}


def test_every_claim_about_rows_can_fail(evidence: Evidence):
    claims = {each.claim for each in evidence.audit()}
    elsewhere = {
        "no files without a job",
        "finished jobs have their stems",
        "the database file is whole",
    }
    assert {each.claim for each in VIOLATIONS} == claims - elsewhere


def test_drained_means_that_every_job_is_over_and_shown(evidence: Evidence):
    evidence.plant("UPDATE jobs SET wanted_version = wanted_version + 1 WHERE id = 'kept'")
    assert evidence.broken() == {}
    unfinished = tuple(state.value for state in State if not state.is_final)
    assert evidence.broken(drained=True) == {
        "every job is over": unfinished,
        "finished replies show how it ended": ("kept",),
    }


@pytest.mark.parametrize("name", ["a2b3c", "expired", "stray.flac"])
def test_files_without_a_job_are_named(evidence: Evidence, name: str):
    (evidence.jobs / name).mkdir()
    assert evidence.broken() == {"no files without a job": (name,)}


@pytest.mark.parametrize("job", ["ready", "delivered", "kept"])
def test_a_result_without_its_stems_is_named(evidence: Evidence, job: str):
    (evidence.jobs / job / "masters" / "bass.flac").unlink()
    assert evidence.broken() == {"finished jobs have their stems": (job,)}


def test_a_data_directory_without_jobs_folder_lacks_the_stems(evidence: Evidence):
    shutil.rmtree(evidence.jobs)
    assert evidence.broken() == {"finished jobs have their stems": ("ready", "delivered", "kept")}


def test_a_damaged_file_is_told_as_that_and_nothing_else(evidence: Evidence):
    with closing(sqlite3.connect(evidence.database)) as conn:
        [page] = conn.execute(
            "SELECT rootpage FROM sqlite_schema WHERE name = 'events_of_job'"
        ).fetchone()
        [size] = conn.execute("PRAGMA page_size").fetchone()
    with evidence.database.open("r+b") as file:
        file.seek((page - 1) * size)
        file.write(b"\0" * size)
    [finding] = evidence.audit()
    assert (finding.claim, finding.is_good) == ("the database file is whole", False)


def test_an_older_schema_is_refused_with_what_to_do(evidence: Evidence):
    evidence.plant("PRAGMA user_version = 0")
    with pytest.raises(UnknownDatabase, match="start the bot once"):
        evidence.audit()


def test_a_newer_schema_is_refused(evidence: Evidence):
    evidence.plant(f"PRAGMA user_version = {len(migrations()) + 1}")
    with pytest.raises(UnknownDatabase, match="knows only up to"):
        evidence.audit()


def test_nothing_to_read_is_said_in_one_line(tmp_path: Path):
    with pytest.raises(UnknownDatabase, match=f"no database to read at {tmp_path}"):
        Evidence(tmp_path).audit()
    assert list(tmp_path.iterdir()) == []


def test_many_offenders_are_counted_not_listed():
    offenders = tuple(f"job{number}" for number in range(1200))
    line = str(
        Finding(invariant=3, claim="a claim", looked_at=5000, of="jobs", offenders=offenders)
    )
    assert line.startswith("FAILED  3  a claim (5,000 jobs): job0, job1,")
    assert line.endswith("job9 and 1,190 more")
