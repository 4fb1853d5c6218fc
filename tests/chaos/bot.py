"""The real bot with fake audio, scripted providers and an optional kill point.

Run it as `python -m tests.chaos.bot`. Scenes configure it through environment variables.
"""

import asyncio
import os
from collections.abc import Mapping
from contextlib import AsyncExitStack
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from bot.cli.opening.outbound import build_transport
from bot.cli.opening.stores import open_store
from bot.cli.run import OpenResources, run_with
from bot.cli.shutdown import exit_now
from bot.config import Settings, load_settings
from bot.jobs import runner
from bot.net.downloads import Downloads
from bot.processes.kernel import die_with_parent
from bot.providers.interface import Provider
from bot.scheduling import circuit_breaker
from storage.database.write_retry import retry_write
from storage.files.data_dir import DataDir
from tests.chaos.audio import DecodingAudio, ScriptedAudio
from tests.chaos.blocked_lookups import block_lookups
from tests.chaos.file_value import FileValue
from tests.chaos.kill_points import KillableJobStore, KillSwitch, Point
from tests.chaos.lag import note_lag
from tests.chaos.open_resources import keep_counting
from tests.chaos.services import EMBEDDED, HOSTED, EmbeddedService, HostedService
from tests.chaos.virtual_time import VirtualTime, VirtualTimeLoop, run_by

KILL_POINT = "CHAOS_KILL_POINT"
FOLDER = "CHAOS_FOLDER"
"""The folder of the providers' journals and other files that outlive a bot."""
CONCURRENCY = "CHAOS_CONCURRENCY"
"""How many songs a hosted provider accepts at a time."""
GIVE_UP_EARLY = "CHAOS_GIVE_UP_EARLY"
"""If set, the bot gives up a failing step after a second instead of half a minute."""
COOLDOWN_S = "CHAOS_COOLDOWN_S"
"""The length of failing providers' cooldowns; if unset, they have their real length.

In most scenes many songs fail on purpose, and the real cooldowns would outlast the scenes.
"""
FAST = "CHAOS_FAST"
"""When set, the event loop runs on virtual time."""
DECODES = "CHAOS_DECODES"
"""When set, songs are really decoded, and each master has this size in bytes."""
DEAD_HOST = "CHAOS_DEAD_HOST"
"""A host whose lookups hang while the file `LOOKUPS_HANG` exists."""
CLOCK_OFFSET, LAG, RESOURCES = "clock-offset", "lag", "resources"
CLOCK_SPEED, CLOCK_AHEAD = "clock-speed", "clock-ahead"
ENCODINGS_WAIT = "encodings-wait"
"""While this file exists, nothing is encoded."""
LOOKUPS_HANG, ENCODINGS, STORE_DELAY = "lookups-hang", "encodings", "store-delay"
RESUMING = "resuming"
"""The file with the pid of the latest bot that has begun to resume its jobs."""


class OffsetClock:
    """The system clock, shifted by a number of seconds in a file and by the virtual time."""

    def __init__(self, offset: FileValue, virtual: VirtualTime) -> None:
        self._offset = offset
        self._virtual = virtual

    def now(self) -> datetime:
        return datetime.now(UTC) + timedelta(seconds=self._offset.read() + self._virtual.ahead_s)

    def monotonic(self) -> float:
        return self._virtual.now()


async def open_parts(settings: Settings, data: DataDir, stack: AsyncExitStack) -> OpenResources:
    """Open the bot's parts, some of which scenes replace."""
    folder = Path(os.environ[FOLDER])
    point = os.environ.get(KILL_POINT)
    if os.environ.get(GIVE_UP_EARLY):
        runner.FIRST_STEP_PAUSE_S = 0.003
    if cooldown_s := os.environ.get(COOLDOWN_S):
        circuit_breaker.LIMITS = {
            operation: replace(limit, cooldown_s=float(cooldown_s))
            for operation, limit in circuit_breaker.LIMITS.items()
        }
    virtual = _virtual_time(folder)
    clock = OffsetClock(FileValue(folder / CLOCK_OFFSET), virtual)
    if host := os.environ.get(DEAD_HOST):
        block_lookups(host, folder / LOOKUPS_HANG)
    probes = [note_lag(folder / LAG), keep_counting(folder / RESOURCES)]
    if os.environ.get(FAST):
        probes.append(virtual.report(folder / CLOCK_AHEAD))
    for probe in probes:
        stack.callback(asyncio.create_task(probe).cancel)
    (folder / RESUMING).write_text(str(os.getpid()))
    store = await retry_write(lambda: open_store(data, clock), what="the start")
    switch = KillSwitch(Point.parse(point) if point else None)
    delay = FileValue(folder / STORE_DELAY)
    stack.push_async_callback(store.db.close)
    downloads = Downloads(transport=build_transport(settings))
    stack.push_async_callback(downloads.aclose)
    return OpenResources(
        store=replace(store, jobs=KillableJobStore.on(store.db, switch, delay)),
        providers=_providers(folder, int(os.environ.get(CONCURRENCY, "8"))),
        downloads=downloads,
        audio=_audio(folder),  # type: ignore[arg-type] # matches by shape
        clock=clock,
    )


def _virtual_time(folder: Path) -> VirtualTime:
    loop = asyncio.get_running_loop()
    if isinstance(loop, VirtualTimeLoop):
        return loop.virtual
    return VirtualTime(FileValue(folder / "no-speed", default=1.0))


def _audio(folder: Path) -> ScriptedAudio:
    encodings, master_bytes = folder / ENCODINGS, os.environ.get(DECODES)
    if master_bytes is None:
        return ScriptedAudio(encodings=encodings, waits=folder / ENCODINGS_WAIT)
    return DecodingAudio(encodings=encodings, master_bytes=int(master_bytes))


def _providers(folder: Path, concurrency: int) -> Mapping[str, Provider]:
    providers: dict[str, Provider] = {
        name: HostedService(name, folder, concurrency=concurrency) for name in HOSTED
    }
    return providers | {EMBEDDED: EmbeddedService(folder)}


if __name__ == "__main__":
    die_with_parent()  # otherwise it would keep looking for a closed sandbox
    if os.environ.get(FAST):
        speed = FileValue(Path(os.environ[FOLDER]) / CLOCK_SPEED, default=1.0)
        run_by(VirtualTime(speed))
    exit_now(run_with(open_parts, load_settings()))
