"""Runs a vendor's tasks: fetches the song, separates it, names the results and bills them."""

import asyncio
import threading
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Final

from sandbox.vendors.account import Account
from sandbox.vendors.audio_files import UnreadableSong
from sandbox.vendors.behaviour import Behaviour
from sandbox.vendors.modes import Mode
from sandbox.vendors.result_files import ResultFiles
from sandbox.vendors.source import SongOutOfReach, fetch_song
from sandbox.vendors.splitting import Abandoned, Split, split
from sandbox.vendors.task import Task, TaskState

KEPT_TASKS: Final = 50
_UNFINISHED: Final = "the work failed"


class TaskRunner:
    """Runs tasks and keeps the latest. `file_name` returns the vendor's name for a stem's file.

    If `archive_name` returns a name, all stems are also packed into an archive.
    """

    def __init__(
        self,
        *,
        result_files: ResultFiles,
        account: Account,
        behaviour: Behaviour,
        file_name: Callable[[Task, str], str],
        archive_name: Callable[[Task], str | None],
    ) -> None:
        self._results = result_files
        self._account = account
        self._behaviour = behaviour
        self._file_name = file_name
        self._archive_name = archive_name
        self._tasks: dict[str, Task] = {}
        self._running: set[asyncio.Task[None]] = set()
        self._abandoned = threading.Event()
        self.most_running = 0
        """The highest number of unfinished tasks so far."""

    @property
    def running(self) -> int:
        """The number of unfinished tasks."""
        return sum(task.state is TaskState.RUNNING for task in self._tasks.values())

    def find(self, task_id: str) -> Task | None:
        """Return a task if it is known and not too old."""
        return self._tasks.get(task_id)

    def begin(self, task: Task) -> None:
        """Start a task, whether or not a request waits for it."""
        self._tasks[task.id] = task
        self.most_running = max(self.most_running, self.running)
        working = asyncio.create_task(self._work(task))
        self._running.add(working)
        working.add_done_callback(self._running.discard)
        working.add_done_callback(lambda ended: _settle(task, ended))
        ended = [each for each in self._tasks.values() if each.state is not TaskState.RUNNING]
        for old in ended[:-KEPT_TASKS]:
            del self._tasks[old.id]
            self._results.remove(old.id)

    async def close(self) -> None:
        """Abandon all tasks. Their threads stop at the next piece."""
        self._abandoned.set()
        for working in self._running:
            working.cancel()
        await asyncio.gather(*self._running, return_exceptions=True)
        for task in self._tasks.values():
            if task.state is TaskState.RUNNING:
                task.failed("the stand-in was stopped")

    async def _work(self, task: Task) -> None:
        if task.mode is Mode.NEVER_FINISHES:
            return
        latency_s = self._behaviour.latency_s
        if task.mode is Mode.ACCEPT_THEN_FAIL:
            await asyncio.sleep(latency_s)
            task.failed(_UNFINISHED)
            return
        try:
            made, _ = await asyncio.gather(self._make(task), asyncio.sleep(latency_s))
        except (SongOutOfReach, UnreadableSong) as exc:
            task.failed(str(exc))
            return
        if self._account.charge(made.duration_s):
            task.done({name: path.name for name, path in made.files.items()})
        else:
            task.failed("the credit is too small for this song")

    async def _make(self, task: Task) -> Split:
        folder = self._results.make_folder(task.id)
        song = folder / "source"
        await fetch_song(task.song, song)
        try:
            return await asyncio.to_thread(self._split, task, song, folder)
        except Abandoned:
            raise asyncio.CancelledError from None

    def _split(self, task: Task, song: Path, folder: Path) -> Split:
        made = split(song, task.model, folder, task.suffix, self._abandoned)
        song.unlink()
        files = {
            stem: path.rename(folder / self._file_name(task, stem))
            for stem, path in made.files.items()
        }
        if archive_name := self._archive_name(task):
            with zipfile.ZipFile(folder / archive_name, "w") as archive:
                for path in files.values():
                    archive.write(path, path.name)
        return Split(duration_s=made.duration_s, files=files)


def _settle(task: Task, working: asyncio.Task[None]) -> None:
    """Fail a task that ended with a bug in the simulation. asyncio reports the bug."""
    fault = None if working.cancelled() else working.exception()
    if fault is not None:
        task.failed("the stand-in has a fault")
        raise fault
