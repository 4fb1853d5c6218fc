"""Private answers to a user: a sentence, or an explanation of an error."""

import logging
import secrets
from typing import Any

import aiohttp
import discord
from discord import app_commands

from bot.delivery.port import ReplyUnavailable
from bot.domain.errors import NotFound, Problem, Reason, Rejected, StoreBroken, StoreUnavailable
from bot.i18n.translation import gettext
from bot.ui.discord_refusals import FailureKind, failure_kind
from bot.ui.texts import messages

log = logging.getLogger(__name__)

UNREACHABLE = (discord.DiscordException, aiohttp.ClientError, OSError, TimeoutError)
"""Errors that requests to Discord may raise in normal operation."""


class Answered(Exception):
    """An error of which the user has been told."""


def sentence_for(error: BaseException) -> str | None:
    """Return the sentence for an error, or None for an unexpected one."""
    match error:
        case Rejected():
            return messages.problem(error.problem)
        case NotFound():
            return gettext(messages.NOT_FOUND)
        case StoreBroken():
            return gettext(messages.STORE_BROKEN)
        case StoreUnavailable() | ReplyUnavailable():
            return messages.problem(Problem(Reason.BUSY))
        case discord.DiscordServerError() | aiohttp.ClientError():
            log.warning("Discord did not accept an answer: %s", type(error).__name__)
            return messages.problem(Problem(Reason.BUSY))
        case app_commands.TransformerError():
            return gettext(messages.BAD_OPTION)
        case app_commands.CommandNotFound() | app_commands.CommandSignatureMismatch():
            return gettext(messages.COMMANDS_CHANGED)
        case _:
            return None


async def answer_error(interaction: discord.Interaction[Any], error: BaseException) -> None:
    """Tell the user about an error, unless they know; if Discord refuses the answer, log that."""
    sentence = explanation(interaction, error)
    if sentence is None:
        return
    try:
        await say_privately(interaction, sentence)
    except UNREACHABLE as exc:
        log.warning("can't answer an error: %s", exc)


def explanation(interaction: discord.Interaction[Any], error: BaseException) -> str | None:
    """Return the sentence for an error, or None if the user knows; log an unexpected error."""
    if isinstance(error, app_commands.CommandInvokeError):
        error = error.original
    if isinstance(error, Answered):
        return None
    sentence = gettext(messages.LEFTOVER_COMMAND) if _is_leftover(interaction, error) else None
    sentence = sentence or sentence_for(error)
    if sentence is None:
        error_id = secrets.token_hex(3)
        log.error("error %s in an interaction", error_id, exc_info=error)
        sentence = messages.unknown(error_id)
    return sentence


def may_pass(error: Exception) -> bool:
    """Whether Discord may later accept the same request, which must have no files."""
    if not isinstance(error, discord.HTTPException):
        return True
    return failure_kind(error) in (FailureKind.LATER, FailureKind.TOO_LARGE)


def _is_leftover(interaction: discord.Interaction[Any], error: BaseException) -> bool:
    """Whether the command is a leftover of one server, since this bot registers none there."""
    is_unknown = isinstance(error, app_commands.CommandNotFound)
    return is_unknown and interaction.data is not None and "guild_id" in interaction.data


async def say_privately(interaction: discord.Interaction[Any], sentence: str) -> None:
    """Answer with a sentence that only this user sees, even after an earlier answer.

    The sentence replaces the "thinking" of a deferred answer; then it is private only if the
    deferred answer was.
    """
    if not interaction.response.is_done():
        await interaction.response.send_message(sentence, ephemeral=True)
    elif interaction.response.type is discord.InteractionResponseType.deferred_channel_message:
        await interaction.edit_original_response(content=sentence)
    else:
        await interaction.followup.send(sentence, ephemeral=True)


class StemcordTree(app_commands.CommandTree[Any]):
    """Tells users about errors in commands, in the same way as for buttons."""

    async def interaction_check(self, interaction: discord.Interaction[Any], /) -> bool:
        """Activate the caller's language; always returns True."""
        interaction.client.languages.activate(interaction.locale.value)
        return True

    async def on_error(
        self, interaction: discord.Interaction[Any], error: app_commands.AppCommandError, /
    ) -> None:
        """Tell the user about the error; Discord drops answers to an autocomplete."""
        await answer_error(interaction, error)
