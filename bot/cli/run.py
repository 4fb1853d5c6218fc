"""`run`: the life of a bot process, from taking the data directory to letting go of it."""

import asyncio
import logging
import signal
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime

import aiohttp
import discord
from aiohttp import web
from rich.console import Console

from bot import log as logging_setup
from bot.audio.tools import AudioTools
from bot.cli.app import Dependencies, Services, compose
from bot.cli.provider_set import build_embedded, build_provider_set, build_transport
from bot.cli.shutdown import DaemonExecutor, ShutdownStack, StopBudget
from bot.cli.stores import Store, open_store
from bot.config import Settings, SettingsError
from bot.domain.clock import Clock, SystemClock
from bot.domain.errors import StoreUnavailable
from bot.i18n.languages import Languages
from bot.jobs.runtime import Runtimes
from bot.net.downloads import Downloads
from bot.ops import metrics
from bot.ops.file_routes import FileRoutes
from bot.ops.server import OpsServer
from bot.providers.interface import Provider
from bot.results.stem_identifier import Listener
from bot.ui import client as ui
from bot.ui.attachment_cache import AttachmentCache
from bot.ui.attachment_urls import AttachmentUrls
from bot.ui.commands.registration import Registration
from bot.ui.replies.direct_messages import DirectMessages
from bot.ui.replies.edit_routes import EditRoutes
from bot.ui.replies.follow_up import FollowUp
from bot.ui.replies.pacing import Pacing
from bot.ui.replies.reply_writer import ReplyWriter
from bot.ui.replies.result_presenter import ResultPresenter
from cogs import EXTENSIONS
from storage.files.data_dir import DataDir
from storage.stores.spending import Spending
from storage.stores.statistics import Statistics

log = logging.getLogger(__name__)

EVER_SINCE = datetime.fromtimestamp(0, UTC)
RECONNECT_S = 5.0
SUBMIT_GRACE_S = 3.0


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenResources:
    """What a bot works with beside Discord, opened and not yet put together."""

    store: Store
    providers: Mapping[str, Provider]
    downloads: Downloads
    audio: AudioTools
    clock: Clock
    listener: Listener | None = None
    left_out: Mapping[str, str] = field(default_factory=dict)
    """Providers that the settings name but that cannot be used, and why."""


OpenEverything = Callable[[Settings, DataDir, AsyncExitStack], Awaitable[OpenResources]]
"""Opens the parts of a bot; the stack takes them down in the opposite order."""


def run(settings: Settings, console: Console) -> int:
    """Run the bot in the foreground until it is told to stop."""
    del console  # what a running bot has to say goes to its log
    return run_with(open_resources, settings)


def run_with(open_them: OpenEverything, settings: Settings) -> int:
    """Run a bot made of other parts than the settings alone would give."""
    settings.required_token()
    logging_setup.configure(
        log_format=settings.log_format, level=settings.log_level, secrets=settings.secrets()
    )
    data = DataDir(settings.data_dir)
    with data.lock():
        asyncio.run(_serve(settings, data, open_them))
    return 0


async def open_resources(settings: Settings, data: DataDir, stack: AsyncExitStack) -> OpenResources:
    """Open what the settings say."""
    clock = SystemClock()
    transport = build_transport(settings)
    downloads = Downloads(transport=transport)
    stack.push_async_callback(downloads.aclose)
    embedded = build_embedded(settings)
    stack.push_async_callback(embedded.aclose)
    roster = build_provider_set(
        settings, embedded=embedded, transport=transport, downloads=downloads, clock=clock
    )
    store = await open_store(data, clock)
    stack.push_async_callback(store.db.close)
    for provider in roster.providers:
        stack.push_async_callback(provider.aclose)
    return OpenResources(
        store=store,
        providers={each.capabilities.name: each for each in roster.providers},
        downloads=downloads,
        audio=AudioTools(),
        clock=clock,
        listener=embedded,
        left_out=roster.left_out,
    )


async def _serve(settings: Settings, data: DataDir, open_them: OpenEverything) -> None:
    stopping = asyncio.Event()
    budget = StopBudget(total_s=settings.stop_grace_s)

    def told_to_stop() -> None:
        budget.begin()
        stopping.set()

    loop = asyncio.get_running_loop()
    loop.set_default_executor(DaemonExecutor())
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, told_to_stop)
    async with ShutdownStack(budget) as stack:
        bot = _put_together(settings, await open_them(settings, data, stack), stack)
        living = asyncio.create_task(bot.live(settings), name="bot")
        stop = asyncio.create_task(stopping.wait(), name="stop")
        await asyncio.wait({living, stop}, return_when=asyncio.FIRST_COMPLETED)
        budget.begin()  # for a bot that ended by itself
        stop.cancel()
        log.info("stopping")
        await budget.spend(bot.stop(grace_s=budget.for_steps_s), what="work under way")
        if living.done():
            living.result()  # raises what ended it
        living.cancel()
        await budget.spend(asyncio.gather(living, return_exceptions=True), what="the bot")


def _put_together(settings: Settings, parts: OpenResources, stack: AsyncExitStack) -> "_Bot":
    ui.point_at(settings.discord_api_base)
    # The bot has no voice, and nobody needs to be told.
    discord.VoiceClient.warn_nacl = discord.VoiceClient.warn_dave = False
    store, clock, runtimes = parts.store, parts.clock, Runtimes()
    languages = Languages.in_folder()
    registration = Registration(memory=store.meta, languages=languages)
    client = ui.Stemcord(registration=registration, extensions=EXTENSIONS)
    stack.push_async_callback(client.close)
    routes, direct = EditRoutes(client=client, clock=clock), DirectMessages(client=client)
    replies = ReplyWriter(
        jobs=store.jobs,
        languages=languages,
        board=runtimes.board,
        routes=routes,
        direct=direct,
        sequel=FollowUp(client=client),
        pacing=Pacing(),
        clock=clock,
    )
    addresses = AttachmentUrls(client=client)
    services = compose(
        settings,
        store,
        runtimes,
        Dependencies(
            providers=parts.providers,
            downloads=parts.downloads,
            audio=parts.audio,
            delivery=replies,
            clock=clock,
            listener=parts.listener,
            renewal=addresses,
            left_out=parts.left_out,
        ),
    )
    showroom = ResultPresenter(
        showings=services.redelivery,
        routes=routes,
        direct=direct,
        board=runtimes.board,
        clock=clock,
    )
    client.serve(
        ui.Services(
            splits=services.splits,
            quotas=services.quotas,
            servers=services.admission,
            administration=services.administration,
            overview=services.overview,
            showings=services.redelivery,
            shows=showroom,
            addresses=addresses,
            picks=AttachmentCache(),
            privacy=services.privacy,
            languages=languages,
            clock=clock,
        )
    )
    return _Bot(store=store, services=services, client=client, replies=replies, showroom=showroom)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Bot:
    """A bot that is built, and how it lives and stops."""

    store: Store
    services: Services
    client: ui.Stemcord
    replies: ReplyWriter
    showroom: ResultPresenter

    async def live(self, settings: Settings) -> None:
        """Work until cancelled. Raises SettingsError when Discord refuses the token."""
        async with AsyncExitStack() as stack:
            if settings.ops_address is not None:
                ops = OpsServer(check=self._check, scrape=self._scrape, routes=self._file_routes())
                await ops.start(settings.ops_address.host, settings.ops_address.port)
                stack.push_async_callback(ops.stop)
            await self._log_in(settings.required_token().get_secret_value())
            async with asyncio.TaskGroup() as group:
                group.create_task(self.replies.run(), name="replies")
                await self._resume()
                group.create_task(self.services.retention.run(), name="retention")
                group.create_task(self.services.reconciler.run(), name="reconciler")
                group.create_task(self.client.connect(), name="gateway")

    async def stop(self, *, grace_s: float) -> None:
        """Let steps under way end within the grace; everything else is taken up at next start."""
        # A submit in flight gets less: it may take minutes, and its answer must be written in time.
        await asyncio.gather(
            self.services.submit.aclose(grace_s=min(SUBMIT_GRACE_S, grace_s / 2)),
            self.services.runner.stop(grace_s=grace_s),
            self.showroom.stop(grace_s=grace_s),
        )

    async def _log_in(self, token: str) -> None:
        while True:
            try:
                return await self.client.login(token)
            except discord.LoginFailure as exc:
                raise SettingsError("DISCORD_TOKEN: Discord does not accept it") from exc
            except (
                aiohttp.ClientError,
                OSError,
                discord.DiscordServerError,
                discord.GatewayNotFound,
                discord.RateLimited,
            ) as exc:
                log.warning("Discord is out of reach (%s), trying again", type(exc).__name__)
                await asyncio.sleep(RECONNECT_S)

    async def _resume(self) -> None:
        await self.services.retention.sweep_orphans()
        resumed = await self.services.splits.resume()
        log.info("ready; %d unfinished jobs go on", resumed)

    def _file_routes(self) -> list[web.RouteDef]:
        links = self.services.links
        if links is None:
            return []
        return FileRoutes(links=links, jobs=self.store.jobs, files=self.store.files).routes()

    async def _check(self) -> dict[str, bool]:
        try:
            await self.store.db.read("SELECT 1")
        except StoreUnavailable:
            return {"store": False, "discord": self.client.is_ready()}
        return {"store": True, "discord": self.client.is_ready()}

    async def _scrape(self) -> bytes:
        db = self.store.db
        return metrics.render(
            jobs=await Statistics(db=db).jobs(EVER_SINCE),
            usage=await Spending(db=db).provider_usage(EVER_SINCE),
            running=self.services.runner.running,
            line=self.services.queue.counts(),
        )
