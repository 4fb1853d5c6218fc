"""A database, an object store and a sweeper, for workers that tests start as processes."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bot.concurrency import end_tasks, supervised
from bot.domain.job import State
from bot.domain.recipes import Stem
from bot.workers.sweeper import Sweeper
from storage.database.postgres import PostgresDatabase
from storage.objects.object_store import ObjectStore
from storage.objects.store_opening import open_object_store
from storage.stores.job_store import JobStore
from storage.work_queue.separation_sweep import SeparationSweep
from storage.work_queue.separations import (
    Order,
    Separation,
    SeparationKey,
    Separations,
    SeparationState,
)
from tests.support.domain_factories import lead
from tests.support.worker_role_process import WorkerRoleProcess

STALLED_S = 8.0
"""A worker renews its heartbeat every two seconds, or somewhat later on a busy machine."""
SONG = b"a song.." * 1000
STEMS = frozenset({Stem.VOCALS, Stem.INSTRUMENTAL})


@dataclass(frozen=True, kw_only=True)
class Farm:
    url: str
    home: Path
    db: PostgresDatabase
    objects: ObjectStore
    separations: Separations

    def worker(
        self, name: str = "worker", *, wait_s: float = 0, url: str | None = None, **settings: str
    ) -> WorkerRoleProcess:
        """Return a worker, not yet started, that takes `wait_s` for each song."""
        return WorkerRoleProcess(
            url=url or self.url,
            store=f"file://{self.home / 'store'}",
            home=self.home,
            name=name,
            settings={"WAIT_S": str(wait_s), **settings},
        )

    async def submit(
        self, song: bytes = SONG, *, model: str = "spleeter", turn: int = 0
    ) -> SeparationKey:
        """Put a job's song into the store and the queue."""
        job = await lead(JobStore(db=self.db), State.PROCESSING)
        key = SeparationKey(job_id=job.id, number=1)
        await self.order(key, song, model=model, turn=turn)
        return key

    async def order(
        self, key: SeparationKey, song: bytes, *, model: str = "spleeter", turn: int = 0
    ) -> None:
        """Put the song of an attempt into the store and the queue."""
        path = self.home / "song"
        path.write_bytes(song)
        await self.objects.put(path, key.song)
        order = Order(key=key, model=model, stems=STEMS, frames=len(song) // 8, turn=turn)
        await self.separations.submit(order)

    async def until(
        self, key: SeparationKey, is_so: Callable[[Separation], Any], *, within_s: float = 100.0
    ) -> Separation:
        """Wait until `is_so` accepts the separation, and return it."""
        found = None
        try:
            async with asyncio.timeout(within_s):
                while True:
                    found = await self.separations.get(key)
                    assert found is not None
                    if is_so(found):
                        return found
                    await asyncio.sleep(0.05)
        except TimeoutError:
            raise AssertionError(f"it is still {found}") from None

    async def until_running(self, key: SeparationKey) -> Separation:
        return await self.until(key, lambda found: found.state is SeparationState.RUNNING)

    async def until_over(self, key: SeparationKey) -> Separation:
        return await self.until(key, lambda found: not found.state.is_open)

    async def result(self, key: SeparationKey) -> tuple[Separation, dict[Stem, bytes]]:
        """Wait for the stems, and return them with the separation."""
        found = await self.until_over(key)
        stems = {}
        for stem, address in found.files.items():
            path = self.home / f"{key}-{stem}"
            await self.objects.get(address, path)
            stems[stem] = path.read_bytes()
        return found, stems

    async def until_no_task_is_left(self) -> None:
        """Wait until the queue has deleted the tasks that have ended."""
        async with asyncio.timeout(10):
            while await self.db.read("SELECT id FROM procrastinate_jobs"):
                await asyncio.sleep(0.05)

    async def starts(self, key: SeparationKey) -> int:
        [row] = await self.db.read(
            "SELECT starts FROM separations WHERE job_id = :job_id AND number = :number",
            key.values(),
        )
        return int(row["starts"])


@asynccontextmanager
async def open_farm(url: str, home: Path) -> AsyncIterator[Farm]:
    """Open the database and a shared folder, and sweep until the block ends."""
    (home / "store").mkdir(exist_ok=True)
    objects = open_object_store(f"file://{home / 'store'}", {})
    await objects.prepare("tests")
    db = await PostgresDatabase.open(url)
    separations = Separations(db=db)
    sweeper = Sweeper(
        separations=separations,
        sweep=SeparationSweep(db=db),
        objects=objects,
        stalled_s=STALLED_S,
        every_s=0.5,
    )
    sweeping = asyncio.create_task(supervised(sweeper.run, name="sweeper"))
    try:
        yield Farm(url=url, home=home, db=db, objects=objects, separations=separations)
    finally:
        await end_tasks(sweeping)
        await db.close()
