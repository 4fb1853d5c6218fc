"""The store of a bot: everything that outlives its process, opened together."""

from dataclasses import dataclass

from bot.domain.clock import Clock
from bot.domain.minutes import Period
from storage.database.connection import Database
from storage.files.data_dir import DataDir
from storage.files.job_files import JobFiles
from storage.stores.job_store import JobStore
from storage.stores.ledger import Ledger
from storage.stores.meta import Meta
from storage.stores.pseudonyms import Pseudonyms


@dataclass(frozen=True, slots=True, kw_only=True)
class Store:
    """Everything that outlives the process."""

    db: Database
    jobs: JobStore
    ledger: Ledger
    meta: Meta
    files: JobFiles
    running_periods: tuple[Period, ...] = ()
    """Those that began when keys did not name a period's kind yet."""


async def open_store(data: DataDir, clock: Clock) -> Store:
    """Open the database in a directory whose lock is held. Raises UnknownDatabase."""
    db = await Database.open(data.database)
    return Store(
        db=db,
        jobs=JobStore(db=db),
        ledger=Ledger(db=db, clock=clock),
        meta=Meta(db=db),
        files=JobFiles(data.jobs),
        running_periods=await Pseudonyms(db=db).periods_without_kind(),
    )
