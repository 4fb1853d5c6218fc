"""Drives the services and a reference model through requests, time and crashes.

Jobs advance one step at a time, each under a given fault plan. The fault plan determines the states
to which a step may lead. The reference model predicts its effect on minutes.
"""

import asyncio
import contextlib
import tempfile
from collections.abc import Collection, Sequence
from dataclasses import replace
from datetime import timedelta
from itertools import count
from pathlib import Path
from typing import Any, ClassVar

import pytest

from bot.domain.errors import NotFound, QuotaExceeded, Reason, Rejected
from bot.domain.job import Job, State, UserId
from bot.domain.periods import Period, PeriodKind, period_at
from bot.jobs.job_runtime import Delivering, Done, JobRuntime
from bot.jobs.runner import Runner
from bot.jobs.steps import Steps
from storage.database.opening import PostgresUrl
from storage.stores.ledger import Ledger
from storage.upkeep.invariants import Terms, audit
from tests.support.fakes import FakeClock
from tests.support.fault_plan import LUCK, FaultPlan, Pause, Vendor, heal
from tests.support.harness import REPLY, REQUEST, Harness
from tests.support.reference_model import ReferenceJob, ReferenceModel

USERS = (UserId(1), UserId(2))
OWNER, STRANGER = UserId(8), UserId(9)
SOURCE = replace(REQUEST.source, url=f"{REQUEST.source.url}?hm=signed")
MAX_ACTIVE = 3
KEEP = timedelta(hours=24)
ROUNDS = 60
"""Rounds of one minute, enough for every job to end once there are no faults."""


class OneStep:
    """Runs a single step of a job, then reports the job as done."""

    def __init__(self, steps: Steps) -> None:
        self._steps = steps

    async def advance(self, runtime: JobRuntime) -> Done:
        await self._steps.advance(runtime)
        return Done()

    async def give_up(self, runtime: JobRuntime) -> Done:
        raise AssertionError(f"{runtime.job_id} was given up")


class ModelledHarness:
    """The services, their fake environment and the reference model."""

    server: ClassVar[Any] = None
    """The PostgreSQL server that keeps the store; None for SQLite."""

    def __init__(self) -> None:
        self._stack = contextlib.ExitStack()
        self._address: PostgresUrl | None = None
        if self.server is not None:
            self._address = PostgresUrl(self._stack.enter_context(self.server.database()))
        self._folder = tempfile.TemporaryDirectory()
        self._root = Path(self._folder.name)
        self._clock = FakeClock()
        self._periods: dict[str, Period] = {}
        self._interactions = count(1)
        self._vendors = (
            Vendor("first", can_cancel=True),
            Vendor("second"),
            Vendor("local", is_hosted=False, is_resubmittable=True),
        )
        self.reference = ReferenceModel(allowance=12)
        self._house: Harness

    @property
    def period(self) -> Period:
        now = period_at(self._clock.at, PeriodKind.DAY)
        return self._periods.setdefault(now.key, now)

    async def open(self) -> None:
        self._house = await Harness.build(
            self._root,
            *self._vendors,
            clock=self._clock,
            address=self._address,
            quota_minutes=self.reference.allowance,
            max_active_jobs=MAX_ACTIVE,
        )
        heal(self._house, self._vendors)
        await self._house.services.runner.stop(grace_s=0)  # jobs advance only when stepped
        await self._house.services.retention.sweep_orphans()
        await self._house.resume()
        for job in self.reference.in_state(State.RECEIVED):
            if not job.is_acknowledged:
                self._move(job, State.CANCELLED)

    async def crash(self, new_allowance: int) -> None:
        await self._house.db.close()  # only the state on disk survives
        self.reference.allowance = new_allowance
        await self.open()

    async def crash_while_sending(self, job: ReferenceJob, *, is_stopped: bool) -> None:
        """Crash or stop during a submit. A stop leaves time to record it."""
        job.is_lucky = False
        pause = self._pause()
        step = asyncio.create_task(self._house.advance(job.id))
        while not (pause.is_reached or step.done()):
            await asyncio.sleep(0.001)
        await self._note(job, State.HELD, State.SUBMITTING, State.FAILED)
        if not is_stopped:
            await self._house.db.close()  # nothing is written from here on
        await self._house.services.submit.aclose(grace_s=0)
        await asyncio.gather(step, return_exceptions=True)
        await self.crash(self.reference.allowance)

    async def wait(self, hours: float) -> None:
        self._clock.move(hours=hours)
        await self._house.services.retention.sweep()

    async def write_replies(self) -> None:
        for stale in await self._house.jobs.stale_replies(await self._house.jobs.owed()):
            await self._house.jobs.reply_shown(stale.job.id, stale.version)

    async def ask(self, user: UserId, minutes: int, *, hears: bool | None) -> None:
        """Send a request. `hears` is whether it is acknowledged, or None if still unknown."""
        interaction = next(self._interactions)
        if self.reference.left(user, self.period.key) == 0:
            with pytest.raises(QuotaExceeded):
                await self._receive(interaction, user)
        elif self.reference.active(user) == MAX_ACTIVE:
            with pytest.raises(Rejected, match=Reason.TOO_MANY_JOBS):
                await self._receive(interaction, user)
        else:
            stored = await self._receive(interaction, user)
            job = ReferenceJob(stored.id, user, interaction, minutes)
            self.reference.jobs[job.id] = job
            await self._hear(job, hears)

    async def _receive(self, interaction: int, user: UserId) -> Job:
        return await self._house.services.splits.receive(
            interaction_id=interaction,
            request=replace(REQUEST, user_id=user, source=SOURCE),
            reply=REPLY,
        )

    async def _hear(self, job: ReferenceJob, hears: bool | None) -> None:
        splits = self._house.services.splits
        if hears:
            await splits.acknowledged(job.id, message_id=70)
            job.is_acknowledged = True
        elif hears is False:
            await splits.unacknowledged(job.id)
            self._move(job, State.CANCELLED)

    async def ask_again(self, job: ReferenceJob) -> None:
        assert (await self._receive(job.interaction_id, job.user_id)).id == job.id

    async def cancel(self, job: ReferenceJob) -> None:
        is_too_late = job.state.is_final or job.state is State.READY
        await self._house.services.splits.cancel(job.id, user_id=job.user_id)
        await self._note(job, job.state if is_too_late else State.CANCELLED)

    async def cancel_as_a_stranger(self, job: ReferenceJob) -> None:
        with pytest.raises(NotFound):
            await self._house.services.splits.cancel(job.id, user_id=STRANGER)

    async def cancel_in_mid_step(self, job: ReferenceJob) -> None:
        """Cancel while the job's step waits for a download or provider, which then answers."""
        services, pause = self._house.services, self._pause()
        runner = Runner(
            steps=OneStep(services.steps), runtimes=services.runtimes, clock=self._clock
        )
        self._prepare(job)
        runner.run(job.id)
        runtime = services.runtimes.open(job.id)
        while runtime.task is not None and not pause.is_reached:
            await asyncio.sleep(0.001)
        await self._note(job, *State)
        is_over = job.state.is_final
        await services.splits.cancel(job.id, user_id=job.user_id)
        pause.set()
        while runtime.task is not None or runtime.submit is not None:
            await asyncio.sleep(0.001)
        await self._note(job, job.state if is_over else State.CANCELLED)
        heal(self._house, self._vendors)

    async def grant(self, user: UserId, minutes: int) -> None:
        await self._ledger.grant(user, minutes, self.period, OWNER)
        self.reference.accounts[user, self.period.key].granted += minutes

    async def reset(self, user: UserId) -> None:
        account = self.reference.accounts[user, self.period.key]
        assert await self._ledger.reset(user, self.period, OWNER) == account.used
        account.used = 0

    async def rounds(self, fates: Sequence[int]) -> None:
        """Advance every job by one step per fate, where 0 means no fault."""
        for fate in fates:
            for number, job in enumerate(self.reference.in_state(*LUCK)):
                good, *bad = LUCK[job.state]
                chances = [*[good] * len(bad), *bad]
                await self._step(job, chances[(fate + 7 * fate * number) % len(chances)])

    async def _step(self, job: ReferenceJob, luck: FaultPlan) -> None:
        called = [len(vendor.submits) for vendor in self._vendors]
        leads_to = await self._leads_to(job, luck)
        self._prepare(job)
        # Data that an earlier try left in memory would let the step skip the fault.
        runtime = self._house.runtimes.open(job.id)
        runtime.digest, runtime.delivering = None, Delivering()
        luck.befall(self._house, self._vendors)
        with contextlib.suppress(RuntimeError):  # a simulated bug, which the runner would handle
            await self._house.advance(job.id)
        heal(self._house, self._vendors)
        job.is_lucky &= luck.is_good
        await self._note(job, *leads_to)
        if called != [len(vendor.submits) for vendor in self._vendors]:
            assert job.state is (State.PROCESSING if luck.is_good else State.SUBMITTING)

    async def _leads_to(self, job: ReferenceJob, luck: FaultPlan) -> Collection[State]:
        if job.state is State.RECEIVED and not job.is_acknowledged:
            return {State.RECEIVED}
        if job.state is State.RECEIVED and luck.is_good:
            fits = job.minutes <= self.reference.left(job.user_id, self.period.key)
            job.is_lucky &= fits
            return {State.HELD if fits else State.FAILED}
        if job.state is State.READY and (await self._house.job(job.id)).files_expired:
            job.is_lucky = False
            return {State.KEPT}
        return luck.leads_to

    async def agree(self, periods: Collection[Period]) -> None:
        """Compare the store with the model, and check how often vendors got each song."""
        rows = await self._house.db.read("SELECT id, state FROM jobs")
        there = {row["id"]: row["state"] for row in rows}
        assert there == {job.id: job.state for job in self.reference.jobs.values()}
        for user in USERS:
            for period in periods:
                usage = await self._ledger.usage(user, period, self.reference.allowance)
                account = self.reference.accounts[user, period.key]
                assert (usage.granted, usage.used, usage.held) == account.figures
        first, second, local = (vendor.sent.values() for vendor in self._vendors)
        assert max([*first, *second], default=0) <= 1
        assert max(local, default=0) <= 3

    async def see_it_through(self) -> None:
        """Run all jobs to their end without faults, and audit the result."""
        await self.crash(self.reference.allowance)
        for _ in range(ROUNDS):
            for job in self.reference.in_state(*LUCK):
                await self._step(job, LUCK[job.state][0])
            self._clock.move(minutes=1)
        assert self.reference.in_state(*LUCK) == []
        lucky = {job.state for job in self.reference.jobs.values() if job.is_lucky}
        assert lucky <= {State.DELIVERED, State.CANCELLED}
        await self.write_replies()
        await self._house.services.retention.sweep()
        # Accounts of past periods can no longer be found, because the keys are deleted.
        await self.agree([each for each in self._periods.values() if each.ends_at > self._clock.at])
        terms = Terms(now=self._clock.at, keep=KEEP, drained=True)
        database = self._address or self._root / "stemcord.db"
        findings = audit(database, self._root / "jobs", terms)
        assert [str(each) for each in findings if not each.is_good] == []

    async def close(self) -> None:
        await self._house.db.close()
        self._folder.cleanup()
        self._stack.close()

    @property
    def _ledger(self) -> Ledger:
        return Ledger(db=self._house.db, clock=self._clock)

    def _pause(self) -> Pause:
        """Pause steps at their external calls."""
        pause = self._house.downloads.gate = Pause()
        for vendor in self._vendors:
            vendor.gate = pause
        return pause

    def _prepare(self, job: ReferenceJob) -> None:
        """Make the next download this job's song, half a second above or below a full minute."""
        self._house.downloads.song = job.id.encode()
        short_s = 0.5 if job.interaction_id % 2 else 59.5
        self._house.audio.duration_s = job.minutes * 60 - short_s

    async def _note(self, job: ReferenceJob, *expected: State) -> None:
        """Check that the job is in one of the expected states, and update the model."""
        state = (await self._house.job(job.id)).state
        assert state in expected, f"{job.state} went to {state}, not to any of {expected}"
        self._move(job, state)

    def _move(self, job: ReferenceJob, state: State) -> None:
        self.reference.move(job, state, self.period.key)
