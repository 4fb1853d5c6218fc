import asyncio
from typing import Any

import psycopg
import pytest

from storage.database.postgres import PostgresDatabase
from storage.work_queue.separation_sweep import SeparationSweep, Swept
from storage.work_queue.separations import (
    SeparationError,
    SeparationKey,
    Separations,
    SeparationState,
)
from tests.integration.storage.work_queue.conftest import order_of

Rows = psycopg.Connection[Any]
LONG_S = 60.0


def fetch(rows: Rows, *, silent_s: float = 0.0) -> int:
    """Take a task as a worker whose last heartbeat was `silent_s` ago."""
    [(worker,)] = rows.execute(
        "INSERT INTO procrastinate_workers (last_heartbeat) "
        "VALUES (now() - make_interval(secs => %s)) RETURNING id",
        (silent_s,),
    ).fetchall()
    [(task,)] = rows.execute(
        "SELECT id FROM procrastinate_fetch_job_v2(NULL, %s)", (worker,)
    ).fetchall()
    return int(task)


def statuses(rows: Rows) -> list[tuple[Any, ...]]:
    return rows.execute("SELECT id, status FROM procrastinate_jobs ORDER BY id").fetchall()


async def test_a_task_of_a_living_worker_is_left_alone(
    separations: Separations, sweeper: SeparationSweep, key: SeparationKey, rows: Rows
):
    await separations.submit(order_of(key))
    task = fetch(rows)
    assert await sweeper.sweep(stalled_s=0.5) == Swept()
    assert statuses(rows) == [(task, "doing")]


async def test_a_dead_workers_task_is_replaced_at_its_place(
    separations: Separations, sweeper: SeparationSweep, key: SeparationKey, rows: Rows
):
    await separations.submit(order_of(key, turn=4))
    task = fetch(rows, silent_s=10)
    await separations.start(key, worker="one")
    assert await sweeper.sweep(stalled_s=0.01) == Swept(restarted=(key,))
    [(other, priority)] = rows.execute("SELECT id, priority FROM procrastinate_jobs").fetchall()
    assert (other != task, priority) == (True, -4)
    found = await separations.get(key)
    assert found is not None
    assert found.state is SeparationState.WAITING


async def test_a_late_end_of_the_old_task_does_not_end_the_new_one(
    separations: Separations, sweeper: SeparationSweep, key: SeparationKey, rows: Rows
):
    await separations.submit(order_of(key))
    task = fetch(rows, silent_s=10)
    await sweeper.sweep(stalled_s=0.01)
    with pytest.raises(psycopg.errors.RaiseException):
        rows.execute("SELECT procrastinate_finish_job_v1(%s, 'succeeded', TRUE)", (task,))
    [(_, status)] = statuses(rows)
    assert status == "todo"


async def test_after_a_restart_of_the_server_old_heartbeats_are_no_sign_of_death(
    separations: Separations, sweeper: SeparationSweep, key: SeparationKey, rows: Rows
):
    await separations.submit(order_of(key))
    fetch(rows, silent_s=2e9)
    [(up_s,)] = rows.execute(
        "SELECT extract(epoch FROM now() - pg_postmaster_start_time())::float"
    ).fetchall()
    assert await sweeper.sweep(stalled_s=up_s + LONG_S) == Swept()
    assert await sweeper.sweep(stalled_s=up_s / 2) == Swept(restarted=(key,))


async def test_a_song_that_has_killed_three_workers_is_given_up(
    separations: Separations, sweeper: SeparationSweep, key: SeparationKey, rows: Rows
):
    await separations.submit(order_of(key))
    for expected in (Swept(restarted=(key,)), Swept(restarted=(key,)), Swept(given_up=(key,))):
        fetch(rows, silent_s=10)
        await separations.start(key, worker="one")
        assert await sweeper.sweep(stalled_s=0.01) == expected
    found = await separations.get(key)
    assert found is not None
    assert (found.state, found.error) == (SeparationState.FAILED, SeparationError.KILLED_WORKERS)
    assert statuses(rows) == []


async def test_a_song_whose_task_ends_without_a_result_three_times_is_given_up(
    separations: Separations, sweeper: SeparationSweep, key: SeparationKey, rows: Rows
):
    await separations.submit(order_of(key))
    for expected in (Swept(restarted=(key,)), Swept(restarted=(key,)), Swept(given_up=(key,))):
        task = fetch(rows)
        await separations.start(key, worker="one")
        rows.execute("SELECT procrastinate_finish_job_v1(%s, 'failed', TRUE)", (task,))
        assert await sweeper.sweep(stalled_s=LONG_S) == expected


async def test_workers_that_die_before_they_start_count_for_nothing(
    separations: Separations, sweeper: SeparationSweep, key: SeparationKey, rows: Rows
):
    await separations.submit(order_of(key))
    for _ in range(5):
        fetch(rows, silent_s=10)
        assert await sweeper.sweep(stalled_s=0.01) == Swept(restarted=(key,))


async def test_an_open_separation_without_a_task_gets_one(
    separations: Separations, sweeper: SeparationSweep, key: SeparationKey, rows: Rows
):
    await separations.submit(order_of(key))
    await separations.start(key, worker="one")
    rows.execute("UPDATE procrastinate_jobs SET status = 'failed'")
    assert await sweeper.sweep(stalled_s=LONG_S) == Swept(restarted=(key,))
    assert [status for _, status in statuses(rows)] == ["todo"]
    assert await sweeper.sweep(stalled_s=LONG_S) == Swept()


async def test_the_task_of_an_ended_separation_is_not_replaced(
    separations: Separations, sweeper: SeparationSweep, key: SeparationKey, rows: Rows
):
    await separations.submit(order_of(key))
    fetch(rows, silent_s=10)
    await separations.cancel(key)
    assert await sweeper.sweep(stalled_s=0.01) == Swept()
    assert statuses(rows) == []


async def test_sweepers_at_once_replace_a_task_once(
    separations: Separations,
    key: SeparationKey,
    rows: Rows,
    db: PostgresDatabase,
):
    await separations.submit(order_of(key))
    fetch(rows, silent_s=10)
    sweeps = [SeparationSweep(db=db).sweep(stalled_s=0.01) for _ in range(6)]
    restarted = [key for swept in await asyncio.gather(*sweeps) for key in swept.restarted]
    assert restarted == [key]
    assert len(statuses(rows)) == 1
