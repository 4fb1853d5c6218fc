"""The Discord client: what it asks of Discord, and what its cogs and buttons get to work with."""

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import dataclass

import discord
from discord import app_commands
from discord.ext import commands
from discord.gateway import DiscordWebSocket
from yarl import URL

from bot.accounts.guild_rules import GuildAdmission
from bot.accounts.quotas import Quotas
from bot.admin.administration import Administration
from bot.admin.overview import Overview
from bot.admin.personal_data import Privacy
from bot.delivery.redelivery import Redelivery
from bot.domain.clock import Clock
from bot.domain.errors import StoreUnavailable
from bot.i18n.languages import Languages
from bot.jobs.split_service import SplitService
from bot.ui.attachment_cache import AttachmentCache
from bot.ui.attachment_urls import AttachmentUrls
from bot.ui.commands.registration import Registration, leftover_commands
from bot.ui.error_answers import UNREACHABLE, StemcordTree
from bot.ui.presenter_port import Presenter

log = logging.getLogger(__name__)

LONGEST_RATE_LIMIT_S = 60.0
FEW_SESSIONS = 50
"""Of 1,000 a day; with none left Discord takes the token of a bot that begins one all the same."""
LEAST_WAIT_S = 1.0
GUILDS_LOOKED_AT = 100
"""One request each, at every start."""


def point_at(api_base: str) -> None:
    """Send all of discord.py's requests to `api_base`, which also names the gateway."""
    discord.http.Route.BASE = api_base.rstrip("/")


@dataclass(frozen=True, slots=True, kw_only=True)
class Services:
    """What cogs and buttons work with."""

    splits: SplitService
    quotas: Quotas
    servers: GuildAdmission
    administration: Administration
    overview: Overview
    showings: Redelivery
    shows: Presenter
    addresses: AttachmentUrls
    picks: AttachmentCache
    privacy: Privacy
    languages: Languages
    clock: Clock


class Stemcord(commands.AutoShardedBot):
    """Slash commands and buttons, in servers, DMs and wherever a user takes it along."""

    def __init__(
        self,
        *,
        registration: Registration,
        extensions: Sequence[str],
        proxy: str | None = None,
    ) -> None:
        """`proxy` is the address of an HTTP proxy, for the REST API and the gateway."""
        # Or discord.py warns at every start that voice, which is not used here, will not work.
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
            max_ratelimit_timeout=LONGEST_RATE_LIMIT_S,
            proxy=proxy,
        )
        self._registration = registration
        self._extensions = tuple(extensions)
        self._services: Services | None = None
        self._was_started = False
        self._has_looked_for_leftovers = False

    @property
    def services(self) -> Services:
        """What cogs and buttons work with; given before the client starts."""
        if self._services is None:
            raise RuntimeError("the client was started before it got its services")
        return self._services

    def serve(self, services: Services) -> None:
        """Take the services. They need the client to write replies, so they come after it."""
        self._services = services

    async def login(self, token: str) -> None:
        """Log in, and set up what the connection will need."""
        self._was_started = True
        await super().login(token)

    async def release_connections(self) -> None:
        """Let go of what a login that failed left open, so that another can be tried."""
        await self.http.close()
        self.http.connector = discord.utils.MISSING

    async def before_identify_hook(self, shard_id: int | None, *, initial: bool = False) -> None:
        """Begin no session while Discord allows none: one more would cost the token."""
        await super().before_identify_hook(shard_id, initial=initial)
        try:
            await self.wait_for_session_start()
        except (discord.RateLimited, TypeError, KeyError, ValueError) as exc:
            # discord.py connects again after this one, and would end for good after those.
            raise ConnectionError("Discord does not say whether a session may begin") from exc

    async def wait_for_session_start(self) -> None:
        """Wait until Discord allows another session, and warn when few are left for the day."""
        while True:
            _, _, limit = await self.http.get_bot_gateway()
            remaining, after_s = limit["remaining"], limit["reset_after"] / 1000
            if remaining > 0:
                break
            log.error(
                "Discord allows no new session for %.0f min, as this bot began too many; waiting",
                after_s / 60,
            )
            await asyncio.sleep(max(LEAST_WAIT_S, after_s))
        if remaining < FEW_SESSIONS:
            log.warning(
                "only %d new sessions are left for the next %.0f h", remaining, after_s / 3600
            )

    async def connect(self, *, reconnect: bool = True) -> None:
        """Stay connected until cancelled."""
        await self.wait_for_session_start()
        # While a shard connects anew, discord.py swallows a cancellation and goes on for ever.
        connecting = asyncio.create_task(super().connect(reconnect=reconnect), name="discord")
        try:
            await asyncio.shield(connecting)
        except asyncio.CancelledError:
            connecting.cancel()  # it ends with `close` at the latest
            raise

    async def close(self) -> None:
        """Disconnect; discord.py cannot close a client that was never started."""
        if self._was_started:
            await super().close()

    async def setup_hook(self) -> None:
        """Load the cogs and tell Discord of their commands, if it does not know them yet.

        May run again after it failed: Discord may be out of reach for a while.
        """
        # Where discord.py connects again after an invalid session, whatever REST base it has.
        _, gateway, _ = await self.http.get_bot_gateway()
        DiscordWebSocket.DEFAULT_GATEWAY = URL(gateway)
        for extension in self._extensions:
            if extension not in self.extensions:
                await self.load_extension(extension)
        try:
            await self._registration.register(self)
        except (discord.Forbidden, discord.NotFound, discord.RateLimited) as exc:
            # The commands that Discord knows go on working, and so must the jobs.
            log.error("Discord does not take the commands now: %s", exc)  # noqa: TRY400 - its answer says it all
        except StoreUnavailable as exc:
            log.warning("whether Discord knows the commands is not known now: %s", exc)

    async def on_ready(self) -> None:
        """Look once for commands that an earlier bot left in servers, and name them in the log."""
        if self._has_looked_for_leftovers or self.application_id is None:
            return
        self._has_looked_for_leftovers = True
        guild_ids = [guild.id for guild in self.guilds[:GUILDS_LOOKED_AT]]
        try:
            found = await leftover_commands(self.http, self.application_id, guild_ids)
        except UNREACHABLE as exc:
            log.info("servers' own commands could not be looked at: %s", exc)
            return
        for guild_id, names in found.items():
            log.warning(
                "server %d has commands of an earlier bot, which do not work: %s; "
                "`python -m bot clear-commands` removes them",
                guild_id,
                ", ".join(names),
            )

    async def on_message(self, message: discord.Message, /) -> None:
        """Look for no command in the text; cogs may listen all the same."""
