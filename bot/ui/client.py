"""The Discord client: which intents and caches it uses, and how it connects and disconnects."""

import asyncio
import logging

import discord
from discord import app_commands
from discord.ext import commands
from discord.gateway import DiscordWebSocket
from yarl import URL

from bot.i18n.languages import Languages
from bot.ui.commands.registration import Registration
from bot.ui.components.handler_registry import HandlerRegistry
from bot.ui.components.persistent_items import ActionButton, ActionMenu
from bot.ui.error_answers import StemcordTree

log = logging.getLogger(__name__)

MAX_RATE_LIMIT_S = 60.0


def point_at(api_base: str) -> None:
    """Send all of discord.py's requests to `api_base`, which also names the gateway."""
    discord.http.Route.BASE = api_base.rstrip("/")


class Stemcord(commands.AutoShardedBot):
    """The bot's connection to Discord. Its cogs are added before it logs in."""

    def __init__(self, *, registration: Registration, languages: Languages) -> None:
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
        )
        self.languages = languages
        self.handlers = HandlerRegistry(languages=languages)
        self.add_dynamic_items(ActionButton, ActionMenu)
        self._registration = registration
        self._was_started = False

    async def login(self, token: str) -> None:
        """Log in and prepare the connection."""
        self._was_started = True
        await super().login(token)

    async def connect(self, *, reconnect: bool = True) -> None:
        """Stay connected until cancelled."""
        # While a shard reconnects, discord.py swallows a cancellation and never returns.
        connecting = asyncio.create_task(super().connect(reconnect=reconnect), name="discord")
        try:
            await asyncio.shield(connecting)
        except asyncio.CancelledError:
            connecting.cancel()  # ends with `close` at the latest
            raise

    async def close(self) -> None:
        """Disconnect; discord.py can't close a client that was never started."""
        if self._was_started:
            await super().close()

    async def setup_hook(self) -> None:
        """Find the gateway and register the commands; discord.py calls this at login."""
        # discord.py reconnects to this address after an invalid session, whatever its REST base.
        _, gateway, _ = await self.http.get_bot_gateway()
        DiscordWebSocket.DEFAULT_GATEWAY = URL(gateway)
        try:
            await self._registration.register(self)
        except (discord.Forbidden, discord.NotFound, discord.RateLimited) as exc:
            # The commands that Discord knows go on working, and so must the jobs.
            log.error("Discord refused the commands: %s", exc)  # noqa: TRY400 - its answer says it all

    async def on_message(self, message: discord.Message, /) -> None:
        """Ignore prefix commands; cogs have listeners of their own."""
