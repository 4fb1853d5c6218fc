"""Several bots on one PostgreSQL database, each with its own servers."""

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest

from bot.providers import finevoice
from sandbox.cluster.database_server import CRASH_SAFE, DatabaseServer
from sandbox.run import free_port
from tests.e2e.group_harness import Bots, health, open_bots
from tests.support.both_databases import serve_alone

pytestmark = pytest.mark.e2e
TAKEOVER_S = 10.0
SONGS = 8
PLACES = finevoice.CAPABILITIES.concurrency
FIRST, SECOND = "0/2", "1/2"


@pytest.fixture
def url(postgres_server: Any) -> Iterator[str]:
    with postgres_server.blank() as address:
        yield address


@pytest.fixture
async def bots(url: str, tmp_path: Path) -> AsyncIterator[Bots]:
    async with open_bots(url, tmp_path) as opened:
        yield opened


@pytest.fixture
def own_server() -> Iterator[DatabaseServer]:
    yield from serve_alone(CRASH_SAFE)


async def test_each_group_answers_and_finishes_the_jobs_of_its_servers(bots: Bots, song: Path):
    await bots.start("first", FIRST)
    await bots.start("second", SECOND)
    await bots.serving("first", "second")
    users = [await bots.user(channel) for channel in ("karaoke", "stage-1", "dm")]
    answers = [await user.command("split", file=song) for user in users]
    for user, answer in zip(users, answers, strict=True):
        assert await bots.stems(user, answer)
    # Direct messages belong to shard 0.
    await bots.until(lambda: bots.log("first").count(" is delivered") == 2)
    await bots.until(lambda: bots.log("second").count(" is delivered") == 1)
    assert bots.sandbox.gateway.refused_identifies == 0
    assert "registered" in bots.log("first")
    assert "registered" not in bots.log("second")
    assert await asyncio.gather(*(each.stop() for each in bots.processes.values())) == [0, 0]


async def test_a_standby_completes_the_replies_of_a_killed_bot(bots: Bots, song: Path):
    await bots.start("first", FIRST)
    await bots.start("second", SECOND)
    await bots.serving("first", "second")
    port = free_port(0)
    await bots.start("standby", FIRST, STEMCORD_OPS_ADDRESS=f"127.0.0.1:{port}")
    await bots.until(lambda: "another process is the bot of shards 0/2" in bots.log("standby"))
    await bots.until(lambda: "listening on" in bots.log("standby"))
    status, found = await health(port)
    assert (status, found["role"], found["state"], found["store"]) == (200, "bot", "standby", True)
    vendor = bots.sandbox.vendors.finevoice
    vendor.behaviour.latency_s = 6.0
    user, other = await bots.user("karaoke"), await bots.user("stage-1")
    answer, its_answer = [await each.command("split", file=song) for each in (user, other)]
    await bots.until_processing(2)
    await bots.processes["first"].kill()
    killed_at = time.monotonic()
    await bots.until(lambda: "ready; resuming 1 unfinished jobs" in bots.log("standby"))
    assert time.monotonic() - killed_at < TAKEOVER_S
    assert (await health(port))[1]["state"] == "serving"
    assert await bots.stems(user, answer)
    assert await bots.stems(other, its_answer)
    assert vendor.accepted == 2  # nothing was submitted again


async def test_a_frozen_bot_acts_no_more_and_stands_by(bots: Bots, song: Path):
    await bots.start("first", FIRST)
    await bots.serving("first")
    await bots.start("standby", FIRST)
    vendor = bots.sandbox.vendors.finevoice
    vendor.behaviour.latency_s = 5.0
    user = await bots.user("karaoke")
    answer = await user.command("split", file=song)
    await bots.until_processing(1)
    await bots.until(lambda: "standing by" in bots.log("standby"))
    bots.freeze("first")
    await asyncio.sleep(15)
    assert await bots.stems(user, answer)
    before = len(bots.sandbox.log.entries())
    bots.thaw("first")
    await bots.until(lambda: "This one stands by" in bots.log("first"))
    await asyncio.sleep(3)
    later = [each for each in bots.sandbox.log.entries()[before:] if each["method"] != "GET"]
    assert later == []
    assert vendor.accepted == 1
    # The first bot takes over again, in the same process.
    await bots.processes["standby"].kill()
    await bots.until(lambda: bots.log("first").count("ready; resuming") == 2)
    await bots.until(lambda: bots.log("first").count("has connected to Gateway") == 2)
    assert await bots.stems(user, await user.command("split", file=song))
    assert bots.processes["first"].is_running


async def test_two_bots_keep_a_vendors_limit_together(bots: Bots, song: Path):
    await bots.start("first", FIRST)
    await bots.start("second", SECOND)
    await bots.serving("first", "second")
    vendor = bots.sandbox.vendors.finevoice
    vendor.behaviour.latency_s = 8.0  # long enough for other songs to arrive
    users = [
        await bots.guest(number, channel)
        for number in range(SONGS // 2)
        for channel in ("karaoke", "stage-1")
    ]
    answers = [await user.command("split", file=song) for user in users]
    for user, answer in zip(users, answers, strict=True):
        assert await bots.stems(user, answer)
    assert vendor.accepted == SONGS
    assert PLACES / 2 < vendor.tasks.most_running <= PLACES
    assert await bots.rows("SELECT count(*) FROM vendor_places") == [(0,)]


async def test_a_job_is_cancelled_from_another_group(bots: Bots, song: Path):
    await bots.start("first", FIRST)
    await bots.start("second", SECOND)
    await bots.serving("first", "second")
    vendor = bots.sandbox.vendors.finevoice
    vendor.behaviour.latency_s = 600.0
    user = await bots.user("stage-1")
    answer = await user.command("split", file=song)
    await bots.until_processing(1)
    [(job_id,)] = await bots.rows("SELECT id FROM jobs")
    elsewhere = await bots.user("dm")  # DMs belong to the first bot
    await elsewhere.command("cancel", job=job_id)
    assert not await bots.stems(user, answer)
    await bots.until(lambda: f"{job_id} is cancelled" in bots.log("second"), within_s=5)
    assert await bots.rows("SELECT state FROM attempts") == [("abandoned",)]


async def test_nobody_ends_while_postgresql_restarts(
    own_server: DatabaseServer, tmp_path: Path, song: Path
):
    async with open_bots(own_server.url, tmp_path) as bots:
        await bots.start("first", FIRST)
        await bots.start("second", SECOND)
        await bots.serving("first", "second")
        await bots.start("standby", FIRST)
        await bots.until(lambda: "standing by" in bots.log("standby"))
        bots.sandbox.vendors.finevoice.behaviour.latency_s = 3.0
        users = [await bots.user(channel) for channel in ("karaoke", "stage-1")]
        answers = [await user.command("split", file=song) for user in users]
        await bots.until_processing(2)
        await asyncio.to_thread(own_server.stop, "fast")
        await asyncio.sleep(1)
        await asyncio.to_thread(own_server.start)
        for user, answer in zip(users, answers, strict=True):
            assert await bots.stems(user, answer)
        assert all(process.is_running for process in bots.processes.values())
        assert bots.sandbox.vendors.finevoice.accepted == 2
        assert "ready; resuming" not in bots.log("standby")  # the owner kept its role


async def test_commands_are_refused_politely_while_postgresql_is_away(
    own_server: DatabaseServer, tmp_path: Path, song: Path
):
    async with open_bots(own_server.url, tmp_path) as bots:
        port = free_port(0)
        await bots.start("first", FIRST, STEMCORD_OPS_ADDRESS=f"127.0.0.1:{port}")
        await bots.serving("first")
        bots.sandbox.vendors.finevoice.behaviour.latency_s = 3.0
        user, late = await bots.user("karaoke"), await bots.guest(1, "karaoke")
        answer = await user.command("split", file=song)
        await bots.until_processing(1)
        await asyncio.to_thread(own_server.stop, "fast")
        await asyncio.sleep(8)  # past the bot's own deadline
        refusal = await late.command("split", file=song)
        said = await late.wait_for(lambda message: message["id"] == refusal["message_id"])
        assert "busy" in said["content"]
        status, found = await health(port)
        assert (status, found["store"], found["state"]) == (503, False, "serving")
        await asyncio.to_thread(own_server.start)
        assert await bots.stems(user, answer)
        assert await bots.stems(late, await late.command("split", file=song))
        assert bots.log("first").count("ready; resuming") == 1  # it continued, in the same process
        assert bots.sandbox.vendors.finevoice.accepted == 2
