"""The real bot with fake audio, scripted providers and an optional kill point.

Run as `python -m tests.chaos.bot`; scenes configure it through the environment.
"""

import asyncio
import os
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from bot.audio.tasks import Combined, Decoded, Mix
from bot.cli.provider_set import build_transport
from bot.cli.run import OpenResources, run_with
from bot.cli.stores import open_store
from bot.config import Settings, load_settings
from bot.domain.errors import Reason, Rejected
from bot.jobs import runner
from bot.net.downloads import Downloads
from bot.processes.limits import die_with_parent
from bot.providers.interface import Provider
from storage.files.data_dir import DataDir
from tests.chaos.kill_points import KillableJobStore, KillSwitch, Point
from tests.chaos.lag import note_lag
from tests.chaos.open_resources import keep_counting
from tests.chaos.services import EMBEDDED, HOSTED, EmbeddedService, HostedService, Script
from tests.support.fakes import FakeAudio

KILL_POINT = "CHAOS_KILL_POINT"
FOLDER = "CHAOS_FOLDER"
"""Holds the providers' journals and whatever else outlives a bot without belonging to it."""
CONCURRENCY = "CHAOS_CONCURRENCY"
"""How many songs a hosted provider accepts at a time."""
GIVE_UP_EARLY = "CHAOS_GIVE_UP_EARLY"
"""When set, a step that keeps failing is given up within a second instead of half a minute."""
CLOCK_OFFSET, LAG, RESOURCES = "clock-offset", "lag", "resources"
RELOAD_EVERY_S = 0.05
RESUMING = "resuming"
"""Holds the pid of the latest bot that has begun to resume its jobs."""


@dataclass
class ScriptedAudio(FakeAudio):
    """Treats every file as a song of 100 s, unless its content says broken or hollow."""

    duration_s: float = 100.0
    hollow: set[Path] = field(default_factory=set)
    """The folders of jobs whose stems get lost."""

    async def decode(self, source: Path, into: Path, *, max_duration_s: float) -> Decoded:
        content = source.read_bytes()
        if content.startswith(Script.BROKEN.encode()):
            raise Rejected(Reason.BROKEN_FILE)
        if content.startswith(Script.HOLLOW.encode()):
            self.hollow.add(into.parent)
        return await super().decode(source, into, max_duration_s=max_duration_s)

    async def combine(self, mixes: Sequence[Mix], *, frames: int | None = None) -> Combined:
        combined = await super().combine(mixes, frames=frames)
        for mix in mixes:
            if mix.path.parent.parent in self.hollow:
                mix.path.write_bytes(b"")
        return combined


class OffsetClock:
    """The system clock, shifted by the number of seconds in a file."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._offset_s = 0.0
        self._reload_at = 0.0

    def now(self) -> datetime:
        if time.monotonic() >= self._reload_at:  # the bot asks thousands of times a second
            self._reload_at = time.monotonic() + RELOAD_EVERY_S
            self._offset_s = float(self._file.read_text()) if self._file.exists() else 0.0
        return datetime.now(UTC) + timedelta(seconds=self._offset_s)

    def monotonic(self) -> float:
        return time.monotonic()


async def open_parts(settings: Settings, data: DataDir, stack: AsyncExitStack) -> OpenResources:
    """Open the parts that scenes replace."""
    folder = Path(os.environ[FOLDER])
    point = os.environ.get(KILL_POINT)
    if os.environ.get(GIVE_UP_EARLY):
        runner.FIRST_PAUSE_S = 0.003
    clock = OffsetClock(folder / CLOCK_OFFSET)
    for probe in (note_lag(folder / LAG), keep_counting(folder / RESOURCES)):
        stack.callback(asyncio.create_task(probe).cancel)
    (folder / RESUMING).write_text(str(os.getpid()))
    store = await open_store(data, clock)
    switch = KillSwitch(Point.parse(point) if point else None)
    stack.push_async_callback(store.db.close)
    downloads = Downloads(transport=build_transport(settings))
    stack.push_async_callback(downloads.aclose)
    return OpenResources(
        store=replace(store, jobs=KillableJobStore.on(store.db, switch)),
        providers=_providers(folder, int(os.environ.get(CONCURRENCY, "8"))),
        downloads=downloads,
        audio=ScriptedAudio(),  # type: ignore[arg-type] # matches by shape
        clock=clock,
    )


def _providers(folder: Path, concurrency: int) -> Mapping[str, Provider]:
    providers: dict[str, Provider] = {
        name: HostedService(name, folder, concurrency=concurrency) for name in HOSTED
    }
    return providers | {EMBEDDED: EmbeddedService(folder)}


if __name__ == "__main__":
    die_with_parent()  # otherwise it would keep looking for a sandbox that is gone
    sys.exit(run_with(open_parts, load_settings()))
