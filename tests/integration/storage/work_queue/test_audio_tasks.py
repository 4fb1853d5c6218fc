import asyncio
from typing import Any

import psycopg
import pytest

from storage.database.postgres import PostgresDatabase
from storage.database.protocols import Connection
from storage.stores.lock_names import audio_places
from storage.work_queue.audio_tasks import (
    AudioTasks,
    AudioTaskState,
    SentTask,
    audio_objects,
    audio_queue,
    new_task_id,
)
from storage.work_queue.living_workers import LivingWorkers, WorkerRow

Rows = psycopg.Connection[Any]

ID = "0123456789abcdef01234567"
WORKER = WorkerRow(id="w", name="w", version="1", models="[]", slots=0, audio_slots=2, device="cpu")


@pytest.fixture
def tasks(db: PostgresDatabase) -> AudioTasks:
    return AudioTasks(db=db, version="1")


@pytest.fixture
async def worker(workers: LivingWorkers) -> WorkerRow:
    await workers.arrive(WORKER)
    return WORKER


async def begun(tasks: AudioTasks) -> str:
    """Store a task that the worker runs, and return its id."""
    task_id = new_task_id()
    assert await tasks.reserve(task_id, "{}")
    await tasks.offer(task_id)
    assert await tasks.start(task_id, worker="w") == "{}"
    return task_id


async def state_of(tasks: AudioTasks, task_id: str) -> AudioTaskState | None:
    found = await tasks.look(task_id)
    return None if found is None else found.state


async def test_no_more_tasks_get_a_place_than_workers_have(tasks: AudioTasks, worker: WorkerRow):
    assert await tasks.places() == 2
    given = await asyncio.gather(*(tasks.reserve(new_task_id(), "{}") for _ in range(8)))
    assert sorted(given) == [False] * 6 + [True] * 2
    assert await tasks.places() == 0


async def test_the_last_place_is_not_given_again_while_its_reservation_is_committed(
    tasks: AudioTasks, worker: WorkerRow, db: PostgresDatabase, rows: Rows
):
    await begun(tasks)
    sleeping = "SELECT 1 FROM pg_stat_activity WHERE state = 'active' AND query LIKE 'SELECT pg_s%'"

    async def reserve_slowly(conn: Connection) -> None:
        await conn.execute(
            "INSERT INTO audio_tasks (id, version, task, state, created_at, asked_at) "
            "SELECT ?, version, task, 'sending', created_at, asked_at FROM audio_tasks",
            (ID,),
        )
        await conn.execute_fetchall("SELECT pg_sleep(1)")

    slow = asyncio.create_task(db.write(reserve_slowly, locks=[audio_places()]))
    while not rows.execute(sleeping).fetchall():
        await asyncio.sleep(0.01)
    assert not await tasks.reserve(new_task_id(), "{}")
    await slow


async def test_a_place_is_free_when_its_task_has_ended(tasks: AudioTasks, worker: WorkerRow):
    done, declined, removed = await begun(tasks), await begun(tasks), None
    assert await tasks.places() == 0
    await tasks.finish(done, "answer", worker="w")
    assert await tasks.places() == 1
    await tasks.decline(declined, "reason", worker="w")
    assert await tasks.places() == 2
    removed = await begun(tasks)
    await tasks.remove(removed)
    assert await tasks.places() == 2


async def test_a_place_of_a_dead_bot_is_free_after_a_while(
    tasks: AudioTasks, worker: WorkerRow, rows: Rows
):
    await begun(tasks)
    rows.execute("UPDATE audio_tasks SET asked_at = asked_at - 61")
    assert await tasks.places() == 2
    [left] = await tasks.abandoned()
    await tasks.ask(left)
    assert await tasks.abandoned() == []
    assert await tasks.places() == 1


@pytest.mark.parametrize(
    "change", ["version = '2'", "audio_slots = 0", "seen_at = seen_at - 60"], ids=lambda text: text
)
async def test_only_living_workers_of_this_version_have_places(
    tasks: AudioTasks, worker: WorkerRow, rows: Rows, change: str
):
    rows.execute(f"UPDATE workers SET {change}".encode())
    assert await tasks.places() == 0
    assert not await tasks.reserve(ID, "{}")
    assert await tasks.look(ID) is None


async def test_a_task_is_in_the_queue_once_its_files_are_there(
    tasks: AudioTasks, worker: WorkerRow, rows: Rows
):
    await tasks.reserve(ID, "{}")
    assert await tasks.start(ID, worker="w") is None
    for _ in range(2):
        await tasks.offer(ID)
    [(queue, args)] = rows.execute("SELECT queue_name, args FROM procrastinate_jobs").fetchall()
    assert (queue, args) == (audio_queue("1"), {"task_id": ID})
    assert await tasks.start(ID, worker="w") == "{}"
    assert await tasks.look(ID) == SentTask(
        state=AudioTaskState.RUNNING, worker="w", answer=None, is_worker_living=True
    )
    assert await tasks.start(ID, worker="other") is None


async def test_a_task_of_another_version_is_not_started(
    tasks: AudioTasks, worker: WorkerRow, db: PostgresDatabase
):
    await tasks.reserve(ID, "{}")
    await tasks.offer(ID)
    assert await AudioTasks(db=db, version="2").start(ID, worker="w") is None
    assert await state_of(tasks, ID) is AudioTaskState.WAITING
    assert len({audio_queue(version) for version in ("1", "2", "1.0", "")}) == 4


async def test_an_answer_counts_from_the_worker_that_runs_the_task_and_once(
    tasks: AudioTasks, worker: WorkerRow
):
    task_id = await begun(tasks)
    assert not await tasks.finish(task_id, "theirs", worker="other")
    assert await tasks.finish(task_id, "answer", worker="w")
    assert not await tasks.finish(task_id, "later", worker="w")
    assert not await tasks.decline(task_id, "reason", worker="w")
    found = await tasks.look(task_id)
    assert found is not None
    assert (found.state, found.answer) == (AudioTaskState.DONE, "answer")


async def test_a_worker_that_is_silent_is_not_living(
    tasks: AudioTasks, worker: WorkerRow, rows: Rows
):
    task_id = await begun(tasks)
    rows.execute("UPDATE workers SET seen_at = seen_at - 16")
    found = await tasks.look(task_id)
    assert found is not None
    assert not found.is_worker_living


async def test_a_removed_task_is_never_started_and_a_running_one_is_stopped(
    tasks: AudioTasks, worker: WorkerRow, rows: Rows
):
    waiting = new_task_id()
    await tasks.reserve(waiting, "{}")
    await tasks.offer(waiting)
    for _ in range(2):
        await tasks.remove(waiting)
    assert await tasks.start(waiting, worker="w") is None
    assert rows.execute("SELECT id FROM procrastinate_jobs").fetchall() == []
    running = await begun(tasks)
    rows.execute("UPDATE procrastinate_jobs SET status = 'doing'")
    await tasks.remove(running)
    assert rows.execute("SELECT abort_requested FROM procrastinate_jobs").fetchall() == [(True,)]
    assert not await tasks.finish(running, "answer", worker="w")


async def test_tasks_of_dead_workers_do_not_stay_in_the_queue(
    tasks: AudioTasks, worker: WorkerRow, rows: Rows
):
    removed, kept = await begun(tasks), await begun(tasks)
    [(theirs,)] = rows.execute("SELECT worker_id FROM procrastinate_register_worker_v1()")
    rows.execute("UPDATE procrastinate_jobs SET status = 'doing', worker_id = %s", (theirs,))
    await tasks.remove(removed)
    await tasks.forget_lost()
    assert rows.execute("SELECT count(*) FROM procrastinate_jobs").fetchall() == [(2,)]
    rows.execute("UPDATE procrastinate_workers SET last_heartbeat = now() - interval '61 seconds'")
    await tasks.forget_lost()
    assert rows.execute("SELECT lock FROM procrastinate_jobs").fetchall() == [(kept,)]
    assert await tasks.all_ids() == {kept}


@pytest.mark.parametrize("text", ["", "..", "0123456789abcdef0123456/", ID + "0", ID.upper()])
def test_only_an_id_has_objects(text: str):
    assert audio_objects(ID) == f"audio/{ID}"
    with pytest.raises(ValueError, match="not the id"):
        audio_objects(text)
