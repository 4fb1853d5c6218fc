"""The real bot, with real sound: its separation worker is killed in a song, then all of it."""

import asyncio
import os
import signal
import time
from pathlib import Path

from sandbox.bot_process import BotProcess
from sandbox.song import write_song
from tests.chaos.checks import broken_promises
from tests.chaos.figures import Figure, exactly, none_of, note
from tests.chaos.scenes.kills import unfinished
from tests.chaos.stage import stage
from tests.workers import worker_of

NAME = "engine"
SONG_S = 60.0
SONGS = 3
FOUND_WITHIN_S = 60.0
DRAINED_WITHIN_S = 240.0


async def engine(home: Path, *, kills: int) -> list[Figure]:
    """Kill the worker so many times, then the bot as often, and let one finish the work."""
    async with stage(home / NAME) as here:
        here.module = "bot"
        song = await asyncio.to_thread(write_song, home / "Neon Rain.wav", seconds=SONG_S)
        here.crowd.bring(song)
        async with here.life() as bot:
            for person in here.crowd.people[:SONGS]:
                await here.crowd.split(song.stem, person)
            for _ in range(kills):
                os.kill(await _worker_of(bot), signal.SIGKILL)
        for _ in range(kills):
            bot = await here.start()
            await here.online(bot)
            await asyncio.sleep(1)
            await bot.kill()
        async with here.life():
            is_drained = await here.drained(DRAINED_WITHIN_S)
        delivered = here.rows("SELECT count(*) FROM jobs WHERE state = 'delivered'")[0][0]
        return [
            note(NAME, "kills of the worker, and of the bot", f"{kills}, {kills}"),
            exactly(NAME, "songs delivered all the same", delivered, SONGS),
            none_of(NAME, "broken promises", unfinished(is_drained) + broken_promises(here)),
        ]


async def _worker_of(bot: BotProcess) -> int:
    """Wait until the worker has a song, and return its id."""
    ends_at = time.monotonic() + FOUND_WITHIN_S
    while time.monotonic() < ends_at:
        if worker := worker_of(bot.pid):
            await asyncio.sleep(0.5)
            return worker
        await asyncio.sleep(0.05)
    raise AssertionError("the bot has no separation worker")
