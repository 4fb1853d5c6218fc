"""Waits for the lock of a shard group, and keeps it while the bot runs."""

import asyncio
import logging
import threading
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any, TypeVar

from bot.cli.shutdown import exit_now
from bot.concurrency import supervised
from bot.config import Settings
from bot.ops.server import HttpServer, ProcessState, ops_application
from storage.database.opening import Address
from storage.database.protocols import BotLock, TakenOver
from storage.files.data_dir import DataDir
from storage.files.ownership import DataUnusable
from storage.groups.own_connections import lock_of
from storage.groups.shard_group import EVERY_SHARD

log = logging.getLogger(__name__)

T = TypeVar("T")

TICK_S = 0.5
DEAF_TICKS = 20
"""Ticks without a heartbeat from the event loop, after which a former owner exits. A busy machine
may stall an event loop for seconds; once it continues, the loop itself finds out that it may no
longer act."""
EXIT_DEAF = 1


class Ownership:
    """The lock of a shard group that this process has, and the task that keeps it."""

    def __init__(self, lock: BotLock) -> None:
        self.lock = lock
        name = "the lock of the database"
        self.lost = asyncio.create_task(
            supervised(lock.watch, name=name, ends_with=(TakenOver,)), name=name
        )
        """Ends with TakenOver when another process has become the bot."""

    async def unless_lost(self, work: Coroutine[Any, Any, T]) -> T:
        """Return the result of `work`. Raises TakenOver when the ownership ends before that."""
        task = asyncio.create_task(work)
        try:
            await asyncio.wait({task, self.lost}, return_when=asyncio.FIRST_COMPLETED)
            if not task.done():
                self.lost.result()
            return await task
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def close(self) -> None:
        """Release the lock."""
        self.lost.cancel()
        await asyncio.gather(self.lost, return_exceptions=True)
        await self.lock.close()


async def become_the_bot(
    address: Address, settings: Settings, data: DataDir, stack: AsyncExitStack
) -> Ownership | None:
    """Wait until no other process is the bot of this database or group; None for SQLite.

    Meanwhile `/healthz` says that this process stands by.
    """
    lock = lock_of(address, settings.shards or EVERY_SHARD)
    if lock is None:
        return None
    stack.push_async_callback(lock.close)
    acquiring = asyncio.create_task(lock.acquire(), name="standing by")
    try:
        await asyncio.wait({acquiring}, timeout=TICK_S)
        if not acquiring.done():
            async with _standby_server(lock, settings, data):
                await asyncio.wait({acquiring})
        await acquiring
    finally:
        acquiring.cancel()
    ownership = Ownership(lock)
    stack.push_async_callback(ownership.close)
    beating = asyncio.create_task(_watched_loop(lock), name="signs of the event loop")
    stack.callback(beating.cancel)
    return ownership


@asynccontextmanager
async def _standby_server(lock: BotLock, settings: Settings, data: DataDir) -> AsyncIterator[None]:
    """Answer `/healthz` on the address of the operations server."""
    if settings.ops_address is None:
        yield
        return

    async def check() -> dict[str, bool]:
        return {"store": lock.is_reached, "files": await _can_write(data), "discord": False}

    server = HttpServer(
        ops_application(check=check, scrape=_no_metrics, state=lambda: ProcessState.STANDBY)
    )
    place = settings.ops_address
    await server.start(place.host, place.port, setting="STEMCORD_OPS_ADDRESS")
    try:
        yield
    finally:
        await server.stop()


async def _can_write(data: DataDir) -> bool:
    try:
        await asyncio.to_thread(data.check_writable)
    except (DataUnusable, OSError):
        return False
    return True


async def _no_metrics() -> bytes:
    return b""


async def _watched_loop(lock: BotLock) -> None:
    """Send a heartbeat on each tick until cancelled, while a thread watches for it."""
    watchdog = LoopWatchdog(is_owner=lambda: lock.may_act)
    watchdog.start()
    try:
        while True:
            watchdog.signs += 1
            await asyncio.sleep(TICK_S)
    finally:
        watchdog.stop()


class LoopWatchdog(threading.Thread):
    """Ends the process if it may no longer act but its event loop is blocked.

    A loop that is not blocked stops acting on its own. The thread counts its own ticks, so that it
    does not end a process that was frozen as a whole.
    """

    def __init__(
        self,
        *,
        is_owner: Callable[[], bool],
        end: Callable[[int], object] = exit_now,
        tick_s: float = TICK_S,
    ) -> None:
        super().__init__(name="watchdog", daemon=True)
        self.signs = 0
        """The event loop's heartbeats so far."""
        self._is_owner = is_owner
        self._end = end
        self._tick_s = tick_s
        self._stopped = threading.Event()

    def run(self) -> None:
        """Watch for heartbeats until stopped."""
        seen, deaf = -1, 0
        while not self._stopped.wait(self._tick_s):
            is_deaf = not self._is_owner() and self.signs == seen
            deaf = deaf + 1 if is_deaf else 0
            seen = self.signs
            if deaf >= DEAF_TICKS:
                log.critical("the event loop is blocked, and another process may be the bot")
                self._end(EXIT_DEAF)

    def stop(self) -> None:
        """Stop watching."""
        self._stopped.set()
