"""Points at which a bot can be made to die: before, within and after each commit.

Any other moment lies between two commits. For example, "after the submit arrived" is before the
commit of `submitting>processing`, and "after the upload" is before that of `ready>delivered`.
"""

import asyncio
import os
from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, Self, TypeVar

from bot.domain.attempt import Attempt
from bot.domain.job import Job, JobId, State
from storage.database.protocols import Connection, Database, Parameters, Row
from storage.stores.job_store import JobStore
from tests.chaos.file_value import FileValue

T = TypeVar("T")

KILLED = 137

_step: ContextVar[str] = ContextVar("step", default="")


class Moment(StrEnum):
    """The moment in a commit at which the bot dies."""

    BEFORE = "before"
    WITHIN = "within"
    """After all statements, before COMMIT."""
    AFTER = "after"


@dataclass(frozen=True, slots=True)
class Point:
    """A point at which the bot dies when it is reached for the `nth` time."""

    step: str
    moment: Moment
    nth: int = 1

    @classmethod
    def parse(cls, text: str) -> Self:
        """Parse the output of `str`."""
        step, moment, nth = text.split(":")
        return cls(step, Moment(moment), int(nth))

    def __str__(self) -> str:
        return f"{self.step}:{self.moment}:{self.nth}"


class KillSwitch:
    """Ends this process at one point, as `kill -9` would."""

    def __init__(self, point: Point | None) -> None:
        self._point = point
        self._passed = 0

    def reach(self, step: str, moment: Moment) -> None:
        point = self._point
        if point is None or (step, moment) != (point.step, point.moment):
            return
        self._passed += 1
        if self._passed == point.nth:
            os._exit(KILLED)


class KillableDatabase:
    """A database whose writes pass a kill switch and are delayed by the seconds in a file."""

    def __init__(self, db: Database, switch: KillSwitch, delay: FileValue) -> None:
        self._db = db
        self._switch = switch
        self._delay = delay

    async def read(self, sql: str, parameters: Parameters = ()) -> Sequence[Row]:
        return await self._db.read(sql, parameters)

    async def write(
        self, work: Callable[[Connection], Awaitable[T]], *, locks: Iterable[str] = ()
    ) -> T:
        step = _step.get()

        async def killable(conn: Connection) -> T:
            result = await work(conn)
            self._switch.reach(step, Moment.WITHIN)
            return result

        if delay_s := self._delay.read():
            await asyncio.sleep(delay_s)
        self._switch.reach(step, Moment.BEFORE)
        result = await self._db.write(killable, locks=locks)
        self._switch.reach(step, Moment.AFTER)
        return result


class KillableJobStore(JobStore):
    """A job store that names each write, on a killable database."""

    @classmethod
    def on(cls, db: Database, switch: KillSwitch, delay: FileValue) -> Self:
        return cls(db=KillableDatabase(db, switch, delay))  # type: ignore[arg-type] # matches by shape

    async def add(self, job: Job, *, max_active: int, batch_number: int | None = None) -> Job:
        with _named("new"):
            return await super().add(job, max_active=max_active, batch_number=batch_number)

    async def acknowledge(self, job_id: JobId, now: datetime, **rest: Any) -> bool:
        with _named(f"{State.RECEIVED}>{State.RECEIVED}"):
            return await super().acknowledge(job_id, now, **rest)

    async def save(self, job: Job, *, expected: State, **rest: Any) -> None:
        with _named(f"{expected}>{job.state}"):
            await super().save(job, expected=expected, **rest)

    async def record(self, attempt: Attempt) -> None:
        with _named(f"record>{attempt.state}"):
            await super().record(attempt)

    async def reply_shown(self, job_id: JobId, version: int, **rest: Any) -> None:
        with _named("shown"):
            await super().reply_shown(job_id, version, **rest)

    async def mark_expired(self, job_id: JobId) -> None:
        with _named("expired"):
            await super().mark_expired(job_id)


@contextmanager
def _named(step: str) -> Iterator[None]:
    token = _step.set(step)
    try:
        yield
    finally:
        _step.reset(token)
