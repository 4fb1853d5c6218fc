"""Promises disk space to jobs before they write.

A promise counts towards the cap as soon as it is made, so songs that are decoded at the same time
cannot exceed it together. Promises are kept with a job's in-memory state and dropped with it. This
module does not know how much space a job needs; `bot/jobs/disk_needs.py` does.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Final, Protocol

from bot.domain.clock import Clock
from bot.domain.errors import NoRoom, Reason, Rejected
from bot.domain.job import JobId
from storage.files.job_files import JobFiles

log = logging.getLogger(__name__)

LOOK_EVERY_S: Final = 10.0
LOOK_AGAIN_AFTER_S: Final = 0.5
"""The shortest pause between two measurements of the job files when something does not fit."""
ASK_AGAIN_AFTER_S: Final = 0.5
"""How long new requests rely on the latest measurement of the free space."""
RESERVE_BYTES: Final = 256 * 1024**2
"""Free bytes below which no new request is accepted."""
FLOOR_BYTES: Final = 64 * 1024**2
"""Free bytes reserved for the database: below this, no audio is written."""
PATIENCE_S: Final = 1800.0
"""The time without room for any waiting job after which the youngest one fails."""
GIVE_UP_EVERY_S: Final = 60.0
"""The pause before the next youngest job fails, if there is still no room."""


class HasPromise(Protocol):
    """The part of a job's in-memory state that the guard uses."""

    promised_bytes: int
    """The bytes promised for all of the job's files, including those already on the disk."""
    written_bytes: int
    """The size of the job's files at the last measurement."""
    waits_for_room_since: float | None


class DiskGuard:
    """Promises disk space to jobs in the order in which they started to wait."""

    def __init__(
        self,
        *,
        files: JobFiles,
        clock: Clock,
        jobs: Mapping[JobId, HasPromise],
        max_gib: float,
        on_turn: Callable[[JobId], None] = lambda _: None,
        reserve_bytes: int = RESERVE_BYTES,
        floor_bytes: int = FLOOR_BYTES,
    ) -> None:
        """`jobs` are the jobs under way. After a promise, `on_turn` is called with the job whose
        turn is next.
        """
        self._files = files
        self._clock = clock
        self._jobs = jobs
        self._max_bytes = int(max_gib * 1024**3)
        self._on_turn = on_turn
        self._reserve_bytes = reserve_bytes
        self._floor_bytes = floor_bytes
        self._kept_bytes = 0
        """The size of all other jobs' files at the last measurement."""
        self._ended_bytes = 0
        """The bytes that jobs and loans that ended since that measurement may have left."""
        self._lent_bytes = 0
        """The bytes currently promised beside the jobs under way."""
        self._free_bytes = 0
        self._asked_at = float("-inf")
        """The time at which the free bytes were measured."""
        self._looked_at: float | None = None
        self._moved_at = clock.monotonic()
        self._looking = asyncio.Lock()

    async def check(self, size_bytes: int = 0) -> None:
        """Raise Rejected with DISK_FULL if there is no room for a new request of this size.

        A burst of requests shares one measurement, since none writes before it is promised space.
        """
        if self._is_recent() and self._fits(None, size_bytes, self._reserve_bytes):
            return
        if not await self._has_room(None, size_bytes, self._reserve_bytes):
            log.error("no room for a request: %s", self._figures())
            raise Rejected(Reason.DISK_FULL)

    async def promise(self, job_id: JobId, size_bytes: int) -> bool:
        """Set the total size that a job's files may reach; return False if there is no room."""
        job = self._jobs[job_id]
        if size_bytes > job.promised_bytes and not await self._has_room(
            job_id, size_bytes, self._floor_bytes
        ):
            return False
        job.promised_bytes = size_bytes
        return True

    async def promise_in_turn(self, job_id: JobId, size_bytes: int) -> int:
        """Promise space to a job when its turn comes; return the promised bytes, or 0 while it
        waits.

        A job that asks for more than can ever be free gets as much as there is. Raises Rejected
        with DISK_FULL for the youngest waiting job if no job has got room for a while.
        """
        job, now = self._jobs[job_id], self._clock.monotonic()
        if size_bytes <= job.promised_bytes:
            return size_bytes
        if job.waits_for_room_since is None:
            job.waits_for_room_since = now
        await self._look_if_due()
        await self._ask()
        is_first = self._waiting()[0] == job_id
        if is_first and self._most(job_id) < size_bytes:
            await self._make_room(size_bytes)
        size_bytes = min(size_bytes, self._most(job_id))
        is_enough = size_bytes > 0 and is_first
        if is_enough and await self._has_room(job_id, size_bytes, self._floor_bytes):
            job.waits_for_room_since = None
            self._moved_at = now
            job.promised_bytes = max(size_bytes, job.promised_bytes)
            self._call_next()
            return size_bytes
        self._give_up_youngest(job_id, now)
        return 0

    @asynccontextmanager
    async def lend(self, size_bytes: int) -> AsyncIterator[None]:
        """Promise bytes in addition to those of jobs under way, for as long as the context is open.

        Written bytes count twice once they are measured, which errs on the safe side. Raises NoRoom
        if there is no room.
        """
        if not await self._has_room(None, size_bytes, self._floor_bytes):
            raise NoRoom(f"no room for {size_bytes} bytes: {self._figures()}")
        self._lent_bytes += size_bytes
        try:
            yield
        finally:
            self._lent_bytes -= size_bytes
            self._ended_bytes += size_bytes

    def ahead(self, job_id: JobId) -> int:
        """Return how many jobs have waited for room longer than this one."""
        return self._waiting().index(job_id)

    def release(self, job: HasPromise) -> None:
        """End a job's promise. Its files still count until the next measurement."""
        self._ended_bytes += max(job.written_bytes, job.promised_bytes)

    async def require_floor(self, waiting: JobId | None = None) -> None:
        """Raise NoRoom if the free space is reserved for the database.

        Raises Rejected instead if `waiting` is the youngest job and has to be given up.
        """
        free_bytes = await self._files.free_bytes()
        job = None if waiting is None else self._jobs[waiting]
        if free_bytes < self._floor_bytes:
            if waiting is not None and job is not None:
                now = self._clock.monotonic()
                job.waits_for_room_since = job.waits_for_room_since or now
                self._give_up_youngest(waiting, now)
            raise NoRoom(f"{free_bytes} bytes are free, {self._floor_bytes} of them for the store")
        if job is not None:
            job.waits_for_room_since = None

    def _waiting(self) -> list[JobId]:
        """Return the jobs that wait for room, longest wait first."""
        found = [
            (each.waits_for_room_since, job_id)
            for job_id, each in self._jobs.items()
            if each.waits_for_room_since is not None
        ]
        return [job_id for _, job_id in sorted(found, key=lambda each: each[0])]

    def _call_next(self) -> None:
        if waiting := self._waiting():
            self._on_turn(waiting[0])

    def _give_up_youngest(self, job_id: JobId, now: float) -> None:
        waiting = self._waiting()
        first_since = self._jobs[waiting[0]].waits_for_room_since or now
        stuck_s = now - max(self._moved_at, first_since)
        if stuck_s > PATIENCE_S and waiting[-1] == job_id:
            self._moved_at = now - PATIENCE_S + GIVE_UP_EVERY_S
            log.error("%s got no room for %.0f s: %s", job_id, stuck_s, self._figures())
            raise Rejected(Reason.DISK_FULL)

    async def _has_room(self, job_id: JobId | None, size_bytes: int, floor_bytes: int) -> bool:
        """Whether a job's files may reach this size.

        No other task runs between the last measurement and the answer.
        """
        await self._look_if_due()
        await self._ask()
        if self._fits(job_id, size_bytes, floor_bytes):
            return True
        if self._age_s() >= LOOK_AGAIN_AFTER_S:
            await self._look()
            if self._fits(job_id, size_bytes, floor_bytes):
                return True
        return await self._make_room(size_bytes) and self._fits(job_id, size_bytes, floor_bytes)

    async def _make_room(self, size_bytes: int) -> bool:
        """Drop local copies of kept files, and measure again; return whether any were dropped."""
        if not await self._files.make_room(size_bytes, in_use=frozenset(self._jobs)):
            return False
        await self._look()
        await self._ask()
        return True

    def _fits(self, job_id: JobId | None, size_bytes: int, floor_bytes: int) -> bool:
        used, unwritten = self._totals(job_id, size_bytes)
        return used <= self._max_bytes and self._free_bytes - unwritten >= floor_bytes

    def _totals(self, asking: JobId | None, size_bytes: int) -> tuple[int, int]:
        """Return the bytes that all files may reach, and how many of them are not written yet."""
        used, unwritten = self._kept_bytes + self._ended_bytes + self._lent_bytes, self._lent_bytes
        if asking is None:
            used, unwritten = used + size_bytes, unwritten + size_bytes
        for job_id, job in self._jobs.items():
            promised = job.promised_bytes
            if job_id == asking:
                promised = max(promised, size_bytes)
            used += max(job.written_bytes, promised)
            unwritten += max(0, promised - job.written_bytes)
        return used, unwritten

    def _most(self, asking: JobId) -> int:
        """Return the bytes that a job could get once every job that is not waiting has ended."""
        used, free_bytes = self._kept_bytes, self._free_bytes
        for job_id, job in self._jobs.items():
            if job_id == asking or job.waits_for_room_since is None:
                free_bytes += job.written_bytes
            else:
                used += max(job.written_bytes, job.promised_bytes)
                free_bytes -= max(0, job.promised_bytes - job.written_bytes)
        return max(0, min(self._max_bytes - used, free_bytes - self._floor_bytes))

    def _age_s(self) -> float:
        if self._looked_at is None:
            return LOOK_EVERY_S
        return self._clock.monotonic() - self._looked_at

    async def _ask(self) -> None:
        """Measure the free space."""
        self._free_bytes = await self._files.free_bytes()
        self._asked_at = self._clock.monotonic()

    def _is_recent(self) -> bool:
        age_s = self._clock.monotonic() - self._asked_at
        return age_s < ASK_AGAIN_AFTER_S and self._age_s() < LOOK_EVERY_S

    async def _look_if_due(self) -> None:
        if self._age_s() >= LOOK_EVERY_S:
            await self._look()

    async def _look(self) -> None:
        """Measure the job files; promises made during that time are added."""
        async with self._looking:
            self._looked_at = self._clock.monotonic()
            self._ended_bytes = 0
            sizes = await self._files.sizes(owned_last=frozenset(self._jobs))
            for job_id, job in self._jobs.items():
                job.written_bytes = sizes.pop(job_id, 0)
            self._kept_bytes = sum(sizes.values())

    def _figures(self) -> str:
        used, _ = self._totals(None, 0)
        promised = self._lent_bytes + sum(each.promised_bytes for each in self._jobs.values())
        return (
            f"job files may come to {used} of {self._max_bytes} bytes, "
            f"{promised} of them promised; {self._free_bytes} are free"
        )
