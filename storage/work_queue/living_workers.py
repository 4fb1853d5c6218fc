"""The workers: what they can do, and when they were last seen. PostgreSQL only."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from storage.database.protocols import Connection, Database, Reader, Row
from storage.stores.job_rows import Values

SEEN_EVERY_S: Final = 2.0
"""How often a worker reports that it is alive."""
LIVING_S: Final = 15.0
"""A worker that has not been seen for this time is gone."""
REMEMBERED_S: Final = 30 * 86_400.0
"""Recipes are offered for the models of workers that were seen within this time."""

_NOW = "CAST(extract(epoch FROM now()) AS bigint)"
_SEEN = f"""
INSERT INTO workers (id, name, version, models, slots, audio_slots, device, trouble, seen_at)
VALUES (:id, :name, :version, :models, :slots, :audio_slots, :device, :trouble, {_NOW})
ON CONFLICT (id) DO UPDATE SET
    models = excluded.models, slots = excluded.slots, audio_slots = excluded.audio_slots,
    device = excluded.device, trouble = excluded.trouble, seen_at = excluded.seen_at
"""  # noqa: S608 - made of constants
# A worker that was started again has a new id, and in a container a new name too. A dead worker is
# remembered for its models only, so it need not be kept once a new worker declares the same ones.
_FORGET = f"""
DELETE FROM workers
WHERE (name = :name OR models = :models) AND seen_at < {_NOW} - {LIVING_S:.0f}
    OR seen_at < {_NOW} - {REMEMBERED_S:.0f}
"""  # noqa: S608 - made of constants
_KNOWN = f"""
SELECT
    id, name, version, models, slots, audio_slots, device, trouble,
    seen_at >= {_NOW} - {LIVING_S:.0f} AS is_living
FROM workers
WHERE seen_at >= {_NOW} - {REMEMBERED_S:.0f}
ORDER BY seen_at DESC, id
"""  # noqa: S608 - made of constants


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerRow:
    """A worker, as it describes itself."""

    id: str
    name: str
    version: str
    models: str
    """The declarations of its models, in JSON."""
    slots: int
    """The number of songs that it separates at a time; 0 while it drains."""
    audio_slots: int = 0
    """The number of audio tasks that it runs at a time; 0 while it drains."""
    device: str
    trouble: str | None = None
    """Why it takes no songs at all, or none for some models."""
    is_living: bool = True


class LivingWorkers:
    """Stores which workers there are."""

    def __init__(self, *, db: Database) -> None:
        self._db = db

    async def arrive(self, worker: WorkerRow) -> None:
        """Store a worker that has started, and delete dead ones with the same name or models."""

        async def work(conn: Connection) -> None:
            await conn.execute(_FORGET, {"name": worker.name, "models": worker.models})
            await conn.execute(_SEEN, _values(worker))

        await self._db.write(work)

    async def seen(self, worker: WorkerRow) -> None:
        """Record that a worker is alive, and what it can do now."""
        await self._db.write(lambda conn: conn.execute(_SEEN, _values(worker)))

    async def known(self) -> Sequence[WorkerRow]:
        """Return the workers that are remembered, latest first."""
        return [_worker(row) for row in await self._db.read(_KNOWN)]


def known_workers(reader: Reader) -> Sequence[WorkerRow]:
    """Return the workers that are remembered, latest first."""
    return [_worker(row) for row in reader.rows(_KNOWN)]


def _values(worker: WorkerRow) -> Values:
    return {
        "id": worker.id,
        "name": worker.name,
        "version": worker.version,
        "models": worker.models,
        "slots": worker.slots,
        "audio_slots": worker.audio_slots,
        "device": worker.device,
        "trouble": worker.trouble,
    }


def _worker(row: Row) -> WorkerRow:
    return WorkerRow(
        id=row["id"],
        name=row["name"],
        version=row["version"],
        models=row["models"],
        slots=row["slots"],
        audio_slots=row["audio_slots"],
        device=row["device"],
        trouble=row["trouble"],
        is_living=row["is_living"],
    )
