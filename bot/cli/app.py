"""Composes the bot's services from settings and dependencies."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial

from bot.accounts.admission import GuildAdmission
from bot.accounts.disk_guard import DiskGuard
from bot.accounts.quotas import Quotas
from bot.accounts.spend_caps import SpendCaps
from bot.accounts.user_limits import RefusedFiles, RepeatLimit
from bot.admin.administration import AccountStores, Administration
from bot.admin.outside_changes import OutsideChanges
from bot.admin.overview import Overview
from bot.admin.personal_data import Privacy
from bot.admin.retention import Retention
from bot.admin.store_sweep import StoreSweep
from bot.audio.tools import AudioTools
from bot.batches.batch_runner import BatchRunner
from bot.batches.batch_service import BatchService
from bot.cli.opening.stores import Store
from bot.config import Settings
from bot.delivery.builder import DeliveryBuilder
from bot.delivery.clip_cutter import ClipCutter
from bot.delivery.encoder import DeliveryEncoder
from bot.delivery.port import DeliveryPort
from bot.delivery.provider_links import ProviderLinks
from bot.delivery.redelivery import Redelivery
from bot.delivery.song_analyser import SongAnalyser
from bot.delivery.stem_renderer import StemRenderer
from bot.delivery.zip_builder import ZipBuilder
from bot.domain.clock import Clock
from bot.domain.guilds import DeliveryMode
from bot.domain.recipes import AudioFormat
from bot.jobs.collect import CollectStep
from bot.jobs.deliver import DeliverStep
from bot.jobs.disk_needs import DiskNeeds
from bot.jobs.intake import IntakeStep, Limits
from bot.jobs.job_runtime import Core, Runtimes
from bot.jobs.poll import PollIntervals, PollStep
from bot.jobs.reconcile import AttemptReconciler
from bot.jobs.runner import Runner
from bot.jobs.split_service import Offering, SplitService
from bot.jobs.steps import Steps
from bot.jobs.submit import SubmitStep
from bot.jobs.termination import Termination
from bot.mixer.pack_maker import PackMaker
from bot.net.downloads import Downloads
from bot.net.public_links import SignedLinks
from bot.providers.interface import CurrentCapabilities, Provider, devices_of
from bot.results.fetching import ResultFetcher
from bot.results.stem_identifier import Listener, StemIdentifier
from bot.results.stem_placer import StemPlacer
from bot.scheduling.candidates import Candidates
from bot.scheduling.circuit_breaker import CircuitBreaker
from bot.scheduling.model_lookup import ModelLookup
from bot.scheduling.position_display import QueuePositions
from bot.scheduling.provider_queue import ProviderQueue
from bot.scheduling.shared_places import SharedPlaces
from bot.scheduling.sources import Renewal, Sources
from bot.scheduling.throughput import ThroughputEstimator
from bot.ui.services import UseCases
from storage.groups.shard_group import ShardGroup
from storage.groups.signals import Signals
from storage.groups.vendor_places import VendorPlaces
from storage.objects.shared_job_files import SharedJobFiles
from storage.stores.allowances import Allowances
from storage.stores.batches import BatchStore
from storage.stores.guild_pools import GuildPools
from storage.stores.guild_settings import GuildStore
from storage.stores.last_renditions import LastRenditions
from storage.stores.open_replies import OpenReplies
from storage.stores.pseudonyms import Pseudonyms
from storage.stores.standing import Standings
from storage.stores.statistics import Statistics
from storage.stores.vendor_spending import Spending
from storage.upkeep.forgetting import Forgetting
from storage.upkeep.scrubbing import Scrubber


@dataclass(frozen=True, slots=True, kw_only=True)
class Services(UseCases):
    """The use cases, and what the process needs to start and stop them."""

    runner: Runner
    batch_runner: BatchRunner
    runtimes: Runtimes
    steps: Steps
    submit: SubmitStep
    reconciler: AttemptReconciler
    retention: Retention
    outside_changes: OutsideChanges
    queue: ProviderQueue
    breaker: CircuitBreaker
    throughput: ThroughputEstimator
    analyser: SongAnalyser
    links: SignedLinks | None
    """Signs our own links; None if the settings name no public address."""
    packs: PackMaker
    store_sweep: StoreSweep | None
    """Tidies the object store; None if there is none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Dependencies:
    """Everything that reaches outside this process; tests and the demo replace parts of it."""

    providers: Mapping[str, Provider]
    downloads: Downloads
    audio: AudioTools
    delivery: DeliveryPort
    clock: Clock
    listener: Listener | None = None
    renewal: Renewal | None = None
    left_out: Mapping[str, str] = field(default_factory=dict)
    """Providers named in the settings that cannot be used, and why."""
    may_act: Callable[[], bool] = lambda: True
    """Tells whether no other process can be the bot."""
    group: ShardGroup | None = None
    """The shards of this bot, one of several on a PostgreSQL database."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Accounts:
    """The services that limit users: server rules, minutes and spend."""

    stores: AccountStores
    admission: GuildAdmission
    quotas: Quotas
    spend: SpendCaps
    pseudonyms: Pseudonyms


@dataclass(frozen=True, slots=True, kw_only=True)
class _Ground:
    """The objects that all services are built on."""

    settings: Settings
    store: Store
    outside: Dependencies
    core: Core
    positions: QueuePositions
    accounts: _Accounts
    links: SignedLinks | None
    sources: Sources
    limits: Limits
    needs: DiskNeeds
    refused_files: RefusedFiles
    analyser: SongAnalyser
    keep: timedelta


def compose(
    settings: Settings, store: Store, runtimes: Runtimes, outside: Dependencies
) -> Services:
    """Build the services. `runtimes` starts empty and is shared with the reply writer."""
    ground = _ground(settings, store, runtimes, outside)
    core, accounts = ground.core, ground.accounts
    reconciler = AttemptReconciler(core=core)
    termination = Termination(core=core, reconciler=reconciler)
    builder, zips = _builders(ground)
    submit, steps = _steps(ground, builder, reconciler, termination)
    runner = Runner(steps=steps, runtimes=runtimes, clock=core.clock)
    splits = _splits(ground, runner, termination)
    batch_runner, batches = _batches(ground, splits)
    scrubber = Scrubber(db=store.db, clock=core.clock)
    forgetting = Forgetting(db=store.db, scrubber=scrubber)
    return Services(
        splits=splits,
        batches=batches,
        batch_runner=batch_runner,
        quotas=accounts.quotas,
        admission=accounts.admission,
        administration=Administration(stores=accounts.stores, quotas=accounts.quotas),
        overview=_overview(ground),
        runner=runner,
        runtimes=runtimes,
        steps=steps,
        submit=submit,
        reconciler=reconciler,
        retention=Retention(
            jobs=store.jobs,
            files=store.files,
            pseudonyms=accounts.pseudonyms,
            open_replies=OpenReplies(db=store.db, shards=store.shards),
            last_renditions=LastRenditions(db=store.db),
            clock=core.clock,
            keep=ground.keep,
            forgetting=forgetting,
            scrubber=scrubber,
            keep_jobs=timedelta(days=settings.keep_jobs_days),
            period=lambda: accounts.quotas.period,
            database_made_at=store.made_at,
        ),
        outside_changes=OutsideChanges(
            core=core,
            runner=runner,
            reconciler=reconciler,
            termination=termination,
            delivery=outside.delivery,
            analyser=ground.analyser,
        ),
        redelivery=Redelivery(
            jobs=store.jobs,
            files=store.files,
            builder=builder,
            zips=zips,
            clips=ClipCutter(audio=outside.audio, files=store.files),
            disk_guard=core.disk_guard,
            need=ground.needs.to_show,
            zip_need=ground.needs.to_zip,
        ),
        queue=core.queue,
        breaker=core.breaker,
        throughput=core.throughput,
        analyser=ground.analyser,
        links=ground.links,
        store_sweep=_store_sweep(store),
        packs=PackMaker(
            audio=outside.audio,
            files=store.files,
            disk_guard=core.disk_guard,
            clock=core.clock,
        ),
        privacy=Privacy(
            core=core,
            forgetting=forgetting,
            termination=termination,
            delivery=outside.delivery,
            analyser=ground.analyser,
            batches=batches,
            quotas=accounts.quotas,
            keep=ground.keep,
        ),
    )


def _store_sweep(store: Store) -> StoreSweep | None:
    match store.files:
        case SharedJobFiles() as files:
            return StoreSweep(jobs=store.jobs, files=files)
        case _:
            return None


def _ground(settings: Settings, store: Store, runtimes: Runtimes, outside: Dependencies) -> _Ground:
    clock, providers = outside.clock, outside.providers
    keep = timedelta(hours=settings.keep_results_hours)
    key_settings = {name: each.capabilities.key_setting for name, each in providers.items()}
    breaker = CircuitBreaker(clock=clock, key_settings=key_settings)
    throughput = ThroughputEstimator()
    positions = QueuePositions(
        providers=providers, throughput=throughput, breaker=breaker, board=runtimes.board
    )
    disk_guard = DiskGuard(
        files=store.files,
        clock=clock,
        jobs=runtimes.by_id,
        max_gib=settings.max_disk_gib,
        on_turn=runtimes.wake,
    )
    runtimes.on_release(disk_guard.release)
    queue = ProviderQueue(
        places={name: each.capabilities.concurrency for name, each in providers.items()},
        on_turn=runtimes.wake,
        on_shift=positions.publish_positions,
    )
    core = Core(
        jobs=store.jobs,
        files=store.files,
        disk_guard=disk_guard,
        providers=providers,
        runtimes=runtimes,
        queue=queue,
        breaker=breaker,
        throughput=throughput,
        clock=clock,
        timeout=timedelta(minutes=settings.job_timeout_minutes),
        may_act=outside.may_act,
        shared_places=_shared_places(store, outside, queue),
        signals=None if outside.group is None else Signals(db=store.db, shards=outside.group),
    )
    links = None
    if settings.public_url is not None:
        links = SignedLinks(meta=store.meta, clock=clock, base_url=settings.public_url, keep=keep)
    return _Ground(
        settings=settings,
        store=store,
        outside=outside,
        core=core,
        positions=positions,
        accounts=_accounts(settings, store, clock),
        links=links,
        sources=Sources(
            jobs=store.jobs, files=store.files, clock=clock, links=links, renewal=outside.renewal
        ),
        limits=Limits(
            max_file_mib=settings.max_file_mib, max_duration_minutes=settings.max_duration_minutes
        ),
        needs=DiskNeeds(CurrentCapabilities(providers.values())),
        refused_files=RefusedFiles(clock=clock),
        analyser=SongAnalyser(audio=outside.audio, jobs=store.jobs),
        keep=keep,
    )


def _shared_places(
    store: Store, outside: Dependencies, queue: ProviderQueue
) -> SharedPlaces | None:
    if outside.group is None:
        return None
    declared = (each.capabilities for each in outside.providers.values())
    return SharedPlaces(
        store=VendorPlaces(db=store.db, shards=outside.group),
        queue=queue,
        shards=outside.group,
        capacity={each.name: each.concurrency for each in declared if each.is_hosted},
    )


def _accounts(settings: Settings, store: Store, clock: Clock) -> _Accounts:
    stores = AccountStores(
        ledger=store.ledger,
        pools=GuildPools(db=store.db, clock=clock),
        allowances=Allowances(db=store.db, clock=clock),
        servers=GuildStore(db=store.db, clock=clock),
    )
    pseudonyms = Pseudonyms(db=store.db)
    quotas = Quotas(
        ledger=stores.ledger,
        allowances=stores.allowances,
        standings=Standings(db=store.db, pseudonyms=pseudonyms),
        clock=clock,
        allowance=settings.quota_minutes,
        kind=settings.quota_period,
        running=store.running_periods,
    )
    spend = SpendCaps(
        spending=Spending(db=store.db),
        quotas=quotas,
        clock=clock,
        daily_cap=settings.daily_spend_minutes,
    )
    admission = GuildAdmission(
        store=stores.servers,
        allowed_guilds=settings.allowed_guilds,
        allow_dms=settings.allow_dms,
    )
    return _Accounts(
        stores=stores, admission=admission, quotas=quotas, spend=spend, pseudonyms=pseudonyms
    )


def _builders(ground: _Ground) -> tuple[DeliveryBuilder, ZipBuilder]:
    audio, core = ground.outside.audio, ground.core
    encoder = DeliveryEncoder(audio=audio, links=ground.links)
    models = ModelLookup(jobs=core.jobs, providers=core.providers)
    renderer = StemRenderer(audio=audio, models=models)
    mode = DeliveryMode(ground.settings.delivery)
    builder = DeliveryBuilder(
        audio=audio,
        encoder=encoder,
        renderer=renderer,
        models=models,
        files=core.files,
        links=ground.links,
        provider_links=ProviderLinks(jobs=core.jobs, providers=core.providers, clock=core.clock),
        admission=ground.accounts.admission,
        mode=mode,
    )
    zips = ZipBuilder(
        encoder=encoder,
        renderer=renderer,
        files=core.files,
        links=ground.links,
        admission=ground.accounts.admission,
        mode=mode,
    )
    return builder, zips


def _steps(
    ground: _Ground,
    builder: DeliveryBuilder,
    reconciler: AttemptReconciler,
    termination: Termination,
) -> tuple[SubmitStep, Steps]:
    settings, core, outside = ground.settings, ground.core, ground.outside
    audio, quotas = outside.audio, ground.accounts.quotas
    candidates = Candidates(
        providers=core.providers,
        breaker=core.breaker,
        sources=ground.sources,
        clock=core.clock,
        patience=core.timeout,
    )
    submit = SubmitStep(
        core=core,
        candidates=candidates,
        positions=ground.positions,
        spend=ground.accounts.spend,
        sources=ground.sources,
        termination=termination,
        reconciler=reconciler,
    )
    intake = IntakeStep(
        core=core,
        downloads=outside.downloads,
        sources=ground.sources,
        audio=audio,
        quotas=quotas,
        limits=ground.limits,
        needs=ground.needs,
        refused_files=ground.refused_files,
        repeat_limit=RepeatLimit(clock=core.clock),
    )
    steps = Steps(
        core=core,
        intake=intake,
        submit=submit,
        poll=PollStep(
            core=core,
            candidates=candidates,
            spend=ground.accounts.spend,
            collect=CollectStep(
                core=core,
                audio=audio,
                fetcher=ResultFetcher(audio=audio),
                identifier=StemIdentifier(audio=audio, listener=outside.listener),
                placer=StemPlacer(audio=audio),
                restore_song=intake.restore,
            ),
            reconciler=reconciler,
            intervals=PollIntervals(min_s=settings.poll_min_s, max_s=settings.poll_max_s),
        ),
        deliver=DeliverStep(
            core=core,
            builder=builder,
            analyser=ground.analyser,
            port=outside.delivery,
            termination=termination,
            quotas=quotas,
        ),
        termination=termination,
        needs=ground.needs,
    )
    return submit, steps


def _splits(ground: _Ground, runner: Runner, termination: Termination) -> SplitService:
    settings, core = ground.settings, ground.core
    return SplitService(
        core=core,
        quotas=ground.accounts.quotas,
        admission=ground.accounts.admission,
        termination=termination,
        runner=runner,
        needs=ground.needs,
        refused_files=ground.refused_files,
        offering=Offering(
            providers=CurrentCapabilities(core.providers.values()),
            formats=tuple(AudioFormat),
            limits=ground.limits,
            max_active_jobs=settings.max_active_jobs,
        ),
    )


def _batches(ground: _Ground, splits: SplitService) -> tuple[BatchRunner, BatchService]:
    core, accounts = ground.core, ground.accounts
    store = BatchStore(db=ground.store.db, shards=ground.store.shards)
    runner = BatchRunner(store=store, splits=splits, clock=core.clock)
    core.runtimes.on_release(lambda _: runner.job_ended())
    service = BatchService(
        store=store,
        splits=splits,
        runner=runner,
        quotas=accounts.quotas,
        admission=accounts.admission,
        clock=core.clock,
    )
    return runner, service


def _overview(ground: _Ground) -> Overview:
    core, db = ground.core, ground.store.db
    return Overview(
        providers=[each.capabilities for each in core.providers.values()],
        devices=partial(devices_of, core.providers),
        left_out=ground.outside.left_out,
        breaker=core.breaker,
        queue=core.queue,
        quotas=ground.accounts.quotas,
        statistics=Statistics(db=db),
        spending=Spending(db=db),
        clock=core.clock,
        daily_cap=ground.settings.daily_spend_minutes,
    )
