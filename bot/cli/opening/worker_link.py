"""A bot's link to the workers of its database: their provider, and the recovery of lost work."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from bot.cli.opening.object_stores import open_objects
from bot.config import Settings
from bot.engine.model_catalogue import MODELS
from bot.providers.interface import Provider
from bot.providers.self_hosted import local, workers
from bot.providers.self_hosted.workers import Workers
from bot.workers.sweeper import Sweeper
from storage.database.protocols import Database
from storage.database.write_retry import retry_write
from storage.work_queue.living_workers import LivingWorkers
from storage.work_queue.separation_sweep import SeparationSweep
from storage.work_queue.separations import Separations


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerLink:
    """The parts of a bot that separates on workers."""

    provider: Workers
    sweeper: Sweeper


async def link_workers(settings: Settings, db: Database) -> WorkerLink | None:
    """Return the link once the workers are known, or None if the settings use no workers."""
    objects = open_objects(settings)
    if workers.NAME not in settings.usable_providers or objects is None:
        return None
    separations = Separations(db=db)
    provider = Workers(
        separations=separations,
        living=LivingWorkers(db=db),
        objects=objects,
        expected=local.offered(MODELS[settings.local_model]),
        title="Stemcord" if settings.separate_on == "workers" else "Stemcord workers",
    )
    await retry_write(provider.look, what="the start")
    sweep = SeparationSweep(db=db)
    return WorkerLink(
        provider=provider,
        sweeper=Sweeper(separations=separations, sweep=sweep, objects=objects),
    )


def in_order(
    order: Iterable[str], built: Mapping[str, Provider], link: WorkerLink | None
) -> dict[str, Provider]:
    """Return the providers by name in this order, including that of the workers."""
    every = dict(built) if link is None else {**built, workers.NAME: link.provider}
    return {name: every[name] for name in order if name in every}
