from dataclasses import replace
from typing import Any

import psycopg

from storage.work_queue.living_workers import LivingWorkers, WorkerRow

WORKER = WorkerRow(id="a", name="attic", version="1", models="[]", slots=1, device="cpu")


def let_pass(rows: psycopg.Connection[Any], seconds: float) -> None:
    rows.execute("UPDATE workers SET seen_at = seen_at - %s", (seconds,))


async def test_a_worker_lives_while_it_is_seen(
    workers: LivingWorkers, rows: psycopg.Connection[Any]
):
    await workers.arrive(WORKER)
    assert await workers.known() == [WORKER]
    let_pass(rows, 60)
    assert await workers.known() == [replace(WORKER, is_living=False)]
    await workers.seen(replace(WORKER, slots=0))
    assert await workers.known() == [replace(WORKER, slots=0)]


async def test_workers_are_remembered_for_thirty_days(
    workers: LivingWorkers, rows: psycopg.Connection[Any]
):
    await workers.arrive(WORKER)
    let_pass(rows, 29 * 86_400)
    assert [each.id for each in await workers.known()] == ["a"]
    let_pass(rows, 86_400 + 60)
    assert await workers.known() == []
    await workers.arrive(replace(WORKER, id="b", name="cellar", models="{}"))
    assert rows.execute("SELECT id FROM workers").fetchall() == [("b",)]


async def test_a_worker_that_starts_again_takes_the_place_of_its_dead_self(
    workers: LivingWorkers, rows: psycopg.Connection[Any]
):
    await workers.arrive(WORKER)
    let_pass(rows, 60)
    neighbour = replace(WORKER, id="b")
    await workers.arrive(neighbour)
    assert [each.id for each in await workers.known()] == ["b"]
    await workers.arrive(replace(WORKER, id="c"))
    assert sorted(each.id for each in await workers.known()) == ["b", "c"]


async def test_workers_with_a_new_name_at_each_start_do_not_pile_up(
    workers: LivingWorkers, rows: psycopg.Connection[Any]
):
    await workers.arrive(replace(WORKER, id="other", name="other", models='[{"name": "scnet"}]'))
    for number in range(5):
        await workers.arrive(replace(WORKER, id=f"w{number}", name=f"container {number}"))
        let_pass(rows, 60)
    assert {each.id for each in await workers.known()} == {"other", "w4"}
