"""The bot as it is, but for quick sound, services that obey songs, and a point to die at.

Run as `python -m tests.chaos.bot`. What a rehearsal asks for is in the environment.
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
from tests.chaos.kill_points import MortalJobs, Point, Reaper
from tests.chaos.lag import note_lag
from tests.chaos.open_resources import keep_counting
from tests.chaos.services import HOME, HOSTED, Home, Script, Service
from tests.support.fakes import FakeAudio

POINT = "REHEARSAL_POINT"
FOLDER = "REHEARSAL_FOLDER"
"""Where services keep their journals, and what else outlives a bot but is not the bot's."""
PLACES = "REHEARSAL_PLACES"
"""How many songs a hosted service takes at a time."""
HASTE = "REHEARSAL_HASTE"
"""Set where a step that keeps failing is given up within a second instead of half a minute."""
JUMP, LAG, CENSUS = "jump", "lag", "census"
LOOK_AGAIN_S = 0.05
TAKING_UP = "taking-up"
"""Holds the id of the latest bot that has begun to take up its jobs."""


@dataclass
class QuickAudio(FakeAudio):
    """Takes every file for a song of 100 s, except those that call themselves broken or hollow."""

    duration_s: float = 100.0
    hollow: set[Path] = field(default_factory=set)
    """The folders of jobs whose stems do not last."""

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


class JumpingClock:
    """The machine's clock, and as many seconds more as a file says."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._jump_s = 0.0
        self._look_again_at = 0.0

    def now(self) -> datetime:
        if time.monotonic() >= self._look_again_at:  # it is asked thousands of times a second
            self._look_again_at = time.monotonic() + LOOK_AGAIN_S
            self._jump_s = float(self._file.read_text()) if self._file.exists() else 0.0
        return datetime.now(UTC) + timedelta(seconds=self._jump_s)

    def monotonic(self) -> float:
        return time.monotonic()


async def open_rehearsal(settings: Settings, data: DataDir, stack: AsyncExitStack) -> OpenResources:
    """Open the parts of a rehearsal."""
    folder = Path(os.environ[FOLDER])
    point = os.environ.get(POINT)
    if os.environ.get(HASTE):
        runner.MAX_STEP_PAUSE_S = 0.1
    clock = JumpingClock(folder / JUMP)
    for probe in (note_lag(folder / LAG), keep_counting(folder / CENSUS)):
        stack.callback(asyncio.create_task(probe).cancel)
    (folder / TAKING_UP).write_text(str(os.getpid()))
    store = await open_store(data, clock)
    reaper = Reaper(Point.parse(point) if point else None)
    stack.push_async_callback(store.db.close)
    downloads = Downloads(transport=build_transport(settings))
    stack.push_async_callback(downloads.aclose)
    return OpenResources(
        store=replace(store, jobs=MortalJobs.on(store.db, reaper)),
        providers=_services(folder, int(os.environ.get(PLACES, "8"))),
        downloads=downloads,
        audio=QuickAudio(),  # type: ignore[arg-type] # matches by shape
        clock=clock,
    )


def _services(folder: Path, places: int) -> Mapping[str, Provider]:
    services: dict[str, Provider] = {
        name: Service(name, folder, concurrency=places) for name in HOSTED
    }
    return services | {HOME: Home(folder)}


if __name__ == "__main__":
    die_with_parent()  # or it would look for a stand-in that is gone, for ever
    sys.exit(run_with(open_rehearsal, load_settings()))
