"""Violations of the audit's claims: SQL statements, and the id that the audit must report."""

from dataclasses import dataclass

from tests.unit.storage.upkeep.evidence import Guard


@dataclass(frozen=True, slots=True)
class Violation:
    """Statements that break one claim, and the id that the audit must report."""

    claim: str
    offender: str
    statements: tuple[str | Guard, ...]

    def __str__(self) -> str:
        return f"{self.claim}: {self.offender}"


def breaks(claim: str, offender: str, *statements: str | Guard) -> Violation:
    return Violation(claim, offender, statements)


MOVE = "at, period, kind, debit, credit, minutes, job_id, hold_id, allowance, actor_id"
TRY = "model, state, cost_minutes, submitted_at, updated_at"
FORGOTTEN_JOB = (
    "user_id = 7",
    "interaction_id = 123456789",
    "filename = 'Neon Rain.mp3'",
    "url = 'https://cdn.example/a.mp3'",
    "size_bytes = 7",
    "source_message_id = 7",
    "digest = 'a digest'",
    "role_ids = '[7]'",
    "channel_id = 7",
    "parent_channel_id = 7",
    "guild_id = 7",
    "message_id = 7",
    "token_expires_at = 7",
    "locale = 'pt-BR'",
    "title = 'Neon Rain'",
    "facts = '{\"left\": 7}'",
    "rendition = '{\"cents\":100}'",
    "analysis = '{\"key\":null}'",
    "batch_id = 'songs'",
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
        Guard.UNIQUE_REQUESTS,
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
        "minutes of lost stems are given back, no others",
        "lost",
        "DELETE FROM ledger WHERE job_id = 'lost' AND kind = 'refund'",
        "DELETE FROM ledger WHERE kind = 'reset'",
    ),
    breaks(
        "minutes of lost stems are given back, no others",
        "kept",
        f"INSERT INTO ledger ({MOVE}) SELECT at, period, 'refund', credit, "
        "replace(credit, 'used', 'available'), minutes, job_id, hold_id, NULL, NULL "
        "FROM ledger WHERE job_id = 'kept' AND kind = 'post'",
    ),
    *(
        breaks(
            "minutes of lost stems are given back, no others",
            "lost",
            f"UPDATE ledger SET {change} WHERE job_id = 'lost' AND kind = 'refund'",
        )
        for change in (
            "minutes = 3",
            "period = '2026-11-21'",
            "debit = replace(debit, 'used', 'held')",
            "job_id = 'kept'",
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
    breaks(
        "a batch ends with its last song",
        "songs",
        "UPDATE batch_songs SET reason = NULL WHERE number = 2",
    ),
    breaks(
        "a batch ends with its last song",
        "songs",
        "UPDATE batches SET acknowledged_at = NULL WHERE id = 'songs'",
    ),
    breaks(
        "finished batches show how they ended",
        "songs",
        "UPDATE batches SET wanted_version = wanted_version + 1, updated_at = updated_at - 7200",
    ),
    breaks(
        "no secret of a batch outlives it",
        "songs",
        "UPDATE batches SET token = 'secret'",
    ),
    breaks(
        "no secret of a batch outlives it",
        "songs",
        "UPDATE batch_songs SET url = 'https://cdn.example/a.mp3?hm=2' WHERE number = 2",
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
        "no waiting reply outlives its token",
        "7",
        "INSERT INTO open_replies "
        "VALUES (7, 'kept', 7, '{}', 'mp3', 'result', 7, 'a token', 7, '', NULL)",
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
    *(
        breaks(
            "nothing of whom they were is left in forgotten jobs",
            "forgotten",
            statement,
        )
        for statement in (
            *(f"UPDATE jobs SET {change} WHERE id = 'forgotten'" for change in FORGOTTEN_JOB),
            "UPDATE attempts SET ref = 'a reference' WHERE job_id = 'forgotten'",
            "UPDATE events SET note = 'a note' WHERE job_id = 'forgotten'",
        )
    ),
    breaks(
        "no files past their time",
        "delivered",
        "UPDATE jobs SET updated_at = updated_at - 100000 WHERE id = 'delivered'",
    ),
    *(
        breaks("this version can read every row", f"{offender} ({why})", statement)
        for offender, why, statement in (
            (
                "delivered",
                "'choir' is not a valid Recipe",
                "UPDATE jobs SET recipe = 'choir' WHERE id = 'delivered'",
            ),
            (
                "ready",
                "cannot unpack non-iterable int object",
                "UPDATE attempts SET files = '[7]' WHERE job_id = 'ready'",
            ),
        )
    ),
    breaks(
        "no reference leads nowhere",
        "events row 1",
        Guard.REFERENCES,
        "DELETE FROM jobs WHERE id = 'received'",
    ),
]
