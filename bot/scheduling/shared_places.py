"""Keeps the limits of vendors across several bots, in front of a bot's own queue.

The bot's own queue decides which of its jobs is next; only that one asks for a place.
"""

import asyncio
import logging
from collections.abc import Coroutine, Mapping
from datetime import datetime
from typing import Any

from bot.domain.job import JobId
from bot.scheduling.provider_queue import ProviderQueue
from storage.database.write_retry import retry_write
from storage.groups.shard_group import ShardGroup
from storage.groups.vendor_places import Place, VendorPlaces

log = logging.getLogger(__name__)

ASK_EVERY_S = 4.0
"""The pause of a job that is first in its own queue but waits for other bots."""


class SharedPlaces:
    """The places of this bot's jobs at the providers that all bots share."""

    def __init__(
        self,
        *,
        store: VendorPlaces,
        queue: ProviderQueue,
        shards: ShardGroup,
        capacity: Mapping[str, int],
    ) -> None:
        """`capacity` is the number of places of each shared provider."""
        self._store = store
        self._queue = queue
        self._shards = shards
        self._capacity = dict(capacity)
        self._leaving: dict[tuple[str, JobId], asyncio.Task[None]] = {}
        queue.on_leave(self._left)

    def place_at(self, provider: str) -> Place | None:
        """Return the place to take with an attempt, or None if the provider is not shared."""
        capacity = self._capacity.get(provider)
        if capacity is None:
            return None
        return Place(provider=provider, capacity=capacity, group=self._shards)

    async def may_enter(self, provider: str, job_id: JobId) -> bool:
        """Ask for a place for the job that is first in this bot's queue.

        Until the job gets a place, it asks every ASK_EVERY_S, and it is called when a place is
        free. Raises StoreUnavailable.
        """
        if (leaving := self._leaving.get((provider, job_id))) is not None:
            await asyncio.wait({leaving})
        return await self._store.ask(provider, capacity=self._capacity[provider])

    def offered(self, provider: str) -> None:
        """Let the next job ask, because a place is free for this bot."""
        if provider not in self._capacity:
            return
        if self._queue.first(provider) is None:
            self._keep(("", JobId(provider)), self._withdraw(provider))
        self._queue.call_first(provider)

    async def restore(self, *, since: datetime) -> None:
        """At start, free the places of an earlier process. Raises StoreUnavailable."""
        await self._store.restore(self._capacity, since=since)

    async def sweep(self) -> None:
        """Free places whose release was missed. Raises StoreUnavailable."""
        occupied = set(self._queue.occupied())
        for provider, job_id in await self._store.left_behind(occupied):
            self._left(provider, job_id)

    async def settle(self) -> None:
        """Wait until the releases of places under way have ended."""
        while self._leaving:
            await asyncio.wait(self._leaving.values())

    def _left(self, provider: str, job_id: JobId) -> None:
        if provider in self._capacity:
            leave = retry_write(
                lambda: self._store.leave(provider, job_id), what=f"the place of {job_id}"
            )
            self._keep((provider, job_id), leave)

    async def _withdraw(self, provider: str) -> None:
        await retry_write(lambda: self._store.withdraw(provider), what=f"the line at {provider}")

    def _keep(self, key: tuple[str, JobId], work: Coroutine[Any, Any, None]) -> None:
        """Run a write in the background; a later one with the same key follows it."""
        earlier = self._leaving.get(key)

        async def follow() -> None:
            if earlier is not None:
                await asyncio.wait({earlier})
            await work

        task = asyncio.create_task(follow(), name=f"the place of {key}")
        self._leaving[key] = task
        task.add_done_callback(lambda _: self._ended(key, task))

    def _ended(self, key: tuple[str, JobId], task: asyncio.Task[None]) -> None:
        if self._leaving.get(key) is task:
            del self._leaving[key]
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("a place could not be freed", exc_info=error)
