"""Several bots on one PostgreSQL database, each with its own servers."""

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.group_harness import Bots, open_bots

pytestmark = pytest.mark.e2e
TAKEOVER_S = 10.0
FIRST, SECOND = "0/2", "1/2"


@pytest.fixture
def url(postgres_server: Any) -> Iterator[str]:
    with postgres_server.blank() as address:
        yield address


@pytest.fixture
async def bots(url: str, tmp_path: Path) -> AsyncIterator[Bots]:
    async with open_bots(url, tmp_path) as opened:
        yield opened


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
    await bots.start("standby", FIRST, beside="first")
    await bots.until(lambda: "another process is the bot of shards 0/2" in bots.log("standby"))
    vendor = bots.sandbox.vendors.finevoice
    vendor.behaviour.latency_s = 6.0
    user, other = await bots.user("karaoke"), await bots.user("stage-1")
    answer, its_answer = [await each.command("split", file=song) for each in (user, other)]
    await bots.until_processing(2)
    await bots.processes["first"].kill()
    killed_at = time.monotonic()
    await bots.until(lambda: "ready; resuming 1 unfinished jobs" in bots.log("standby"))
    assert time.monotonic() - killed_at < TAKEOVER_S
    assert await bots.stems(user, answer)
    assert await bots.stems(other, its_answer)
    assert vendor.accepted == 2  # nothing was submitted again


async def test_a_frozen_bot_acts_no_more_and_stands_by(bots: Bots, song: Path):
    await bots.start("first", FIRST)
    await bots.serving("first")
    await bots.start("standby", FIRST, beside="first")
    vendor = bots.sandbox.vendors.finevoice
    vendor.behaviour.latency_s = 2.0
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
    # It takes over again, in the same process.
    await bots.processes["standby"].kill()
    await bots.until(lambda: bots.log("first").count("ready; resuming") == 2)
    await bots.until(lambda: bots.log("first").count("has connected to Gateway") == 2)
    assert await bots.stems(user, await user.command("split", file=song))
    assert bots.processes["first"].is_running
