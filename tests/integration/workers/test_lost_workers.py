"""Songs of workers that die, freeze or leave are separated by others, once."""

import logging
import signal

import pytest

from bot.domain.recipes import Stem
from storage.work_queue.separations import SeparationError, SeparationState
from tests.integration.workers.farm import SONG, STALLED_S, Farm
from tests.support.waiting_worker import POISON


async def test_the_song_of_a_killed_worker_is_done_by_another(farm: Farm):
    key = await farm.submit()
    async with farm.worker("one", wait_s=60) as one:
        await farm.until_running(key)
        await one.kill()
        async with farm.worker("two"):
            found, stems = await farm.result(key)
    assert (found.state, found.lease) == (SeparationState.DONE, 2)
    assert stems == {Stem.VOCALS: SONG, Stem.INSTRUMENTAL: SONG}


async def test_a_frozen_worker_that_returns_late_changes_nothing(farm: Farm):
    key = await farm.submit()
    async with farm.worker("one", wait_s=STALLED_S) as one:
        await farm.until_running(key)
        one.freeze()
        async with farm.worker("two"):
            found, stems = await farm.result(key)
        one.thaw()
        await one.until_logged(f"{key}: dropped")
        assert await farm.separations.get(key) == found
        assert stems[Stem.VOCALS] == SONG
        kept = await farm.objects.keys_under(key.prefix)
        assert sorted(kept) == sorted([*found.files.values(), key.song])
        # The thawed worker keeps working.
        assert (await farm.until_over(await farm.submit())).state is SeparationState.DONE


async def test_a_song_that_kills_its_workers_is_given_up_and_named(
    farm: Farm, caplog: pytest.LogCaptureFixture
):
    key = await farm.submit(POISON * 100)
    healthy = await farm.submit()
    with caplog.at_level(logging.WARNING):
        for number in range(3):
            async with farm.worker(f"victim {number}") as worker:
                await worker.wait(within_s=60)
        found = await farm.until_over(key)
    assert (found.state, found.error) == (SeparationState.FAILED, SeparationError.KILLED_WORKERS)
    assert f"{key}: 3 workers died of it" in caplog.text
    async with farm.worker("survivor"):
        assert (await farm.until_over(healthy)).state is SeparationState.DONE
        await farm.until_no_task_is_left()


async def test_a_worker_told_to_stop_ends_its_song_first(farm: Farm):
    key = await farm.submit()
    waiting = await farm.submit(turn=1)
    grace_s = STALLED_S + 8
    async with farm.worker(wait_s=STALLED_S + 2, STEMCORD_STOP_GRACE_S=str(grace_s)) as worker:
        await farm.until_running(key)
        worker.tell_to_stop()
        assert await worker.wait() == 0
    found = await farm.until_over(key)
    # Its heartbeat continued while it drained, so its song was not given to another worker.
    assert (found.state, found.lease) == (SeparationState.DONE, 1)
    left = await farm.separations.get(waiting)
    assert left is not None
    assert left.state is SeparationState.WAITING


async def test_a_song_that_would_last_too_long_is_handed_back_and_counts_for_nothing(farm: Farm):
    key = await farm.submit()
    # Closing the terminal stops a worker like any other signal.
    for sign in (signal.SIGTERM, signal.SIGHUP):
        name, grace = f"leaving by {sign.name}", "1"
        async with farm.worker(name, wait_s=60, STEMCORD_STOP_GRACE_S=grace) as worker:
            await farm.until_running(key)
            worker.tell_to_stop(sign)
            assert await worker.wait() == 0
            assert "handed_back" in worker.text
    assert await farm.starts(key) == 0
    async with farm.worker("staying"):
        found, _ = await farm.result(key)
    assert found.state is SeparationState.DONE
    assert await farm.objects.keys_under(f"{key.prefix}/1") == []
