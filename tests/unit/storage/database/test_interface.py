"""The guarantees of every database to the stores."""

import asyncio
import logging
import random
from contextlib import suppress

import pytest

from bot.domain.errors import StoreUnavailable
from storage.database.opening import Address, open_reader
from storage.database.protocols import Connection, ConstraintViolated, Database
from tests.support.both_databases import reopen
from tests.support.meta_rows import COUNT, PUT, putting, rows


class Upset(Exception):
    pass


async def test_what_a_transaction_returns_is_committed_for_others_to_read(
    db: Database, address: Address
):
    async def work(conn: Connection) -> int:
        return (await conn.execute(PUT, ("a", "1"))).rowcount

    assert await db.write(work) == 1
    with open_reader(address) as reader:
        assert [tuple(row) for row in reader.rows("SELECT key, value FROM meta")] == [("a", "1")]


async def test_a_broken_rule_of_the_schema_is_one_kind_of_error(db: Database):
    await db.write(putting("a"))
    with pytest.raises(ConstraintViolated):
        await db.write(putting("b", "a"))
    assert await rows(db) == 1


async def test_a_read_never_writes(db: Database):
    with pytest.raises(StoreUnavailable, match=r"read-?only"):
        await db.read("INSERT INTO meta (key, value) VALUES ('a', '') RETURNING key")
    assert await rows(db) == 0


async def test_a_snapshot_sees_nothing_that_is_committed_meanwhile(db: Database, address: Address):
    with open_reader(address) as reader:
        with reader.snapshot():
            before = reader.rows(COUNT)[0]["rows"]
            await db.write(putting("a"))
            assert reader.rows(COUNT)[0]["rows"] == before
        assert reader.rows(COUNT)[0]["rows"] == before + 1


async def test_parameters_are_found_by_place_and_by_name_and_literals_left_alone(db: Database):
    await db.write(putting("a:b?c%"))
    query = "SELECT key AS \"who?\" FROM meta -- :nobody?\nWHERE key = :key AND key LIKE 'a:b?c%'"
    assert [row[0] for row in await db.read(query, {"key": "a:b?c%"})] == ["a:b?c%"]
    assert [row["key"] for row in await db.read("SELECT key FROM meta WHERE key = ?", ["a:b?c%"])]


async def test_closed_database_takes_nothing_and_leaves_nothing_open(address: Address):
    db = await reopen(address)
    await db.write(putting("a"))
    await db.close()
    again = await reopen(address)
    assert await rows(again) == 1
    await again.close()


async def test_an_exception_undoes_the_whole_transaction(db: Database):
    async def work(conn: Connection) -> None:
        await putting("a", "b")(conn)
        raise Upset

    with pytest.raises(Upset):
        await db.write(work)
    assert await rows(db) == 0
    await db.write(putting("c"))
    assert await rows(db) == 1


async def test_concurrent_transactions_do_not_mix(db: Database):
    async def transfer(number: int) -> None:
        async def work(conn: Connection) -> None:
            await putting(f"{number}a", f"{number}b")(conn)
            if number % 2:
                raise Upset

        with suppress(Upset):
            await db.write(work)

    await asyncio.gather(*map(transfer, range(40)))
    kept = {row["key"] for row in await db.read("SELECT key FROM meta")}
    assert kept == {f"{number}{end}" for number in range(0, 40, 2) for end in "ab"}


async def test_random_cancellations_leave_no_half_transaction_and_no_lock(address: Address):
    db = await reopen(address)
    chance = random.Random(7)
    cancelled = 0
    for number in range(300):
        caller = asyncio.create_task(db.write(putting(f"{number}a", f"{number}b", f"{number}c")))
        await asyncio.sleep(chance.choice([0, 0, 0.0002, 0.0005, 0.001]))
        caller.cancel()
        with suppress(asyncio.CancelledError):
            await caller
        cancelled += caller.cancelled()
    assert cancelled > 100
    await db.write(putting("last"))
    await db.close()
    again = await reopen(address)
    assert await rows(again) == 901  # each had begun, so each was committed
    await again.close()


async def test_a_cancelled_caller_does_not_stop_its_transaction(address: Address):
    db = await reopen(address)
    inside = asyncio.Event()
    go_on = asyncio.Event()

    async def work(conn: Connection) -> None:
        await conn.execute(PUT, ("a", ""))
        inside.set()
        await go_on.wait()
        await conn.execute(PUT, ("b", ""))

    caller = asyncio.create_task(db.write(work))
    await inside.wait()
    caller.cancel()
    with pytest.raises(asyncio.CancelledError):
        await caller
    go_on.set()
    await db.close()  # waits for the transaction
    again = await reopen(address)
    assert await rows(again) == 2
    await again.close()


async def test_a_failure_that_nobody_waits_for_is_logged(
    address: Address, caplog: pytest.LogCaptureFixture
):
    db = await reopen(address)
    inside = asyncio.Event()

    async def work(conn: Connection) -> None:
        inside.set()
        await conn.execute("SELECT 1")
        raise Upset("nobody hears me")

    caller = asyncio.create_task(db.write(work))
    await inside.wait()
    caller.cancel()
    with pytest.raises(asyncio.CancelledError), caplog.at_level(logging.ERROR):
        await caller
    await db.close()  # waits for the transaction
    [record] = [each for each in caplog.records if each.name == "storage.database.transactions"]
    assert record.exc_info is not None
    assert str(record.exc_info[1]) == "nobody hears me"


async def test_closing_waits_for_a_transaction_whose_caller_is_gone(address: Address):
    db = await reopen(address)
    caller = asyncio.create_task(db.write(putting("a", "b", "c")))
    await asyncio.sleep(0)
    caller.cancel()
    await db.close()
    again = await reopen(address)
    assert await rows(again) == 3
    await again.close()


async def test_a_reader_sees_nothing_of_an_open_transaction(db: Database):
    async def work(conn: Connection) -> int:
        await conn.execute(PUT, ("a", ""))
        return await rows(db)

    assert await db.write(work) == 0
    assert await rows(db) == 1


async def test_probe_writes_and_changes_nothing_else(db: Database):
    await db.write(putting("a"))
    for _ in range(3):
        await db.probe()
    assert await rows(db) == 2
