"""`run`: runs a bot process, from locking the data directory to releasing it."""

import asyncio
import logging
from collections.abc import Callable, Coroutine, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from typing import Any
from urllib.parse import urlsplit

import discord
from aiohttp import web
from rich.console import Console

from bot import log as logging_setup
from bot.accounts.user_limits import RenderLimit
from bot.audio.tools import AudioTools
from bot.cli.app import Dependencies, Services, compose
from bot.cli.commands.models import model_problem
from bot.cli.discord_session import DiscordSession
from bot.cli.group_ownership import Ownership, become_the_bot
from bot.cli.opening.audio_link import AudioLink, link_audio
from bot.cli.opening.embedded_opening import open_embedded
from bot.cli.opening.object_stores import open_objects
from bot.cli.opening.outbound import build_transport, discord_proxy, discord_tls
from bot.cli.opening.provider_set import build_provider_set
from bot.cli.opening.stores import Store, database_address, open_store
from bot.cli.opening.studio_opening import open_studio
from bot.cli.opening.worker_link import WorkerLink, in_order, link_workers
from bot.cli.shutdown import ShutdownStack, StopBudget, stop_on_signals
from bot.concurrency import end_tasks, supervised
from bot.config import Settings
from bot.domain.clock import Clock, SystemClock
from bot.domain.job import Job
from bot.engine.model_catalogue import STRETCH
from bot.engine.weights import Weights
from bot.i18n.languages import Languages
from bot.jobs.job_runtime import Runtimes
from bot.mixer.manifest import Manifests
from bot.mixer.mixer_routes import MixerRoutes
from bot.mixer.page_assets import PageAssets
from bot.mixer.request_rate import RequestRate
from bot.net.downloads import Downloads
from bot.net.public_links import mixer_available
from bot.ops import metrics
from bot.ops.file_routes import FileRoutes
from bot.ops.health import Health
from bot.ops.server import HttpServer, ProcessState, ops_application, public_application
from bot.processes.confinement import hide_memory
from bot.providers.interface import Provider, devices_of
from bot.providers.self_hosted import local, studio, workers
from bot.results.stem_identifier import Listener
from bot.ui import client as ui
from bot.ui.attachments.attachment_cache import AttachmentCache
from bot.ui.attachments.attachment_urls import AttachmentUrls
from bot.ui.batch_requests import BatchRequests
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
from bot.ui.sharding import Sharding
from bot.ui.split_requests import SplitRequests
from cogs import add_cogs
from storage.database.opening import Address, PostgresUrl
from storage.database.protocols import Database, TakenOver
from storage.database.write_retry import retry_write
from storage.files.data_dir import DataDir
from storage.groups.identify_turns import IdentifyTurns
from storage.groups.own_connections import listener_of
from storage.groups.shard_group import EVERY_SHARD
from storage.objects.object_store import ObjectStore
from storage.stores.batches import BatchStore
from storage.stores.last_renditions import LastRenditions
from storage.stores.open_replies import OpenReplies
from storage.stores.statistics import Statistics
from storage.stores.vendor_spending import Spending

log = logging.getLogger(__name__)

EVER_SINCE = datetime.fromtimestamp(0, UTC)
SUBMIT_GRACE_S = 3.0
STEP_DOWN_S = 5.0
"""The time in which a replaced bot must stop before it stands by."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenResources:
    """The opened parts of a bot, besides Discord, before they are wired together."""

    store: Store
    providers: Mapping[str, Provider]
    downloads: Downloads
    audio: AudioTools
    clock: Clock
    listener: Listener | None = None
    left_out: Mapping[str, str] = field(default_factory=dict)
    """Providers named in the settings that cannot be used, and why."""
    worker_link: WorkerLink | None = None
    audio_link: AudioLink | None = None
    ownership: Ownership | None = None
    """The lock of a PostgreSQL database or shard group; None for a file."""

    @property
    def may_act(self) -> Callable[[], bool]:
        """Tells whether no other process can be the bot."""
        ownership = self.ownership
        return lambda: ownership is None or ownership.lock.may_act


OpenEverything = Callable[[Settings, DataDir, AsyncExitStack], Coroutine[Any, Any, OpenResources]]
"""Opens the parts of a bot; the stack closes them in reverse order."""


def run(settings: Settings, console: Console) -> int:
    """Run the bot in the foreground until a signal stops it.

    Raises SettingsError, or an error in `command_line.OPERATOR_ERRORS`, if it cannot start.
    """
    del console  # a running bot reports to its log
    return run_with(open_resources, settings)


def run_with(open_them: OpenEverything, settings: Settings) -> int:
    """Run a bot with the parts that `open_them` opens."""
    hide_memory()
    settings.required_token()
    logging_setup.configure(
        log_format=settings.log_format, level=settings.log_level, secrets=settings.secrets()
    )
    for line in settings.unknown:
        log.warning(line)
    data = DataDir(settings.data_dir)
    with data.lock():
        asyncio.run(_serve(settings, data, open_them))
    return 0


async def open_resources(settings: Settings, data: DataDir, stack: AsyncExitStack) -> OpenResources:
    """Open the parts that the settings name, waiting while the store is locked or the disk full.

    Raises SettingsError, ModelUnavailable if only `local` is configured and its model is missing,
    and the errors of `open_store`.
    """
    address, objects = database_address(settings), open_objects(settings)
    clock = SystemClock()
    transport = build_transport(settings)
    downloads = Downloads(transport=transport)
    stack.push_async_callback(downloads.aclose)
    embedded = await open_embedded(settings)
    stack.push_async_callback(embedded.aclose)
    opened = await open_studio(settings)
    if opened.provider is not None:
        stack.push_async_callback(opened.provider.aclose)
    provider_set = build_provider_set(
        settings,
        embedded=embedded,
        studio=opened.provider,
        transport=transport,
        downloads=downloads,
        clock=clock,
    )
    for provider in provider_set.providers:
        stack.push_async_callback(provider.aclose)
    providers = {each.capabilities.name: each for each in provider_set.providers}
    left_out = dict(provider_set.left_out)
    if opened.why_not is not None:
        left_out[studio.NAME] = opened.why_not
    _leave_out_local_without_model(settings, providers, left_out)
    ownership = await become_the_bot(address, settings, data, stack)
    store = await _opened_store(settings, data, clock, address, objects, ownership)
    stack.push_async_callback(store.db.close)
    worker_link = await _linked_workers(settings, store.db, ownership)
    audio_link = link_audio(settings, store)
    if audio_link is not None:
        stack.push_async_callback(audio_link.sender.aclose)
    audio = AudioTools(elsewhere=None if audio_link is None else audio_link.sender)
    stack.push_async_callback(audio.aclose)
    return OpenResources(
        store=store,
        providers=in_order(settings.usable_providers, providers, worker_link),
        downloads=downloads,
        audio=audio,
        clock=clock,
        listener=embedded,
        left_out=left_out,
        worker_link=worker_link,
        audio_link=audio_link,
        ownership=ownership,
    )


async def _opened_store(
    settings: Settings,
    data: DataDir,
    clock: Clock,
    address: Address,
    objects: ObjectStore | None,
    ownership: Ownership | None,
) -> Store:
    if ownership is None:
        return await retry_write(
            lambda: open_store(data, clock, address, objects), what="the start"
        )
    owner, shards = ownership.lock, settings.shards or EVERY_SHARD

    async def open_it() -> Store:
        return await open_store(data, clock, address, objects, owner=owner, shards=shards)

    return await ownership.unless_lost(retry_write(open_it, what="the start"))


async def _linked_workers(
    settings: Settings, db: Database, ownership: Ownership | None
) -> WorkerLink | None:
    linking = link_workers(settings, db)
    return await (linking if ownership is None else ownership.unless_lost(linking))


def _leave_out_local_without_model(
    settings: Settings, providers: dict[str, Provider], left_out: dict[str, str]
) -> None:
    if local.NAME not in providers or (problem := model_problem(settings)) is None:
        return
    if len(providers) == 1 and workers.NAME not in settings.usable_providers:
        raise problem
    log.error("%s is left out: %s", local.NAME, problem)
    left_out[local.NAME] = "its model is not on this machine"
    del providers[local.NAME]


async def _serve(settings: Settings, data: DataDir, open_them: OpenEverything) -> None:
    stopping = _Stopping(asyncio.Event(), StopBudget(total_s=settings.stop_grace_s))
    stop_on_signals(stopping.begin)
    while True:
        stopping.budget = StopBudget(total_s=settings.stop_grace_s)
        earlier = asyncio.all_tasks()
        try:
            await _serve_once(settings, data, open_them, stopping)
            return
        except TakenOver as exc:
            log.warning("%s This one stands by.", exc)
        await _end_tasks(asyncio.all_tasks() - earlier)


@dataclass(slots=True)
class _Stopping:
    """Whether the process was told to stop, and the time that its bot has for that."""

    told: asyncio.Event
    budget: StopBudget

    def begin(self) -> None:
        """Stop, counting from now."""
        self.budget.begin()
        self.told.set()

    @property
    def state(self) -> ProcessState:
        """The state of a process that is not standing by."""
        return ProcessState.DRAINING if self.told.is_set() else ProcessState.SERVING


async def _serve_once(
    settings: Settings, data: DataDir, open_them: OpenEverything, stopping: _Stopping
) -> None:
    """Run the bot until told to stop. Raises TakenOver when another process has become the bot."""
    budget = stopping.budget
    stop = asyncio.create_task(stopping.told.wait(), name="stop")
    async with ShutdownStack(budget) as stack:
        stack.callback(stop.cancel)
        opening = asyncio.create_task(open_them(settings, data, stack), name="opening")
        await asyncio.wait({opening, stop}, return_when=asyncio.FIRST_COMPLETED)
        if not opening.done():
            opening.cancel()
            await asyncio.gather(opening, return_exceptions=True)
            return
        parts = opening.result()
        bot = await _put_together(settings, data, parts, stack, lambda: stopping.state)
        living = asyncio.create_task(bot.live(settings), name="bot")
        ends = {living, stop}
        if parts.ownership is not None:
            ends.add(parts.ownership.lost)
        await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
        is_owner = parts.ownership is None or not parts.ownership.lost.done()
        budget.begin(within_s=None if is_owner else STEP_DOWN_S)  # even without a signal
        log.info("stopping")
        grace_s = budget.for_steps_s if is_owner else 0.0
        await budget.spend(bot.stop(grace_s=grace_s), what="work under way")
        if living.done():
            living.result()  # re-raises the bot's own error
        living.cancel()
        await budget.spend(asyncio.gather(living, return_exceptions=True), what="the bot")
        if parts.ownership is not None and parts.ownership.lost.done():
            parts.ownership.lost.result()  # re-raises TakenOver


async def _end_tasks(tasks: set[asyncio.Task[Any]]) -> None:
    """Cancel what a former bot left running, such as writes that can no longer succeed."""
    for task in tasks:
        task.cancel()
    if tasks:
        await asyncio.wait(tasks, timeout=STEP_DOWN_S)


async def _put_together(
    settings: Settings,
    data: DataDir,
    parts: OpenResources,
    stack: AsyncExitStack,
    state: Callable[[], ProcessState],
) -> "_Bot":
    ui.point_at(settings.discord_api_base)
    # The bot does not use voice, so discord.py's warning about it is noise.
    discord.VoiceClient.warn_nacl = discord.VoiceClient.warn_dave = False
    store, clock, runtimes = parts.store, parts.clock, Runtimes()
    languages = Languages.in_folder()
    registration = Registration(memory=store.meta, languages=languages)
    client = ui.Stemcord(
        registration=registration,
        languages=languages,
        sharding=_sharding(settings, store),
        may_act=parts.may_act,
        proxy=discord_proxy(settings),
        tls=discord_tls(),
    )
    stack.push_async_callback(client.close)
    routes, direct_messages = EditRoutes(client=client, clock=clock), DirectMessages(client=client)
    pacing = Pacing()
    replies = ReplyWriter(
        jobs=store.jobs,
        languages=languages,
        board=runtimes.board,
        routes=routes,
        direct_messages=direct_messages,
        follow_up=FollowUp(client=client),
        pacing=pacing,
        clock=clock,
    )
    batch_replies = BatchWriter(
        batches=BatchStore(db=store.db, shards=store.shards),
        languages=languages,
        board=runtimes.board,
        routes=routes,
        direct_messages=direct_messages,
        pacing=pacing,
        clock=clock,
    )
    attachment_urls = AttachmentUrls(client=client)
    open_replies = OpenReplies(db=store.db, shards=store.shards)
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
            renewal=attachment_urls,
            left_out=parts.left_out,
            may_act=parts.may_act,
            group=settings.shards,
        ),
    )
    presenter = ResultPresenter(
        redelivery=services.redelivery,
        render_limit=RenderLimit(clock=clock, minutes=settings.render_minutes),
        admission=services.admission,
        open_replies=open_replies,
        last_renditions=LastRenditions(db=store.db),
        routes=routes,
        direct_messages=direct_messages,
        board=runtimes.board,
        clock=clock,
    )
    requests = SplitRequests(
        splits=services.splits,
        quotas=services.quotas,
        attachment_urls=attachment_urls,
        clock=clock,
    )
    await add_cogs(
        client,
        InterfaceServices(
            use_cases=services,
            requests=requests,
            batch_requests=BatchRequests(
                batches=services.batches,
                servers=services.admission,
                attachment_urls=attachment_urls,
                clock=clock,
            ),
            presenter=presenter,
            zips=ZipPresenter(results=presenter, redelivery=services.redelivery),
            clips=ClipPresenter(results=presenter, redelivery=services.redelivery),
            attachments=AttachmentCache(),
            languages=languages,
        ),
    )
    return _Bot(
        store=store,
        providers=parts.providers,
        services=services,
        client=client,
        replies=replies,
        batch_replies=batch_replies,
        presenter=presenter,
        interrupted=InterruptedReplies(
            open_replies=open_replies,
            jobs=store.jobs,
            client=client,
            languages=languages,
            clock=clock,
        ),
        session=DiscordSession(
            client=client, host=urlsplit(settings.discord_api_base).hostname or "", clock=clock
        ),
        health=Health(db=store.db, data=data, is_online=client.is_ready, clock=clock),
        languages=languages,
        clock=clock,
        worker_link=parts.worker_link,
        audio_link=parts.audio_link,
        state=state,
    )


def _sharding(settings: Settings, store: Store) -> Sharding | None:
    if settings.shards is None:
        return None
    turns = IdentifyTurns(db=store.db)
    return Sharding(group=settings.shards, turn_s=turns.take)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Bot:
    """A fully wired bot: runs until cancelled, then stops in order."""

    store: Store
    providers: Mapping[str, Provider]
    services: Services
    client: ui.Stemcord
    replies: ReplyWriter
    batch_replies: BatchWriter
    presenter: ResultPresenter
    interrupted: InterruptedReplies
    session: DiscordSession
    health: Health
    languages: Languages
    clock: Clock
    worker_link: WorkerLink | None
    audio_link: AudioLink | None
    state: Callable[[], ProcessState]

    async def live(self, settings: Settings) -> None:
        """Run until cancelled.

        Raises AddressUnavailable, SettingsError if Discord refuses the token, and DiscordRefused.
        """
        async with AsyncExitStack() as stack:
            await self._listen(settings, stack)
            await self.session.log_in(settings.required_token().get_secret_value())
            unfinished = await retry_write(self._restore, what="the start")
            # In the background: new requests need not wait until thousands of jobs have begun.
            resume = partial(self.services.splits.resume, unfinished)
            self._in_background(stack, resume, name="resuming jobs", once=True)
            self._in_background(stack, self.replies.run, name="replies")
            self._in_background(stack, self.batch_replies.run, name="replies of batches")
            self._in_background(
                stack, self._complete_interrupted, name="interrupted replies", once=True
            )
            self._in_background(stack, self.services.batch_runner.run, name="batches")
            self._in_background(stack, self.services.retention.run, name="retention")
            if (store_sweep := self.services.store_sweep) is not None:
                self._in_background(stack, store_sweep.run, name="the object store")
            self._in_background(stack, self.services.reconciler.run, name="reconciling attempts")
            self._in_background(stack, self.health.watch, name="health")
            if settings.shards is not None:
                self._follow_other_bots(stack, settings)
            if self.worker_link is not None:
                self._follow_workers(stack, self.worker_link)
            if (audio := self.audio_link) is not None:
                self._in_background(stack, audio.sweeper.run, name="sweep of audio tasks")
            await self.session.stay_connected()

    def _follow_other_bots(self, stack: AsyncExitStack, settings: Settings) -> None:
        address, changes = database_address(settings), self.services.outside_changes
        if not isinstance(address, PostgresUrl):
            return
        listener = listener_of(address)

        async def listen() -> None:
            await listener.run(changes.hear, connected=changes.listening)

        stack.push_async_callback(changes.stop)
        self._in_background(stack, listen, name="signals of other bots")

    async def stop(self, *, grace_s: float) -> None:
        """Let steps under way finish within `grace_s`; the rest resumes at the next start."""
        # A submit in flight gets less time: it may take minutes, and its answer must be recorded.
        await asyncio.gather(
            self.services.submit.aclose(grace_s=min(SUBMIT_GRACE_S, grace_s / 2)),
            self.services.runner.stop(grace_s=grace_s),
            self.presenter.stop(grace_s=grace_s),
            self.services.analyser.stop(),
        )

    async def _listen(self, settings: Settings, stack: AsyncExitStack) -> None:
        links = [*self._file_routes(), *self._mixer_routes(settings)]
        stack.push_async_callback(self.services.packs.aclose)
        if settings.public_address is not None:
            public = HttpServer(public_application(links))
            await public.start(
                settings.public_address.host,
                settings.public_address.port,
                setting="STEMCORD_PUBLIC_ADDRESS",
            )
            stack.push_async_callback(public.stop)
        if settings.ops_address is not None:
            ops = HttpServer(
                ops_application(
                    check=self.health.check,
                    scrape=metrics.SharedScrape(self._scrape, clock=self.clock),
                    state=self.state,
                    public=links if settings.public_address is None else (),
                )
            )
            await ops.start(
                settings.ops_address.host, settings.ops_address.port, setting="STEMCORD_OPS_ADDRESS"
            )
            stack.push_async_callback(ops.stop)

    def _in_background(
        self,
        stack: AsyncExitStack,
        work: Callable[[], Coroutine[Any, Any, None]],
        *,
        name: str,
        once: bool = False,
    ) -> None:
        task = asyncio.create_task(work() if once else supervised(work, name=name), name=name)

        stack.push_async_callback(end_tasks, task)

    def _follow_workers(self, stack: AsyncExitStack, link: WorkerLink) -> None:
        on_places = partial(self.services.queue.set_places, workers.NAME)
        self._in_background(stack, partial(link.provider.watch, on_places), name="workers")
        self._in_background(stack, link.sweeper.run, name="sweep of separations")

    async def _restore(self) -> Sequence[Job]:
        await self.services.retention.sweep_orphans()
        await self.interrupted.find()
        await self.services.reconciler.restore_shared_places()
        await self.services.batches.resume()
        unfinished = await self.services.splits.restore()
        log.info("ready; resuming %d unfinished jobs", len(unfinished))
        return unfinished

    async def _complete_interrupted(self) -> None:
        try:
            await retry_write(self.interrupted.complete, what="interrupted replies")
        except Exception:
            log.exception("interrupted replies could not be completed")

    def _file_routes(self) -> list[web.RouteDef]:
        links = self.services.links
        if links is None:
            return []
        return FileRoutes(links=links, jobs=self.store.jobs, files=self.store.files).routes()

    def _mixer_routes(self, settings: Settings) -> list[web.RouteDef]:
        links = self.services.links
        if links is None or not mixer_available(settings.public_url):
            return []
        stretch = Weights(STRETCH, settings.models_dir)
        routes = MixerRoutes(
            links=links,
            jobs=self.store.jobs,
            packs=self.services.packs,
            manifests=Manifests(links=links, files=self.store.files, languages=self.languages),
            assets=PageAssets.read(stretch=stretch.path if stretch.is_present() else None),
            rate=RequestRate(clock=self.clock),
        )
        return routes.routes()

    async def _scrape(self) -> bytes:
        db = self.store.db
        return metrics.render(
            jobs=await Statistics(db=db).jobs(EVER_SINCE),
            usage=await Spending(db=db).provider_usage(EVER_SINCE),
            running=self.services.runner.running,
            queue=self.services.queue.counts(),
            unreadable=self.store.jobs.unreadable,
            devices=[
                (name, device.kind, device.name)
                for name, device in devices_of(self.providers).items()
            ],
            sent_audio=None if self.audio_link is None else self.audio_link.sender.ended,
        )
