"""Answers to one person: a sentence, or what an error means to them."""

import logging
import secrets
from typing import Any

import aiohttp
import discord
from discord import app_commands

from bot.delivery.port import ReplyUnavailable
from bot.domain.errors import NotFound, Problem, Reason, Rejected, StoreUnavailable
from bot.i18n.translation import gettext
from bot.ui.texts import messages

log = logging.getLogger(__name__)

UNREACHABLE = (discord.DiscordException, aiohttp.ClientError, OSError, TimeoutError)
"""What a request to Discord may raise, none of it through a fault of ours."""


def sentence_for(error: BaseException) -> str | None:
    """Say what an error means to the user; None for one that nobody foresaw."""
    match error:
        case Rejected():
            return messages.problem(error.problem)
        case NotFound():
            return gettext(messages.NOT_FOUND)
        case StoreUnavailable() | ReplyUnavailable():
            return messages.problem(Problem(Reason.BUSY))
        case app_commands.TransformerError():
            return gettext(messages.BAD_OPTION)
        case app_commands.CommandNotFound() | app_commands.CommandSignatureMismatch():
            return gettext(messages.COMMANDS_CHANGED)
        case _:
            return None


async def answer_error(interaction: discord.Interaction[Any], error: BaseException) -> None:
    """Tell the user what an error means; an answer that Discord refuses is only logged."""
    if isinstance(error, app_commands.CommandInvokeError):
        error = error.original
    sentence = sentence_for(error)
    if sentence is None:
        error_id = secrets.token_hex(3)
        log.error("error %s in an interaction", error_id, exc_info=error)
        sentence = messages.unknown(error_id)
    try:
        await say_privately(interaction, sentence)
    except UNREACHABLE as exc:
        log.warning("an error could not be answered: %s", exc)


async def say_privately(interaction: discord.Interaction[Any], sentence: str) -> None:
    """Answer with a sentence that only this person sees, whatever was answered before.

    After “thinking …” the sentence takes its place, and is as private as that was.
    """
    if not interaction.response.is_done():
        await interaction.response.send_message(sentence, ephemeral=True)
    elif interaction.response.type is discord.InteractionResponseType.deferred_channel_message:
        await interaction.edit_original_response(content=sentence)
    else:
        await interaction.followup.send(sentence, ephemeral=True)


class StemcordTree(app_commands.CommandTree[Any]):
    """Answers errors of commands from the same table as those of buttons."""

    async def interaction_check(self, interaction: discord.Interaction[Any], /) -> bool:
        """Activate the caller's language; every command is let through."""
        interaction.client.languages.activate(interaction.locale.value)
        return True

    async def on_error(
        self, interaction: discord.Interaction[Any], error: app_commands.AppCommandError, /
    ) -> None:
        """Answer the error; suggestions while typing have no room for an answer."""
        await answer_error(interaction, error)
