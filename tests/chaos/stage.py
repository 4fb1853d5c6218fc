"""Where a rehearsal happens: one stand-in Discord, one data directory, one bot after another."""

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
from tests.chaos import bot as rehearsal
from tests.chaos.kill_points import Point
from tests.chaos.lag import lag_ms
from tests.chaos.open_resources import ResourceCount
from tests.chaos.processes import cpu_s
from tests.chaos.services import Script
from tests.chaos.simulated_users import Answer, SimulatedUsers

ONLINE_WITHIN_S = 30.0
DRAINED_WITHIN_S = 60.0
SETTINGS = {
    "STEMCORD_QUOTA_MINUTES": "1000000",
    "STEMCORD_MAX_ACTIVE_JOBS": "1000",
    "STEMCORD_POLL_MIN_S": "0.05",
    "STEMCORD_POLL_MAX_S": "0.2",
}
_OPEN = "SELECT count(*) FROM jobs WHERE NOT is_final"
_OWED = (
    "SELECT count(*) FROM jobs WHERE acknowledged_at IS NOT NULL AND shown_version < wanted_version"
)


class Start(NamedTuple):
    """How long a bot took from its start until it was online, with its jobs taken up."""

    wall_s: float
    cpu_s: float
    """So long it had a processor; the rest it waited, for one or for the disk."""


@dataclass(slots=True)
class Stage:
    """The stand-in, its crowd, and what outlives each bot; `starts` are all so far."""

    home: Path
    sandbox: Sandbox
    users: SimulatedUsers
    settings: dict[str, str] = field(default_factory=dict)
    module: str = "tests.chaos.bot"
    has_vendors: bool = False
    starts: list[Start] = field(default_factory=list)
    bots: list[BotProcess] = field(default_factory=list)

    @property
    def data(self) -> Path:
        """The bot's data directory."""
        return self.home / "data"

    @property
    def elsewhere(self) -> Path:
        """Where a bot would put files that it does not put into its data directory."""
        return self.home / "elsewhere"

    @property
    def log(self) -> Path:
        """What all bots have said."""
        return self.home / "bot.log"

    async def start(
        self, point: Point | None = None, *, settings: Mapping[str, str] | None = None
    ) -> BotProcess:
        """Start a bot, to die at the point if one is given."""
        own = {rehearsal.FOLDER: str(self.home), "TMPDIR": str(self.elsewhere)}
        own |= {rehearsal.POINT: str(point)} if point else {}
        bot = BotProcess(
            self.sandbox,
            data_dir=self.data,
            log=self.log,
            settings={**SETTINGS, **self.settings, **(settings or {}), **own},
            vendors=self.has_vendors,
            module=self.module,
        )
        while self.sandbox.world.bot_is_online:  # the stand-in has yet to notice a death
            await asyncio.sleep(0.01)
        await bot.start()
        self.bots.append(bot)
        return bot

    async def taking_up(self, bot: BotProcess) -> None:
        """Wait until the bot has opened its store and is about to take up what it finds there."""
        mark = self.home / rehearsal.TAKING_UP
        async with asyncio.timeout(ONLINE_WITHIN_S):
            while not mark.exists() or mark.read_text() != str(bot.pid):
                await asyncio.sleep(0.005)

    async def online(self, bot: BotProcess) -> bool:
        """Wait until the bot has taken up its jobs and is online; False when it died first."""
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
    async def life(self) -> AsyncIterator[BotProcess]:
        """Run a bot that is online, and stop it in the end."""
        bot = await self.start()
        try:
            if not await self.online(bot):
                raise AssertionError(f"the bot ended before it was online: {self.log}")
            yield bot
        finally:
            await bot.stop()

    async def drained(self, within_s: float = DRAINED_WITHIN_S) -> bool:
        """Wait until every job is over and every reply shows it; False when that takes too long."""
        ends_at = time.monotonic() + within_s
        while time.monotonic() < ends_at:
            if not await asyncio.to_thread(self.open_jobs) + await asyncio.to_thread(self.owed):
                return True
            await asyncio.sleep(0.1)
        return False

    def jump(self, seconds: float) -> None:
        """Move the bots' clock so far from the machine's, in one piece."""
        fresh = self.home / "jump.new"
        fresh.write_text(str(seconds))
        fresh.replace(self.home / rehearsal.JUMP)

    def open_jobs(self) -> int:
        """Return how many jobs are not over."""
        return int(self.rows(_OPEN)[0][0])

    def owed(self) -> int:
        """Return how many replies are behind."""
        return int(self.rows(_OWED)[0][0])

    def rows(self, sql: str, *values: object) -> list[sqlite3.Row]:
        """Read the bot's database beside it."""
        with closing(sqlite3.connect(f"file:{self.data}/stemcord.db?mode=ro", uri=True)) as conn:
            conn.row_factory = sqlite3.Row
            return conn.execute(sql, values).fetchall()

    def said(self, answer: Answer) -> str:
        """Return the words of the message that a command was answered with."""
        message = self.sandbox.world.messages.get(answer.message_id or 0)
        return message.content if message is not None else ""

    def lag_ms(self) -> list[float]:
        """Return by how much the bots' event loops were late, each time that it was looked at."""
        return lag_ms(self.home / rehearsal.LAG)

    def census(self) -> ResourceCount:
        """Return what the bot had open just now."""
        return ResourceCount.read(self.home / rehearsal.CENSUS)


@asynccontextmanager
async def stage(
    home: Path,
    *,
    people: int = 3,
    settings: Mapping[str, str] | None = None,
    answer_within_s: float = ANSWER_WITHIN_S,
) -> AsyncIterator[Stage]:
    """Set a stage in a directory of its own, with a song for each script.

    Discord here waits for answers as long as the real one, unless it is told to wait for longer.
    """
    songs = home / "songs"
    songs.mkdir(parents=True)
    (home / "elsewhere").mkdir()
    async with Sandbox() as sandbox, SimulatedUsers(sandbox) as users:
        sandbox.limits.is_enabled = False
        sandbox.interactions.answer_within_s = answer_within_s
        users.invite(people)
        for script in Script:
            song = songs / f"{script}.mp3"
            song.write_text(script)
            users.bring(song, is_always_new=script is not Script.AGAIN)
        here = Stage(home, sandbox, users, dict(settings or {}))
        try:
            yield here
        finally:
            for bot in here.bots:  # those that a rehearsal left behind when it broke off
                await bot.kill()
