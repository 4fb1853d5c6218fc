"""Features that only PostgreSQL has: named locks, lost connections, read-only servers."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import psycopg
import pytest

from bot.domain.errors import StoreBroken, StoreUnavailable
from storage.database.postgres import WRITERS, PostgresDatabase
from storage.database.protocols import Connection, ConstraintViolated
from tests.support.lossy_proxy import LossyProxy
from tests.support.meta_rows import PUT

SOON_S = 1.5


@pytest.fixture
async def db(url: str) -> AsyncIterator[PostgresDatabase]:
    database = await PostgresDatabase.open(url, wait_s=SOON_S)
    yield database
    await database.close()


@asynccontextmanager
async def other_session(url: str) -> AsyncIterator[psycopg.AsyncConnection[Any]]:
    async with await psycopg.AsyncConnection.connect(url, autocommit=True) as conn:
        yield conn


async def keys(db: PostgresDatabase) -> set[str]:
    return {row["key"] for row in await db.read("SELECT key FROM meta")}


def put(key: str, value: str = ""):
    return lambda conn: conn.execute(PUT, (key, value))


def count_then_put(name: str):
    """Read, decide and write, slowly enough for concurrent transactions to interfere."""

    async def work(conn: Connection) -> None:
        [row] = await conn.execute_fetchall("SELECT count(*) AS rows FROM meta")
        await asyncio.sleep(0.01)
        if row["rows"] < 1:
            await conn.execute(PUT, (name, ""))

    return work


async def test_transactions_under_one_name_run_one_after_the_other(db: PostgresDatabase):
    names = [f"{number}" for number in range(WRITERS)]
    await asyncio.gather(*(db.write(count_then_put(name), locks=["room"]) for name in names))
    assert len(await keys(db)) == 1


async def test_transactions_under_other_names_do_not_wait(db: PostgresDatabase):
    first_is_in, second_is_done = asyncio.Event(), asyncio.Event()

    async def slow(conn: Connection) -> None:
        first_is_in.set()
        await second_is_done.wait()
        await conn.execute(PUT, ("first", ""))

    waiting = asyncio.create_task(db.write(slow, locks=["a"]))
    await first_is_in.wait()
    await db.write(put("second"), locks=["b"])
    assert await keys(db) == {"second"}
    second_is_done.set()
    await waiting


async def test_locks_in_any_order_meet_no_deadlock(db: PostgresDatabase):
    orders = [["a", "b", "c"], ["c", "b", "a"], ["b", "a", "b"]] * 5
    works = (db.write(put(f"{number}"), locks=order) for number, order in enumerate(orders))
    await asyncio.gather(*works)
    assert len(await keys(db)) == len(orders)


async def test_a_deadlock_is_tried_again(db: PostgresDatabase):
    await db.write(put("a"))
    await db.write(put("b"))
    met = asyncio.Barrier(2)
    tries: list[str] = []

    def change(first: str, second: str):
        async def work(conn: Connection) -> None:
            tries.append(first)
            change = "UPDATE meta SET value = value || 'x' WHERE key = ?"
            await conn.execute(change, (first,))
            if len(tries) <= 2:
                await met.wait()
            await conn.execute(change, (second,))

        return work

    await asyncio.gather(db.write(change("a", "b")), db.write(change("b", "a")))
    values = {row["value"] for row in await db.read("SELECT value FROM meta")}
    assert (values, len(tries)) == ({"xx"}, 3)


async def test_a_transaction_whose_connection_is_killed_has_written_nothing(
    db: PostgresDatabase, url: str
):
    async def work(conn: Connection) -> None:
        await conn.execute(PUT, ("a", ""))
        [row] = await conn.execute_fetchall("SELECT pg_backend_pid() AS pid")
        async with other_session(url) as other:
            await other.execute("SELECT pg_terminate_backend(%s)", (row["pid"],))
        await conn.execute(PUT, ("b", ""))

    with pytest.raises(StoreUnavailable):
        await db.write(work)
    await db.write(put("c"))
    assert await keys(db) == {"c"}


async def test_idle_connections_that_died_are_replaced_without_a_word(
    db: PostgresDatabase, url: str
):
    await asyncio.gather(*(db.write(put(f"{number}")) for number in range(20)))
    async with other_session(url) as other:
        await other.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            "WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
    await asyncio.sleep(1.1)  # a recently used connection is not checked
    await asyncio.gather(*(db.write(put(f"again {number}")) for number in range(20)))
    assert len(await keys(db)) == 40


@pytest.mark.parametrize("is_lost_before", [True, False])
async def test_a_commit_whose_answer_is_lost_is_looked_up(
    db: PostgresDatabase, url: str, is_lost_before: bool
):
    async with LossyProxy.to(url) as proxy:
        through = await PostgresDatabase.open(proxy.url)
        await through.write(put("first"))
        proxy.lose_next_commit(before=is_lost_before)
        if is_lost_before:
            with pytest.raises(StoreUnavailable):
                await through.write(put("second"))
        else:
            await through.write(put("second"))
        await through.write(put("third"))
        await through.close()
    expected = {"first", "third"} if is_lost_before else {"first", "second", "third"}
    assert await keys(db) == expected


async def test_a_statement_without_an_end_is_cut_off(db: PostgresDatabase):
    with pytest.raises(StoreUnavailable, match="statement timeout"):
        await db.read("SELECT pg_sleep(60)")
    with pytest.raises(StoreUnavailable, match="statement timeout"):
        await db.write(lambda conn: conn.execute("SELECT pg_sleep(60)"))
    await db.write(put("a"))


async def test_a_locked_row_is_unavailable_and_heals(db: PostgresDatabase, url: str):
    await db.write(put("a"))
    change = "UPDATE meta SET value = '1' WHERE key = 'a'"
    async with other_session(url) as other, other.transaction():
        await other.execute(change)
        with pytest.raises(StoreUnavailable, match="timeout"):
            await db.write(lambda conn: conn.execute(change))
        assert await keys(db) == {"a"}  # reads still work
    await db.write(lambda conn: conn.execute(change))


async def test_a_server_that_takes_no_writes_is_for_the_operator(postgres_server: Any, url: str):
    db = await PostgresDatabase.open(url)
    name = url.split("?", maxsplit=1)[0].rsplit("/", 1)[1]
    async with other_session(url) as other:
        await other.execute(f"ALTER DATABASE {name} SET default_transaction_read_only = on")
        try:
            await other.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                "WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )
            await asyncio.sleep(1.1)
            with pytest.raises(StoreBroken, match="read-only"):
                await db.probe()
            await db.close()
        finally:
            await other.execute("SET default_transaction_read_only = off")
            await other.execute(f"ALTER DATABASE {name} RESET default_transaction_read_only")


async def test_a_user_without_rights_is_for_the_operator(db: PostgresDatabase, url: str):
    async with other_session(url) as other:
        await other.execute("CREATE ROLE reader LOGIN")
        await other.execute("GRANT SELECT ON ALL TABLES IN SCHEMA public TO reader")
        try:
            as_reader = await PostgresDatabase.open(url.replace("//stemcord@", "//reader@"))
            with pytest.raises(StoreBroken, match="permission denied"):
                await as_reader.probe()
            await as_reader.close()
        finally:
            await other.execute("DROP OWNED BY reader")
            await other.execute("DROP ROLE reader")


async def test_a_server_that_is_away_is_unavailable_with_its_reason():
    with pytest.raises(StoreUnavailable, match="connection"):
        await PostgresDatabase.open("postgresql://stemcord:secret@127.0.0.1:1/stemcord")


async def test_the_password_is_in_no_error():
    with pytest.raises(StoreUnavailable) as caught:
        await PostgresDatabase.open("postgresql://stemcord:hunter2hunter2@127.0.0.1:1/stemcord")
    assert "hunter2" not in f"{caught.value!r} {caught.value.__cause__!r}"


async def test_what_users_wrote_is_not_in_the_error_of_a_broken_rule(db: PostgresDatabase):
    await db.write(put("a"))
    with pytest.raises(ConstraintViolated) as caught:
        await db.write(put("a", "Neon Rain"))
    assert "meta_pkey" in str(caught.value)
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__


async def test_a_text_with_a_zero_byte_is_stored_without_it(db: PostgresDatabase):
    await db.write(put("Neon\0 Rain"))
    assert await keys(db) == {"Neon Rain"}


async def test_sums_of_large_numbers_are_whole_numbers(db: PostgresDatabase):
    [row] = await db.read(
        "SELECT sum(CAST(value AS bigint)) AS sum FROM (VALUES (?)) AS t (value)", ["7"]
    )
    assert (row["sum"], type(row["sum"])) == (7, int)


async def test_scrub_leaves_no_dead_rows(db: PostgresDatabase):
    await db.write(put("a", "secret"))
    await db.write(lambda conn: conn.execute("DELETE FROM meta"))
    await db.scrub()
    [row] = await db.read("SELECT pg_relation_size('meta') AS size")
    assert row["size"] == 0


async def test_closing_waits_for_a_transaction_whose_server_is_slow(url: str):
    db = await PostgresDatabase.open(url)

    async def work(conn: Connection) -> None:
        await conn.execute("SELECT pg_sleep(0.2)")
        await conn.execute(PUT, ("a", ""))

    caller = asyncio.create_task(db.write(work))
    await asyncio.sleep(0.05)
    caller.cancel()
    await db.close()
    again = await PostgresDatabase.open(url)
    assert await keys(again) == {"a"}
    await again.close()
