"""Separations on workers: a row for each, and the task in Procrastinate's queue that runs it.

The row decides what happens, and a task only says that a worker should look at its row. PostgreSQL
only.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from hashlib import blake2b
from typing import Final

from bot.domain.attempt import MAX_LOCAL_STARTS
from bot.domain.job import JobId
from bot.domain.recipes import Stem
from storage.database.protocols import Connection, Database, Row
from storage.stores.job_rows import Values
from storage.stores.lock_names import separations_of

TASK: Final = "separate"
OBJECTS: Final = "separations"
"""The prefix of all objects of separations."""
_RESULT: Final = re.compile(rf"{OBJECTS}/([^/]+)/([1-9][0-9]{{0,8}})/[0-9]+/[^/]+\.f32")
_QUEUE: Final = "separate1."
"""The number is raised when older workers cannot run new tasks, so that they leave them alone."""
_MAX_QUEUE_LENGTH: Final = 39
"""A PostgreSQL channel's name has at most 63 bytes; Procrastinate's prefix takes 24."""

_NOW = "CAST(extract(epoch FROM now()) AS bigint)"
_KEY = "job_id = :job_id AND number = :number"
_OPEN = "state IN ('waiting', 'running')"
_COLUMNS = "job_id, number, model, frames, turn, state, lease, permille, files, error"
_OF_JOB = "SELECT number, starts FROM separations WHERE job_id = :job_id ORDER BY number"
_INSERT = f"""
INSERT INTO separations (
    job_id, number, model, stems, declared, frames, turn, state, starts, created_at, updated_at
) VALUES (
    :job_id, :number, :model, :stems, :declared, :frames, :turn, 'waiting', :starts, {_NOW}, {_NOW}
)
"""  # noqa: S608 - made of constants
_GET = f"SELECT {_COLUMNS} FROM separations WHERE {_KEY}"  # noqa: S608 - made of constants
_DECLARED = f"SELECT declared FROM separations WHERE {_KEY}"  # noqa: S608 - made of constants
# The rows of a job's failed attempts are kept until it needs no further attempt.
_FAILED_ELSEWHERE = """
SELECT EXISTS (
    SELECT 1 FROM separations
    WHERE job_id = :job_id AND state = 'failed' AND worker <> :worker
        AND error IN ('failed', 'killed_workers', 'song_missing')
) AS is_so
"""
_END_EARLIER = f"""
UPDATE separations SET state = 'cancelled', updated_at = {_NOW}
WHERE job_id = :job_id AND number <= :number AND {_OPEN}
RETURNING number
"""  # noqa: S608 - made of constants
_START = f"""
UPDATE separations SET
    state = 'running', lease = lease + 1, starts = starts + 1, permille = 0, worker = :worker,
    updated_at = {_NOW}
WHERE {_KEY} AND {_OPEN}
RETURNING {_COLUMNS}
"""  # noqa: S608 - made of constants
_ADVANCE = f"""
UPDATE separations SET permille = CASE WHEN lease = :lease THEN :permille ELSE permille END
WHERE {_KEY} AND {_OPEN}
"""  # noqa: S608 - made of constants
# Without the lease: the first result counts, even one that comes late.
_FINISH = f"""
UPDATE separations SET state = 'done', files = :files, permille = 1000, updated_at = {_NOW}
WHERE {_KEY} AND {_OPEN}
"""  # noqa: S608 - made of constants
_FAIL = f"""
UPDATE separations SET state = 'failed', error = :error, updated_at = {_NOW}
WHERE {_KEY} AND {_OPEN} AND lease = :lease
"""  # noqa: S608 - made of constants
_HAND_BACK = f"""
UPDATE separations SET
    state = 'waiting', starts = starts - 1, permille = 0, worker = NULL, updated_at = {_NOW}
WHERE {_KEY} AND state = 'running' AND lease = :lease
RETURNING {_COLUMNS}
"""  # noqa: S608 - made of constants
_DEFER = f"""
SELECT procrastinate_defer_jobs_v1(ARRAY[ROW(
    CAST(:queue AS text), '{TASK}', CAST(:priority AS integer), CAST(:lock AS text), NULL,
    jsonb_build_object(
        'job_id', CAST(:job_id AS text), 'number', CAST(:number AS bigint)
    ),
    NULL
)::procrastinate_job_to_defer_v1])
"""
_TASKS = """
SELECT procrastinate_cancel_job_v1(id, TRUE, TRUE) FROM procrastinate_jobs
WHERE lock = :lock AND status IN ('todo', 'doing')
"""
_HIGHEST_TURN = "SELECT max(turn) AS turn FROM separations WHERE state = 'running'"
# An earlier attempt's row is kept for its count of starts until the job needs no further attempt.
_LEFT_BEHIND = """
SELECT separations.job_id, separations.number
FROM separations JOIN jobs ON jobs.id = separations.job_id
WHERE jobs.state NOT IN ('submitting', 'processing')
ORDER BY separations.created_at
LIMIT 100
"""
# A song is stored before its row, while its job is submitting.
_NEEDED = """
SELECT id FROM jobs WHERE NOT is_final AND state IN ('submitting', 'processing')
UNION
SELECT job_id FROM separations
"""
_REMOVE = f"DELETE FROM separations WHERE {_KEY}"  # noqa: S608 - made of constants


class SeparationState(StrEnum):
    """The state of a separation."""

    WAITING = "waiting"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def is_open(self) -> bool:
        """Whether a result would still count."""
        return self in (SeparationState.WAITING, SeparationState.RUNNING)


class SeparationError(StrEnum):
    """The reason for a failure. A value from another version reads as FAILED."""

    FAILED = "failed"
    STARVED = "starved"
    """Memory ran out."""
    REFUSED = "refused"
    """The worker cannot do it, because of its setup."""
    KILLED_WORKERS = "killed_workers"
    SONG_MISSING = "song_missing"

    @classmethod
    def _missing_(cls, value: object) -> "SeparationError":
        return cls.FAILED


class TooManyStarts(Exception):
    """The job was started on workers too often; see MAX_LOCAL_STARTS."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SeparationKey:
    """An attempt of a job at the provider `workers`."""

    job_id: JobId
    number: int

    def __str__(self) -> str:
        """Return the key as one word."""
        return f"{self.job_id}-{self.number}"

    @classmethod
    def parse(cls, text: str) -> "SeparationKey | None":
        """Return the key that was written as this word, or None if the word is not a key."""
        job_id, _, number = text.rpartition("-")
        return cls(job_id=JobId(job_id), number=int(number)) if number.isdecimal() else None

    @classmethod
    def of_result(cls, address: str) -> "SeparationKey | None":
        """Return the key of the separation with this result; None for any other object."""
        match = _RESULT.fullmatch(address)
        return None if match is None else cls(job_id=JobId(match[1]), number=int(match[2]))

    @property
    def prefix(self) -> str:
        """The prefix of its objects."""
        return f"{OBJECTS}/{self.job_id}/{self.number}"

    @property
    def song(self) -> str:
        """The object with the song."""
        return f"{self.prefix}/song.f32"

    def result(self, lease: int, stem: Stem) -> str:
        """Return the object for a stem. Each start has its own, so none overwrites another."""
        return f"{self.prefix}/{lease}/{stem}.f32"

    def values(self) -> dict[str, str | int]:
        """Return the parameters of a statement."""
        return {"job_id": self.job_id, "number": self.number}


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """What to separate."""

    key: SeparationKey
    model: str
    stems: frozenset[Stem]
    frames: int
    turn: int
    """The job's turn in the provider's queue; tasks with lower ones come first."""
    declared: str = "[]"
    """The declaration of the model, in JSON."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Separation:
    """A stored separation. As the result of `start`, it is this worker's lease on it."""

    key: SeparationKey
    model: str
    frames: int
    turn: int
    state: SeparationState
    lease: int
    fraction: float
    files: Mapping[Stem, str]
    error: SeparationError | None


class Separations:
    """Stores separations, for bots and workers."""

    def __init__(self, *, db: Database) -> None:
        self._db = db

    async def submit(self, order: Order) -> None:
        """Store a separation and its task; ends earlier ones of its job. Safe to repeat.

        Raises TooManyStarts.
        """

        async def work(conn: Connection) -> bool:
            key = order.key.values()
            rows = list(await conn.execute_fetchall(_OF_JOB, key))
            if any(row["number"] == order.key.number for row in rows):
                return True
            await _end(conn, SeparationKey(job_id=order.key.job_id, number=order.key.number - 1))
            starts = max((row["starts"] for row in rows), default=0)
            if starts >= MAX_LOCAL_STARTS:
                return False  # raising here would undo the end of the earlier ones
            await conn.execute(
                _INSERT,
                {
                    **key,
                    "model": order.model,
                    "stems": json.dumps(sorted(order.stems)),
                    "declared": order.declared,
                    "frames": order.frames,
                    "turn": order.turn,
                    "starts": starts,
                },
            )
            await defer(conn, order.key, model=order.model, turn=order.turn)
            return True

        if not await self._db.write(work, locks=[separations_of(order.key.job_id)]):
            raise TooManyStarts

    async def get(self, key: SeparationKey) -> Separation | None:
        """Return a separation, or None if there is none.

        Raises ValueError if a worker has written a result that this version cannot read.
        """
        rows = await self._db.read(_GET, key.values())
        return _separation(rows[0]) if rows else None

    async def declared(self, key: SeparationKey) -> str:
        """Return the declaration of a separation's model, or an empty list in JSON."""
        rows = await self._db.read(_DECLARED, key.values())
        return str(rows[0]["declared"]) if rows else "[]"

    async def has_failed_elsewhere(self, job_id: JobId, *, worker: str) -> bool:
        """Return whether a job's song has failed on another worker that had what it needs."""
        values = {"job_id": job_id, "worker": worker}
        [row] = await self._db.read(_FAILED_ELSEWHERE, values)
        return bool(row["is_so"])

    async def cancel(self, key: SeparationKey) -> None:
        """End a separation, if it is open, and stop its worker. Safe to repeat."""
        await self._db.write(lambda conn: _end(conn, key))

    async def start(self, key: SeparationKey, *, worker: str) -> Separation | None:
        """Count a start and return the separation with a new lease; None if it is not open."""

        async def work(conn: Connection) -> Separation | None:
            values = {**key.values(), "worker": worker}
            rows = list(await conn.execute_fetchall(_START, values))
            return _separation(rows[0]) if rows else None

        return await self._db.write(work)

    async def advance(self, ours: Separation, fraction: float) -> bool:
        """Record the progress under this lease; return whether the separation is open."""
        permille = max(0, min(1000, round(1000 * fraction)))
        return await self._changes(_ADVANCE, {**_lease(ours), "permille": permille})

    async def finish(self, ours: Separation, files: Mapping[Stem, str]) -> bool:
        """Record the result; return False if there was one, or the separation was ended."""
        return await self._changes(
            _FINISH, {**ours.key.values(), "files": json.dumps(files, sort_keys=True)}
        )

    async def fail(self, ours: Separation, error: SeparationError) -> bool:
        """Record a failure; return False if the separation has ended or is another worker's."""
        return await self._changes(_FAIL, {**_lease(ours), "error": error})

    async def hand_back(self, ours: Separation) -> bool:
        """Let another worker start it, without counting this start.

        Returns False if the separation has ended or is another worker's.
        """

        async def work(conn: Connection) -> bool:
            rows = list(await conn.execute_fetchall(_HAND_BACK, _lease(ours)))
            for row in rows:
                await defer(conn, ours.key, model=row["model"], turn=row["turn"])
            return bool(rows)

        return await self._db.write(work)

    async def highest_turn(self) -> int:
        """Return the highest turn of the separations under way; 0 if there are none."""
        [row] = await self._db.read(_HIGHEST_TURN)
        return int(row["turn"] or 0)

    async def left_behind(self) -> list[SeparationKey]:
        """Return up to a hundred separations that their jobs no longer need."""
        return [_key(row) for row in await self._db.read(_LEFT_BEHIND)]

    async def needed(self) -> frozenset[JobId]:
        """Return the ids of all jobs that have or may get separations."""
        return frozenset(JobId(row["id"]) for row in await self._db.read(_NEEDED))

    async def remove(self, key: SeparationKey) -> None:
        """Delete a separation's row; its objects must be gone."""
        await self._db.write(lambda conn: conn.execute(_REMOVE, key.values()))

    async def _changes(self, statement: str, values: Values) -> bool:
        async def work(conn: Connection) -> bool:
            return (await conn.execute(statement, values)).rowcount > 0

        return await self._db.write(work)


def queue_of(model: str) -> str:
    """Return the queue for a model; workers read those of their models."""
    queue = _QUEUE + model
    if len(queue.encode()) <= _MAX_QUEUE_LENGTH:
        return queue
    return _QUEUE + blake2b(model.encode(), digest_size=12).hexdigest()


async def defer(conn: Connection, key: SeparationKey, *, model: str, turn: int) -> None:
    """Add a task to the queue, in the caller's transaction."""
    values: Values = {"queue": queue_of(model), "priority": -turn, "lock": str(key)}
    await conn.execute(_DEFER, {**values, **key.values()})


async def _end(conn: Connection, key: SeparationKey) -> None:
    """Cancel the open separations of a job up to this one, and their tasks."""
    for row in await conn.execute_fetchall(_END_EARLIER, key.values()):
        ended = SeparationKey(job_id=key.job_id, number=row["number"])
        await conn.execute(_TASKS, {"lock": str(ended)})


def _lease(ours: Separation) -> dict[str, str | int]:
    return {**ours.key.values(), "lease": ours.lease}


def _key(row: Row) -> SeparationKey:
    return SeparationKey(job_id=JobId(row["job_id"]), number=row["number"])


def _separation(row: Row) -> Separation:
    return Separation(
        key=_key(row),
        model=row["model"],
        frames=row["frames"],
        turn=row["turn"],
        state=SeparationState(row["state"]),
        lease=row["lease"],
        fraction=row["permille"] / 1000,
        files=_files(row["files"]),
        error=None if row["error"] is None else SeparationError(row["error"]),
    )


def _files(text: str) -> Mapping[Stem, str]:
    """Read the addresses of the stems, which a worker has written. Raises ValueError."""
    try:
        found = json.loads(text)
    except RecursionError as exc:
        raise ValueError("the files of a separation are nested too deeply") from exc
    if not (isinstance(found, dict) and all(isinstance(each, str) for each in found.values())):
        raise ValueError("the files of a separation are no addresses by stem")
    return {Stem(stem): address for stem, address in found.items()}
