"""How the objects of a running bot are put together, from the ground up."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta

from bot.accounts.disk_guard import DiskGuard
from bot.accounts.guild_rules import GuildAdmission
from bot.accounts.quotas import Quotas
from bot.accounts.spend import SpendCaps
from bot.admin.administration import AccountStores, Administration
from bot.admin.overview import Overview
from bot.admin.personal_data import Privacy
from bot.admin.retention import Retention
from bot.audio.tools import AudioTools
from bot.cli.stores import Store
from bot.config import Settings
from bot.delivery.builder import DeliveryBuilder
from bot.delivery.encoder import DeliveryEncoder
from bot.delivery.port import DeliveryPort
from bot.delivery.provider_links import ProviderLinks
from bot.delivery.redelivery import Redelivery
from bot.domain.clock import Clock
from bot.domain.guilds import DeliveryMode
from bot.domain.recipes import AudioFormat
from bot.jobs.cancellation import Cancellation
from bot.jobs.collect import CollectStep
from bot.jobs.deliver import DeliverStep
from bot.jobs.intake import IntakeStep, Limits
from bot.jobs.poll import PollStep
from bot.jobs.reconcile import AttemptReconciler
from bot.jobs.runner import Runner
from bot.jobs.split_service import Offering, SplitService
from bot.jobs.steps import Steps
from bot.jobs.submit import SubmitStep
from bot.jobs.termination import Termination
from bot.net.downloads import Downloads
from bot.net.signed_links import SignedLinks
from bot.providers.interface import Provider
from bot.results.fetching import ResultFetcher
from bot.results.stem_identifier import Listener, StemIdentifier
from bot.scheduling.candidates import Candidates
from bot.scheduling.circuit_breaker import CircuitBreaker
from bot.scheduling.progress import ProgressBoard
from bot.scheduling.provider_queue import ProviderQueue
from bot.scheduling.queue_positions import QueuePositions
from bot.scheduling.sources import Renewal, Sources
from bot.scheduling.throughput import ThroughputEstimator
from bot.ui.services import UseCases
from storage.stores.allowances import Allowances
from storage.stores.guild_pools import GuildPools
from storage.stores.guild_settings import GuildStore
from storage.stores.pseudonyms import Pseudonyms
from storage.stores.spending import Spending
from storage.stores.statistics import Statistics
from storage.upkeep.forgetting import Forgetting
from storage.upkeep.scrubbing import Scrubber


@dataclass(frozen=True, slots=True, kw_only=True)
class Services(UseCases):
    """The use cases, and what the life of the process needs."""

    runner: Runner
    steps: Steps
    submits: SubmitStep
    loose_ends: AttemptReconciler
    retention: Retention
    line: ProviderQueue
    health: CircuitBreaker
    links: SignedLinks | None
    """Addresses of our own; None where the operator did not say how they are reached."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Dependencies:
    """What reaches beyond this process, or can be put in its place."""

    providers: Mapping[str, Provider]
    downloads: Downloads
    audio: AudioTools
    delivery: DeliveryPort
    clock: Clock
    listener: Listener | None = None
    renewal: Renewal | None = None
    left_out: Mapping[str, str] = field(default_factory=dict)
    """Providers that the settings name but that cannot be used, and why."""


def compose(
    settings: Settings, store: Store, board: ProgressBoard, outside: Dependencies
) -> Services:
    """Put the services together."""
    clock, audio, providers = outside.clock, outside.audio, outside.providers
    limits = Limits(
        max_file_mib=settings.max_file_mib, max_duration_minutes=settings.max_duration_minutes
    )
    timeout = timedelta(minutes=settings.job_timeout_minutes)
    runner, health, pace = Runner(), CircuitBreaker(clock=clock), ThroughputEstimator()
    waits = QueuePositions(providers=providers, pace=pace, health=health, board=board)
    line = ProviderQueue(
        places={name: each.capabilities.concurrency for name, each in providers.items()},
        on_turn=runner.wake,
        on_shift=waits.publish_positions,
    )
    stores = AccountStores(
        ledger=store.ledger,
        pools=GuildPools(db=store.db, clock=clock),
        allowances=Allowances(db=store.db, clock=clock),
        servers=GuildStore(db=store.db, clock=clock),
    )
    servers = GuildAdmission(
        store=stores.servers,
        allowed_guilds=settings.allowed_guilds,
        allow_dms=settings.allow_dms,
    )
    quotas = Quotas(
        ledger=stores.ledger,
        allowances=stores.allowances,
        clock=clock,
        allowance=settings.quota_minutes,
        kind=settings.quota_period,
        running=store.running_periods,
    )
    keep = timedelta(hours=settings.keep_results_hours)
    links = None
    if settings.public_url is not None:
        links = SignedLinks(meta=store.meta, clock=clock, base_url=settings.public_url, keep=keep)
    sources = Sources(
        jobs=store.jobs, files=store.files, clock=clock, links=links, renewal=outside.renewal
    )
    endings = Termination(jobs=store.jobs, files=store.files, line=line, board=board, clock=clock)
    spend = SpendCaps(
        spending=Spending(db=store.db),
        quotas=quotas,
        clock=clock,
        daily_cap=settings.daily_spend_minutes,
    )
    candidates = Candidates(
        providers=providers,
        health=health,
        spend=spend,
        sources=sources,
        clock=clock,
        patience=timeout,
    )
    submits = SubmitStep(
        jobs=store.jobs,
        files=store.files,
        providers=providers,
        candidates=candidates,
        line=line,
        health=health,
        waits=waits,
        spend=spend,
        sources=sources,
        endings=endings,
        board=board,
        clock=clock,
        timeout=timeout,
    )
    results = CollectStep(
        jobs=store.jobs,
        files=store.files,
        audio=audio,
        fetching=ResultFetcher(audio=audio),
        labels=StemIdentifier(audio=audio, listener=outside.listener),
        line=line,
        board=board,
        clock=clock,
    )
    parcels = DeliveryBuilder(
        audio=audio,
        packer=DeliveryEncoder(audio=audio, links=links),
        elsewhere=ProviderLinks(jobs=store.jobs, providers=providers, clock=clock),
        servers=servers,
        mode=DeliveryMode(settings.delivery),
    )
    steps = Steps(
        jobs=store.jobs,
        intake=IntakeStep(
            jobs=store.jobs,
            files=store.files,
            downloads=outside.downloads,
            sources=sources,
            audio=audio,
            quotas=quotas,
            board=board,
            clock=clock,
            limits=limits,
        ),
        submits=submits,
        polls=PollStep(
            jobs=store.jobs,
            providers=providers,
            candidates=candidates,
            line=line,
            health=health,
            pace=pace,
            results=results,
            board=board,
            clock=clock,
            min_s=settings.poll_min_s,
            max_s=settings.poll_max_s,
            timeout=timeout,
        ),
        handover=DeliverStep(
            jobs=store.jobs,
            files=store.files,
            parcels=parcels,
            delivery=outside.delivery,
            endings=endings,
            quotas=quotas,
            board=board,
            clock=clock,
        ),
        endings=endings,
    )
    cancels = Cancellation(jobs=store.jobs, endings=endings, submits=submits, runner=runner)
    splits = SplitService(
        jobs=store.jobs,
        quotas=quotas,
        servers=servers,
        cancels=cancels,
        runner=runner,
        room=DiskGuard(files=store.files, clock=clock, max_gib=settings.max_disk_gib),
        clock=clock,
        house=Offering(
            providers=tuple(each.capabilities for each in providers.values()),
            formats=tuple(AudioFormat),
            limits=limits,
            max_active_jobs=settings.max_active_jobs,
        ),
    )
    scrubber = Scrubber(db=store.db, clock=clock)
    forgetting = Forgetting(db=store.db, scrubber=scrubber)
    retention = Retention(
        jobs=store.jobs,
        files=store.files,
        pseudonyms=Pseudonyms(db=store.db),
        clock=clock,
        keep=keep,
        forgetting=forgetting,
        scrubber=scrubber,
        keep_jobs=timedelta(days=settings.keep_jobs_days),
        period=lambda: quotas.period,
        database_made_at=store.made_at,
    )
    privacy = Privacy(
        jobs=store.jobs,
        files=store.files,
        forgetting=forgetting,
        cancels=cancels,
        runner=runner,
        delivery=outside.delivery,
        quotas=quotas,
        board=board,
        clock=clock,
        providers=[each.capabilities for each in providers.values()],
        keep=keep,
    )
    overview = Overview(
        roster=[each.capabilities for each in providers.values()],
        left_out=outside.left_out,
        health=health,
        line=line,
        quotas=quotas,
        statistics=Statistics(db=store.db),
        spending=Spending(db=store.db),
        clock=clock,
        daily_cap=settings.daily_spend_minutes,
    )
    return Services(
        splits=splits,
        quotas=quotas,
        servers=servers,
        administration=Administration(stores=stores, quotas=quotas),
        overview=overview,
        runner=runner,
        steps=steps,
        submits=submits,
        loose_ends=AttemptReconciler(jobs=store.jobs, submits=submits),
        retention=retention,
        redelivery=Redelivery(jobs=store.jobs, files=store.files, parcels=parcels),
        line=line,
        health=health,
        links=links,
        privacy=privacy,
    )
