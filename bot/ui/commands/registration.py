"""Registers the commands at Discord if they have changed since the last time."""

import hashlib
import json
import logging
from typing import Any, Protocol

import discord
from discord.ext import commands

from bot.i18n.languages import Languages
from bot.ui.commands.command_translator import CommandTranslator

log = logging.getLogger(__name__)

META_KEY = "registered_commands"


class Memory(Protocol):
    """Persistent key-value storage."""

    async def get(self, key: str) -> str | None:
        """Return the key's value, if any."""
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
        """Send the client's commands unless Discord has them, and return whether they were sent.

        Raises discord.HTTPException if Discord refuses them.
        """
        application_id = client.application_id
        if application_id is None:
            raise discord.MissingApplicationID
        payload = await commands_payload(client, self._languages)
        known = f"{application_id}:{_digest(payload)}"
        if await self._memory.get(META_KEY) == known:
            return False
        await client.http.bulk_upsert_global_commands(application_id, payload=payload)
        await self._memory.put(META_KEY, known)
        log.info("registered %d commands", len(payload))
        return True


async def commands_payload(client: commands.AutoShardedBot, languages: Languages) -> list[Any]:
    """Return the client's commands as Discord expects them."""
    translator = CommandTranslator(languages=languages)
    return [
        await command.get_translated_payload(client.tree, translator)
        for command in client.tree.get_commands()
    ]


def _digest(payload: list[Any]) -> str:
    text = json.dumps(payload, sort_keys=True, ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()
