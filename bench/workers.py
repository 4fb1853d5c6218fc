"""Measures how many songs workers separate per second, with an engine that only waits.

    python -m bench.workers [--workers 1 2 4 8 16] [--wait 15] [--rounds 4] [--seconds 10]

Everything runs on this machine: a PostgreSQL server, a shared folder as the object store, the
workers as processes, and the bot's part in this process. Decoding and encoding are left out. The
clock starts when each worker has separated one song.
"""

import argparse
import asyncio
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path

from bot.domain.job import JobId, State, UserId
from bot.domain.minutes import SAMPLE_RATE
from bot.providers.interface import Call, Finished, Source
from bot.providers.self_hosted.workers import Workers, places_for
from storage.database.postgres import PostgresDatabase
from storage.objects.object_store import ObjectStore
from storage.objects.store_opening import open_object_store
from storage.stores.job_store import JobStore
from storage.work_queue.living_workers import LivingWorkers
from storage.work_queue.separations import OBJECTS, Separations
from tests.support.domain_factories import a_job, lead
from tests.support.postgres_server import running_server
from tests.support.worker_role_process import WorkerRoleProcess

FRAME_BYTES = 8
POLL_S = 0.5


@dataclass(kw_only=True)
class Bot:
    """The part of a bot that uses workers."""

    jobs: JobStore
    provider: Workers
    objects: ObjectStore
    song: Path
    numbers: "count[int]" = field(default_factory=lambda: count(1))
    ends: list[float] = field(default_factory=list)

    async def one_song(self) -> None:
        user = UserId(1000 + next(self.numbers))
        job = await lead(self.jobs, State.PROCESSING, job=a_job(user_id=user))
        [model] = self.provider.capabilities.models
        frames = self.song.stat().st_size // FRAME_BYTES
        call = Call(job_id=JobId(job.id), attempt=1, model=model, workdir=self.song.parent)
        source = Source(mixture=self.song, frames=frames, url=None)
        accepted = await self.provider.submit(call, source)
        while True:
            found = await self.provider.poll(accepted.ref)
            if isinstance(found, Finished):
                break
            await asyncio.sleep(POLL_S)
        for file in found.files:
            stem = self.song.with_name(f"{job.id}-{file.stem}.f32")
            await self.provider.fetch(file, stem)
            stem.unlink()
        self.ends.append(time.monotonic())
        await self.objects.remove_under(f"{OBJECTS}/{job.id}")

    async def songs(self) -> None:
        while True:
            await self.one_song()


@asynccontextmanager
async def running_workers(
    numbers: int, url: str, home: Path, *, wait_s: float
) -> AsyncIterator[None]:
    async with AsyncExitStack() as stack:
        for number in range(numbers):
            worker = WorkerRoleProcess(
                url=url,
                store=f"file://{home / 'store'}",
                home=home,
                name=f"worker-{number}",
                settings={"WAIT_S": str(wait_s)},
            )
            await stack.enter_async_context(worker)
            await worker.until_logged("is ready", within_s=120)
        yield


async def measure(workers: int, url: str, home: Path, options: argparse.Namespace) -> float:
    """Return the songs a second."""
    (home / "store").mkdir()
    objects = open_object_store(f"file://{home / 'store'}", {})
    await objects.prepare("bench")
    db = await PostgresDatabase.open(url)
    provider = Workers(
        separations=Separations(db=db), living=LivingWorkers(db=db), objects=objects, expected=()
    )
    song = home / "song.f32"
    song.write_bytes(bytes(int(options.seconds * SAMPLE_RATE) * FRAME_BYTES))
    bot = Bot(jobs=JobStore(db=db), provider=provider, objects=objects, song=song)
    async with running_workers(workers, url, home, wait_s=options.wait):
        await provider.look()
        places = places_for(provider.capabilities.concurrency)
        songs = [asyncio.create_task(bot.songs()) for _ in range(places)]
        while len(bot.ends) < workers * (1 + options.rounds):
            await asyncio.wait(songs, timeout=0.1, return_when=asyncio.FIRST_EXCEPTION)
        for task in songs:
            task.cancel()
        await asyncio.gather(*songs, return_exceptions=True)
    await db.close()
    first, last = bot.ends[workers - 1], bot.ends[workers * (1 + options.rounds) - 1]
    return workers * options.rounds / (last - first)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--workers", type=int, nargs="+", default=[1, 2, 4, 8, 16])
    parser.add_argument("--wait", type=float, default=15.0, help="seconds for a song")
    parser.add_argument("--rounds", type=int, default=4, help="songs per worker")
    parser.add_argument("--seconds", type=float, default=10.0, help="length of a song")
    options = parser.parse_args()
    print(f"{'workers':>7} {'songs/s':>9} {'of maximum':>12} {'to the row before':>18}")
    before = 0.0
    with running_server() as server:
        for workers in options.workers:
            with tempfile.TemporaryDirectory() as folder, server.database() as url:
                rate = asyncio.run(measure(workers, url, Path(folder), options))
            share = rate * options.wait / workers
            factor = f"{rate / before:.2f}" if before else "-"
            print(f"{workers:>7} {rate:>9.3f} {share:>12.0%} {factor:>18}", flush=True)
            before = rate


if __name__ == "__main__":
    main()
