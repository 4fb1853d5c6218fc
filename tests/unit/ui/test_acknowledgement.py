import asyncio
import logging
from collections.abc import Sequence
from typing import Any

import aiohttp
import pytest

from bot.domain.errors import Reason, Rejected
from bot.ui import acknowledgement
from bot.ui.acknowledgement import start_split
from tests.support.card_factories import REPLY, REQUEST, a_job
from tests.support.discord_fakes import (
    FakeCallback,
    FakeInteraction,
    FakeMessage,
    FakeResponse,
    FakeSplits,
    refusal,
)

RESET = ConnectionResetError(104, "reset")


class HangingResponse(FakeResponse):
    async def defer(self, *, ephemeral: bool = False, thinking: bool = False) -> FakeCallback:
        await asyncio.sleep(60)
        return FakeCallback()


class SlowResponse(FakeResponse):
    async def defer(self, *, ephemeral: bool = False, thinking: bool = False) -> FakeCallback:
        await asyncio.sleep(0.05)
        return await super().defer(ephemeral=ephemeral, thinking=thinking)


async def start(interaction: FakeInteraction, splits: FakeSplits, *, within_s: float = 1.0) -> None:
    talk: Any = interaction
    service: Any = splits
    await start_split(
        talk,
        service,
        request=REQUEST,
        reply=REPLY,
        within_s=within_s,
        look_after_s=(0.0, 0.0, 0.0),
    )


async def outcome_of(
    *errors: BaseException, looks: Sequence[FakeMessage | Exception] = ()
) -> list[tuple[str, object]]:
    interaction, splits = FakeInteraction(), FakeSplits()
    interaction.response.errors = list(errors)
    if looks:
        interaction.followup.answers = list(looks)
    await start(interaction, splits)
    return splits.happened


async def test_work_begins_when_discord_took_the_answer() -> None:
    assert await outcome_of() == [("acknowledged", 70)]


async def test_an_answer_on_the_first_try_is_another_process(
    caplog: pytest.LogCaptureFixture,
) -> None:
    assert await outcome_of(refusal(400, 40060)) == [("unacknowledged", None)]
    [error] = [record for record in caplog.records if record.levelno == logging.ERROR]
    assert "another process answers for this application" in error.getMessage()


async def test_an_answer_that_may_be_of_discords_library_counts(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(acknowledgement, "REPEATED_AFTER_S", 0.0)
    assert await outcome_of(refusal(400, 40060)) == [("acknowledged", None)]


async def test_an_interaction_that_comes_twice_at_once_is_answered_once() -> None:
    first, second = FakeInteraction(response=SlowResponse()), FakeInteraction()
    second.response.errors = [refusal(400, 40060)]
    splits = FakeSplits()
    await asyncio.gather(start(first, splits), start(second, splits))
    assert splits.happened == [("acknowledged", 70)]


async def test_an_answer_that_comes_too_late_ends_the_job() -> None:
    assert await outcome_of(refusal(404, 10062)) == [("unacknowledged", None)]


@pytest.mark.parametrize("error", [RESET, aiohttp.ServerDisconnectedError()])
async def test_a_broken_connection_is_tried_once_more(error: Exception) -> None:
    assert await outcome_of(error) == [("acknowledged", 70)]
    assert await outcome_of(error, refusal(400, 40060)) == [("acknowledged", None)]
    assert await outcome_of(error, error) == [("unacknowledged", None)]


@pytest.mark.parametrize("errors", [(RESET, RESET), (refusal(503),)], ids=["resets", "503"])
async def test_an_answer_without_a_word_from_discord_is_looked_for(
    errors: tuple[Exception, ...],
) -> None:
    there, not_there = FakeMessage(id=71), refusal(404, 10015)
    assert await outcome_of(*errors, looks=[there]) == [("acknowledged", 71)]
    assert await outcome_of(*errors, looks=[not_there]) == [("unacknowledged", None)]


async def test_a_hanging_answer_is_looked_for() -> None:
    interaction, splits = FakeInteraction(response=HangingResponse()), FakeSplits()
    interaction.followup.answers = [FakeMessage(id=71)]
    await start(interaction, splits, within_s=0.01)
    assert splits.happened == [("acknowledged", 71)]


async def test_a_reply_is_looked_for_again_before_it_is_given_up() -> None:
    looks = (RESET, refusal(404, 10015), FakeMessage(id=71))
    assert await outcome_of(RESET, RESET, looks=looks) == [("acknowledged", 71)]


@pytest.mark.parametrize("error", [RESET, refusal(503)])
async def test_a_reply_that_cannot_be_looked_for_may_have_been_seen(error: Exception) -> None:
    happened = await outcome_of(RESET, RESET, looks=[error])
    assert happened == [("unacknowledged", "perhaps seen")]


async def test_an_answer_that_discord_refused_is_not_looked_for() -> None:
    interaction, splits = FakeInteraction(), FakeSplits()
    interaction.response.errors = [refusal(404, 10062)]
    await start(interaction, splits)
    assert interaction.followup.looks == 0


async def test_a_refused_request_is_not_acknowledged() -> None:
    interaction, splits = FakeInteraction(), FakeSplits(error=Rejected(Reason.TOO_BIG))
    with pytest.raises(Rejected):
        await start(interaction, splits)
    assert interaction.response.deferred == []
    assert splits.happened == []


async def test_an_interaction_that_comes_twice_does_not_end_its_job() -> None:
    interaction, splits = FakeInteraction(), FakeSplits(job=a_job())
    interaction.response.errors = [refusal(404, 10062)]
    await start(interaction, splits)
    assert splits.happened == []
