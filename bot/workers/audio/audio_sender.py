"""Runs audio tasks of a bot on workers, as long as one of them has a place.

A task only makes files, so it can be run again: if anything goes wrong on the way, it runs here.
"""

import asyncio
import logging
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from enum import StrEnum
from typing import Final, TypeVar

from bot.audio.all_tasks import Answer, Task
from bot.audio.answers import discard
from bot.audio.tasks import Refusal
from bot.concurrency import gather_or_raise
from bot.domain.errors import AudioFailed, NoRoom, ObjectMissing, SplitError, StoreUnavailable
from bot.processes.ipc import MalformedMessage
from bot.workers.audio.portable_tasks import (
    ChildFailed,
    Parcel,
    PortableAnswer,
    is_worth_sending,
    packed,
)
from storage.objects.object_store import ObjectStore
from storage.objects.shared_job_files import SharedJobFiles
from storage.work_queue.audio_tasks import (
    AudioTasks,
    AudioTaskState,
    SentTask,
    audio_objects,
    new_task_id,
)

log = logging.getLogger(__name__)

PLACE_WITHIN_S: Final = 2.0
"""How long to wait for the database to say whether a worker has a place."""
TAKEN_WITHIN_S: Final = 5.0
"""How long to wait for a worker to take a task."""
LOOK_EVERY_S: Final = 0.25
ASK_EVERY_S: Final = 10.0
LEAST_DEADLINE_S: Final = 60.0
DEADLINE_S_PER_MIB: Final = 3.0
"""The time for each MiB of input: for its transfers, and several times what the work takes."""
TIDIED_WITHIN_S: Final = 2.0

_A = TypeVar("_A", bound=Answer)


class SentOutcome(StrEnum):
    """How sending a task ended. Unless DONE, REFUSED or CANCELLED, the task then runs here."""

    DONE = "done"
    REFUSED = "refused"
    """The task's own refusal or failure, which would be the same here."""
    NOT_TAKEN = "not_taken"
    DECLINED = "declined"
    """The worker could not run it to its end."""
    WORKER_GONE = "worker_gone"
    LATE = "late"
    WRONG = "wrong"
    """The answer contradicts the task or the files."""
    UNAVAILABLE = "unavailable"
    """The database, the store or the disk could not be used."""
    CANCELLED = "cancelled"


class _RunHere(Exception):
    def __init__(self, outcome: SentOutcome, why: str) -> None:
        super().__init__(why)
        self.outcome = outcome


class AudioSender:
    """Sends tasks to the workers of the bot's own version."""

    def __init__(
        self,
        *,
        tasks: AudioTasks,
        objects: ObjectStore,
        files: SharedJobFiles,
        taken_within_s: float = TAKEN_WITHIN_S,
    ) -> None:
        self._tasks = tasks
        self._objects = objects
        self._files = files
        self._taken_within_s = taken_within_s
        self._ended: Counter[SentOutcome] = Counter()
        self._tidying: set[asyncio.Task[None]] = set()

    @property
    def ended(self) -> Mapping[str, int]:
        """The number of tasks sent since the start by outcome, including zeros."""
        return {str(outcome): self._ended[outcome] for outcome in SentOutcome}

    async def run(
        self, task: Task, take: Callable[[Answer | Refusal], _A], *, is_busy: bool
    ) -> _A | None:
        """Return what `take` makes of a worker's answer, or None if the task has to run here.

        Raises the task's own refusal or failure. If this is cancelled, the worker is stopped.
        """
        if not is_worth_sending(task, is_busy=is_busy):
            return None
        parcel, task_id = packed(task), new_task_id()
        name = type(task).__name__
        if not await self._has_place_for(parcel, task_id):
            return None
        outcome = SentOutcome.CANCELLED
        try:
            found = await self._tried(parcel, task_id, take)
            outcome = SentOutcome.DONE
        except _RunHere as exc:
            outcome = exc.outcome
            log.warning("audio task %s: %s runs here: %s", task_id, name, exc)
            return None
        except SplitError:
            outcome = SentOutcome.REFUSED
            raise
        else:
            log.info("audio task %s: %s was run by a worker", task_id, name)
            return found
        finally:
            if outcome is not SentOutcome.DONE:
                discard(parcel.results.values())
            self._ended[outcome] += 1
            self._tidy_up(task_id)

    async def aclose(self) -> None:
        """Wait briefly until ended tasks are deleted; the sweep deletes the rest."""
        if self._tidying:
            await asyncio.wait(self._tidying, timeout=TIDIED_WITHIN_S)

    async def _has_place_for(self, parcel: Parcel, task_id: str) -> bool:
        """Reserve a place at a worker; return whether that succeeded."""
        try:
            async with asyncio.timeout(PLACE_WITHIN_S):
                if await self._tasks.places() <= 0:
                    return False
                return await self._tasks.reserve(task_id, parcel.message)
        except (StoreUnavailable, MalformedMessage, TimeoutError) as exc:
            log.debug("audio task %s is not sent: %s", task_id, exc)
            return False

    async def _tried(
        self, parcel: Parcel, task_id: str, take: Callable[[Answer | Refusal], _A]
    ) -> _A:
        """Send a task. Raises _RunHere, and the task's own refusal or failure."""
        try:
            async with asyncio.timeout(_deadline_s(parcel)), self._asking(task_id):
                answer = await self._answer(parcel, task_id)
        except TimeoutError:
            raise _RunHere(SentOutcome.LATE, "it took too long") from None
        except MalformedMessage as exc:
            raise _RunHere(SentOutcome.WRONG, f"its answer is malformed: {exc}") from exc
        except (StoreUnavailable, ObjectMissing, OSError) as exc:
            raise _RunHere(SentOutcome.UNAVAILABLE, str(exc)) from exc
        if isinstance(answer, ChildFailed):
            raise AudioFailed(answer.detail)
        try:
            return take(answer)
        except (AudioFailed, NoRoom) as exc:
            raise _RunHere(SentOutcome.WRONG, str(exc)) from exc

    async def _answer(self, parcel: Parcel, task_id: str) -> PortableAnswer:
        """Send the inputs, wait for the answer, and fetch the results."""
        prefix = audio_objects(task_id)
        await gather_or_raise(
            self._files.put_copy(path, f"{prefix}/{name}") for name, path in parcel.inputs.items()
        )
        await self._tasks.offer(task_id)
        answer = parcel.decode_answer(await self._message(task_id))
        most_bytes = parcel.task.budget.file_bytes
        for name, path in parcel.results.items():
            size_bytes = await self._objects.size(f"{prefix}/{name}")
            if size_bytes is None:
                continue  # a refusal has no results, and `take` misses those of an answer
            if size_bytes > most_bytes:
                raise _RunHere(SentOutcome.WRONG, f"a result has {size_bytes} bytes")
            await self._objects.get(f"{prefix}/{name}", path)
        return answer

    async def _message(self, task_id: str) -> str:
        offered_at = time.monotonic()
        while True:
            match await self._tasks.look(task_id):
                case None:
                    raise _RunHere(SentOutcome.UNAVAILABLE, "it was deleted")
                case SentTask(state=AudioTaskState.DONE, answer=str(answer)):
                    return answer
                case SentTask(state=AudioTaskState.DECLINED, answer=reason):
                    raise _RunHere(SentOutcome.DECLINED, f"its worker declines: {reason}")
                case SentTask(state=AudioTaskState.RUNNING, is_worker_living=False, worker=worker):
                    raise _RunHere(SentOutcome.WORKER_GONE, f"its worker {worker} is gone")
                case SentTask(state=AudioTaskState.WAITING) if (
                    time.monotonic() - offered_at >= self._taken_within_s
                ):
                    raise _RunHere(SentOutcome.NOT_TAKEN, "no worker takes it")
                case SentTask():
                    await asyncio.sleep(LOOK_EVERY_S)

    @asynccontextmanager
    async def _asking(self, task_id: str) -> AsyncIterator[None]:
        """Report periodically that the bot still waits."""
        asking = asyncio.create_task(self._ask(task_id), name=f"asking for {task_id}")
        try:
            yield
        finally:
            asking.cancel()
            await asyncio.gather(asking, return_exceptions=True)

    async def _ask(self, task_id: str) -> None:
        while True:
            await asyncio.sleep(ASK_EVERY_S)
            with suppress(StoreUnavailable):
                await self._tasks.ask(task_id)

    def _tidy_up(self, task_id: str) -> None:
        """Delete a task in the background, so that a cancelled job does not wait for that."""
        tidying = asyncio.create_task(self._tidy(task_id), name=f"tidying {task_id}")
        self._tidying.add(tidying)
        tidying.add_done_callback(self._tidying.discard)

    async def _tidy(self, task_id: str) -> None:
        with suppress(StoreUnavailable):  # the sweep does it later
            await self._tasks.remove(task_id)
            await self._objects.remove_under(audio_objects(task_id))


def _deadline_s(parcel: Parcel) -> float:
    size_mib = sum(path.stat().st_size for path in parcel.inputs.values()) / 2**20
    return LEAST_DEADLINE_S + DEADLINE_S_PER_MIB * size_mib
