"""Registers the commands with Discord whenever the registered ones differ."""

import hashlib
import json
import logging
from collections.abc import Iterable, Mapping
from typing import Any, Protocol

import discord
from discord.ext import commands
from discord.http import HTTPClient

from bot.i18n.languages import Languages
from bot.ui.commands.command_translator import CommandTranslator

log = logging.getLogger(__name__)

META_KEY = "registered_commands"


class Memory(Protocol):
    """Persistent key-value storage."""

    async def get(self, key: str) -> str | None:
        """Return the key's value, or None."""
        ...

    async def put(self, key: str, value: str) -> None:
        """Store the value."""
        ...


class Registration:
    """Registers global commands; Discord allows 200 new ones a day."""

    def __init__(self, *, memory: Memory, languages: Languages) -> None:
        self._memory = memory
        self._languages = languages

    async def register(self, client: commands.AutoShardedBot) -> bool:
        """Register the client's commands unless Discord already has them; return whether they were
        sent.

        Another program with the same application, or its owner in the portal, may have changed the
        registered commands, so Discord is asked. Raises discord.HTTPException if Discord refuses
        them.
        """
        application_id = client.application_id
        if application_id is None:
            raise discord.MissingApplicationID
        payload = await commands_payload(client, self._languages)
        wanted = f"{application_id}:{_digest(payload)}"
        found = await client.http.get_global_commands(application_id)
        if await self._memory.get(META_KEY) == _known(wanted, found):
            return False
        sent = await client.http.bulk_upsert_global_commands(application_id, payload=payload)
        await self._memory.put(META_KEY, _known(wanted, sent))
        log.info("registered %d commands", len(payload))
        return True


async def leftover_commands(
    http: HTTPClient, application_id: int, guild_ids: Iterable[int]
) -> Mapping[int, tuple[str, ...]]:
    """Return the commands registered for single servers, by server; this bot registers none.

    Servers whose commands the bot may not see are skipped. Raises discord.HTTPException.
    """
    leftovers: dict[int, tuple[str, ...]] = {}
    for guild_id in guild_ids:
        try:
            found = await http.get_guild_commands(application_id, guild_id)
        except (discord.Forbidden, discord.NotFound):
            continue
        if found:
            leftovers[guild_id] = tuple(str(command["name"]) for command in found)
    return leftovers


async def commands_payload(client: commands.AutoShardedBot, languages: Languages) -> list[Any]:
    """Return the client's commands as Discord expects them."""
    translator = CommandTranslator(languages=languages)
    return [
        await command.get_translated_payload(client.tree, translator)
        for command in client.tree.get_commands()
    ]


def _known(wanted: str, registered: Iterable[Any]) -> str:
    """Return a fingerprint of the commands as sent and as registered.

    Discord changes a command's version with each change of the command.
    """
    versions = sorted(f"{command['id']}.{command.get('version', '')}" for command in registered)
    return f"{wanted}:{_digest(versions)}"


def _digest(content: list[Any]) -> str:
    text = json.dumps(content, sort_keys=True, ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()
