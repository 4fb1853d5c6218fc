"""The owner's overview of providers and statistics."""

from datetime import timedelta
from pathlib import Path

from bot.domain.attempt import AttemptError, AttemptState
from bot.domain.errors import ProviderAuth, ProviderRefused, Reason, Rejected
from bot.domain.guilds import Actor, Rank
from bot.domain.job import State, UserId
from bot.domain.periods import PeriodKind
from storage.stores.statistics import Turnover
from tests.support.fakes import FakeProvider
from tests.support.harness import Harness

OWNER = Actor(user_id=UserId(90), rank=Rank.OWNER)


async def test_a_provider_that_works_is_ready_and_its_minutes_are_counted(harness: Harness) -> None:
    await harness.until((await harness.split()).id)
    [state] = await harness.services.overview.providers(OWNER)
    assert (state.title, state.rests_until, state.left_out) == ("Fake", None, None)
    assert state.book.attempts == {AttemptState.DONE: 1}
    assert state.book.submitted == 4


async def test_minutes_of_yesterday_are_not_todays(harness: Harness) -> None:
    await harness.until((await harness.split()).id)
    harness.clock.move(days=1)
    [state] = await harness.services.overview.providers(OWNER)
    assert state.book.submitted == 0


async def test_a_resting_provider_says_until_when_and_why(tmp_path: Path) -> None:
    first, second = FakeProvider("first"), FakeProvider("second")
    first.on_submit = [ProviderAuth("no")]
    harness = await Harness.build(tmp_path, first, second)
    await harness.until((await harness.split()).id)
    resting, working = await harness.services.overview.providers(OWNER)
    assert resting.cause == AttemptError.AUTH
    assert resting.rests_until == harness.clock.now() + timedelta(minutes=10)
    assert resting.book.submitted == 0, "a refused submit costs nothing"
    assert (working.cause, working.rests_until) == (None, None)
    await harness.close()


async def test_figures_tell_today_from_the_period(tmp_path: Path) -> None:
    provider = FakeProvider()
    harness = await Harness.build(
        tmp_path, provider, quota_period=PeriodKind.WEEK, daily_spend_minutes=99
    )
    await harness.until((await harness.split()).id)
    harness.clock.move(days=-1)  # the 19th is a Thursday, in the same week as the 20th
    provider.on_submit = [ProviderRefused("no")]
    harness.downloads.song = b"another"
    await harness.until((await harness.split()).id)
    harness.clock.move(days=1)
    harness.audio.decode_error = Rejected(Reason.TOO_LONG)
    harness.downloads.song = b"a third"
    await harness.until((await harness.split()).id)

    stats = await harness.services.overview.stats(OWNER)
    assert stats.today.jobs == {State.DELIVERED: 1, State.FAILED: 1}
    assert stats.this_period.jobs == {State.DELIVERED: 1, State.FAILED: 2}
    assert (stats.today.submitted, stats.this_period.submitted, stats.daily_cap) == (4, 4, 99)
    assert stats.turnover == Turnover(held=0, used=4, given_back=4)
    assert stats.reasons == [(Reason.PROVIDERS_FAILED, 1), (Reason.TOO_LONG, 1)]
    assert stats.errors == [("Fake", AttemptError.REFUSED, 1)]
    [attempt] = await harness.db.read("SELECT state FROM attempts WHERE error IS NOT NULL")
    assert attempt["state"] == AttemptState.REFUSED
    await harness.close()
