"""All services, composed as in production, over SQLite in a temporary directory."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from functools import cache
from itertools import count
from pathlib import Path
from typing import Any, Self

from bot.audio.tools import AudioTools
from bot.cli.app import Dependencies, Services, compose
from bot.cli.opening.stores import Store
from bot.config import Settings
from bot.domain.job import Context, Job, JobId, Reply, Request, Source, State, UserId
from bot.domain.minutes import Usage
from bot.domain.recipes import AudioFormat, Recipe
from bot.jobs.job_runtime import Runtimes, StepResult
from bot.providers.interface import Provider
from bot.results.stem_identifier import Listener
from bot.scheduling.sources import Renewal
from storage.database.connection import Database as SqliteDatabase
from storage.database.opening import PostgresUrl
from storage.database.protocols import Database
from storage.files.job_files import JobFiles
from storage.groups.shard_group import EVERY_SHARD, ShardGroup
from storage.objects.object_store import ObjectStore
from storage.objects.shared_job_files import SharedJobFiles
from storage.stores.job_store import JobStore
from storage.stores.ledger import Ledger
from storage.stores.meta import Meta
from tests.support.both_databases import reopen
from tests.support.databases import open_database
from tests.support.fakes import FakeAudio, FakeClock, FakeDelivery, FakeDownloads, FakeProvider

ADA = UserId(1)
BEN = UserId(2)

_interactions = count(1000)

REQUEST = Request(
    user_id=ADA,
    source=Source(filename="Neon Rain.mp3", url="https://cdn.invalid/a.mp3", size_bytes=5_000_000),
    recipe=Recipe.KARAOKE,
    audio_format=AudioFormat.MP3,
)
REPLY = Reply(channel_id=5, context=Context.GUILD, application_id=6, guild_id=7, token="secret")


class Harness:
    """The services, with access to their fakes and state."""

    def __init__(
        self,
        root: Path,
        db: Database,
        providers: Sequence[Any],
        group: ShardGroup | None = None,
    ) -> None:
        self.root = root
        self.clock = FakeClock()
        self.downloads = FakeDownloads()
        self.audio = FakeAudio()
        self.delivery = FakeDelivery()
        self.runtimes = Runtimes()
        self.board = self.runtimes.board
        self.providers = {each.capabilities.name: each for each in providers}
        self.db = db
        self.jobs = JobStore(db=db, shards=group or EVERY_SHARD)
        self.files = JobFiles(root / "jobs")
        self.settings: dict[str, Any] = {}
        self.services: Services

    @classmethod
    async def build(
        cls,
        root: Path,
        *providers: Provider,
        clock: FakeClock | None = None,
        audio: AudioTools | None = None,
        listener: Listener | None = None,
        delivers: FakeDelivery | None = None,
        renewal: Renewal | None = None,
        database: type[SqliteDatabase] = SqliteDatabase,
        address: PostgresUrl | None = None,
        objects: ObjectStore | None = None,
        group: ShardGroup | None = None,
        **settings: Any,
    ) -> Self:
        """Open the store in `root`, or the one at `address`, and compose the services.

        `settings` are fields of Settings.

        If `audio` is real, `downloads.song` should be a decodable file.
        """
        (root / "jobs").mkdir(exist_ok=True)
        db: Database
        if address is not None:
            db = await reopen(address)
        else:
            db = await open_database(root / "stemcord.db", database, busy_timeout_s=0.05)
        harness = cls(root, db, providers or (FakeProvider(),), group)
        harness.clock = clock or harness.clock
        if objects is not None:
            shared = SharedJobFiles(root / "jobs", objects, owner="tests")
            await shared.claim_store()
            harness.files = shared
        harness.delivery = delivers or harness.delivery
        fields = _plain_settings().model_copy(
            update={"poll_min_s": 0.01, "poll_max_s": 0.05, **settings}
        )
        store = Store(
            db=db,
            jobs=harness.jobs,
            ledger=Ledger(db=db, clock=harness.clock),
            meta=Meta(db=db),
            files=harness.files,
            shards=group or EVERY_SHARD,
        )
        outside = Dependencies(
            providers=harness.providers,
            downloads=harness.downloads,  # type: ignore[arg-type] # fakes match by shape
            audio=audio or harness.audio,  # type: ignore[arg-type] # fakes match by shape
            delivery=harness.delivery,
            clock=harness.clock,
            listener=listener,
            renewal=renewal,
            group=group,
        )
        harness.services = compose(fields, store, harness.runtimes, outside)
        return harness

    @property
    def provider(self) -> FakeProvider:
        """The first provider."""
        first = next(iter(self.providers.values()))
        assert isinstance(first, FakeProvider)
        return first

    async def resume(self) -> int:
        """Resume the unfinished jobs as the bot does at start, and return their number."""
        unfinished = await self.services.splits.restore()
        await self.services.splits.resume(unfinished)
        return len(unfinished)

    async def close(self) -> None:
        """Stop as the bot does on SIGTERM."""
        await self.services.runner.stop(grace_s=0.2)
        await self.services.submit.aclose(grace_s=0)
        await self.db.close()

    def next_interaction(self) -> int:
        """Return a new interaction id."""
        return next(_interactions)

    async def receive(self, *, user_id: UserId = ADA, reply: Reply = REPLY, **changes: Any) -> Job:
        """Store a request without acknowledging it."""
        return await self.services.splits.receive(
            interaction_id=next(_interactions),
            request=replace(REQUEST, user_id=user_id, **changes),
            reply=reply,
        )

    async def split(self, *, user_id: UserId = ADA, **changes: Any) -> Job:
        """Store and acknowledge a request, so that it runs."""
        job = await self.receive(user_id=user_id, **changes)
        await self.services.splits.acknowledged(job.id, message_id=70)
        return job

    async def advance(self, job_id: JobId) -> StepResult:
        """Run one step of a job."""
        return await self.services.steps.advance(self.runtimes.open(job_id))

    async def job(self, job_id: JobId) -> Job:
        """Return the job as stored."""
        job = await self.jobs.get(job_id)
        assert job is not None
        return job

    async def until(
        self, job_id: JobId, *states: State, within_s: float = 5.0, is_awake: bool = False
    ) -> Job:
        """Wait until the job is in one of these states, by default in any final state.

        A job that is kept awake skips its pauses.
        """
        async with asyncio.timeout(within_s):
            while True:
                job = await self.job(job_id)
                if job.state in states or (not states and job.state.is_final):
                    return job
                if is_awake:
                    self.services.runner.wake(job_id)
                await asyncio.sleep(0.005)

    async def until_idle(self, *, within_s: float = 5.0) -> None:
        """Wait until no job is under way. A job in a final state may still delete its files."""
        async with asyncio.timeout(within_s):
            while self.services.runner.running:
                await asyncio.sleep(0.005)

    async def usage(self, user_id: UserId = ADA) -> Usage:
        """Return the user's account in the current period."""
        return await self.services.quotas.usage(user_id)


@cache
def _plain_settings() -> Settings:
    """Return the settings without a file. Reading them takes longer than composing the services."""
    return Settings(_env_file=None)
