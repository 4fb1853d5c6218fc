"""Workers while PostgreSQL is unreachable."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from bot.workers.task_queue import CONNECT_WITHIN_S
from sandbox.cluster.database_server import CRASH_SAFE, DatabaseServer
from storage.database.write_retry import retry_write
from storage.work_queue.separations import Separation, SeparationKey, SeparationState
from tests.integration.workers.farm import Farm, open_farm
from tests.support.both_databases import serve_alone


@pytest.fixture
def own_server() -> Iterator[DatabaseServer]:
    yield from serve_alone(CRASH_SAFE)


@pytest.fixture
async def farm(own_server: DatabaseServer, tmp_path: Path) -> AsyncIterator[Farm]:
    async with open_farm(own_server.url, tmp_path) as opened:
        yield opened


@pytest.mark.parametrize(("mode", "away_s"), [("fast", 0.5), ("immediate", 12.0)])
async def test_a_song_under_way_survives_a_restart_and_so_does_its_worker(
    farm: Farm, own_server: DatabaseServer, mode: str, away_s: float
):
    key = await farm.submit()
    async with farm.worker(wait_s=6) as worker:
        await farm.until_running(key)
        await asyncio.to_thread(own_server.stop, mode)
        await asyncio.sleep(away_s)
        await asyncio.to_thread(own_server.start)
        found = await asyncio.wait_for(until_over(farm, key), 100)
        assert (found.state, found.lease) == (SeparationState.DONE, 1)
        # The worker takes the next song, and its heartbeat continues meanwhile.
        after = await asyncio.wait_for(submitted(farm), 60)
        found = await asyncio.wait_for(until_over(farm, after), 100)
        assert (found.state, found.lease) == (SeparationState.DONE, 1)
        worker.tell_to_stop()
        assert await worker.wait() == 0


async def test_a_worker_waits_for_a_database_that_is_not_there_yet(
    farm: Farm, own_server: DatabaseServer
):
    await asyncio.to_thread(own_server.stop, "fast")
    async with farm.worker() as worker:
        await worker.until_logged("the start waits for the database")
        await asyncio.to_thread(own_server.start)
        key = await asyncio.wait_for(submitted(farm), 60)
        found = await asyncio.wait_for(until_over(farm, key), 100)
        assert found.state is SeparationState.DONE


@pytest.mark.parametrize("change", [-1, 1])
async def test_a_worker_waits_for_the_schema_of_its_own_version(farm: Farm, change: int):
    await farm.db.write(
        lambda conn: conn.execute("UPDATE schema_version SET number = number + ?", (change,))
    )
    async with farm.worker() as worker:
        await worker.until_logged("has schema version")
        await farm.db.write(
            lambda conn: conn.execute("UPDATE schema_version SET number = number - ?", (change,))
        )
        await worker.until_logged("is ready")


async def submitted(farm: Farm) -> SeparationKey:
    """Submit a song as soon as the database accepts it."""
    return await retry_write(farm.submit, what="a song")


async def until_over(farm: Farm, key: SeparationKey) -> Separation:
    return await retry_write(lambda: farm.until_over(key), what="the result")


@pytest.mark.parametrize("away_s", [0.0, 6.0])
async def test_a_worker_told_to_stop_while_the_database_is_away_does_not_wait_for_it(
    farm: Farm, own_server: DatabaseServer, away_s: float
):
    async with farm.worker(STEMCORD_STOP_GRACE_S="300") as worker:
        await worker.until_logged("is ready")
        await asyncio.sleep(1)  # until it looks for tasks
        await asyncio.to_thread(own_server.stop, "fast")
        await asyncio.sleep(away_s)
        worker.tell_to_stop()
        try:
            assert await worker.wait(within_s=CONNECT_WITHIN_S / 2) == 0
        finally:
            await asyncio.to_thread(own_server.start)
