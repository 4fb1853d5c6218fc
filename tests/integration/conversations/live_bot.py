"""The real client, commands, services and reply writer in the sandbox.

Only audio tools, providers and downloads are fakes."""

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import discord

from bot.accounts.user_limits import RenderLimit
from bot.cli.app import Dependencies, compose
from bot.cli.opening.stores import Store
from bot.config import Settings
from bot.domain.job import Job, UserId
from bot.jobs.job_runtime import Runtimes
from bot.providers.interface import Model
from bot.ui.attachments.attachment_cache import AttachmentCache
from bot.ui.attachments.attachment_urls import AttachmentUrls
from bot.ui.batch_requests import BatchRequests
from bot.ui.client import Stemcord, point_at
from bot.ui.commands.registration import Registration
from bot.ui.replies.batch_writer import BatchWriter
from bot.ui.replies.clip_presenter import ClipPresenter
from bot.ui.replies.direct_messages import DirectMessages
from bot.ui.replies.edit_routes import EditRoutes
from bot.ui.replies.follow_up import FollowUp
from bot.ui.replies.interrupted_replies import InterruptedReplies
from bot.ui.replies.pacing import Pacing
from bot.ui.replies.reply_writer import ReplyWriter
from bot.ui.replies.result_presenter import ResultPresenter
from bot.ui.replies.zip_presenter import ZipPresenter
from bot.ui.services import Services as InterfaceServices
from bot.ui.split_requests import SplitRequests
from cogs import add_cogs
from sandbox.clock import SandboxClock
from sandbox.server import DEFAULT_TOKEN, Sandbox
from storage.database.connection import Database
from storage.files.job_files import JobFiles
from storage.stores.batches import BatchStore
from storage.stores.job_store import JobStore
from storage.stores.last_renditions import LastRenditions
from storage.stores.ledger import Ledger
from storage.stores.meta import Meta
from storage.stores.open_replies import OpenReplies
from tests.support.databases import open_database
from tests.support.fakes import TWO_STEMS, FakeAudio, FakeDownloads, FakeProvider
from tests.support.installed_languages import installed

PATIENCE_S = 30.0
"""The time limit for answers. These tests do not check Discord's three seconds."""


class SandboxTime:
    """A clock for the bot that follows the sandbox's."""

    def __init__(self, sandbox: SandboxClock) -> None:
        self._sandbox = sandbox

    def now(self) -> datetime:
        return datetime.fromtimestamp(self._sandbox.now(), UTC)

    def monotonic(self) -> float:
        return time.monotonic() + self._sandbox.offset_s


class LiveBot:
    """A bot in its own sandbox."""

    def __init__(
        self,
        *,
        sandbox: Sandbox,
        root: Path,
        db: Database,
        models: Sequence[Model] = (TWO_STEMS,),
        **settings: Any,
    ) -> None:
        """`settings` overrides fields of Settings."""
        self.sandbox = sandbox
        self.db = db
        self.clock = SandboxTime(sandbox.world.clock)
        runtimes = Runtimes()
        self.board = runtimes.board
        self.provider = FakeProvider(
            name="local", title="Stemcord", models=models, is_hosted=False, gives_spools=True
        )
        self.audio = FakeAudio()
        self.downloads = FakeDownloads()
        self.meta = Meta(db=db)
        self.open_replies = OpenReplies(db=db)
        self.jobs = JobStore(db=db)
        languages = installed()
        registration = Registration(memory=self.meta, languages=languages)
        self.client = Stemcord(registration=registration, languages=languages)
        self.routes = EditRoutes(client=self.client, clock=self.clock)
        direct_messages = DirectMessages(client=self.client)
        pacing = Pacing()
        self.batches = BatchStore(db=db)
        self.batch_replies = BatchWriter(
            batches=self.batches,
            languages=languages,
            board=self.board,
            routes=self.routes,
            direct_messages=direct_messages,
            pacing=pacing,
            clock=self.clock,
            sweep_s=0.02,
        )
        self.replies = ReplyWriter(
            jobs=self.jobs,
            languages=languages,
            board=self.board,
            routes=self.routes,
            direct_messages=direct_messages,
            follow_up=FollowUp(client=self.client),
            pacing=pacing,
            clock=self.clock,
            round_gap_s=0.005,
            sweep_s=0.02,
        )
        self.files = JobFiles(root / "jobs")
        store = Store(
            db=db,
            jobs=self.jobs,
            ledger=Ledger(db=db, clock=self.clock),
            meta=self.meta,
            files=self.files,
        )
        attachment_urls = AttachmentUrls(client=self.client)
        outside = Dependencies(
            providers={"local": self.provider},
            downloads=self.downloads,  # type: ignore[arg-type] # fakes match by shape
            audio=self.audio,  # type: ignore[arg-type] # fakes match by shape
            delivery=self.replies,
            clock=self.clock,
            renewal=attachment_urls,
        )
        fields = {"poll_min_s": 0.01, "poll_max_s": 0.05, **settings}
        self.services = compose(
            Settings(_env_file=None).model_copy(update=fields), store, runtimes, outside
        )
        self.interrupted = InterruptedReplies(
            open_replies=self.open_replies,
            jobs=self.jobs,
            client=self.client,
            languages=languages,
            clock=self.clock,
        )
        self.attachments = AttachmentCache()
        presenter = ResultPresenter(
            redelivery=self.services.redelivery,
            render_limit=RenderLimit(clock=self.clock, minutes=fields.get("render_minutes", 60)),
            admission=self.services.admission,
            open_replies=self.open_replies,
            last_renditions=LastRenditions(db=store.db),
            routes=self.routes,
            direct_messages=direct_messages,
            board=self.board,
            clock=self.clock,
        )
        self.interface = InterfaceServices(
            use_cases=self.services,
            requests=SplitRequests(
                splits=self.services.splits,
                quotas=self.services.quotas,
                attachment_urls=attachment_urls,
                clock=self.clock,
            ),
            batch_requests=BatchRequests(
                batches=self.services.batches,
                servers=self.services.admission,
                attachment_urls=attachment_urls,
                clock=self.clock,
            ),
            presenter=presenter,
            zips=ZipPresenter(results=presenter, redelivery=self.services.redelivery),
            clips=ClipPresenter(results=presenter, redelivery=self.services.redelivery),
            attachments=self.attachments,
            languages=languages,
        )

    def user_id(self, name: str) -> UserId:
        """Return a user's id by name."""
        people = self.sandbox.world.people
        return UserId(next(user.id for user in people if user.name == name))

    async def records(self) -> list[Job]:
        """Return the stored jobs of all users."""
        people = self.sandbox.world.people
        return [job for user in people for job in await self.jobs.of_user(UserId(user.id), 100)]

    @asynccontextmanager
    async def on(self) -> AsyncIterator[None]:
        """Run the bot for the duration of the block."""
        await add_cogs(self.client, self.interface)
        await self.client.login(DEFAULT_TOKEN)
        tasks = [
            asyncio.create_task(self.client.connect()),
            asyncio.create_task(self.replies.run()),
            asyncio.create_task(self.batch_replies.run()),
            asyncio.create_task(self.services.batch_runner.run()),
        ]
        try:
            async with asyncio.timeout(30):
                while not self.sandbox.world.bot_is_online:
                    await asyncio.sleep(0.005)
            yield
        finally:
            await self.services.runner.stop(grace_s=0.2)
            await self.services.submit.aclose(grace_s=0)
            await self.client.close()
            for task in tasks[1:]:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)


@asynccontextmanager
async def open_live_bot(root: Path, **settings: Any) -> AsyncIterator[LiveBot]:
    """Open a sandbox and a store, and build a bot on them without logging in."""
    (root / "jobs").mkdir()
    discords_own = discord.http.Route.BASE
    db = await open_database(root / "stemcord.db", Database)
    try:
        async with Sandbox() as sandbox:
            sandbox.interactions.answer_within_s = PATIENCE_S
            point_at(sandbox.api_base)
            yield LiveBot(sandbox=sandbox, root=root, db=db, **settings)
    finally:
        await db.close()
        point_at(discords_own)
