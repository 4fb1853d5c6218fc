"""Measures the job transitions that the stores write on SQLite and on PostgreSQL, side by side.

    python -m bench.store [--jobs 200] [--url postgresql://...]

A job makes seven transitions, from its request to its delivery, each a transaction that is synced
to disk. Without --url a PostgreSQL server is started for the measurement, with its default
settings, on this machine.
"""

import argparse
import asyncio
import itertools
import statistics
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import ExitStack, asynccontextmanager
from dataclasses import replace
from pathlib import Path

from bot.domain.job import State, UserId
from bot.domain.minutes import Post
from storage.database.opening import Address, PostgresUrl, open_database
from storage.database.protocols import Database
from storage.stores.job_store import JobStore
from tests.support.domain_factories import NOW, a_hold, a_job, an_attempt, lead
from tests.support.postgres_server import PostgresServer, running_server

TRANSITIONS = 7
AT_ONCE = (1, 4, 16)
READS = 500


async def one_job(jobs: JobStore, number: int) -> list[float]:
    """Bring a job from its request to its delivery, and return the seconds of each transition."""
    user = UserId(10_000 + number)
    job = a_job(job_id="", user_id=user)
    job = replace(job, interaction_id=2**40 + number)
    times = [time.perf_counter()]

    def lap() -> None:
        times.append(time.perf_counter())

    job = await jobs.add(job, max_active=10)
    lap()
    await jobs.acknowledge(job.id, NOW, message_id=21)
    lap()
    job = job.acknowledged(NOW, message_id=21)
    job = job.held(NOW, frames=4 * 60 * 44_100, minutes=4, title=job.title)
    await jobs.save(job, expected=State.RECEIVED, ledger=a_hold(job, 4))
    lap()
    job = job.submitting(NOW, provider="finevoice")
    await jobs.save(job, expected=State.HELD, attempt=an_attempt(job))
    lap()
    job = job.processing(NOW)
    await jobs.save(job, expected=State.SUBMITTING)
    lap()
    job = job.ready(NOW)
    await jobs.save(job, expected=State.PROCESSING, ledger=Post(job.id))
    lap()
    await jobs.save(job.kept(NOW), expected=State.READY)
    lap()
    return [after - before for before, after in itertools.pairwise(times)]


async def measure(
    db: Database, *, jobs: int, at_once: int, first: int
) -> tuple[float, list[float]]:
    """Return the transitions a second, and the seconds that each took."""
    store, gate = JobStore(db=db), asyncio.Semaphore(at_once)

    async def limited(number: int) -> list[float]:
        async with gate:
            return await one_job(store, number)

    started = time.perf_counter()
    laps = await asyncio.gather(*(limited(first + number) for number in range(jobs)))
    elapsed = time.perf_counter() - started
    return jobs * TRANSITIONS / elapsed, [each for lap in laps for each in lap]


async def reads(db: Database) -> float:
    """Return the median seconds of reading a job by its id."""
    store = JobStore(db=db)
    job = await lead(store, State.RECEIVED, job=a_job(user_id=UserId(5)))
    laps = []
    for _ in range(READS):
        started = time.perf_counter()
        await store.get(job.id)
        laps.append(time.perf_counter() - started)
    return statistics.median(laps)


@asynccontextmanager
async def opened(address: Address) -> AsyncIterator[Database]:
    db = await open_database(address)
    try:
        yield db
    finally:
        await db.close()


async def figures(address: Address, jobs: int) -> dict[str, str]:
    """Measure one database, and return a text for each figure."""
    async with opened(address) as db:
        await measure(db, jobs=20, at_once=4, first=0)  # warms up
        first = 1_000
        found: dict[str, str] = {}
        for at_once in AT_ONCE:
            rate, laps = await measure(db, jobs=jobs, at_once=at_once, first=first)
            first += jobs
            quantiles = statistics.quantiles(laps, n=100)
            found[f"transitions a second, {at_once} at once"] = f"{rate:.0f}"
            found[f"a transition, {at_once} at once, median"] = f"{quantiles[49] * 1e3:.1f} ms"
            found[f"a transition, {at_once} at once, 99 % within"] = f"{quantiles[98] * 1e3:.1f} ms"
        found["reading a job by its id, median"] = f"{await reads(db) * 1e3:.2f} ms"
        return found


def show(columns: dict[str, dict[str, str]]) -> None:
    print(f"{'':<44}" + "".join(f"{title:>16}" for title in columns))
    for figure in next(iter(columns.values())):
        print(f"{figure:<44}" + "".join(f"{found[figure]:>16}" for found in columns.values()))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--jobs", type=int, default=200)
    parser.add_argument("--url", help="a server on which databases may be made and dropped")
    options = parser.parse_args()
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        sqlite = asyncio.run(figures(folder / "stemcord.db", options.jobs))
        server = (
            PostgresServer(options.url)
            if options.url
            else stack.enter_context(running_server(is_durable=True))
        )
        url = stack.enter_context(server.database())
        postgres = asyncio.run(figures(PostgresUrl(url), options.jobs))
    show({"SQLite": sqlite, "PostgreSQL": postgres})


if __name__ == "__main__":
    main()
