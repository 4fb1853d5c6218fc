"""Property-based tests that compare the services with a reference model.

Rules make requests, inject faults, crash the services and advance the clock. After each rule, jobs
advance for some rounds, with or without faults; then the services must agree with the model. `make
test ARGS="-m chaos"` runs many more examples than the default.
"""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    precondition,
    rule,
    run_state_machine_as_test,
)

from bot.domain.job import State
from tests.support.modelled_harness import USERS, ModelledHarness
from tests.support.reference_model import ReferenceJob

Happening = Callable[..., Coroutine[Any, Any, None]]

FATES = st.lists(st.integers(0, 40), max_size=4)
PICK = st.integers(0, 20)
REQUESTS = st.lists(
    st.tuples(
        st.sampled_from(USERS), st.integers(1, 9), st.sampled_from([True] * 6 + [False, None])
    ),
    min_size=1,
    max_size=3,
)


def happening(**drawn: Any) -> Callable[[Happening], Any]:
    """Make a rule that runs an action, advances the jobs and compares both sides."""

    def as_rule(happens: Happening) -> Any:
        def whole(live_bot: "Evenings", fates: list[int], **values: Any) -> None:
            async def happen() -> None:
                await happens(live_bot, **values)
                await live_bot.modelled.rounds(fates)
                await live_bot.modelled.agree([live_bot.modelled.period])

            live_bot.run(happen())

        whole.__name__ = happens.__name__
        return rule(fates=FATES, **drawn)(whole)

    return as_rule


def while_a_job_is(*states: State) -> Callable[[Any], Any]:
    return precondition(lambda live_bot: live_bot.modelled.reference.in_state(*states))


class Evenings(RuleBasedStateMachine):
    """The rules and invariants of the state machine."""

    def __init__(self) -> None:
        super().__init__()
        self._loop = asyncio.Runner()
        self.modelled = ModelledHarness()

    def run(self, work: Coroutine[Any, Any, None]) -> None:
        self._loop.run(work)

    def pick(self, number: int, *states: State) -> ReferenceJob:
        jobs = self.modelled.reference.in_state(*states)
        return jobs[number % len(jobs)]

    @initialize()
    def open(self) -> None:
        self.run(self.modelled.open())

    @happening(requests=REQUESTS)
    async def people_ask(self, requests: list[tuple[Any, int, bool | None]]) -> None:
        for user, minutes, hears in requests:
            await self.modelled.ask(user, minutes, hears=hears)

    @while_a_job_is(*State)
    @happening(number=PICK)
    async def nothing_comes_of_it(self, number: int) -> None:
        await self.modelled.ask_again(self.pick(number, *State))
        await self.modelled.cancel_as_a_stranger(self.pick(number, *State))

    @while_a_job_is(*State)
    @happening(number=PICK)
    async def somebody_cancels(self, number: int) -> None:
        await self.modelled.cancel(self.pick(number, *State))

    @while_a_job_is(State.RECEIVED, State.HELD, State.SUBMITTING)
    @happening(number=PICK)
    async def somebody_cancels_in_mid_step(self, number: int) -> None:
        job = self.pick(number, State.RECEIVED, State.HELD, State.SUBMITTING)
        await self.modelled.cancel_in_mid_step(job)

    @happening(user=st.sampled_from(USERS), minutes=st.integers(0, 9))
    async def the_owner_is_kind(self, user: Any, minutes: int) -> None:
        if minutes:
            await self.modelled.grant(user, minutes)
        else:
            await self.modelled.reset(user)

    @happening(hours=st.sampled_from([0.01, 0.1, 1.1, 7, 13, 25]))
    async def time_passes(self, hours: float) -> None:
        await self.modelled.wait(hours)

    @happening()
    async def replies_are_written(self) -> None:
        await self.modelled.write_replies()

    @happening(new_allowance=st.sampled_from([12, 12, 12, 3, 0]))
    async def the_bot_crashes(self, new_allowance: int) -> None:
        await self.modelled.crash(new_allowance)

    @while_a_job_is(State.HELD, State.SUBMITTING)
    @happening(number=PICK, is_stopped=st.booleans())
    async def the_bot_goes_down_while_sending(self, number: int, is_stopped: bool) -> None:
        job = self.pick(number, State.HELD, State.SUBMITTING)
        await self.modelled.crash_while_sending(job, is_stopped=is_stopped)

    def teardown(self) -> None:
        try:
            self.run(self.modelled.see_it_through())
        finally:
            self.run(self.modelled.close())
            self._loop.close()


SLICE = settings(
    max_examples=50,
    stateful_step_count=25,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow],
)
SHORT = settings(SLICE, max_examples=15)
WHOLE = settings(SLICE, max_examples=200, stateful_step_count=50, derandomize=False)


def test_some_evenings_agree_with_the_paper() -> None:
    run_state_machine_as_test(Evenings, settings=SLICE)


def test_some_evenings_on_postgresql_agree_with_the_paper(
    postgres_server: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ModelledHarness, "server", postgres_server)
    run_state_machine_as_test(Evenings, settings=SHORT)


@pytest.mark.chaos
def test_many_evenings_agree_with_the_paper() -> None:
    run_state_machine_as_test(Evenings, settings=WHOLE)
