"""Measures how soon a bot with many stored jobs resumes them after its start.

    python -m bench.recovery [--jobs 10000]

The jobs are spread evenly over all states, so about half of them are unfinished, far more than
after a real crash. The bot is a process in the sandbox, with simulated vendors. Its first action is
the first change of a job that it stores.
"""

import argparse
import asyncio
import os
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import cycle, islice
from pathlib import Path

from rich.console import Console
from rich.table import Table

from bot.domain.attempt import Attempt, AttemptState, RemoteRef
from bot.domain.errors import Problem, Reason
from bot.domain.job import Context, Job, Reply, Request, Source, State, UserId
from bot.domain.minutes import SAMPLE_RATE, Hold, LedgerEntry, Post, Void
from bot.domain.periods import PeriodKind, period_at
from bot.domain.recipes import AudioFormat, Recipe
from sandbox.bot_process import BotProcess
from sandbox.server import Sandbox
from storage.database.connection import Database
from storage.database.read_only import read_only
from storage.files.data_dir import DataDir
from storage.stores.job_store import JobStore, new_job_id

PROVIDER = "audiocleaner"
WITHIN_S = 120.0
LOOK_EVERY_S = 0.02
MINUTES = 4
NOW = datetime.now(UTC)

Step = tuple[Callable[[Job], Job], LedgerEntry | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """A measurement; times count from the start of the process."""

    jobs: int
    unfinished: int
    first_action: "Mark"
    connected: "Mark"
    """The time at which the bot was connected to Discord."""
    resumed: "Mark"
    """The time at which all jobs had begun."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """A point in time: seconds since the start, and the CPU time used by then."""

    wall_s: float
    cpu_s: float

    def __str__(self) -> str:
        """Return both times."""
        return f"{self.wall_s:.2f} ({self.cpu_s:.2f})"


async def fill(data: DataDir, jobs: int) -> int:
    """Store jobs in every state, and return how many of them are unfinished."""
    db = await Database.open(data.database, durable=False)
    store = JobStore(db=db)
    states = list(islice(cycle(State), jobs))
    for number, state in enumerate(states, start=1):
        await _lead(store, _job(number), state)
    await db.close()
    return sum(not state.is_final for state in states)


async def measure(jobs: int, scratch: Path) -> Run:
    """Fill a data directory, and start a bot on it."""
    data, log = DataDir(scratch / "data"), scratch / "bot.log"
    data.create()
    unfinished = await fill(data, jobs)
    before = _events(data)
    async with Sandbox() as sandbox:
        begun = time.perf_counter()
        async with BotProcess(sandbox, data_dir=data.root, log=log, vendors=True) as bot:

            async def mark(is_so: Callable[[], bool]) -> Mark:
                async with asyncio.timeout(WITHIN_S):
                    while not is_so():  # noqa: ASYNC110 - another process changes it
                        await asyncio.sleep(LOOK_EVERY_S)
                return Mark(wall_s=time.perf_counter() - begun, cpu_s=_cpu_s(bot.pid))

            first_action, connected, resumed = await asyncio.gather(
                mark(lambda: _events(data) > before),
                mark(lambda: sandbox.world.bot_is_online),
                mark(lambda: "have begun" in log.read_text()),
            )
    return Run(
        jobs=jobs,
        unfinished=unfinished,
        first_action=first_action,
        connected=connected,
        resumed=resumed,
    )


def _cpu_s(pid: int) -> float:
    ticks = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[11:13]
    return sum(map(int, ticks)) / os.sysconf("SC_CLK_TCK")


def _events(data: DataDir) -> int:
    with read_only(data.database) as conn:
        [count] = conn.execute("SELECT max(id) FROM events").fetchone()
    return int(count)


def _job(number: int) -> Job:
    return Job(
        id=new_job_id(),
        interaction_id=number,
        request=Request(
            user_id=UserId(number),
            source=Source(filename="song.mp3", url="http://127.0.0.1:9/song.mp3", size_bytes=1),
            recipe=Recipe.KARAOKE,
            audio_format=AudioFormat.MP3,
        ),
        reply=Reply(channel_id=1, context=Context.GUILD, application_id=1, guild_id=1),
        created_at=NOW,
        updated_at=NOW,
        title="song",
    )


async def _lead(store: JobStore, job: Job, state: State) -> None:
    """Bring a new job to `state` with the saves that the services make."""
    job = await store.add(job, max_active=1)
    for step, entry in _way(job, state):
        before, job = job.state, step(job)
        await store.save(job, expected=before, ledger=entry)
    if job.provider is not None:
        await store.record(_attempt(job))


def _way(job: Job, state: State) -> list[Step]:
    period = period_at(NOW, PeriodKind.DAY)
    hold = Hold(
        job_id=job.id,
        user_id=job.request.user_id,
        minutes=MINUTES,
        period=period,
        allowance=MINUTES,
    )
    frames = MINUTES * 60 * SAMPLE_RATE
    problem = Problem(Reason.TIMED_OUT)
    on: list[Step] = [
        (lambda job: job.acknowledged(NOW, message_id=1), None),
        (lambda job: job.held(NOW, frames=frames, minutes=MINUTES, title="song"), hold),
        (lambda job: job.submitting(NOW, provider=PROVIDER), None),
        (lambda job: job.processing(NOW), None),
        (lambda job: job.ready(NOW), Post(job.id)),
        (lambda job: job.delivered(NOW, message_id=1, sent=None), None),
    ]
    match state:
        case State.FAILED:
            return [*on[:4], (lambda job: job.failed(NOW, problem), Void(job.id))]
        case State.CANCELLED:
            return [*on[:2], (lambda job: job.cancelled(NOW, problem), Void(job.id))]
        case State.KEPT:
            return [*on[:5], (lambda job: job.kept(NOW), None)]
        case _:
            return on[: 1 + list(State).index(state)]


def _attempt(job: Job) -> Attempt:
    states = {State.SUBMITTING: AttemptState.NOT_SENT, State.PROCESSING: AttemptState.ACCEPTED}
    return Attempt(
        job_id=job.id,
        provider=PROVIDER,
        number=1,
        model="vocal-remover",
        state=states.get(job.state, AttemptState.DONE),
        cost_minutes=MINUTES,
        submitted_at=NOW,
        updated_at=NOW,
        ref=RemoteRef(f"task-{job.id}"),
    )


async def main() -> None:
    """Measure and print a table."""
    parser = argparse.ArgumentParser(prog="bench.recovery", description=__doc__)
    parser.add_argument("--jobs", type=int, default=10_000)
    with tempfile.TemporaryDirectory(prefix="stemcord-") as folder:
        run = await measure(parser.parse_args().jobs, Path(folder))
    table = Table("jobs", "unfinished", "first action, s (CPU)", "connected", "all have begun")
    marks = map(str, (run.first_action, run.connected, run.resumed))
    table.add_row(f"{run.jobs:,}", f"{run.unfinished:,}", *marks)
    Console().print(table)


if __name__ == "__main__":
    asyncio.run(main())
