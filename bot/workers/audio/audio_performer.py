"""Runs audio tasks in a worker: inputs from the object store, results back to it.

The child process and its limits are the same as in a bot. The worker does not wait for anything
that is unavailable, since the bot can run the task itself.
"""

import asyncio
import logging
import shutil
from contextlib import suppress
from pathlib import Path

from bot.audio.tasks import DiskFull, FileRejected
from bot.audio.tools import AudioTools
from bot.domain.errors import (
    AudioFailed,
    ChildLost,
    NoRoom,
    ObjectMissing,
    Rejected,
    StoreUnavailable,
)
from bot.processes.ipc import MalformedMessage
from bot.workers.audio.portable_tasks import ChildFailed, Parcel, PortableAnswer, unpacked
from bot.workers.counts import Outcome, WorkCounts
from storage.database.write_retry import retry_write
from storage.objects.object_store import ObjectStore
from storage.work_queue.audio_tasks import AudioTasks, audio_objects

log = logging.getLogger(__name__)


class _Declined(Exception):
    """This worker cannot run the task; its bot may be able to."""


class AudioPerformer:
    """Runs the audio tasks that bots of the same version send."""

    def __init__(
        self,
        *,
        tasks: AudioTasks,
        objects: ObjectStore,
        audio: AudioTools,
        scratch: Path,
        worker: str,
    ) -> None:
        """`scratch` is a folder of this process alone, and `worker` its id."""
        self._tasks = tasks
        self._objects = objects
        self._audio = audio
        self._scratch = scratch
        self._worker = worker
        self._leaving = asyncio.Event()
        self.counts = WorkCounts()

    async def require_rights(self) -> None:
        """Raise StoreUnavailable if this worker's user may not run tasks."""
        await self._tasks.require_rights()

    def hand_back(self) -> None:
        """Leave all tasks under way, and any that are started from now on, to their bots."""
        self._leaving.set()

    async def perform(self, task_id: str) -> None:
        """Run a task, unless its bot has given it up; raises only when it is cancelled."""
        prefix = audio_objects(task_id)
        message = await retry_write(
            lambda: self._tasks.start(task_id, worker=self._worker),
            what=f"the start of audio task {task_id}",
        )
        if message is None:
            return
        with self.counts.running():
            outcome = await self._until_leaving(task_id, prefix, message)
        self.counts.add(outcome)
        log.info("audio task %s: %s", task_id, outcome)

    async def _until_leaving(self, task_id: str, prefix: str, message: str) -> Outcome:
        work = asyncio.create_task(self._outcome(task_id, prefix, message), name=prefix)
        leaving = asyncio.create_task(self._leaving.wait())
        try:
            await asyncio.wait({work, leaving}, return_when=asyncio.FIRST_COMPLETED)
            if work.done():
                return work.result()
            await self._decline(task_id, "it stops")
            return Outcome.HANDED_BACK
        finally:
            leaving.cancel()
            work.cancel()
            await asyncio.gather(work, return_exceptions=True)

    async def _outcome(self, task_id: str, prefix: str, message: str) -> Outcome:
        folder = self._scratch / f"audio-{task_id}"
        try:
            parcel = unpacked(message, folder)
            log.info("audio task %s: %s", task_id, type(parcel.task).__name__)
            answer = parcel.encode_answer(await self._answer(parcel, prefix))
            return await self._finish(task_id, prefix, answer)
        except (
            _Declined,
            ChildLost,
            NoRoom,
            MalformedMessage,
            ObjectMissing,
            OSError,
            StoreUnavailable,
        ) as exc:
            log.warning("audio task %s is declined: %s", task_id, exc)
            return await self._decline(task_id, str(exc))
        except Exception as exc:  # the bot must learn of it, else it would wait for its deadline
            log.exception("audio task %s failed", task_id)
            return await self._decline(task_id, type(exc).__name__)
        finally:
            await asyncio.to_thread(shutil.rmtree, folder, ignore_errors=True)

    async def _answer(self, parcel: Parcel, prefix: str) -> PortableAnswer:
        for name, path in parcel.inputs.items():
            path.parent.mkdir(parents=True, exist_ok=True)
            await self._objects.get(f"{prefix}/{name}", path)
        for path in parcel.results.values():
            path.parent.mkdir(parents=True, exist_ok=True)
        answer = await self._performed(parcel)
        for name, path in parcel.results.items():
            if await asyncio.to_thread(path.is_file):
                await self._objects.put(path, f"{prefix}/{name}")
        return answer

    async def _performed(self, parcel: Parcel) -> PortableAnswer:
        try:
            answer = await self._audio.perform(parcel.task)
        except Rejected as exc:
            return FileRejected(reason=exc.problem.reason)
        except ChildLost:
            raise
        except AudioFailed as exc:
            await self._require_health()
            return ChildFailed(detail=str(exc))
        if isinstance(answer, DiskFull):
            raise _Declined(answer.detail)
        return answer

    async def _require_health(self) -> None:
        """Raise _Declined if even a known good sound cannot be decoded on this machine."""
        try:
            await self._audio.check()
        except AudioFailed as exc:
            raise _Declined(str(exc)) from exc

    async def _finish(self, task_id: str, prefix: str, answer: str) -> Outcome:
        is_wanted = await retry_write(
            lambda: self._tasks.finish(task_id, answer, worker=self._worker),
            what=f"the answer of audio task {task_id}",
        )
        if is_wanted:
            return Outcome.DONE
        with suppress(StoreUnavailable):  # the bots' sweep does it later
            await self._objects.remove_under(prefix)
        return Outcome.DROPPED

    async def _decline(self, task_id: str, reason: str) -> Outcome:
        is_wanted = await retry_write(
            lambda: self._tasks.decline(task_id, reason, worker=self._worker),
            what=f"the end of audio task {task_id}",
        )
        return Outcome.FAILED if is_wanted else Outcome.DROPPED
