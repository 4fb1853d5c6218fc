"""Audio tasks of a bot on worker processes, and everything that can go wrong on the way."""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from bot.audio.rendition_tasks import MasterPart, RenderedOutput
from bot.audio.spool import SAMPLE_RATE
from bot.audio.tools import AudioTools
from bot.cli.version import our_version
from bot.domain.errors import Reason, Rejected
from bot.workers.audio.audio_sweeper import AudioSweeper
from storage.objects.store_opening import open_object_store
from storage.work_queue.audio_tasks import audio_objects
from storage.work_queue.living_workers import LivingWorkers, WorkerRow
from storage.work_queue.separations import SeparationState
from tests.integration.workers.audio_bench import SONG_S, Bench, Sounds, make_sounds, open_bench
from tests.integration.workers.farm import Farm
from tests.support.object_stores import BUCKET, S3Service, variables


@pytest.fixture(scope="module")
def sounds(tmp_path_factory: pytest.TempPathFactory) -> Sounds:
    return asyncio.run(make_sounds(tmp_path_factory.mktemp("sounds")))


@pytest.fixture
async def bench(farm: Farm, sounds: Sounds, tmp_path: Path) -> AsyncIterator[Bench]:
    async with open_bench(farm, sounds, tmp_path) as opened:
        yield opened


async def test_a_song_is_decoded_and_encoded_on_a_worker(bench: Bench, sounds: Sounds):
    async with bench.worker() as worker:
        await worker.until_logged("is ready")
        decoded, encoded = await bench.decode(), await bench.encode()
        assert (decoded.frames, decoded.container) == (SONG_S * SAMPLE_RATE, "wav")
        for task in ("DecodeTask", "EncodeTask"):
            assert f": {task}" in worker.text
        assert worker.text.count(": done") == 2
        await bench.until_nothing_is_left()
        assert list((bench.farm.home / "worker" / "worker").glob("*/audio-*")) == []
    assert bench.outcomes == {"done": 2}
    assert (bench.folder / "mixture.f32").read_bytes() == sounds.spool.read_bytes()
    there = encoded.path.read_bytes()
    async with AudioTools() as here:
        assert (await bench.encode(here)).path.read_bytes() == there


async def test_a_rendition_runs_on_a_worker(bench: Bench):
    outputs = [bench.folder / "one.flac", bench.folder / "two.flac"]
    async with bench.worker() as worker:
        await worker.until_logged("is ready")
        rendered = await bench.audio.render(
            [
                RenderedOutput(path=path, parts=(MasterPart(master=bench.master),))
                for path in outputs
            ],
            speed_percent=200,
        )
        assert worker.text.count(": done") == 1
    assert rendered.frames == SONG_S * SAMPLE_RATE / 2
    assert all(path.stat().st_size for path in outputs)
    assert not list(bench.folder.glob("*.f32"))


async def test_a_worker_for_both_does_both(bench: Bench):
    async with bench.worker(tasks="separate,audio") as worker:
        key = await bench.farm.submit()
        assert (await bench.farm.until_over(key)).state is SeparationState.DONE
        await bench.encode()
        assert bench.outcomes == {"done": 1}
        [row] = await LivingWorkers(db=bench.farm.db).known()
        assert row.slots == 1
        assert row.audio_slots >= 1
        worker.tell_to_stop()
        assert await worker.wait() == 0
    [row] = await LivingWorkers(db=bench.farm.db).known()
    assert (row.slots, row.audio_slots) == (0, 0)


async def test_a_worker_that_only_separates_gets_no_audio(bench: Bench):
    async with bench.worker(tasks="separate") as worker:
        await worker.until_logged("is ready")
        await bench.encode()
        assert "audio task" not in worker.text
    assert bench.outcomes == {}


async def test_a_worker_for_audio_alone_takes_no_songs_and_needs_no_model(bench: Bench):
    key = await bench.farm.submit()
    async with bench.worker(STEMCORD_MODELS_DIR=str(bench.folder / "none")) as worker:
        await worker.until_logged("is ready")
        [row] = await LivingWorkers(db=bench.farm.db).known()
        assert (json.loads(row.models), row.slots) == ([], 0)
        await bench.encode()
        assert (await bench.farm.separations.get(key)).state is SeparationState.WAITING  # type: ignore[union-attr]
    assert bench.outcomes == {"done": 1}


async def test_a_worker_of_another_version_gets_no_audio(
    farm: Farm, sounds: Sounds, tmp_path: Path
):
    async with open_bench(farm, sounds, tmp_path, version="0.0.9") as bench:
        async with bench.worker() as worker:
            await worker.until_logged("is ready")
            await bench.encode()
            assert bench.outcomes == {}
            # Not even if a row says that a worker of the bot's version is running.
            row = WorkerRow(
                id="w", name="w", version="0.0.9", models="[]", slots=0, audio_slots=1, device="cpu"
            )
            await LivingWorkers(db=farm.db).arrive(row)
            await bench.encode()
            assert bench.outcomes == {"not_taken": 1}
            assert "audio task" not in worker.text
        await bench.until_nothing_is_left()


async def test_a_task_whose_worker_is_killed_ends_here(bench: Bench):
    async with bench.worker() as worker:
        await worker.until_logged("is ready")
        encoding = asyncio.create_task(bench.encode())
        await bench.until_task("running")
        worker.freeze()
        await worker.kill()
        await bench.age("workers", "seen_at")
        encoded = await encoding
    assert encoded.size_bytes == encoded.path.stat().st_size > 0
    assert bench.outcomes == {"worker_gone": 1}
    await bench.sender.aclose()
    # Its task in the queue stays until its heartbeat has been missing for a minute.
    await bench.farm.db.write(
        lambda conn: conn.execute(
            "UPDATE procrastinate_workers SET last_heartbeat = now() - interval '2 minutes'"
        )
    )
    await AudioSweeper(tasks=bench.tasks, objects=bench.objects).sweep()
    await bench.until_nothing_is_left()


async def test_a_frozen_worker_that_returns_late_changes_nothing(bench: Bench):
    async with bench.worker() as worker:
        await worker.until_logged("is ready")
        encoding = asyncio.create_task(bench.encode())
        await bench.until_task("running")
        worker.freeze()
        await bench.age("workers", "seen_at")
        encoded = await encoding
        here = encoded.path.read_bytes()
        worker.thaw()
        assert bench.outcomes == {"worker_gone": 1}
        await bench.until_place()
        await bench.encode()  # the worker continues
        assert bench.outcomes == {"worker_gone": 1, "done": 1}
        sweeper = AudioSweeper(tasks=bench.tasks, objects=bench.objects)
        await bench.until_nothing_is_left(sweep=sweeper.remove_orphans)
    assert encoded.path.read_bytes() == here


async def test_a_worker_that_is_stopped_leaves_its_task_to_the_bot(bench: Bench):
    async with bench.worker(STEMCORD_STOP_GRACE_S="0") as worker:
        await worker.until_logged("is ready")
        encoding = asyncio.create_task(bench.encode())
        await bench.until_task("running")
        worker.tell_to_stop()
        await encoding
        assert await worker.wait() == 0
        assert "handed_back" in worker.text
    assert bench.outcomes == {"declined": 1}
    await bench.until_nothing_is_left()


@pytest.mark.parametrize(
    ("content", "max_duration_s", "reason"),
    [
        (b"no sound at all " * 100_000, 60.0, Reason.NOT_AUDIO),
        (None, 2.0, Reason.TOO_LONG),
    ],
)
async def test_a_song_that_a_worker_refuses_is_refused_as_it_is_here(
    bench: Bench, content: bytes | None, max_duration_s: float, reason: Reason
):
    if content is not None:
        bench.song.write_bytes(content)
    async with bench.worker() as worker:
        await worker.until_logged("is ready")
        with pytest.raises(Rejected) as there:
            await bench.decode(max_duration_s=max_duration_s)
    async with AudioTools() as tools:
        with pytest.raises(Rejected) as here:
            await tools.decode(
                bench.song, bench.folder / "mixture.f32", max_duration_s=max_duration_s
            )
    assert there.value.problem == here.value.problem
    assert there.value.problem.reason is reason
    assert bench.outcomes == {"refused": 1}
    assert not (bench.folder / "mixture.f32").exists()


async def test_a_wrong_result_of_a_worker_is_made_again_here(bench: Bench):
    row = WorkerRow(
        id="w", name="w", version=our_version(), models="[]", slots=0, audio_slots=1, device="cpu"
    )
    await LivingWorkers(db=bench.farm.db).arrive(row)
    encoding = asyncio.create_task(bench.encode())
    task_id = await bench.until_task("waiting")
    assert await bench.tasks.start(task_id, worker="w")
    await bench.objects.put(bench.song, f"{audio_objects(task_id)}/out-0")
    answer = {"path": "out-0", "size_bytes": 5, "format": "mp3", "bit_rate": 320_000}
    await bench.tasks.finish(task_id, json.dumps({"Encoded": answer}), worker="w")
    encoded = await encoding
    assert bench.outcomes == {"wrong": 1}
    there = encoded.path.read_bytes()
    async with AudioTools() as here:
        assert (await bench.encode(here)).path.read_bytes() == there
    await bench.until_nothing_is_left()


async def test_a_cancelled_task_is_stopped_on_the_worker(bench: Bench):
    async with bench.worker() as worker:
        await worker.until_logged("is ready")
        encoding = asyncio.create_task(bench.encode())
        await bench.until_task("running")
        worker.freeze()
        encoding.cancel()
        with pytest.raises(asyncio.CancelledError):
            await encoding
        await bench.sender.aclose()
        worker.thaw()
        await bench.until_nothing_is_left()
        assert ": done" not in worker.text
    assert bench.outcomes == {"cancelled": 1}
    assert not (bench.folder / "vocals.mp3").exists()


async def test_a_worker_that_does_not_reach_the_store_leaves_its_task_to_the_bot(bench: Bench):
    elsewhere = bench.farm.home / "elsewhere"
    elsewhere.mkdir()
    await open_object_store(elsewhere.as_uri(), {}).prepare("tests")
    async with bench.worker(STEMCORD_OBJECT_STORE=elsewhere.as_uri()) as worker:
        await worker.until_logged("is ready")
        await bench.encode()
    assert bench.outcomes == {"declined": 1}


async def test_a_task_runs_here_while_the_store_is_away(bench: Bench):
    async with bench.worker() as worker:
        await worker.until_logged("is ready")
        store = bench.farm.home / "store"
        store.rename(bench.farm.home / "unmounted")
        await bench.encode()
        (bench.farm.home / "unmounted").rename(store)
        assert bench.outcomes == {"unavailable": 1}
        await bench.until_nothing_is_left()


async def test_what_a_killed_bot_left_is_deleted_and_its_worker_stopped(bench: Bench):
    sweeper = AudioSweeper(tasks=bench.tasks, objects=bench.objects)
    async with bench.worker() as worker:
        await worker.until_logged("is ready")
        encoding = asyncio.create_task(bench.encode())
        task_id = await bench.until_task("running")
        worker.freeze()
        await sweeper.sweep()
        assert len(await bench.rows()) == 1
        await bench.age("audio_tasks", "asked_at")
        await sweeper.sweep()
        assert await bench.rows() == []
        assert await bench.objects.keys_under(audio_objects(task_id)) == []
        await encoding
        assert bench.outcomes == {"unavailable": 1}
        worker.thaw()
        await bench.until_nothing_is_left()


async def test_objects_without_a_row_are_deleted(bench: Bench):
    await bench.objects.put(bench.song, f"{audio_objects('0' * 24)}/out-0")
    await AudioSweeper(tasks=bench.tasks, objects=bench.objects).remove_orphans()
    await bench.until_nothing_is_left()


async def test_songs_travel_through_a_bucket(farm: Farm, sounds: Sounds, tmp_path: Path):
    service = S3Service()
    try:
        url, settings = f"s3://{BUCKET}/audio", variables(service.endpoint)
        objects = open_object_store(url, settings)
        await objects.prepare("tests")
        async with open_bench(farm, sounds, tmp_path, objects=objects) as bench:
            # The bot has already stored the master, so the store copies it internally.
            await objects.put(bench.master, "jobs/k7f2q/vocals.flac")
            more = {**settings, "STEMCORD_OBJECT_STORE": url}
            async with bench.worker(**more) as worker:
                await worker.until_logged("is ready")
                assert (await bench.decode()).frames == SONG_S * SAMPLE_RATE
                await bench.encode()
                assert bench.outcomes == {"done": 2}
                await bench.until_nothing_is_left()
            assert await objects.size("jobs/k7f2q/vocals.flac")
    finally:
        service.stop()
