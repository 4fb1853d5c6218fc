"""Audio tasks for workers: a row for each, and the task in Procrastinate's queue that runs it.

A task only makes files, so it may run twice, or be dropped at any point: its bot then runs it
itself. PostgreSQL only.
"""

import re
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from hashlib import blake2b
from typing import Final

from storage.database.protocols import Connection, Database
from storage.stores.job_rows import Values
from storage.stores.lock_names import audio_places
from storage.work_queue.living_workers import LIVING_S

AUDIO_TASK: Final = "audio"
AUDIO_OBJECTS: Final = "audio"
"""The prefix of all objects of audio tasks."""
ABANDONED_S: Final = 60.0
"""A task is abandoned once its bot has not asked for it for this long."""
_ID: Final = re.compile(r"[0-9a-f]{24}")
_QUEUE: Final = "audio1."

_NOW = "CAST(extract(epoch FROM now()) AS bigint)"
_PLACES = f"""
SELECT
    coalesce((
        SELECT CAST(sum(audio_slots) AS bigint) FROM workers
        WHERE version = :version AND seen_at >= {_NOW} - {LIVING_S:.0f}
    ), 0) - (
        SELECT count(*) FROM audio_tasks
        WHERE version = :version AND state IN ('sending', 'waiting', 'running')
            AND asked_at >= {_NOW} - {ABANDONED_S:.0f}
    ) AS free
"""  # noqa: S608 - made of constants
_RESERVE = f"""
INSERT INTO audio_tasks (id, version, task, state, created_at, asked_at)
VALUES (:id, :version, :task, 'sending', {_NOW}, {_NOW})
"""  # noqa: S608 - made of constants
_OFFER = """
UPDATE audio_tasks SET state = 'waiting' WHERE id = :id AND state = 'sending' RETURNING version
"""
_DEFER = f"""
SELECT procrastinate_defer_jobs_v1(ARRAY[ROW(
    CAST(:queue AS text), '{AUDIO_TASK}', 0, CAST(:id AS text), NULL,
    jsonb_build_object('task_id', CAST(:id AS text)), NULL
)::procrastinate_job_to_defer_v1])
"""
_ASK = f"UPDATE audio_tasks SET asked_at = {_NOW} WHERE id = :id"  # noqa: S608 - constants
_LOOK = f"""
SELECT state, worker, answer, EXISTS (
    SELECT 1 FROM workers
    WHERE workers.id = audio_tasks.worker AND seen_at >= {_NOW} - {LIVING_S:.0f}
) AS is_worker_living
FROM audio_tasks WHERE id = :id
"""  # noqa: S608 - made of constants
_START = """
UPDATE audio_tasks SET state = 'running', worker = :worker
WHERE id = :id AND state = 'waiting' AND version = :version
RETURNING task
"""
_END = """
UPDATE audio_tasks SET state = :state, answer = :answer
WHERE id = :id AND state = 'running' AND worker = :worker
"""
_REMOVE = "DELETE FROM audio_tasks WHERE id = :id"
_STOP = f"""
SELECT procrastinate_cancel_job_v1(id, TRUE, TRUE) FROM procrastinate_jobs
WHERE task_name = '{AUDIO_TASK}' AND lock = :id AND status IN ('todo', 'doing')
"""  # noqa: S608 - made of constants
_ABANDONED = f"""
SELECT id FROM audio_tasks WHERE asked_at < {_NOW} - {ABANDONED_S:.0f} ORDER BY id LIMIT 100
"""  # noqa: S608 - made of constants
_ALL = "SELECT id FROM audio_tasks"
# A living worker's task is left alone: `_STOP` tells the worker to stop, and it deletes the task.
_FORGET = f"""
DELETE FROM procrastinate_jobs AS task
WHERE task.task_name = '{AUDIO_TASK}'
    AND NOT EXISTS (SELECT 1 FROM audio_tasks WHERE audio_tasks.id = task.lock)
    AND NOT EXISTS (
        SELECT 1 FROM procrastinate_workers AS worker
        WHERE task.status = 'doing' AND worker.id = task.worker_id
            AND worker.last_heartbeat >= now() - make_interval(secs => {ABANDONED_S})
    )
"""  # noqa: S608 - made of constants


class AudioTaskState(StrEnum):
    """The state of an audio task."""

    SENDING = "sending"
    """A place at a worker is kept for it while its files are put into the store."""
    WAITING = "waiting"
    RUNNING = "running"
    DONE = "done"
    DECLINED = "declined"
    """The worker could not run it, or could not finish it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SentTask:
    """A stored task, as its bot sees it."""

    state: AudioTaskState
    worker: str | None
    answer: str | None
    """The child's answer if the task is done, or the worker's reason if it is declined."""
    is_worker_living: bool


class AudioTasks:
    """Stores audio tasks, for the bots and workers of one version."""

    def __init__(self, *, db: Database, version: str) -> None:
        self._db = db
        self._version = version

    async def places(self) -> int:
        """Return how many more tasks the living workers take at once."""
        [row] = await self._db.read(_PLACES, {"version": self._version})
        return int(row["free"])

    async def reserve(self, task_id: str, task: str) -> bool:
        """Store a task that is not offered yet, if a worker has a place for it."""
        values: Values = {"id": task_id, "version": self._version, "task": task}

        async def work(conn: Connection) -> bool:
            [row] = await conn.execute_fetchall(_PLACES, {"version": self._version})
            if row["free"] > 0:
                await conn.execute(_RESERVE, values)
            return bool(row["free"] > 0)

        return await self._db.write(work, locks=[audio_places()])

    async def offer(self, task_id: str) -> None:
        """Let workers take a task, whose files are in the store."""

        async def work(conn: Connection) -> None:
            if list(await conn.execute_fetchall(_OFFER, {"id": task_id})):
                await conn.execute(_DEFER, {"id": task_id, "queue": audio_queue(self._version)})

        await self._db.write(work)

    async def ask(self, task_id: str) -> None:
        """Say that the bot still waits for a task."""
        await self._db.write(lambda conn: conn.execute(_ASK, {"id": task_id}))

    async def look(self, task_id: str) -> SentTask | None:
        """Return a task, or None if it is gone."""
        for row in await self._db.read(_LOOK, {"id": task_id}):
            return SentTask(
                state=AudioTaskState(row["state"]),
                worker=row["worker"],
                answer=row["answer"],
                is_worker_living=bool(row["is_worker_living"]),
            )
        return None

    async def require_rights(self) -> None:
        """Try a worker's update on no task. Raises StoreUnavailable if the worker lacks a right."""
        await self.start("", worker="")

    async def start(self, task_id: str, *, worker: str) -> str | None:
        """Give a waiting task of this version to a worker; None if there is none with this id."""
        values: Values = {"id": task_id, "worker": worker, "version": self._version}

        async def work(conn: Connection) -> str | None:
            rows = list(await conn.execute_fetchall(_START, values))
            return str(rows[0]["task"]) if rows else None

        return await self._db.write(work)

    async def finish(self, task_id: str, answer: str, *, worker: str) -> bool:
        """Record the answer; return False if the bot does not want it any more."""
        return await self._end(task_id, AudioTaskState.DONE, answer, worker)

    async def decline(self, task_id: str, reason: str, *, worker: str) -> bool:
        """Leave a task to its bot; return False if the bot does not want it any more."""
        return await self._end(task_id, AudioTaskState.DECLINED, reason, worker)

    async def remove(self, task_id: str) -> None:
        """Delete a task, and stop the worker that still runs it. Safe to repeat."""

        async def work(conn: Connection) -> None:
            await conn.execute(_REMOVE, {"id": task_id})
            await conn.execute(_STOP, {"id": task_id})

        await self._db.write(work)

    async def abandoned(self) -> Sequence[str]:
        """Return the ids of tasks whose bots are gone, a hundred at most."""
        return [row["id"] for row in await self._db.read(_ABANDONED)]

    async def all_ids(self) -> frozenset[str]:
        """Return the ids of all tasks."""
        return frozenset(row["id"] for row in await self._db.read(_ALL))

    async def forget_lost(self) -> None:
        """Delete removed tasks from the queue, except those that a living worker still runs."""
        await self._db.write(lambda conn: conn.execute(_FORGET))

    async def _end(self, task_id: str, state: AudioTaskState, answer: str, worker: str) -> bool:
        values: Values = {"id": task_id, "state": state, "answer": answer, "worker": worker}

        async def work(conn: Connection) -> bool:
            return (await conn.execute(_END, values)).rowcount > 0

        return await self._db.write(work)


def new_task_id() -> str:
    """Return an id that no other task has."""
    return secrets.token_hex(12)


def audio_objects(task_id: str) -> str:
    """Return the prefix of a task's objects. Raises ValueError for an invalid id."""
    if not _ID.fullmatch(task_id):
        raise ValueError(f"not the id of an audio task: {task_id!r}")
    return f"{AUDIO_OBJECTS}/{task_id}"


def audio_queue(version: str) -> str:
    """Return the queue for a version's tasks; workers of other versions do not read it."""
    return _QUEUE + blake2b(version.encode(), digest_size=12).hexdigest()
