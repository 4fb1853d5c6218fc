"""The real bot with real audio: first its engine worker is killed during a song, then the bot."""

import asyncio
import os
import signal
import time
from pathlib import Path

from sandbox.bot_process import BotProcess
from sandbox.song import write_song
from tests.chaos.checks import broken_promises
from tests.chaos.harness import open_harness
from tests.chaos.measurements import Figure, exactly, none_of, note
from tests.chaos.processes import children, command
from tests.chaos.scenes.kills import unfinished

NAME = "engine"
SONG_S = 60.0
SONGS = 3
WORKER = "bot.engine.worker"
FOUND_WITHIN_S = 60.0
DRAINED_WITHIN_S = 240.0
GONE_WITHIN_S = 5.0


async def engine(home: Path, *, kills: int) -> list[Figure]:
    """Kill the worker `kills` times and the bot as often, then let a last bot finish the work."""
    orphans: list[str] = []
    async with open_harness(home / NAME) as harness:
        harness.module = "bot"
        song = await asyncio.to_thread(write_song, home / "Neon Rain.wav", seconds=SONG_S)
        harness.users.add_song(song)
        async with harness.running_bot() as bot:
            for person in harness.users.people[:SONGS]:
                await harness.users.split(song.stem, person)
            for _ in range(kills):
                await _kill_a_worker(bot)
        for _ in range(kills):
            bot = await harness.start()
            await harness.online(bot)
            await asyncio.sleep(1)
            orphans += await _kill(bot)
        async with harness.running_bot():
            is_drained = await harness.drained(DRAINED_WITHIN_S)
        delivered = harness.rows("SELECT count(*) FROM jobs WHERE state = 'delivered'")[0][0]
        return [
            note(NAME, "kills of the worker, and of the bot", f"{kills}, {kills}"),
            exactly(NAME, "songs delivered", delivered, SONGS),
            none_of(NAME, "child processes that outlive their bot", orphans),
            none_of(NAME, "broken promises", unfinished(is_drained) + broken_promises(harness)),
        ]


async def _kill_a_worker(bot: BotProcess) -> None:
    """Wait until a worker has been busy for a while, then kill it."""
    ends_at = time.monotonic() + FOUND_WITHIN_S
    while time.monotonic() < ends_at:
        for child in children(bot.pid):
            if WORKER not in command(child):
                continue
            await asyncio.sleep(0.5)
            try:
                return os.kill(child, signal.SIGKILL)
            except ProcessLookupError:
                continue  # the worker ended on its own; another will start
        await asyncio.sleep(0.05)
    raise AssertionError("the bot has no engine worker")


async def _kill(bot: BotProcess) -> list[str]:
    """Kill a bot, and return the commands of its children that outlive it."""
    below = {child: command(child) for child in children(bot.pid)}
    await bot.kill()
    ends_at = time.monotonic() + GONE_WITHIN_S
    while left := [said for pid, said in below.items() if said and command(pid) == said]:
        if time.monotonic() > ends_at:
            return left
        await asyncio.sleep(0.1)
    return []
