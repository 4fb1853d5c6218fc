"""`worker`: separates songs for bots on other machines, until a signal stops it."""

import asyncio
import importlib.metadata
import logging
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass

from rich.console import Console

from bot import log as logging_setup
from bot.cli.commands.models import model_problem
from bot.cli.opening.embedded_opening import open_embedded
from bot.cli.opening.object_stores import open_objects
from bot.cli.opening.stores import database_address
from bot.cli.opening.studio_opening import open_studio
from bot.cli.shutdown import ShutdownStack, StopBudget, stop_on_signals
from bot.concurrency import supervised
from bot.config import Settings, SettingsError
from bot.ops.metrics import render_work
from bot.ops.server import HttpServer, ProcessState, ops_application
from bot.processes.confinement import hide_memory
from bot.providers.interface import Provider
from bot.workers.failure_streak import FailureStreak
from bot.workers.presence import Presence, describe, slots_of
from bot.workers.scratch import scratch_folder
from bot.workers.separator import Separator
from bot.workers.usable_models import UsableModels
from storage.database.opening import PostgresUrl, open_migrated
from storage.database.write_retry import retry_write
from storage.files.data_dir import DataDir
from storage.objects.object_store import ObjectStore
from storage.work_queue.living_workers import LivingWorkers
from storage.work_queue.separations import Separations

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
    providers = await build(settings)
    for provider in providers:
        stack.push_async_callback(provider.aclose)
    me = describe(providers, version=_version())
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
    presence = Presence(workers=LivingWorkers(db=db), worker=me)
    opened = _Worker(
        url=places.address.secret,
        providers=providers,
        separator=separator,
        streak=streak,
        presence=presence,
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
    await presence.arrive()
    log.info("worker %s is ready", me.id)
    return opened


@dataclass(frozen=True, slots=True, kw_only=True)
class _Worker:
    """A worker whose database and object store are available."""

    url: str
    providers: Sequence[Provider]
    separator: Separator
    streak: FailureStreak
    presence: Presence
    stopping: asyncio.Event

    async def work(self) -> None:
        """Take songs until told to stop; return when the last one is finished."""
        from bot.workers.task_queue import TaskQueue  # needs the cluster's packages

        declared = [each.capabilities for each in self.providers]
        queue = TaskQueue(
            self.url,
            models=[model.name for each in declared for model in each.models],
            slots=slots_of(self.providers),
            handler=self.separator.separate,
        )

        usable = UsableModels(
            separator=self.separator, presence=self.presence, take_only=queue.take_only
        )
        self.separator.on_failure(usable.after_failure)
        tasks = [
            asyncio.create_task(supervised(self.presence.keep, name="presence")),
            asyncio.create_task(supervised(self.streak.follow, name="failures in a row")),
            asyncio.create_task(supervised(usable.follow, name="usable models")),
        ]
        try:
            await queue.serve(self.stopping)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def drain(self, working: asyncio.Task[None], budget: StopBudget) -> None:
        """Let songs under way finish, and hand back those that do not finish in time."""
        log.info("stopping; %d songs are under way", self.separator.counts.under_way)
        await self.presence.leave()
        await asyncio.wait({working}, timeout=budget.for_steps_s)
        self.separator.hand_back()
        await working

    async def check(self) -> dict[str, bool]:
        """Return whether the database accepts this worker's row, and whether any model works."""
        is_usable = len(self.separator.troubles()) < len(self.separator.models)
        return {"store": self.presence.is_recorded, "models": is_usable}

    async def scrape(self) -> bytes:
        """Return the metrics."""
        return render_work(self.separator.counts, is_paused=self.streak.is_paused)

    def state(self) -> ProcessState:
        """Return whether songs are still taken."""
        return ProcessState.DRAINING if self.stopping.is_set() else ProcessState.SERVING


def _version() -> str:
    with suppress(importlib.metadata.PackageNotFoundError):
        return importlib.metadata.version("stemcord")
    return "unknown"
