"""How the objects of a running bot are put together, from the ground up."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta

from bot.audio.tools import AudioTools
from bot.config import Settings
from bot.domain.clock import Clock
from bot.domain.stems import AudioFormat
from bot.providers.base import Provider
from bot.providers.downloads import Downloads
from bot.services.cancels import Cancels
from bot.services.delivery import Delivery
from bot.services.endings import Endings
from bot.services.fetching import Fetching
from bot.services.handover import Handover
from bot.services.health import Health
from bot.services.intake import Intake, Limits
from bot.services.labels import Labels, Listener
from bot.services.line import Line
from bot.services.pace import Pace
from bot.services.packing import Packer
from bot.services.polls import Polls
from bot.services.progress import ProgressBoard
from bot.services.quotas import Quotas
from bot.services.results import Results
from bot.services.retention import Retention
from bot.services.room import Room
from bot.services.runner import Runner
from bot.services.spend import SpendCaps
from bot.services.splits import House, SplitService
from bot.services.steps import Steps
from bot.services.submits import Submits
from storage.database import Database
from storage.datadir import DataDir
from storage.files import JobFiles
from storage.jobs import JobStore
from storage.ledger import Ledger
from storage.meta import Meta
from storage.spending import Spending


@dataclass(frozen=True, slots=True, kw_only=True)
class Store:
    """Everything that outlives the process."""

    db: Database
    jobs: JobStore
    ledger: Ledger
    meta: Meta
    files: JobFiles


async def open_store(data: DataDir, clock: Clock) -> Store:
    """Open the database in a directory whose lock is held. Raises UnknownDatabase."""
    db = await Database.open(data.database)
    return Store(
        db=db,
        jobs=JobStore(db=db),
        ledger=Ledger(db=db, clock=clock),
        meta=Meta(db=db),
        files=JobFiles(data.jobs),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Services:
    """What the user interface and the life of the process need."""

    splits: SplitService
    quotas: Quotas
    runner: Runner
    steps: Steps
    submits: Submits
    retention: Retention
    line: Line
    health: Health


@dataclass(frozen=True, slots=True, kw_only=True)
class Outside:
    """What reaches beyond this process, or can be put in its place."""

    providers: Mapping[str, Provider]
    downloads: Downloads
    audio: AudioTools
    delivery: Delivery
    clock: Clock
    listener: Listener | None = None


def compose(settings: Settings, store: Store, board: ProgressBoard, outside: Outside) -> Services:
    """Put the services together."""
    clock, audio, providers = outside.clock, outside.audio, outside.providers
    limits = Limits(
        max_file_mib=settings.max_file_mib, max_duration_minutes=settings.max_duration_minutes
    )
    timeout = timedelta(minutes=settings.job_timeout_minutes)
    runner, health, pace = Runner(), Health(clock=clock), Pace()
    line = Line(
        places={name: each.capabilities.concurrency for name, each in providers.items()},
        on_move=runner.wake,
    )
    quotas = Quotas(
        ledger=store.ledger,
        clock=clock,
        allowance=settings.quota_minutes,
        kind=settings.quota_period,
    )
    endings = Endings(jobs=store.jobs, files=store.files, line=line, board=board, clock=clock)
    submits = Submits(
        jobs=store.jobs,
        files=store.files,
        providers=providers,
        line=line,
        health=health,
        pace=pace,
        spend=SpendCaps(
            spending=Spending(db=store.db),
            quotas=quotas,
            clock=clock,
            daily_cap=settings.daily_spend_minutes,
        ),
        endings=endings,
        board=board,
        clock=clock,
        patience=timeout,
    )
    results = Results(
        jobs=store.jobs,
        files=store.files,
        audio=audio,
        fetching=Fetching(audio=audio),
        labels=Labels(audio=audio, listener=outside.listener),
        line=line,
        board=board,
        clock=clock,
    )
    steps = Steps(
        jobs=store.jobs,
        intake=Intake(
            jobs=store.jobs,
            files=store.files,
            downloads=outside.downloads,
            audio=audio,
            quotas=quotas,
            board=board,
            clock=clock,
            limits=limits,
        ),
        submits=submits,
        polls=Polls(
            jobs=store.jobs,
            providers=providers,
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
        handover=Handover(
            jobs=store.jobs,
            files=store.files,
            audio=audio,
            packer=Packer(audio=audio),
            delivery=outside.delivery,
            quotas=quotas,
            board=board,
            clock=clock,
        ),
        endings=endings,
    )
    splits = SplitService(
        jobs=store.jobs,
        quotas=quotas,
        cancels=Cancels(jobs=store.jobs, endings=endings, submits=submits, runner=runner),
        runner=runner,
        room=Room(files=store.files, clock=clock, max_gib=settings.max_disk_gib),
        clock=clock,
        house=House(
            providers=tuple(each.capabilities for each in providers.values()),
            formats=tuple(AudioFormat),
            limits=limits,
            max_active_jobs=settings.max_active_jobs,
        ),
    )
    retention = Retention(
        jobs=store.jobs,
        files=store.files,
        clock=clock,
        keep=timedelta(hours=settings.keep_results_hours),
    )
    return Services(
        splits=splits,
        quotas=quotas,
        runner=runner,
        steps=steps,
        submits=submits,
        retention=retention,
        line=line,
        health=health,
    )
