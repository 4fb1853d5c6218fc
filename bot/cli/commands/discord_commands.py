"""`clear-commands`, and `doctor`'s checks of Discord: one login over HTTP, without the gateway."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final
from urllib.parse import urlsplit

import discord
from rich.console import Console

from bot.cli.discord_session import OUTAGES, DiscordRefused, outage_of
from bot.cli.opening.outbound import discord_proxy, discord_tls
from bot.config import Settings
from bot.ui.client import FEW_SESSIONS, connector_over, point_at
from bot.ui.commands.registration import leftover_commands

PAGE: Final = 200
LOGIN_WITHIN_S = 20.0


def clear_commands(settings: Settings, console: Console) -> int:
    """Remove the commands that earlier bots of this application registered in individual servers.

    Raises SettingsError for a token that is missing or refused, and DiscordRefused.
    """
    removed = asyncio.run(_clear(settings))
    for guild_id, names in removed.items():
        _say(console, f"server {guild_id}: removed {', '.join(names)}")
    if not removed:
        _say(console, "No commands are left in any server that the bot is in.")
    return 0


def ask_discord(settings: Settings) -> tuple[str, tuple[str, ...]]:
    """Return the bot's name on Discord, and notes for the operator.

    Raises SettingsError and DiscordRefused.
    """
    return asyncio.run(_ask(settings))


async def _clear(settings: Settings) -> dict[int, tuple[str, ...]]:
    async with _logged_in(settings) as client:
        application_id = client.application_id or 0
        found = await leftover_commands(client.http, application_id, await _guild_ids(client))
        for guild_id in found:
            await client.http.bulk_upsert_guild_commands(application_id, guild_id, payload=[])
        return dict(found)


async def _ask(settings: Settings) -> tuple[str, tuple[str, ...]]:
    async with _logged_in(settings) as client:
        notes = []
        _, _, limit = await client.http.get_bot_gateway()
        if limit["remaining"] < FEW_SESSIONS:
            hours = limit["reset_after"] / 3_600_000
            notes.append(
                f"only {limit['remaining']} new sessions are left for the next {hours:.0f} h"
            )
        found = await leftover_commands(
            client.http, client.application_id or 0, await _guild_ids(client)
        )
        notes += [
            f"server {guild_id} has commands of an earlier bot: {', '.join(names)}; "
            "`python -m bot clear-commands` removes them"
            for guild_id, names in found.items()
        ]
        return str(client.user), tuple(notes)


@asynccontextmanager
async def _logged_in(settings: Settings) -> AsyncIterator[discord.Client]:
    point_at(settings.discord_api_base)
    token = settings.required_token().get_secret_value()
    host = urlsplit(settings.discord_api_base).hostname
    tls = discord_tls()
    async with discord.Client(
        intents=discord.Intents.none(),
        proxy=discord_proxy(settings),
        connector=connector_over(tls) if tls is not None else None,
    ) as client:
        try:
            async with asyncio.timeout(LOGIN_WITHIN_S):
                await client.login(token)
            yield client
        except OUTAGES as exc:
            raise DiscordRefused(
                f"Discord cannot be asked: {host}: {outage_of(exc).reason}"
            ) from exc


async def _guild_ids(client: discord.Client) -> list[int]:
    ids: list[int] = []
    while True:
        page = await client.http.get_guilds(PAGE, after=ids[-1] if ids else None, with_counts=False)
        ids += [int(guild["id"]) for guild in page]
        if len(page) < PAGE:
            return ids


def _say(console: Console, line: str) -> None:
    console.print(line, markup=False, highlight=False, soft_wrap=True)
