"""Deletes audio tasks that killed bots have left, with their objects."""

import asyncio
import itertools
import logging
from contextlib import suppress
from typing import Final

from bot.domain.errors import StoreUnavailable
from storage.objects.object_store import ObjectStore
from storage.work_queue.audio_tasks import AUDIO_OBJECTS, AudioTasks

log = logging.getLogger(__name__)

SWEEP_EVERY_S: Final = 30.0
ORPHANS_EVERY: Final = 120
"""The number of sweeps between two searches for objects without a row."""


class AudioSweeper:
    """Sweeps periodically. Any number of bots may do so."""

    def __init__(self, *, tasks: AudioTasks, objects: ObjectStore) -> None:
        self._tasks = tasks
        self._objects = objects

    async def run(self) -> None:
        """Sweep until cancelled."""
        for rounds in itertools.count(1):
            await asyncio.sleep(SWEEP_EVERY_S)
            with suppress(StoreUnavailable):  # the next round tries again
                await self.sweep()
                if rounds % ORPHANS_EVERY == 0:
                    await self.remove_orphans()

    async def sweep(self) -> None:
        """Delete tasks that no bot asks for. Raises StoreUnavailable."""
        for task_id in await self._tasks.abandoned():
            await self._tasks.remove(task_id)  # stops a worker that still runs it
            await self._objects.remove_under(f"{AUDIO_OBJECTS}/{task_id}")
            log.info("audio task %s was left and is deleted", task_id)
        await self._tasks.forget_lost()

    async def remove_orphans(self) -> None:
        """Delete objects without a row. Raises StoreUnavailable."""
        # Objects are listed before rows: a row is older than its objects.
        stored = frozenset(await self._objects.folders_under(AUDIO_OBJECTS))
        for task_id in sorted(stored - await self._tasks.all_ids()):
            await self._objects.remove_under(f"{AUDIO_OBJECTS}/{task_id}")
            log.info("audio task %s has left objects, which are deleted", task_id)
