"""The cluster's activity: which process is in which state, and which has worked on which song."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import psycopg
import pytest
from aiohttp import web

from bot.domain.job import Job, State
from sandbox.bot_process import Program
from sandbox.cluster.activity import Activity
from sandbox.cluster.members import Member, Members
from sandbox.errors import Json
from storage.database.opening import PostgresUrl, open_database
from storage.stores.job_store import JobStore
from tests.support.domain_factories import a_job, lead

SHARD_1 = 1 << 22
RUNNING = """
INSERT INTO separations
VALUES ('{id}', 1, 'spleeter', '[]', 9, 1, 'running', 1, '{worker}', 420, 1, 1, 1)
"""


@pytest.fixture
def url(postgres_server: Any) -> Iterator[str]:
    with postgres_server.database() as address:
        yield address


@asynccontextmanager
async def healthy(state: str) -> AsyncIterator[int]:
    """Serve `/healthz` of a process in this state, and yield the port."""

    async def health(_: web.Request) -> web.Response:
        return web.json_response({"store": True, "role": "bot", "state": state})

    application = web.Application()
    application.router.add_get("/healthz", health)
    runner = web.AppRunner(application)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        yield int(runner.addresses[0][1])
    finally:
        await runner.cleanup()


@asynccontextmanager
async def member(home: Path, name: str, port: int, shard: int | None) -> AsyncIterator[Member]:
    log = home / f"{name}.log"
    program = Program("-c", "import time; time.sleep(60)", environment={}, log=log)
    async with program:
        role = "worker" if shard is None else "bot"
        yield Member(name=name, role=role, program=program, log=log, ops_port=port, shard=shard)
        await program.kill()


async def a_song(url: str, title: str, guild_id: int | None, state: State) -> Job:
    db = await open_database(PostgresUrl(url))
    try:
        job = a_job()
        job = replace(job, reply=replace(job.reply, guild_id=guild_id))
        return await lead(JobStore(db=db), state, job=job, title=title)
    finally:
        await db.close()


async def shown(activity: Activity, accepts: Any) -> Json:
    """Follow the activity until `accepts` returns true for it."""
    following = asyncio.create_task(activity.follow())
    try:
        async with asyncio.timeout(20):
            while not accepts(activity.written()):
                await asyncio.sleep(0.02)
        return activity.written()
    finally:
        following.cancel()
        await asyncio.gather(following, return_exceptions=True)


async def test_songs_name_the_bot_of_their_server_and_the_worker(url: str, tmp_path: Path):
    song = await a_song(url, "Neon Rain", SHARD_1, State.PROCESSING)
    await a_song(url, "By Letter", None, State.SUBMITTING)
    with psycopg.connect(url, autocommit=True) as conn:
        conn.execute(RUNNING.format(id=song.id, worker="abc123").encode())
    async with (
        healthy("serving") as serving,
        healthy("standby") as standby,
        member(tmp_path, "bot-0", serving, 0) as first,
        member(tmp_path, "bot-1", serving, 1) as second,
        member(tmp_path, "standby-1", standby, 1) as third,
        member(tmp_path, "worker-a", serving, None) as worker,
    ):
        worker.log.write_text("worker abc123 is ready\n")
        members = Members()
        members.all += [first, second, third, worker]
        activity = Activity(url=url, members=members, shards=2)
        found = await shown(
            activity, lambda now: all(each["bots"] for each in now["songs"]) and now["songs"]
        )
    states = {each["name"]: each["state"] for each in found["processes"]}
    assert states == {
        "bot-0": "serving",
        "bot-1": "serving",
        "standby-1": "standby",
        "worker-a": "serving",
    }
    songs = {each["title"]: each for each in found["songs"]}
    assert songs["Neon Rain"]["bots"] == ["bot-1"]
    assert songs["Neon Rain"]["workers"] == ["worker-a"]
    assert songs["Neon Rain"]["percent"] == 42
    assert songs["By Letter"]["bots"] == ["bot-0"]
    assert songs["By Letter"]["workers"] == []


async def test_a_process_that_ended_is_down_while_the_database_is_away(tmp_path: Path):
    async with member(tmp_path, "bot-0", 1, 0) as found:
        members = Members()
        members.all.append(found)
        activity = Activity(url="postgresql://me@127.0.0.1:1/x", members=members, shards=1)
        await shown(activity, lambda now: now["processes"][0]["state"] == "starting")
        await found.program.kill()
        await shown(activity, lambda now: now["processes"][0]["state"] == "down")
