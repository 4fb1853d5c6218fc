"""The Discord client: its intents, caches, connection and disconnection."""

import asyncio
import logging
import ssl
from collections.abc import Callable
from typing import Any

import aiohttp
import discord
from discord import app_commands
from discord.ext import commands
from discord.gateway import DiscordWebSocket
from yarl import URL

from bot.domain.errors import StoreUnavailable
from bot.i18n.languages import Languages
from bot.ui.commands.registration import Registration, leftover_commands
from bot.ui.components.form_modal import submitted_form
from bot.ui.components.handler_registry import HandlerRegistry
from bot.ui.components.persistent_items import ActionButton, ActionMenu
from bot.ui.error_answers import UNREACHABLE, StemcordTree
from bot.ui.sharding import Sharding, checks_on

log = logging.getLogger(__name__)

MAX_RATE_LIMIT_S = 60.0
FEW_SESSIONS = 50
"""Warn below this number of the 1,000 sessions a day; Discord revokes the token of a bot that
exceeds them."""
LEAST_WAIT_S, MOST_WAIT_S = 1.0, 86_400.0
"""Discord counts sessions by the day, so it never asks for a longer wait."""
GUILDS_LOOKED_AT = 100
"""The number of servers checked for leftover commands, with one request each, at start."""


def point_at(api_base: str) -> None:
    """Send all of discord.py's requests to `api_base`, which also returns the gateway's address."""
    discord.http.Route.BASE = api_base.rstrip("/")


def connector_over(tls: ssl.SSLContext) -> aiohttp.TCPConnector:
    """Return discord.py's connector with these certificates; needs a running loop."""
    return aiohttp.TCPConnector(limit=0, ssl=tls)  # discord.py limits requests itself


def _shards(sharding: Sharding | None) -> dict[str, Any]:
    if sharding is None:
        return {}
    return {"shard_ids": list(sharding.group.shard_ids), "shard_count": sharding.group.count}


class Stemcord(commands.AutoShardedBot):
    """The bot's connection to Discord; cogs are added before it logs in."""

    def __init__(
        self,
        *,
        registration: Registration,
        languages: Languages,
        proxy: str | None = None,
        tls: ssl.SSLContext | None = None,
        sharding: Sharding | None = None,
        may_act: Callable[[], bool] = lambda: True,
    ) -> None:
        """`proxy` is the address of an HTTP proxy, for the REST API and the gateway, and `tls` has
        the certificates that both are verified against, by default the system's.

        `sharding` has this client's shards if it is one of several. `may_act` returns False when
        another process may be the bot.
        """
        # Otherwise discord.py warns at every start that voice, which is not used here, is missing.
        discord.VoiceClient.warn_nacl = discord.VoiceClient.warn_dave = False
        super().__init__(
            command_prefix=(),
            help_command=None,
            tree_cls=StemcordTree,
            intents=discord.Intents(guilds=True, dm_messages=True),
            allowed_mentions=discord.AllowedMentions.none(),
            allowed_contexts=app_commands.AppCommandContext(
                guild=True, dm_channel=True, private_channel=True
            ),
            allowed_installs=app_commands.AppInstallationType(guild=True, user=True),
            chunk_guilds_at_startup=False,
            member_cache_flags=discord.MemberCacheFlags.none(),
            max_messages=None,
            max_ratelimit_timeout=MAX_RATE_LIMIT_S,
            proxy=proxy,
            http_trace=checks_on(may_act),
            **_shards(sharding),
        )
        self.languages = languages
        self.handlers = HandlerRegistry(languages=languages)
        self.add_dynamic_items(ActionButton, ActionMenu)
        self._registration = registration
        self._tls = tls
        self._sharding = sharding
        self._was_started = False
        self._has_looked_for_leftovers = False

    async def login(self, token: str) -> None:
        """Log in and prepare the connection."""
        self._was_started = True
        if self._tls is not None and self.http.connector is discord.utils.MISSING:
            self.http.connector = connector_over(self._tls)
        await super().login(token)

    async def release_connections(self) -> None:
        """Release what a failed login left open, so that login can be tried again."""
        await self.http.close()
        self.http.connector = discord.utils.MISSING

    async def before_identify_hook(self, shard_id: int | None, *, initial: bool = False) -> None:
        """Wait while Discord allows no new session, because exceeding the limit costs the token."""
        if self._sharding is None:
            await super().before_identify_hook(shard_id, initial=initial)
        try:
            await self.wait_for_session_start()
            if self._sharding is not None:
                await self._wait_for_turn(self._sharding, shard_id or 0)
        except StoreUnavailable as exc:
            raise ConnectionError("the shard's turn to identify is unknown") from exc
        except (discord.RateLimited, TypeError, KeyError, ValueError) as exc:
            # discord.py reconnects after a ConnectionError, but would stop for good after these.
            raise ConnectionError("Discord did not say whether a session may start") from exc

    async def _wait_for_turn(self, sharding: Sharding, shard_id: int) -> None:
        """Wait for the shard's turn to identify among all processes."""
        _, _, limit = await self.http.get_bot_gateway()
        await asyncio.sleep(await sharding.turn_s(shard_id, limit["max_concurrency"]))

    async def wait_for_session_start(self) -> None:
        """Wait until Discord allows another session; warn if few are left for the day."""
        while True:
            _, _, limit = await self.http.get_bot_gateway()
            remaining, after_s = limit["remaining"], limit["reset_after"] / 1000
            if remaining > 0:
                break
            log.error(
                "Discord allows no new session for %.0f min, as this bot started too many; waiting",
                after_s / 60,
            )
            await asyncio.sleep(min(MOST_WAIT_S, max(LEAST_WAIT_S, after_s)))
        if remaining < FEW_SESSIONS:
            log.warning(
                "only %d new sessions are left for the next %.0f h", remaining, after_s / 3600
            )

    async def connect(self, *, reconnect: bool = True) -> None:
        """Stay connected until cancelled."""
        await self.wait_for_session_start()
        # While a shard reconnects, discord.py swallows a cancellation and never returns.
        connecting = asyncio.create_task(super().connect(reconnect=reconnect), name="discord")
        try:
            await asyncio.shield(connecting)
        except asyncio.CancelledError:
            connecting.cancel()  # ends with `close` at the latest
            raise

    async def close(self) -> None:
        """Disconnect; does nothing for a client that was never started, which discord.py can't
        close.
        """
        if self._was_started:
            await super().close()

    async def setup_hook(self) -> None:
        """Find the gateway and register the commands; discord.py calls this at login."""
        # discord.py reconnects to this address after an invalid session, ignoring the REST base.
        _, gateway, _ = await self.http.get_bot_gateway()
        # It also uses the address for the first connection if it was told the number of shards.
        DiscordWebSocket.DEFAULT_GATEWAY = URL(gateway)
        if self._sharding is not None and not self._sharding.registers_commands:
            return
        try:
            await self._registration.register(self)
        except (discord.Forbidden, discord.NotFound, discord.RateLimited) as exc:
            # The commands that Discord already has still work, so jobs must continue.
            log.error("Discord refused the commands: %s", exc)  # noqa: TRY400 - Discord's answer is enough
        except StoreUnavailable as exc:
            log.warning("the commands at Discord cannot be checked now: %s", exc)

    async def on_ready(self) -> None:
        """Check once for commands that an earlier bot left in servers, and log their names."""
        if self._has_looked_for_leftovers or self.application_id is None:
            return
        self._has_looked_for_leftovers = True
        guild_ids = [guild.id for guild in self.guilds[:GUILDS_LOOKED_AT]]
        try:
            found = await leftover_commands(self.http, self.application_id, guild_ids)
        except UNREACHABLE as exc:
            log.info("commands of individual servers could not be checked: %s", exc)
            return
        except RuntimeError:  # aiohttp raises this if the session closes during a request
            if not self.is_closed():
                raise
            return
        for guild_id, names in found.items():
            log.warning(
                "server %d has commands of an earlier bot, which do not work: %s; "
                "`python -m bot clear-commands` removes them",
                guild_id,
                ", ".join(names),
            )

    async def on_interaction(self, interaction: discord.Interaction, /) -> None:
        """Run a submitted form's handler; discord.py dispatches commands, buttons and menus."""
        form = submitted_form(interaction)
        if form is not None:
            await self.handlers.submit(interaction, form)

    async def on_message(self, message: discord.Message, /) -> None:
        """Ignore prefix commands. Cogs have their listeners."""
