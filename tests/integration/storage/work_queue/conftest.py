from collections.abc import Iterator
from typing import Any

import psycopg
import pytest

from bot.domain.job import State
from bot.domain.recipes import Stem
from storage.database.postgres import PostgresDatabase
from storage.stores.job_store import JobStore
from storage.work_queue.living_workers import LivingWorkers
from storage.work_queue.separation_sweep import SeparationSweep
from storage.work_queue.separations import Order, SeparationKey, Separations
from tests.support.domain_factories import lead


@pytest.fixture
def separations(db: PostgresDatabase) -> Separations:
    return Separations(db=db)


@pytest.fixture
def sweeper(db: PostgresDatabase) -> SeparationSweep:
    return SeparationSweep(db=db)


@pytest.fixture
def workers(db: PostgresDatabase) -> LivingWorkers:
    return LivingWorkers(db=db)


@pytest.fixture
def rows(url: str) -> Iterator[psycopg.Connection[Any]]:
    with psycopg.connect(url, autocommit=True) as conn:
        yield conn


@pytest.fixture
async def key(db: PostgresDatabase) -> SeparationKey:
    """The first attempt of a job that is at a provider."""
    job = await lead(JobStore(db=db), State.PROCESSING)
    return SeparationKey(job_id=job.id, number=1)


def order_of(key: SeparationKey, *, model: str = "spleeter", turn: int = 0) -> Order:
    stems = frozenset({Stem.VOCALS, Stem.INSTRUMENTAL})
    return Order(key=key, model=model, stems=stems, frames=441_000, turn=turn)
