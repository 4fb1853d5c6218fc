"""The number of database reads of a `/split`, up to its acknowledgement and up to its submit.

All reads share one connection, so in a burst their number determines how soon users are answered.
Discord expires commands after three seconds.
"""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import discord
import pytest

from cogs.split import SplitCog
from tests.support.counting_database import CountingDatabase
from tests.support.discord_fakes import FakeCallback, FakeInteraction, FakeResponse, services_of
from tests.support.fakes import FakeProvider
from tests.support.harness import Harness

MAX_UNTIL_ACKNOWLEDGED = 2
MAX_UNTIL_SUBMITTED = 10


@dataclass
class Attachment:
    """A file as Discord describes it."""

    filename: str = "Neon_Rain.mp3"
    title: str | None = None
    url: str = "https://cdn.invalid/a.mp3"
    size: int = 5_000_000


class CountedResponse(FakeResponse):
    """Records the reads made before the answer."""

    def __init__(self, db: CountingDatabase) -> None:
        super().__init__()
        self.db = db
        self.reads_before: list[str] = []

    async def defer(self, *, ephemeral: bool = False, thinking: bool = False) -> FakeCallback:
        self.reads_before = list(self.db.reads)
        return await super().defer(ephemeral=ephemeral, thinking=thinking)


class SubmitCounter(FakeProvider):
    """Records the reads made before the submit."""

    def __init__(self, **declared: Any) -> None:
        super().__init__("vendor", **declared)
        self.reads_before: list[str] = []
        self.db: CountingDatabase | None = None

    async def submit(self, *call: Any) -> Any:
        assert self.db is not None
        self.reads_before = list(self.db.reads)
        return await super().submit(*call)


@pytest.fixture
async def vendor() -> SubmitCounter:
    return SubmitCounter()


@pytest.fixture
async def harness(tmp_path: Path, vendor: SubmitCounter) -> AsyncIterator[Harness]:
    built = await Harness.build(
        tmp_path, vendor, database=CountingDatabase, daily_spend_minutes=1000
    )
    yield built
    await built.close()


async def split(harness: Harness, vendor: SubmitCounter, **where: Any) -> tuple[int, int]:
    """Return the numbers of reads up to the acknowledgement, and from there to the submit."""
    assert isinstance(harness.db, CountingDatabase)
    vendor.db, vendor.reads_before = harness.db, []
    harness.db.reads.clear()
    response = CountedResponse(harness.db)
    interaction = FakeInteraction(response=response, id=harness.next_interaction(), **where)
    services = harness.services
    cog = SplitCog(services_of(splits=services.splits, quotas=services.quotas))
    callback: Any = SplitCog.split.callback
    await callback(cog, interaction, Attachment())
    async with asyncio.timeout(30):
        while not vendor.reads_before or harness.services.runner.running:
            await asyncio.sleep(0.005)  # the next count must exclude this job's reads
    until_acknowledged = len(response.reads_before)
    return until_acknowledged, len(vendor.reads_before) - until_acknowledged


@pytest.mark.parametrize("where", [{}, {"guild_id": None}], ids=["in a server", "in a DM"])
async def test_a_split_reads_no_more_than_it_needs(
    harness: Harness, vendor: SubmitCounter, where: dict[str, Any]
) -> None:
    if "guild_id" in where:
        where["context"] = discord.app_commands.AppCommandContext(dm_channel=True)
    await split(harness, vendor, **where)  # the first song generates the keys of pseudonyms
    until_acknowledged, until_submitted = await split(harness, vendor, **where)
    assert until_acknowledged <= MAX_UNTIL_ACKNOWLEDGED
    assert until_submitted <= MAX_UNTIL_SUBMITTED
