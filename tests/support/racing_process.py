"""A separate process that writes to a database at the same time as another."""

import asyncio
import sys
from dataclasses import replace

from bot.domain.errors import Reason, Rejected, SpendCapReached, StateMoved
from bot.domain.job import Job, JobId, State, UserId
from bot.domain.minutes import SpendCap, Void
from storage.database.postgres import PostgresDatabase
from storage.stores.guild_pools import GuildPools
from storage.stores.job_store import JobStore
from storage.stores.ledger import Ledger
from tests.support.domain_factories import (
    ADMIN,
    NOW,
    PROBLEM,
    TODAY,
    USER,
    StillClock,
    a_hold,
    a_job,
    an_attempt,
)

GUILD = 7


class Racer:
    """Does the same thing many times concurrently. Its jobs are named after it and numbered."""

    def __init__(self, db: PostgresDatabase, name: str) -> None:
        self._name = name
        self._jobs = JobStore(db=db)
        self._pools = GuildPools(db=db, clock=StillClock())
        self._ledger = Ledger(db=db, clock=StillClock())

    async def ask(self, number: int) -> None:
        """Request a job; a user may have ten."""
        job = a_job(job_id=f"{self._name}{number}")
        shift = 1000 * (ord(self._name) + 1)
        await self._jobs.add(replace(job, interaction_id=shift + number), max_active=10)

    async def hold(self, number: int) -> None:
        """Hold 4 of the user's 40 minutes."""
        job = await self._job(number)
        held = job.held(NOW, frames=4 * 60 * 44_100, minutes=4, title=job.title)
        await self._jobs.save(held, expected=State.RECEIVED, ledger=a_hold(held, 4, allowance=40))

    async def submit(self, number: int) -> None:
        """Submit 4 minutes under a cap of 40."""
        job = await self._job(number)
        sent = job.submitting(NOW, provider="finevoice")
        caps = [SpendCap(minutes=40, since=NOW)]
        attempt = an_attempt(job, cost_minutes=4)
        await self._jobs.save(sent, expected=State.HELD, attempt=attempt, caps=caps)

    async def hand_out(self, number: int) -> None:
        """Hand out 4 minutes from a pool of 40."""
        await self._pools.hand_out(GUILD, UserId(1 + number), 4, TODAY, ADMIN)

    async def reset(self, number: int) -> None:
        """Refund the used minutes; only the first refund finds any."""
        del number
        if not await self._ledger.reset(USER, TODAY, ADMIN):
            raise Rejected(Reason.QUOTA)

    async def cancel(self, number: int) -> None:
        """Cancel the job that all racers compete for."""
        del number
        job = await self._jobs.get(JobId("all"))
        if job is None or job.state is not State.HELD:
            raise StateMoved
        ended = job.cancelled(NOW, PROBLEM)
        await self._jobs.save(ended, expected=State.HELD, ledger=Void(job.id))

    async def _job(self, number: int) -> Job:
        found = await self._jobs.get(JobId(f"{self._name}{number}"))
        assert found is not None
        return found


async def main() -> None:
    url, name, what, times = sys.argv[1:]
    db = await PostgresDatabase.open(url, wait_s=30)
    act = getattr(Racer(db, name), what)

    async def is_admitted(number: int) -> bool:
        try:
            await act(number)
        except (Rejected, SpendCapReached, StateMoved):
            return False
        return True

    sys.stdout.write("ready\n")
    sys.stdout.flush()
    sys.stdin.readline()
    try:
        admitted = await asyncio.gather(*map(is_admitted, range(int(times))))
        sys.stdout.write(f"{sum(admitted)}\n")
    finally:
        await db.close()


if __name__ == "__main__":
    asyncio.run(main())
