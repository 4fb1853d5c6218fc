"""Gives separations whose workers are gone to other workers. PostgreSQL only.

Procrastinate does not retry tasks on its own, and a worker that returns late may end any task that
it knows. So a lost task is not retried but replaced: the late worker does not know the new one.
"""

from dataclasses import dataclass
from typing import Final

from bot.domain.attempt import MAX_LOCAL_STARTS
from bot.domain.job import JobId
from storage.database.protocols import Connection, Database, Row
from storage.work_queue.separations import TASK, SeparationError, SeparationKey, defer

# Only one sweeper runs at a time. With an outdated list, another one would take tasks from healthy
# workers.
_ALONE = "SELECT pg_try_advisory_xact_lock(hashtextextended('stemcord sweep', 0)) AS is_ours"
# After a restart of the server, every heartbeat is old.
_STALLED = f"""
SELECT task.id
FROM procrastinate_jobs AS task
LEFT JOIN procrastinate_workers AS worker ON worker.id = task.worker_id
WHERE task.task_name = '{TASK}' AND task.status = 'doing'
    AND (worker.id IS NULL OR worker.last_heartbeat < now() - make_interval(secs => :stalled_s))
    AND pg_postmaster_start_time() < now() - make_interval(secs => :stalled_s)
ORDER BY task.id
FOR UPDATE OF task SKIP LOCKED
"""  # noqa: S608 - made of constants
_DELETE_TASK = "DELETE FROM procrastinate_jobs WHERE id = :id"
_HAS_NO_TASK = f"""NOT EXISTS (
    SELECT 1 FROM procrastinate_jobs AS task
    WHERE task.task_name = '{TASK}' AND task.status IN ('todo', 'doing')
        AND task.args ->> 'job_id' = separations.job_id
        AND CAST(task.args ->> 'number' AS bigint) = separations.number
)"""  # noqa: S608 - made of constants
_GIVE_UP = f"""
UPDATE separations SET
    state = 'failed', error = '{SeparationError.KILLED_WORKERS}',
    updated_at = CAST(extract(epoch FROM now()) AS bigint)
WHERE state = 'running' AND starts >= {MAX_LOCAL_STARTS} AND {_HAS_NO_TASK}
RETURNING job_id, number
"""  # noqa: S608 - made of constants
_RESTART = f"""
UPDATE separations SET
    state = 'waiting', permille = 0, updated_at = CAST(extract(epoch FROM now()) AS bigint)
WHERE state IN ('waiting', 'running') AND {_HAS_NO_TASK}
RETURNING job_id, number, model, turn
"""  # noqa: S608 - made of constants
# A task ends in another state only if the queue is changed by hand.
_ENDED: Final = f"""
DELETE FROM procrastinate_jobs
WHERE task_name = '{TASK}' AND status NOT IN ('todo', 'doing')
"""  # noqa: S608 - made of constants


@dataclass(frozen=True, slots=True)
class Swept:
    """What a sweep has changed."""

    restarted: tuple[SeparationKey, ...] = ()
    """Separations that wait for another worker."""
    given_up: tuple[SeparationKey, ...] = ()
    """Separations that were started `MAX_LOCAL_STARTS` times without a result."""


class SeparationSweep:
    """Looks for separations without a living worker."""

    def __init__(self, *, db: Database) -> None:
        self._db = db

    async def sweep(self, *, stalled_s: float) -> Swept:
        """Replace lost tasks, and those of workers without a heartbeat for `stalled_s`."""

        async def work(conn: Connection) -> Swept:
            [alone] = await conn.execute_fetchall(_ALONE)
            if not alone["is_ours"]:
                return Swept()
            stalled = list(await conn.execute_fetchall(_STALLED, {"stalled_s": stalled_s}))
            for row in stalled:
                await conn.execute(_DELETE_TASK, {"id": row["id"]})
            await conn.execute(_ENDED)
            given_up = tuple([_key(row) for row in await conn.execute_fetchall(_GIVE_UP)])
            return Swept(restarted=await _restart(conn), given_up=given_up)

        return await self._db.write(work)


async def _restart(conn: Connection) -> tuple[SeparationKey, ...]:
    keys = []
    for row in await conn.execute_fetchall(_RESTART):
        key = _key(row)
        await defer(conn, key, model=row["model"], turn=row["turn"])
        keys.append(key)
    return tuple(keys)


def _key(row: Row) -> SeparationKey:
    return SeparationKey(job_id=JobId(row["job_id"]), number=row["number"])
