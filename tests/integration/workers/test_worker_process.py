"""A worker process: what it takes, what it leaves, and what it says."""

import asyncio
import json
import urllib.request
from dataclasses import replace

from bot.providers.self_hosted.declared_models import decode_models, usable_models
from storage.database.postgres_report import report_on
from storage.work_queue.living_workers import LivingWorkers
from storage.work_queue.separations import SeparationState
from tests.integration.workers.farm import Farm
from tests.support.waiting_worker import BAD


async def test_songs_are_taken_in_the_order_of_their_turns(farm: Farm):
    keys = [await farm.submit(turn=turn) for turn in (5, 3, 4, 3)]
    async with farm.worker() as worker:
        for key in keys:
            await farm.until_over(key)
        started = [line for line in worker.text.splitlines() if "start number" in line]
    order = [keys.index(key) for line in started for key in keys if f"{key}:" in line]
    assert order == [1, 3, 2, 0]


async def test_a_worker_leaves_songs_for_models_that_it_does_not_have(farm: Farm):
    theirs = await farm.submit(model="scnet")
    ours = await farm.submit(turn=1)
    async with farm.worker("one"):
        assert (await farm.until_over(ours)).state is SeparationState.DONE
        assert (await farm.separations.get(theirs)).state is SeparationState.WAITING  # type: ignore[union-attr]
        async with farm.worker("two", WAIT_MODELS="scnet,htdemucs"):
            assert (await farm.until_over(theirs)).state is SeparationState.DONE


async def test_a_model_that_cannot_be_loaded_costs_one_song_and_is_offered_no_more(farm: Farm):
    living = LivingWorkers(db=farm.db)
    first = await farm.submit(model="scnet")
    async with farm.worker(WAIT_MODELS="scnet,spleeter", WAIT_DAMAGED="scnet") as worker:
        assert (await farm.until_over(first)).state is SeparationState.FAILED
        [row] = await living.known()
        assert [model.name for model in usable_models(row.models)] == ["spleeter"]
        assert (row.slots, row.trouble) == (1, "scnet: it is damaged")
        theirs, ours = await farm.submit(model="scnet"), await farm.submit(turn=1)
        assert (await farm.until_over(ours)).state is SeparationState.DONE
        assert (await farm.separations.get(theirs)).state is SeparationState.WAITING  # type: ignore[union-attr]
        assert worker.text.count("scnet is no longer offered: it is damaged") == 1


async def test_a_worker_without_a_usable_model_takes_nothing_more(farm: Farm):
    first = await farm.submit()
    async with farm.worker(WAIT_DAMAGED="spleeter", STEMCORD_STOP_GRACE_S="20") as worker:
        assert (await farm.until_over(first)).state is SeparationState.FAILED
        [row] = await LivingWorkers(db=farm.db).known()
        assert [model.name for model in decode_models(row.models)] == ["spleeter"]
        assert (usable_models(row.models), row.slots) == ((), 0)
        second = await farm.submit()
        await asyncio.sleep(3)
        assert (await farm.separations.get(second)).state is SeparationState.WAITING  # type: ignore[union-attr]
        worker.tell_to_stop()
        assert await worker.wait() == 0


async def test_a_worker_on_which_song_after_song_fails_pauses_and_says_so(farm: Farm):
    async with farm.worker("broken", WAIT_FAILS="9", STEMCORD_OPS_ADDRESS="127.0.0.1:0") as broken:
        for _ in range(3):
            failed = await farm.until_over(await farm.submit())
            assert (failed.state, failed.error) == (SeparationState.FAILED, "failed")
        assert "3 separations in a row failed on this worker, so it pauses for" in broken.text
        [row] = await LivingWorkers(db=farm.db).known()
        assert [model.name for model in decode_models(row.models)] == ["spleeter"]
        assert (row.slots, row.trouble) == (0, "spleeter: 3 separations in a row failed here")
        address = broken.text.split("STEMCORD_OPS_ADDRESS: listening on ")[1].split()[0]
        assert json.loads(await _page(address, "healthz"))["models"] is False
        assert "stemcord_worker_paused 1.0" in await _page(address, "metrics")
        assert list(report_on(farm.url).notes) == [
            f"The worker {row.name} has trouble with spleeter: 3 separations in a row failed here"
        ]
        key = await farm.submit()
        await asyncio.sleep(3)
        assert (await farm.separations.get(key)).state is SeparationState.WAITING  # type: ignore[union-attr]
        async with farm.worker("well"):
            assert (await farm.until_over(key)).state is SeparationState.DONE


async def test_songs_that_fail_on_two_workers_pause_neither(farm: Farm):
    bad = BAD * 1000
    async with farm.worker("one") as one, farm.worker("two", WAIT_MODELS="scnet"):
        first, second = await farm.submit(bad), await farm.submit(bad)
        for key in (first, second):
            assert (await farm.until_over(key)).state is SeparationState.FAILED
        again = replace(first, number=2)
        await farm.order(again, bad, model="scnet")
        assert (await farm.until_over(again)).state is SeparationState.FAILED
        assert (await farm.until_over(await farm.submit(bad))).state is SeparationState.FAILED
        assert (await farm.until_over(await farm.submit())).state is SeparationState.DONE
        assert "pauses" not in one.text


async def test_a_waiting_song_that_is_cancelled_is_never_started(farm: Farm):
    key = await farm.submit()
    await farm.separations.cancel(key)
    async with farm.worker() as worker:
        assert (await farm.until_over(await farm.submit())).state is SeparationState.DONE
        assert str(key) not in worker.text


async def test_a_running_song_that_is_cancelled_is_stopped(farm: Farm):
    key = await farm.submit()
    async with farm.worker(wait_s=2):
        await farm.until_running(key)
        await asyncio.sleep(0.5)
        await farm.separations.cancel(key)
        after = await farm.submit()
        assert (await farm.until_over(after)).state is SeparationState.DONE
        found = await farm.until_over(key)
        await farm.until_no_task_is_left()
    assert found.state is SeparationState.CANCELLED
    assert found.files == {}


async def test_a_song_waits_while_the_store_is_away(farm: Farm):
    store = farm.home / "store"
    async with farm.worker() as worker:
        await worker.until_logged("is ready")
        key = await farm.submit()
        store.rename(farm.home / "unmounted")
        await worker.until_logged("waits for the object store")
        (farm.home / "unmounted").rename(store)
        found, _ = await farm.result(key)
    assert (found.state, found.lease) == (SeparationState.DONE, 1)


async def test_a_song_that_is_missing_from_the_store_fails(farm: Farm):
    key = await farm.submit()
    await farm.objects.remove_under(key.prefix)
    async with farm.worker():
        found = await farm.until_over(key)
    assert (found.state, found.error) == (SeparationState.FAILED, "song_missing")


async def test_a_worker_says_what_it_can_do_and_when_it_leaves(farm: Farm):
    living = LivingWorkers(db=farm.db)
    async with farm.worker(WAIT_MODELS="scnet", STEMCORD_STOP_GRACE_S="20") as worker:
        await worker.until_logged("is ready")
        [row] = await living.known()
        assert (row.is_living, row.slots) == (True, 1)
        assert [model["name"] for model in json.loads(row.models)] == ["scnet"]
        worker.tell_to_stop()
        assert await worker.wait() == 0
    [row] = await living.known()
    assert row.slots == 0


async def test_health_and_metrics_tell_the_role_and_the_state(farm: Farm):
    async with farm.worker(
        wait_s=4, STEMCORD_OPS_ADDRESS="127.0.0.1:0", STEMCORD_STOP_GRACE_S="20"
    ) as worker:
        await worker.until_logged("is ready")
        address = worker.text.split("STEMCORD_OPS_ADDRESS: listening on ")[1].split()[0]
        well = {"store": True, "models": True, "role": "worker", "state": "serving"}
        assert json.loads(await _page(address, "healthz")) == well
        key = await farm.submit()
        await farm.until_running(key)
        assert "stemcord_worker_running 1.0" in await _page(address, "metrics")
        worker.tell_to_stop()
        await worker.until_logged("stopping")
        assert json.loads(await _page(address, "healthz")) == {**well, "state": "draining"}
        assert await worker.wait() == 0


async def test_files_of_a_killed_worker_are_removed_by_the_next(farm: Farm):
    async with farm.worker(wait_s=60) as worker:
        key = await farm.submit()
        await farm.until_running(key)
        await worker.kill()
    home = farm.home / "worker" / "worker"
    assert len(list(home.iterdir())) == 1
    async with farm.worker() as worker:
        await farm.until_over(key)
        worker.tell_to_stop()
        await worker.wait()
    assert list(home.iterdir()) == []


async def _page(address: str, path: str) -> str:
    def get() -> str:
        with urllib.request.urlopen(f"http://{address}/{path}") as answer:
            return str(answer.read().decode())

    return await asyncio.to_thread(get)
