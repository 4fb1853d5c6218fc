"""The audio side of a bot whose heavy tasks may go to workers, for tests to break."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from bot.audio.spool import SAMPLE_RATE
from bot.audio.tasks import Decoded, Encoded, Mix, Part
from bot.audio.tools import AudioTools
from bot.cli.version import our_version
from bot.domain.recipes import AudioFormat
from bot.workers.audio.audio_sender import AudioSender
from storage.objects.object_store import ObjectStore
from storage.objects.shared_job_files import SharedJobFiles
from storage.work_queue.audio_tasks import AudioTasks
from tests.integration.workers.farm import Farm
from tests.support import audio_files
from tests.support.worker_role_process import WorkerRoleProcess

SONG_S = 20.0


@dataclass(frozen=True, kw_only=True)
class Sounds:
    """A song's file, spool and master, which tasks read and write."""

    song: Path
    spool: Path
    master: Path


async def make_sounds(folder: Path) -> Sounds:
    noise = np.random.default_rng(5).normal(0, 0.1, (2, int(SONG_S * SAMPLE_RATE)))
    song = audio_files.write(folder / "song.wav", "wav", "pcm_s16le", sound=noise)
    spool, master = folder / "song.f32", folder / "vocals.flac"
    async with AudioTools() as tools:
        await tools.decode(song, spool, max_duration_s=60)
        await tools.combine([Mix(path=master, parts=(Part(spool=spool),))])
    return Sounds(song=song, spool=spool, master=master)


@dataclass(frozen=True, kw_only=True)
class Bench:
    farm: Farm
    objects: ObjectStore
    tasks: AudioTasks
    sender: AudioSender
    audio: AudioTools
    folder: Path
    """The folder of a job, with its song and its master."""

    @property
    def song(self) -> Path:
        return self.folder / "song.wav"

    @property
    def master(self) -> Path:
        return self.folder / "vocals.flac"

    @property
    def outcomes(self) -> dict[str, int]:
        """The outcomes of the tasks sent so far."""
        return {outcome: count for outcome, count in self.sender.ended.items() if count}

    def worker(self, name: str = "worker", tasks: str = "audio", **more: Any) -> WorkerRoleProcess:
        return self.farm.worker(name, STEMCORD_WORKER_TASKS=tasks, **more)

    async def decode(self, *, max_duration_s: float = 60) -> Decoded:
        into = self.folder / "mixture.f32"
        return await self.audio.decode(self.song, into, max_duration_s=max_duration_s)

    async def encode(self, tools: AudioTools | None = None) -> Encoded:
        return await (tools or self.audio).encode(
            self.master, self.folder / "vocals.mp3", format=AudioFormat.MP3, tags={"title": "Née"}
        )

    async def rows(self) -> list[tuple[str, str]]:
        """Return the id and the state of each task."""
        found = await self.farm.db.read("SELECT id, state FROM audio_tasks")
        return [(row["id"], row["state"]) for row in found]

    async def until_task(self, state: str) -> str:
        """Wait until the only task is in a state, and return its id."""
        async with asyncio.timeout(30):
            while True:
                match await self.rows():
                    case [(task_id, found)] if found == state:
                        return task_id
                await asyncio.sleep(0.01)

    async def until_place(self) -> None:
        """Wait until a worker has a place."""
        async with asyncio.timeout(30):
            while await self.tasks.places() <= 0:
                await asyncio.sleep(0.05)

    async def until_nothing_is_left(
        self, *, sweep: Callable[[], Awaitable[None]] | None = None
    ) -> None:
        """Wait until rows, tasks and objects are deleted, calling `sweep` again and again."""
        jobs = "SELECT id FROM procrastinate_jobs"
        async with asyncio.timeout(20):
            while (
                await self.rows()
                or await self.farm.db.read(jobs)
                or await self.objects.keys_under("audio")
            ):
                if sweep is not None:
                    await sweep()
                await asyncio.sleep(0.05)

    async def age(self, table: str, column: str) -> None:
        """Move the times in a table's column two minutes into the past."""

        async def work(conn: Any) -> None:
            await conn.execute(f"UPDATE {table} SET {column} = {column} - 120")

        await self.farm.db.write(work)


@asynccontextmanager
async def open_bench(
    farm: Farm,
    sounds: Sounds,
    home: Path,
    *,
    objects: ObjectStore | None = None,
    version: str | None = None,
) -> AsyncIterator[Bench]:
    """Open a bot's tools, whose decoders are always busy."""
    objects = objects or farm.objects
    folder = home / "jobs" / "k7f2q"
    folder.mkdir(parents=True)
    for path in (sounds.song, sounds.master):
        (folder / path.name).write_bytes(path.read_bytes())
    tasks = AudioTasks(db=farm.db, version=version or our_version())
    files = SharedJobFiles(home / "jobs", objects, owner="tests")
    sender = AudioSender(tasks=tasks, objects=objects, files=files, taken_within_s=2.0)
    async with AudioTools(decoding_at_once=0, elsewhere=sender) as audio:
        yield Bench(
            farm=farm, objects=objects, tasks=tasks, sender=sender, audio=audio, folder=folder
        )
    await sender.aclose()
