"""Looks after separations: lost ones get another worker, and old ones are deleted."""

import asyncio
import itertools
import logging
import time
from contextlib import suppress
from typing import Final

from bot.domain.attempt import MAX_LOCAL_STARTS
from bot.domain.errors import StoreUnavailable
from bot.domain.job import JobId
from storage.objects.object_store import ObjectStore
from storage.work_queue.separation_sweep import SeparationSweep, Swept
from storage.work_queue.separations import OBJECTS, Separations

log = logging.getLogger(__name__)

STALLED_S: Final = 15.0
"""A worker without a heartbeat for this time is gone."""
SWEEP_EVERY_S: Final = 2.0
CLEAN_EVERY: Final = 15
"""The number of sweeps between two deletions of what jobs no longer need."""
ORPHANS_EVERY: Final = 1800
"""The number of sweeps between two searches for objects without a row."""


class Sweeper:
    """Sweeps periodically. Any number of bots may do so."""

    def __init__(
        self,
        *,
        separations: Separations,
        sweep: SeparationSweep,
        objects: ObjectStore,
        stalled_s: float = STALLED_S,
        every_s: float = SWEEP_EVERY_S,
    ) -> None:
        self._separations = separations
        self._sweep = sweep
        self._objects = objects
        self._stalled_s = stalled_s
        self._every_s = every_s

    async def run(self) -> None:
        """Sweep and clean until cancelled."""
        # After an outage every heartbeat is old, so workers get time for the next one.
        well_since, rounds = time.monotonic(), itertools.count(1)
        while True:
            await asyncio.sleep(self._every_s)
            try:
                if time.monotonic() - well_since >= self._stalled_s:
                    _tell(await self._sweep.sweep(stalled_s=self._stalled_s))
                else:
                    await self._separations.highest_turn()  # is the database available?
            except StoreUnavailable as exc:
                log.debug("the sweep of separations waits: %s", exc)
                well_since = time.monotonic()
            await self._tidy(next(rounds))

    async def _tidy(self, rounds: int) -> None:
        with suppress(StoreUnavailable):  # a later round tries again
            if rounds % CLEAN_EVERY == 0:
                await self.clean()
            if rounds % ORPHANS_EVERY == 0:
                await self.remove_orphans()

    async def clean(self) -> None:
        """Delete the rows and objects of separations that no job needs. Raises StoreUnavailable."""
        for key in await self._separations.left_behind():
            await self._separations.cancel(key)  # stops a worker that still runs it
            await self._objects.remove_under(key.prefix)
            await self._separations.remove(key)

    async def remove_orphans(self) -> None:
        """Delete objects without a row, which a killed bot may leave. Raises StoreUnavailable."""
        # Objects are listed before rows: a job is already submitting when its first object is
        # stored.
        stored = frozenset(map(JobId, await self._objects.folders_under(OBJECTS)))
        for job_id in sorted(stored - await self._separations.needed()):
            await self._objects.remove_under(f"{OBJECTS}/{job_id}")
            log.info("%s: objects of its separations were left and are deleted", job_id)


def _tell(swept: Swept) -> None:
    for key in swept.restarted:
        log.warning("%s: its worker is gone; another one starts it", key)
    for key in swept.given_up:
        log.error("%s: %d workers died of it, so it is given up", key, MAX_LOCAL_STARTS)
