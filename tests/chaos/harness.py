"""Runs successive bots on one sandbox and one data directory."""

import asyncio
import sqlite3
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from sandbox.bot_process import BotProcess
from sandbox.interactions import ANSWER_WITHIN_S
from sandbox.server import Sandbox
from sandbox.simulated_users import Answer, SimulatedUsers
from tests.chaos import bot as chaos_bot
from tests.chaos.file_value import put
from tests.chaos.kill_points import Point
from tests.chaos.lag import lag_ms
from tests.chaos.open_resources import ResourceCount
from tests.chaos.processes import cpu_s
from tests.chaos.services import Script

ONLINE_WITHIN_S = 30.0
DRAINED_WITHIN_S = 60.0
SETTINGS = {
    "STEMCORD_QUOTA_MINUTES": "1000000",
    "STEMCORD_MAX_ACTIVE_JOBS": "1000",
    "STEMCORD_POLL_MIN_S": "0.05",
    "STEMCORD_POLL_MAX_S": "0.2",
    chaos_bot.COOLDOWN_S: "1",
}
_OPEN = "SELECT count(*) FROM jobs WHERE NOT is_final"
_OPEN_BATCHES = "SELECT count(*) FROM batches WHERE NOT is_final"
_OWED = """\
SELECT
    (SELECT count(*) FROM jobs
        WHERE acknowledged_at IS NOT NULL AND shown_version < wanted_version)
    + (SELECT count(*) FROM batches
        WHERE acknowledged_at IS NOT NULL AND shown_version < wanted_version)"""


class Start(NamedTuple):
    """The time a bot took to be online with its jobs resumed."""

    wall_s: float
    cpu_s: float
    """The CPU time used. The rest was spent waiting for a processor or the disk."""


@dataclass(slots=True)
class ChaosHarness:
    """The sandbox, its users and the files that outlive each bot."""

    home: Path
    sandbox: Sandbox
    users: SimulatedUsers
    settings: dict[str, str] = field(default_factory=dict)
    module: str = "tests.chaos.bot"
    has_vendors: bool = False
    starts: list[Start] = field(default_factory=list)
    """Every start so far."""
    bots: list[BotProcess] = field(default_factory=list)

    @property
    def data(self) -> Path:
        """The bot's data directory."""
        return self.home / "data"

    @property
    def temporary(self) -> Path:
        """The bot's `TMPDIR`, which must stay empty."""
        return self.home / "tmp"

    @property
    def log(self) -> Path:
        """The log of all bots."""
        return self.home / "bot.log"

    async def start(
        self, point: Point | None = None, *, settings: Mapping[str, str] | None = None
    ) -> BotProcess:
        """Start a bot, which dies at the kill point, if any."""
        own = {chaos_bot.FOLDER: str(self.home), "TMPDIR": str(self.temporary)}
        own |= {chaos_bot.KILL_POINT: str(point)} if point else {}
        bot = BotProcess(
            self.sandbox,
            data_dir=self.data,
            log=self.log,
            settings={**SETTINGS, **self.settings, **(settings or {}), **own},
            vendors=self.has_vendors,
            module=self.module,
        )
        # The sandbox has to notice that the previous bot died.
        while self.sandbox.world.bot_is_online:
            await asyncio.sleep(0.01)
        await bot.start()
        self.bots.append(bot)
        return bot

    async def resuming(self, bot: BotProcess) -> None:
        """Wait until the bot is about to open its store and resume its jobs."""
        mark = self.home / chaos_bot.RESUMING
        async with asyncio.timeout(ONLINE_WITHIN_S):
            while not mark.exists() or mark.read_text() != str(bot.pid):
                await asyncio.sleep(0.005)

    async def online(self, bot: BotProcess) -> bool:
        """Wait until the bot is online with its jobs resumed. Return False if it died first."""
        began = time.monotonic()
        ended = asyncio.create_task(bot.wait())
        try:
            async with asyncio.timeout(ONLINE_WITHIN_S):
                while not ended.done():
                    if self.sandbox.world.bot_is_online:
                        self.starts.append(Start(time.monotonic() - began, cpu_s(bot.pid)))
                        return True
                    await asyncio.sleep(0.01)
            return False
        finally:
            ended.cancel()

    @asynccontextmanager
    async def running_bot(self) -> AsyncIterator[BotProcess]:
        """Run a bot for the duration of the block, which is entered once the bot is online."""
        bot = await self.start()
        try:
            if not await self.online(bot):
                raise AssertionError(f"the bot ended before it was online: {self.log}")
            yield bot
        finally:
            await bot.stop()

    async def drained(self, within_s: float = DRAINED_WITHIN_S) -> bool:
        """Wait until every job is final and every reply shows it. Return False after `within_s`."""
        ends_at = time.monotonic() + within_s
        while time.monotonic() < ends_at:
            if not await asyncio.to_thread(self._left):
                return True
            await asyncio.sleep(0.1)
        return False

    def shift_clock(self, seconds: float) -> None:
        """Set the number of seconds by which the bots' clock is ahead of the machine's."""
        put(self.home / chaos_bot.CLOCK_OFFSET, seconds)

    def speed_clock_up(self, speed: float) -> None:
        """Set how fast time passes for bots that were started with `FAST`."""
        put(self.home / chaos_bot.CLOCK_SPEED, speed)

    def clock_ahead_s(self) -> float:
        """Return by how many seconds the time of bots with `FAST` is ahead of the machine's."""
        file = self.home / chaos_bot.CLOCK_AHEAD
        return float(file.read_text()) if file.exists() else 0.0

    def slow_store_down(self, seconds: float) -> None:
        """Set an extra delay for each write of a job."""
        put(self.home / chaos_bot.STORE_DELAY, seconds)

    def encodings(self) -> int:
        """Return how many files the bots have encoded."""
        file = self.home / chaos_bot.ENCODINGS
        return len(file.read_text().splitlines()) if file.exists() else 0

    def open_jobs(self) -> int:
        """Return how many jobs are not final."""
        return int(self.rows(_OPEN)[0][0])

    def _left(self) -> int:
        return self.open_jobs() + int(self.rows(_OPEN_BATCHES)[0][0]) + self.owed()

    def owed(self) -> int:
        """Return how many replies do not show the latest state of their job or batch."""
        return int(self.rows(_OWED)[0][0])

    def rows(self, sql: str, *values: object) -> list[sqlite3.Row]:
        """Query the bot's database, even while the bot is using it."""
        with closing(sqlite3.connect(f"file:{self.data}/stemcord.db?mode=ro", uri=True)) as conn:
            conn.row_factory = sqlite3.Row
            return conn.execute(sql, values).fetchall()

    def text(self, answer: Answer) -> str:
        """Return the text of the message that answered a command."""
        message = self.sandbox.world.messages.get(answer.message_id or 0)
        return message.content if message is not None else ""

    def lag_ms(self) -> list[float]:
        """Return every recorded lag of the bots' event loops."""
        return lag_ms(self.home / chaos_bot.LAG)

    def resource_count(self) -> ResourceCount:
        """Return the number of resources that the bot has open."""
        return ResourceCount.read(self.home / chaos_bot.RESOURCES)


@asynccontextmanager
async def open_harness(
    home: Path,
    *,
    people: int = 3,
    settings: Mapping[str, str] | None = None,
    answer_within_s: float = ANSWER_WITHIN_S,
) -> AsyncIterator[ChaosHarness]:
    """Open a harness in a new directory, with a song for each script.

    `answer_within_s` is how long the sandbox waits for a bot's first answer.
    """
    songs = home / "songs"
    songs.mkdir(parents=True)
    (home / "tmp").mkdir()
    async with Sandbox() as sandbox, SimulatedUsers(sandbox) as users:
        sandbox.limits.is_enabled = False
        sandbox.interactions.answer_within_s = answer_within_s
        users.invite(people)
        for script in Script:
            song = songs / f"{script}.mp3"
            song.write_text(script)
            users.add_song(song, is_always_new=script is not Script.AGAIN)
        harness = ChaosHarness(home, sandbox, users, dict(settings or {}))
        try:
            yield harness
        finally:
            for bot in harness.bots:  # a scene that raised may have left bots running
                await bot.kill()
