"""`worker`: works for bots on other machines, until a signal stops it."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console

from bot import log as logging_setup
from bot.audio.tools import AudioTools
from bot.cli.commands.models import model_problem
from bot.cli.opening.audio_link import AUDIO, SEPARATE, audio_slots
from bot.cli.opening.embedded_opening import open_embedded
from bot.cli.opening.object_stores import open_objects
from bot.cli.opening.stores import database_address
from bot.cli.opening.studio_opening import open_studio
from bot.cli.shutdown import ShutdownStack, StopBudget, stop_on_signals
from bot.cli.version import our_version
from bot.concurrency import end_tasks, gather_or_raise, supervised
from bot.config import Settings, SettingsError
from bot.domain.errors import AudioFailed
from bot.domain.job import JobId
from bot.ops.metrics import render_work
from bot.ops.server import HttpServer, ProcessState, ops_application
from bot.processes.confinement import hide_memory
from bot.providers.interface import Provider
from bot.workers.counts import WorkCounts
from bot.workers.failure_streak import FailureStreak
from bot.workers.presence import Presence, describe
from bot.workers.scratch import scratch_folder
from bot.workers.separator import Separator
from bot.workers.usable_models import UsableModels
from storage.database.opening import PostgresUrl, open_migrated
from storage.database.protocols import Database
from storage.database.write_retry import retry_write
from storage.files.data_dir import DataDir
from storage.objects.object_store import ObjectStore
from storage.work_queue.living_workers import LivingWorkers, WorkerRow
from storage.work_queue.separations import TASK, SeparationKey, Separations, queue_of

if TYPE_CHECKING:
    from bot.workers.audio.audio_performer import AudioPerformer

log = logging.getLogger(__name__)

BuildProviders = Callable[[Settings], Awaitable[Sequence[Provider]]]
"""Builds the providers whose models a worker offers."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Places:
    """Where a worker's songs come from, and where its stems go."""

    address: PostgresUrl
    objects: ObjectStore


def worker(settings: Settings, console: Console) -> int:
    """Run a worker in the foreground until a signal stops it.

    Raises SettingsError, or an error in `command_line.OPERATOR_ERRORS`, if it cannot start.
    """
    del console  # a running worker reports to its log
    return run_with(engines_here, settings)


def run_with(build: BuildProviders, settings: Settings) -> int:
    """Run a worker with the providers that `build` returns."""
    hide_memory()
    places = required_places(settings)
    logging_setup.configure(
        log_format=settings.log_format, level=settings.log_level, secrets=settings.secrets()
    )
    for line in settings.unknown:
        log.warning(line)
    asyncio.run(_serve(settings, places, build))
    return 0


def required_places(settings: Settings) -> Places:
    """Return the database and the object store. Raises SettingsError if either is missing."""
    address = database_address(settings)
    if not isinstance(address, PostgresUrl):
        raise SettingsError(
            "STEMCORD_DATABASE_URL: expected the address of the bots' PostgreSQL database"
        )
    objects = open_objects(settings)
    if objects is None:
        raise SettingsError("STEMCORD_OBJECT_STORE: expected the address of the bots' object store")
    return Places(address=address, objects=objects)


async def engines_here(settings: Settings) -> Sequence[Provider]:
    """Return the studio, if it is set up, and the embedded engine.

    Raises ModelUnavailable if neither has a model on this machine, and SettingsError.
    """
    studio = (await open_studio(settings)).provider
    found: list[Provider] = [] if studio is None else [studio]
    if (problem := model_problem(settings)) is None:
        found.append(await open_embedded(settings))
    elif studio is None:
        raise problem
    return found


async def _serve(settings: Settings, places: Places, build: BuildProviders) -> None:
    stopping = asyncio.Event()
    budget = StopBudget(total_s=settings.stop_grace_s)

    def told_to_stop() -> None:
        budget.begin()
        stopping.set()

    stop_on_signals(told_to_stop)
    stop = asyncio.create_task(stopping.wait(), name="stop")
    async with ShutdownStack(budget) as stack:
        opening = asyncio.create_task(_opened(settings, places, build, stopping, stack))
        await asyncio.wait({opening, stop}, return_when=asyncio.FIRST_COMPLETED)
        if not opening.done():
            opening.cancel()
            await asyncio.gather(opening, return_exceptions=True)
            return
        opened = opening.result()
        working = asyncio.create_task(opened.work(), name="worker")
        await asyncio.wait({working, stop}, return_when=asyncio.FIRST_COMPLETED)
        if working.done():
            working.result()  # re-raises its error
        await budget.spend(opened.drain(working, budget), what="the work")


async def _opened(
    settings: Settings,
    places: Places,
    build: BuildProviders,
    stopping: asyncio.Event,
    stack: AsyncExitStack,
) -> "_Worker":
    """Wait for the database and the store, and put the worker together."""
    providers = await build(settings) if SEPARATE in settings.worker_tasks else ()
    for provider in providers:
        stack.push_async_callback(provider.aclose)
    audio = await _audio_tools(stack) if AUDIO in settings.worker_tasks else None
    me = describe(providers, version=our_version(), audio_slots=audio_slots(settings))
    home = DataDir(settings.data_dir).root / "worker"
    scratch = stack.enter_context(scratch_folder(home, me.id))
    db = await retry_write(lambda: open_migrated(places.address), what="the start")
    stack.push_async_callback(db.close)
    await retry_write(places.objects.check, what="the start")
    separations = Separations(db=db)
    streak = FailureStreak(separations=separations, worker=me.id)
    separator = Separator(
        separations=separations,
        objects=places.objects,
        providers=providers,
        scratch=scratch,
        worker=me.id,
        streak=streak,
    )
    performer = None
    if audio is not None:
        performer = _performer(db, places, audio, scratch, me)
        await retry_write(performer.require_rights, what="the start")
    opened = _Worker(
        url=places.address.secret,
        me=me,
        separator=separator if providers else None,
        streak=streak,
        performer=performer,
        presence=Presence(workers=LivingWorkers(db=db), worker=me),
        stopping=stopping,
    )
    if settings.ops_address is not None:
        ops = HttpServer(
            ops_application(
                check=opened.check, scrape=opened.scrape, role="worker", state=opened.state
            )
        )
        await ops.start(
            settings.ops_address.host, settings.ops_address.port, setting="STEMCORD_OPS_ADDRESS"
        )
        stack.push_async_callback(ops.stop)
    await opened.presence.arrive()
    log.info("worker %s is ready", me.id)
    return opened


async def _audio_tools(stack: AsyncExitStack) -> AudioTools:
    """Return the tools, once they have decoded a known good sound. Raises SettingsError."""
    audio = AudioTools()
    stack.push_async_callback(audio.aclose)
    try:
        await audio.check()
    except AudioFailed as exc:
        raise SettingsError(
            f"STEMCORD_WORKER_TASKS: expected separate, because this machine decodes nothing: {exc}"
        ) from exc
    return audio


def _performer(
    db: Database, places: Places, audio: AudioTools, scratch: Path, me: WorkerRow
) -> "AudioPerformer":
    # Imported here because the command line imports this module for every command.
    from bot.workers.audio.audio_performer import AudioPerformer
    from storage.work_queue.audio_tasks import AudioTasks

    return AudioPerformer(
        tasks=AudioTasks(db=db, version=me.version),
        objects=places.objects,
        audio=audio,
        scratch=scratch,
        worker=me.id,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Worker:
    """A worker whose database and object store are available."""

    url: str
    me: WorkerRow
    separator: Separator | None
    streak: FailureStreak
    performer: "AudioPerformer | None"
    presence: Presence
    stopping: asyncio.Event

    async def work(self) -> None:
        """Take songs and tasks until told to stop; return when the last one is finished."""
        keeping = asyncio.create_task(supervised(self.presence.keep, name="presence"))
        queues: list[Coroutine[Any, Any, None]] = []
        if self.separator is not None:
            queues.append(self._separate(self.separator))
        if self.performer is not None:
            queues.append(self._perform(self.performer))
        try:
            await gather_or_raise(queues)
        finally:
            await end_tasks(keeping)

    async def _separate(self, separator: Separator) -> None:
        from bot.workers.task_queue import TaskQueue  # needs the cluster's packages

        async def separate(job_id: str, number: int) -> None:
            await separator.separate(SeparationKey(job_id=JobId(job_id), number=number))

        queue = TaskQueue(
            self.url,
            task=TASK,
            queues=[queue_of(model.name) for model in separator.models],
            slots=self.me.slots,
            handler=separate,
        )
        usable = UsableModels(
            separator=separator,
            presence=self.presence,
            take_only=lambda models: queue.take_only(map(queue_of, models)),
        )
        separator.on_failure(usable.after_failure)
        following = [
            asyncio.create_task(supervised(self.streak.follow, name="failures in a row")),
            asyncio.create_task(supervised(usable.follow, name="usable models")),
        ]
        try:
            await queue.serve(self.stopping)
        finally:
            await end_tasks(*following)

    async def _perform(self, performer: "AudioPerformer") -> None:
        from bot.workers.task_queue import TaskQueue
        from storage.work_queue.audio_tasks import AUDIO_TASK, audio_queue

        queue = TaskQueue(
            self.url,
            task=AUDIO_TASK,
            queues=[audio_queue(self.me.version)],
            slots=self.me.audio_slots,
            handler=performer.perform,
        )
        await queue.serve(self.stopping)

    async def drain(self, working: asyncio.Task[None], budget: StopBudget) -> None:
        """Let work under way finish, and hand back what does not finish in time."""
        songs, tasks = self._songs.under_way, self._tasks.under_way
        log.info("stopping; %d songs and %d audio tasks are under way", songs, tasks)
        await self.presence.leave()
        await asyncio.wait({working}, timeout=budget.for_steps_s)
        if self.separator is not None:
            self.separator.hand_back()
        if self.performer is not None:
            self.performer.hand_back()
        await working

    async def check(self) -> dict[str, bool]:
        """Return whether the database accepts this worker's row, and whether any model works."""
        found = {"store": self.presence.is_recorded}
        if self.separator is not None:
            found["models"] = len(self.separator.troubles()) < len(self.separator.models)
        return found

    async def scrape(self) -> bytes:
        """Return the metrics."""
        return render_work(
            separations=self._songs, audio=self._tasks, is_paused=self.streak.is_paused
        )

    def state(self) -> ProcessState:
        """Return whether work is still taken."""
        return ProcessState.DRAINING if self.stopping.is_set() else ProcessState.SERVING

    @property
    def _songs(self) -> WorkCounts:
        return WorkCounts() if self.separator is None else self.separator.counts

    @property
    def _tasks(self) -> WorkCounts:
        return WorkCounts() if self.performer is None else self.performer.counts
