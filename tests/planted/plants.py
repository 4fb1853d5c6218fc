"""Deliberate breakages, one for each thing that keeps jobs and minutes whole.

A plant replaces one piece of text, which its file holds exactly once, and names the tests that
must then go red.
"""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Plant:
    """One breakage."""

    name: str
    file: str
    old: str
    new: str
    tests: tuple[str, ...]

    def applies_to(self, root: Path) -> bool:
        """Whether its text is there, once."""
        return (root / self.file).read_text().count(self.old) == 1

    def put_into(self, root: Path) -> None:
        """Break the copy of the tree at `root`."""
        path = root / self.file
        path.write_text(path.read_text().replace(self.old, self.new))


_SQL = "storage/migrations/0001_jobs_and_ledger.sql"
_JOBS = ("tests/storage/test_jobs.py",)
_LEDGER = ("tests/storage/test_ledger.py",)
_DATABASE = ("tests/storage/test_database.py",)
_SPLITS = ("tests/services/test_splits.py",)
_RECOVERY = ("tests/services/test_recovery.py",)

PLANTS = (
    Plant(
        name="no state guard",
        file="storage/job_sql.py",
        old="WHERE id = :id AND state = :expected",
        new="WHERE id = :id AND :expected <> ''",
        tests=_JOBS,
    ),
    Plant(
        name="one interaction, two jobs",
        file="storage/jobs.py",
        old="if known := await _first(conn, sql.BY_INTERACTION, (job.interaction_id,)):",
        new="if known := await _first(conn, sql.BY_INTERACTION, (0,)):",
        tests=_JOBS,
    ),
    Plant(
        name="no unique end of a hold",
        file=_SQL,
        old="CREATE UNIQUE INDEX ledger_one_end_of_a_hold ",
        new="CREATE INDEX ledger_one_end_of_a_hold ",
        tests=_LEDGER,
    ),
    Plant(
        name="no unique hold of a job",
        file=_SQL,
        old="CREATE UNIQUE INDEX ledger_one_hold_a_job ",
        new="CREATE INDEX ledger_one_hold_a_job ",
        tests=_LEDGER,
    ),
    Plant(
        name="ledger rows can be changed",
        file=_SQL,
        old="CREATE TRIGGER ledger_refuses_update BEFORE UPDATE ON ledger",
        new="CREATE TRIGGER ledger_refuses_update BEFORE UPDATE ON ledger WHEN 0",
        tests=_LEDGER,
    ),
    Plant(
        name="a hold is not measured against what is left",
        file="storage/transfers.py",
        old="hold.minutes <= usage.left:",
        new="hold.minutes <= usage.allowance:",
        tests=_LEDGER,
    ),
    Plant(
        name="a cancelled caller tears its transaction",
        file="storage/database.py",
        old="            await asyncio.wait({transaction})\n",
        new="            await transaction\n",
        tests=_DATABASE,
    ),
    Plant(
        name="transactions share the connection",
        file="storage/database.py",
        old="self._writing = asyncio.Lock()",
        new="self._writing = asyncio.Semaphore(1000)",
        tests=_DATABASE,
    ),
    Plant(
        name="a failed transaction is not undone",
        file="storage/database.py",
        old="await self._writer.rollback()  # does nothing where none is open",
        new="await self._writer.commit()",
        tests=_DATABASE,
    ),
    Plant(
        name="references are not checked",
        file="storage/database.py",
        old="PRAGMA foreign_keys = ON",
        new="PRAGMA foreign_keys = OFF",
        tests=(*_DATABASE, *_JOBS),
    ),
    Plant(
        name="commits do not wait for the disk",
        file="storage/database.py",
        old="'FULL' if durable else 'OFF'",
        new="'OFF' if durable else 'OFF'",
        tests=_DATABASE,
    ),
    Plant(
        name="a locked database counts as a bug",
        file="storage/database.py",
        old="        sqlite3.SQLITE_BUSY,\n",
        new="",
        tests=(*_DATABASE, *_SPLITS),
    ),
    Plant(
        name="a full disk counts against the song",
        file="bot/services/runner.py",
        old="error.errno in _NO_ROOM",
        new="error.errno is None",
        tests=_RECOVERY,
    ),
    Plant(
        name="two processes in one data directory",
        file="storage/datadir.py",
        old="fcntl.LOCK_EX",
        new="fcntl.LOCK_SH",
        tests=("tests/storage/test_datadir.py",),
    ),
    Plant(
        name="any number of downloads at once",
        file="bot/providers/downloads.py",
        old="asyncio.Semaphore(parallel)",
        new="asyncio.Semaphore(1000 * parallel)",
        tests=("tests/providers/test_downloads.py",),
    ),
    Plant(
        name="any number of audio children at once",
        file="bot/audio/tools.py",
        old="asyncio.Semaphore(at_once)",
        new="asyncio.Semaphore(1000 * at_once)",
        tests=("tests/audio/test_tools.py",),
    ),
    Plant(
        name="any number of files of one user at once",
        file="bot/services/intake.py",
        old="lock = self._users.setdefault(user_id, asyncio.Lock())",
        new="lock = asyncio.Lock()",
        tests=_SPLITS,
    ),
    Plant(
        name="nothing is held",
        file="bot/services/intake.py",
        old="expected=State.RECEIVED, ledger=hold)",
        new="expected=State.RECEIVED)",
        tests=_SPLITS,
    ),
    Plant(
        name="acknowledged before it is stored",
        file="bot/ui/acknowledge.py",
        old="    job = await splits.receive(",
        new="    await interaction.response.defer(thinking=True)\n    job = await splits.receive(",
        tests=("tests/ui/test_acknowledge.py",),
    ),
    Plant(
        name="a row that commits late runs",
        file="bot/services/splits.py",
        old="        storing.add_done_callback(self._came_late)\n",
        new="",
        tests=_SPLITS,
    ),
    Plant(
        name="a request cut off at its answer goes unmentioned",
        file="bot/services/splits.py",
        old="            job = job.acknowledged(self._clock.now(), message_id=None)\n",
        new="            pass\n",
        tests=_RECOVERY,
    ),
    Plant(
        name="no attempt before the call",
        file="bot/services/submits.py",
        old="expected=job.state, attempt=attempt, caps=caps)",
        new="expected=job.state)",
        tests=_RECOVERY,
    ),
    Plant(
        name="an interrupted submit counts as not sent",
        file="bot/services/submits.py",
        old="state = AttemptState.FAILED if is_harmless else AttemptState.UNCERTAIN",
        new="state = AttemptState.NOT_SENT",
        tests=_RECOVERY,
    ),
    Plant(
        name="an uncertain submit is sent again",
        file="bot/services/routing.py",
        old="starts < MAX_LOCAL_STARTS if capabilities.is_resubmittable else starts == 0",
        new="starts < MAX_LOCAL_STARTS",
        tests=(*_RECOVERY, "tests/services/test_routing.py"),
    ),
    Plant(
        name="a late answer is dropped",
        file="bot/services/submits.py",
        old="            await self.abandon(answered)\n",
        new="",
        tests=_SPLITS,
    ),
    Plant(
        name="a cancelled step tears its submit",
        file="bot/services/submits.py",
        old="return await asyncio.shield(task)",
        new="return await task",
        tests=(*_SPLITS, *_RECOVERY),
    ),
    Plant(
        name="ready without its minutes",
        file="bot/services/results.py",
        old="expected=State.PROCESSING, ledger=Post(job.id)",
        new="expected=State.PROCESSING",
        tests=_SPLITS,
    ),
    Plant(
        name="a failure keeps the minutes",
        file="bot/services/endings.py",
        old="ledger=Void(job.id), note=problem.reason)\n        await self.clear(ended)",
        new="note=problem.reason)\n        await self.clear(ended)",
        tests=_RECOVERY,
    ),
    Plant(
        name="the token goes before the reply is shown",
        file="storage/job_sql.py",
        old=" AND (shown_version = wanted_version OR acknowledged_at IS NULL)",
        new="",
        tests=_JOBS,
    ),
    Plant(
        name="the token stays",
        file="storage/job_sql.py",
        old="UPDATE jobs SET token = NULL, token_expires_at = NULL\nWHERE id = ? AND is_final",
        new="UPDATE jobs SET token = NULL, token_expires_at = NULL\nWHERE id = ? AND 0",
        tests=_JOBS,
    ),
    Plant(
        name="a card takes the stems' place",
        file="bot/ui/watch.py",
        old="return self.is_delivered or self.job.state is State.DELIVERED",
        new="return False",
        tests=("tests/ui/test_replies.py",),
    ),
    Plant(
        name="who sends more comes first",
        file="bot/services/line.py",
        old="following[user_id] = turns[job.id] + 1",
        new="following[user_id] = turns[job.id]",
        tests=("tests/services/test_line.py",),
    ),
)
