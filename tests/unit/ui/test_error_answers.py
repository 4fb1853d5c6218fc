import logging
from typing import Any

import aiohttp
import discord
import pytest
from discord import app_commands

from bot.domain.errors import NotFound, Reason, Rejected, StoreBroken, StoreUnavailable
from bot.i18n.translation import Message, gettext
from bot.ui.error_answers import answer_error, may_pass, sentence_for
from bot.ui.texts import messages
from tests.support.discord_fakes import FakeInteraction, refusal


async def answer(interaction: FakeInteraction, error: BaseException) -> str | None:
    talk: Any = interaction
    await answer_error(talk, error)
    return interaction.response.sent[-1][0] if interaction.response.sent else None


@pytest.mark.parametrize(
    ("error", "sentence"),
    [
        (Rejected(Reason.EMPTY_FILE), "This file is empty. Send it again, or another one."),
        (NotFound("k7f2q"), gettext(messages.NOT_FOUND)),
        (StoreUnavailable(), "I'm too busy right now. Try again in a minute."),
        (StoreBroken("readonly"), gettext(messages.STORE_BROKEN)),
        (app_commands.CommandNotFound("old", []), gettext(messages.COMMANDS_CHANGED)),
        (ValueError("internal"), None),
    ],
)
def test_an_error_means_a_sentence_or_is_unknown(error: Exception, sentence: str | None) -> None:
    assert sentence_for(error) == sentence


@pytest.mark.parametrize(
    ("error", "is_so"),
    [
        (aiohttp.ClientConnectionError(), True),
        (TimeoutError(), True),
        (refusal(503, 0), True),
        (refusal(413, 40005), True),
        (refusal(429, 30046), True),
        (refusal(400, 50035), False),
        (refusal(401, 50027), False),
        (refusal(404, 10015), False),
    ],
)
def test_some_refusals_pass(error: Exception, is_so: bool) -> None:
    assert may_pass(error) is is_so


async def test_an_error_is_answered_privately() -> None:
    interaction = FakeInteraction()
    sentence = await answer(interaction, Rejected(Reason.EMPTY_FILE))
    assert sentence is not None
    assert sentence.startswith("This file is empty")
    assert interaction.response.sent[0][1] == {"ephemeral": True}


@pytest.mark.parametrize(
    ("guild_id", "sentence"),
    [(None, messages.COMMANDS_CHANGED), ("7", messages.LEFTOVER_COMMAND)],
)
async def test_command_that_is_left_in_a_server_is_told_as_that(
    guild_id: str | None, sentence: Message
) -> None:
    interaction = FakeInteraction(data={"guild_id": guild_id} if guild_id else {})
    error = app_commands.CommandNotFound("old", [])
    assert await answer(interaction, error) == gettext(sentence)


async def test_an_unknown_error_gives_the_user_what_finds_it_in_the_log(
    caplog: pytest.LogCaptureFixture,
) -> None:
    try:
        raise ValueError("internal detail")
    except ValueError as error:
        sentence = await answer(FakeInteraction(), error)
    assert sentence is not None
    assert "internal detail" not in sentence
    [record] = caplog.records
    assert record.levelno == logging.ERROR
    assert record.exc_info is not None
    assert sentence.split("`")[1] in record.getMessage()


async def test_an_outage_of_discord_is_no_unknown_error(caplog: pytest.LogCaptureFixture) -> None:
    sentence = await answer(FakeInteraction(), aiohttp.ServerDisconnectedError())
    assert sentence == "I'm too busy right now. Try again in a minute."
    assert [record.levelno for record in caplog.records] == [logging.WARNING]


async def test_after_thinking_the_sentence_takes_its_place() -> None:
    interaction = FakeInteraction()
    await interaction.response.defer(thinking=True)
    await answer(interaction, NotFound("k7f2q"))
    assert interaction.edits == [{"content": gettext(messages.NOT_FOUND)}]
    assert interaction.response.sent == []


async def test_an_answer_that_discord_refuses_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    interaction = FakeInteraction()
    interaction.response.errors = [refusal(404, 10062)]
    await answer(interaction, NotFound("k7f2q"))
    assert "can't answer an error" in caplog.text


async def test_what_a_command_raises_is_unwrapped() -> None:
    @app_commands.command(description="for the test")
    async def command(interaction: discord.Interaction) -> None:
        """Never called."""

    error = app_commands.CommandInvokeError(command, NotFound("k7f2q"))
    assert await answer(FakeInteraction(), error) == gettext(messages.NOT_FOUND)
