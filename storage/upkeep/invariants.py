"""The audit: checks a database and its job files against ARCHITECTURE.md's invariants.

It reads a single snapshot of the database, whether or not a bot is running, and changes nothing.
"""

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from bot.domain.attempt import MAX_LOCAL_STARTS
from bot.domain.job import TRANSITIONS, State
from bot.domain.minutes import SAMPLE_RATE
from storage.database.opening import Address, open_reader
from storage.database.protocols import Reader, Row
from storage.stores import job_statements as statements
from storage.stores.batches import EVERY_BATCH, batch_of
from storage.stores.job_rows import UnreadableRow, attempt_of, job_of, seconds
from storage.upkeep import invariant_queries as sql
from storage.upkeep.finding import Finding
from storage.upkeep.job_folders import JobFolders, ListStored

REPLY_GRACE = timedelta(hours=1)
"""How long a reply may stay stale before the audit reports it."""
SWEEP_GRACE = timedelta(minutes=10)
"""How long retention, which runs once a minute, may take to delete files."""
END_OF_TIME = 2**62


@dataclass(frozen=True, slots=True)
class Claim:
    """The claim that a statement of `invariant_queries` checks, and the invariant it belongs to."""

    invariant: int
    text: str
    of: str
    sql: str


CLAIMS = (
    Claim(1, "no work before its acknowledgement", "jobs", sql.NO_WORK_UNACKNOWLEDGED),
    Claim(1, "one job a request", "requests", sql.ONE_JOB_A_REQUEST),
    Claim(1, "events lead to the state, by allowed steps", "jobs", sql.LEGAL_PATH),
    Claim(1, "a batch ends with its last song", "batches", sql.SONGS_ENDED),
    Claim(2, "the ledger sums to zero for everyone, gifts apart", "rows", sql.SUMS_TO_ZERO),
    Claim(2, "minutes are held as measured, once", "jobs", sql.HELD_AS_MEASURED),
    Claim(2, "a hold ends with its job, once", "holds", sql.ENDED_ONCE),
    Claim(2, "posts are of jobs that were ready, voids of the rest", "ends", sql.POSTED_WHEN_READY),
    Claim(2, "what was held is posted or given back", "ends", sql.ENDED_AS_HELD),
    Claim(2, "minutes of lost stems are given back, no others", "holds", sql.GIVEN_BACK),
    Claim(3, "no hold above the allowance it was admitted under", "holds", sql.ADMITTED_WITHIN),
    Claim(3, "no pool hands out more than it was given", "pools", sql.POOLS_LAST),
    Claim(3, "billed by decoded length", "jobs", sql.BILLED_BY_LENGTH),
    Claim(4, "nothing is sent twice to a hosted provider", "jobs at one", sql.SENT_ONCE),
    Claim(4, "no song is started over and over here", "jobs at one", sql.STARTED_THREE_TIMES),
    Claim(5, "finished replies show how it ended", "replies", sql.REPLY_SHOWN),
    Claim(5, "finished batches show how they ended", "batches", sql.BATCH_SHOWN),
    Claim(6, "no secret of a batch outlives it", "batches", sql.BATCH_SECRETS_DROPPED),
    Claim(6, "no token is kept without need", "jobs", sql.TOKENS_DROPPED),
    Claim(6, "no waiting reply outlives its token", "replies", sql.OPEN_REPLIES_DROPPED),
    Claim(6, "no signed address outlives the files", "jobs", sql.ADDRESSES_DROPPED),
    Claim(6, "nothing of whom they were is left in forgotten jobs", "jobs", sql.FORGOTTEN_EMPTY),
    Claim(7, "no files past their time", "jobs", sql.WITHIN_THEIR_TIME),
)
DRAINED = (
    Claim(1, "every job is over", "jobs", sql.ALL_FINAL),
    Claim(1, "every batch is over", "batches", sql.ALL_BATCHES_FINAL),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """The audit's parameters."""

    now: datetime
    keep: timedelta
    """How long files are kept, as in the settings."""
    drained: bool = False
    """Whether every job must be final and every reply current."""


def audit(
    database: Address, jobs: Path, terms: Terms, *, list_stored: ListStored = frozenset
) -> list[Finding]:
    """Check every claim, in the order of the invariants.

    `list_stored` lists the paths of jobs' files in an object store, if there is one.
    If the database is found damaged, only that is reported, because its content cannot be trusted.
    Raises UnknownDatabase, and StoreUnavailable if its server cannot be reached.
    """
    # Folders are listed first because a job is stored before its folder is created.
    folders = JobFolders.listed(jobs, list_stored)
    with open_reader(database, is_current=True) as reader:
        with reader.snapshot():  # every claim is checked on the same state
            whole = _whole(reader)
            if not whole.is_good:
                return [whole]
            claims = (*CLAIMS, *DRAINED) if terms.drained else CLAIMS
            values = _values(terms)
            found = [_check(reader, claim, values) for claim in claims]
            found += [whole, _references(reader), _readable(reader)]
        found += folders.check(reader, values)
    return sorted(found, key=lambda finding: finding.invariant)


def _check(reader: Reader, claim: Claim, values: Mapping[str, int | str]) -> Finding:
    rows = reader.rows(claim.sql, values)
    return Finding(
        invariant=claim.invariant,
        claim=claim.text,
        looked_at=len(rows),
        of=claim.of,
        offenders=tuple(sorted(str(row["subject"]) for row in rows if not row["holds"])),
    )


def _values(terms: Terms) -> dict[str, int | str]:
    kept_since = terms.now - terms.keep
    settled_before = END_OF_TIME if terms.drained else seconds(terms.now - REPLY_GRACE)
    return {
        "ways": json.dumps(list(_ways())),
        "frames_a_minute": 60 * SAMPLE_RATE,
        "local_starts": MAX_LOCAL_STARTS,
        "settled_before": settled_before,
        "tokens_valid_since": seconds(terms.now - SWEEP_GRACE),
        "kept_since": seconds(kept_since - SWEEP_GRACE),
        "not_due_since": seconds(kept_since + SWEEP_GRACE),
    }


def _ways() -> Iterator[str]:
    yield f"{State.RECEIVED}>{State.RECEIVED}"  # its acknowledgement
    for start, ends in TRANSITIONS.items():
        for end in ends:
            yield f"{start}>{end}"


def _whole(reader: Reader) -> Finding:
    return Finding(
        invariant=8,
        claim="the database file is whole",
        looked_at=reader.pages(),
        of="pages",
        offenders=tuple(reader.faults()),
    )


def _readable(reader: Reader) -> Finding:
    readers: tuple[tuple[str, Callable[[Row], object]], ...] = (
        (statements.EVERY, job_of),
        (statements.EVERY_ATTEMPT, attempt_of),
        (EVERY_BATCH, batch_of),
    )
    rows = [(row, read) for sql_text, read in readers for row in reader.rows(sql_text)]
    return Finding(
        invariant=8,
        claim="this version can read every row",
        looked_at=len(rows),
        of="rows",
        offenders=tuple(dict.fromkeys(filter(None, (_unreadable(*each) for each in rows)))),
    )


def _unreadable(row: Row, read: Callable[[Row], object]) -> str | None:
    """Return the row's job and the unreadable value, or None if this version can read the row."""
    try:
        read(row)
    except UnreadableRow as exc:
        return f"{row[0]} ({exc})"
    return None


def _references(reader: Reader) -> Finding:
    [row] = reader.rows(sql.COUNT_REFERENCES)
    return Finding(
        invariant=8,
        claim="no reference leads nowhere",
        looked_at=row["known"],
        of="references",
        offenders=tuple(reader.lost_references()),
    )
