import asyncio
from dataclasses import replace
from typing import Any

import psycopg
import pytest

from bot.domain.recipes import Stem
from storage.database.postgres import PostgresDatabase
from storage.work_queue.separations import (
    SeparationError,
    SeparationKey,
    Separations,
    SeparationState,
    TooManyStarts,
    queue_of,
)
from tests.integration.storage.work_queue.conftest import order_of

Rows = psycopg.Connection[Any]


def tasks(rows: Rows) -> list[tuple[Any, ...]]:
    found = "SELECT queue_name, priority, lock, status, args FROM procrastinate_jobs ORDER BY id"
    return rows.execute(found).fetchall()


async def test_a_submit_stores_the_row_and_one_task(
    separations: Separations, key: SeparationKey, rows: Rows
):
    await asyncio.gather(*(separations.submit(order_of(key, turn=7)) for _ in range(4)))
    found = await separations.get(key)
    assert found is not None
    assert (found.state, found.fraction, found.turn) == (SeparationState.WAITING, 0, 7)
    args = {"job_id": key.job_id, "number": 1}
    assert tasks(rows) == [("separate1.spleeter", -7, str(key), "todo", args)]


async def test_nothing_is_stored_when_the_task_cannot_be(
    separations: Separations, key: SeparationKey, rows: Rows
):
    broken = replace(order_of(key), turn=2**40)  # too large for a priority
    with pytest.raises(psycopg.DataError):
        await separations.submit(broken)
    assert await separations.get(key) is None
    assert tasks(rows) == []


async def test_a_start_takes_a_new_lease_and_only_the_holder_moves_the_bar(
    separations: Separations, key: SeparationKey
):
    await separations.submit(order_of(key))
    first = await separations.start(key, worker="one")
    second = await separations.start(key, worker="two")
    assert first is not None
    assert second is not None
    assert (first.lease, second.lease) == (1, 2)
    assert await separations.advance(second, 0.25)
    assert await separations.advance(first, 0.9)
    found = await separations.get(key)
    assert found is not None
    assert found.fraction == 0.25


async def test_a_worker_starts_what_a_newer_bot_asks_for(
    separations: Separations, key: SeparationKey, rows: Rows
):
    await separations.submit(order_of(key))
    rows.execute("""UPDATE separations SET stems = '["theremin"]'""")
    started = await separations.start(key, worker="one")
    assert started is not None
    assert started.lease == 1


async def test_a_song_has_failed_elsewhere_if_another_worker_could_not_do_it(
    separations: Separations, key: SeparationKey
):
    for number, (worker, error) in enumerate(
        [("ours", SeparationError.FAILED), ("theirs", SeparationError.STARVED)], start=1
    ):
        each = replace(key, number=number)
        await separations.submit(order_of(each))
        started = await separations.start(each, worker=worker)
        assert started is not None
        await separations.fail(started, error)
    assert not await separations.has_failed_elsewhere(key.job_id, worker="ours")
    assert await separations.has_failed_elsewhere(key.job_id, worker="theirs")


async def test_the_first_result_counts_and_a_later_one_does_not(
    separations: Separations, key: SeparationKey
):
    await separations.submit(order_of(key))
    first = await separations.start(key, worker="one")
    second = await separations.start(key, worker="two")
    assert first is not None
    assert second is not None
    assert await separations.finish(first, {Stem.VOCALS: "a"})
    assert not await separations.finish(second, {Stem.VOCALS: "b"})
    assert not await separations.fail(second, SeparationError.FAILED)
    assert not await separations.advance(second, 0.5)
    found = await separations.get(key)
    assert found is not None
    assert (found.state, found.files) == (SeparationState.DONE, {Stem.VOCALS: "a"})
    assert await separations.start(key, worker="three") is None


async def test_a_late_failure_does_not_end_the_work_of_another(
    separations: Separations, key: SeparationKey
):
    await separations.submit(order_of(key))
    first = await separations.start(key, worker="one")
    await separations.start(key, worker="two")
    assert first is not None
    assert not await separations.fail(first, SeparationError.STARVED)
    assert not await separations.hand_back(first)
    found = await separations.get(key)
    assert found is not None
    assert found.state is SeparationState.RUNNING


async def test_handing_back_counts_no_start_and_queues_a_task(
    separations: Separations, key: SeparationKey, rows: Rows
):
    await separations.submit(order_of(key))
    for _ in range(5):
        ours = await separations.start(key, worker="one")
        assert ours is not None
        assert await separations.hand_back(ours)
    assert rows.execute("SELECT starts, state FROM separations").fetchall() == [(0, "waiting")]
    assert len(tasks(rows)) == 6


async def test_cancelling_ends_the_row_and_deletes_a_waiting_task(
    separations: Separations, key: SeparationKey, rows: Rows
):
    await separations.submit(order_of(key))
    await separations.cancel(key)
    await separations.cancel(key)
    assert tasks(rows) == []
    assert await separations.start(key, worker="one") is None


async def test_cancelling_asks_for_the_abort_of_a_running_task(
    separations: Separations, key: SeparationKey, rows: Rows
):
    await separations.submit(order_of(key))
    rows.execute("UPDATE procrastinate_jobs SET status = 'doing'")
    await separations.cancel(key)
    assert rows.execute("SELECT abort_requested FROM procrastinate_jobs").fetchall() == [(True,)]


async def test_a_further_attempt_ends_the_earlier_one_and_continues_its_count(
    separations: Separations, key: SeparationKey, rows: Rows
):
    again = replace(key, number=2)
    await separations.submit(order_of(key))
    await separations.start(key, worker="one")
    await separations.submit(order_of(again))
    found = rows.execute("SELECT number, state, starts FROM separations ORDER BY 1").fetchall()
    assert found == [(1, "cancelled", 1), (2, "waiting", 1)]
    assert [task[2] for task in tasks(rows)] == [str(again)]


async def test_after_three_starts_no_further_attempt_is_taken(
    separations: Separations, key: SeparationKey, rows: Rows
):
    await separations.submit(order_of(key))
    for _ in range(3):
        await separations.start(key, worker="one")
    with pytest.raises(TooManyStarts):
        await separations.submit(order_of(replace(key, number=2)))
    assert await separations.get(replace(key, number=2)) is None
    found = await separations.get(key)
    assert found is not None
    assert (found.state, tasks(rows)) == (SeparationState.CANCELLED, [])


async def test_rows_are_left_behind_once_their_job_is_over(
    separations: Separations, key: SeparationKey, db: PostgresDatabase
):
    await separations.submit(order_of(key))
    assert await separations.left_behind() == []
    await db.write(lambda conn: conn.execute("UPDATE jobs SET state = 'failed'"))
    assert await separations.left_behind() == [key]
    await separations.remove(key)
    assert await separations.left_behind() == []


def test_a_queue_of_any_model_has_a_channel():
    names = [queue_of("x" * length) for length in range(1, 60)]
    assert len(set(names)) == len(names)
    assert all(len(f"procrastinate_queue_v1#{name}".encode()) < 64 for name in names)


def test_keys_are_read_as_they_are_written(key: SeparationKey):
    assert SeparationKey.parse(str(key)) == key
    assert SeparationKey.parse("k7f2q") is None
    assert SeparationKey.parse("k7f2q-x") is None


def test_the_key_of_a_result_is_found_in_its_address_alone(key: SeparationKey):
    assert SeparationKey.of_result(key.result(3, Stem.LEAD_VOCALS)) == key
    for other in (
        key.song,
        f"jobs/{key.job_id}/1/1/vocals.f32",
        f"{key.prefix}/1/../vocals.f32",
        f"separations/{key.job_id}/{'9' * 5000}/1/vocals.f32",
    ):
        assert SeparationKey.of_result(other) is None
