"""Logs in to Discord and stays connected, even while something else answers in Discord's place."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

import aiohttp
import discord

from bot.config import SettingsError
from bot.domain.backoff import backoff_s
from bot.domain.clock import Clock
from bot.ui.client import Stemcord

log = logging.getLogger(__name__)

FIRST_PAUSE_S = 5.0
LONGEST_PAUSE_S = 300.0
MAX_RETRY_AFTER_S = 86_400.0
"""The longest wait that is accepted. Discord's bans are shorter, and a captive portal may ask for
years."""
TOLD_EVERY_S = 3600.0
AUTHENTICATION_FAILED: Final = 4004

_NOT_DISCORD: Final = (TypeError, ValueError, KeyError, AttributeError)
"""Errors that discord.py raises for a response with status 200 whose body is not Discord's."""
OUTAGES: Final = (
    discord.HTTPException,
    discord.LoginFailure,
    discord.GatewayNotFound,
    discord.RateLimited,
    aiohttp.ClientError,
    OSError,
    *_NOT_DISCORD,
)
"""Errors caused by the network between the bot and Discord; any other is a bug in the bot."""

Sleep = Callable[[float], Awaitable[None]]


class DiscordRefused(Exception):
    """Discord refuses this bot as configured; the text is a sentence for the operator."""


@dataclass(frozen=True, slots=True)
class Outage:
    """The reason why Discord cannot be reached, and the wait that was asked for, in seconds."""

    reason: str
    retry_after_s: float = 0.0


class DiscordSession:
    """Keeps a client connected to Discord."""

    def __init__(
        self, *, client: Stemcord, host: str, clock: Clock, sleep: Sleep = asyncio.sleep
    ) -> None:
        """`host` is the host of Discord's REST API, for the log."""
        self._client = client
        self._host = host
        self._clock = clock
        self._sleep = sleep

    async def log_in(self, token: str) -> None:
        """Log in, retrying until Discord can be reached. Raises SettingsError for a refused
        token.
        """

        async def log_in() -> None:
            try:
                await self._client.login(token)
            except BaseException:
                await self._client.release_connections()
                raise

        await self._insist(log_in)

    async def stay_connected(self) -> None:
        """Stay connected until cancelled.

        Raises SettingsError if Discord revokes the token, and DiscordRefused if it ends the
        connection for another permanent reason.
        """

        async def connect() -> None:
            await self._client.connect()
            raise DiscordRefused("The connection to Discord ended; start the bot again.")

        await self._insist(connect)

    async def _insist(self, work: Callable[[], Awaitable[None]]) -> None:
        tries, began, told_at = 0, None, 0.0
        while True:
            tries += 1
            try:
                await work()
                break
            except discord.ConnectionClosed as exc:
                raise _ended(exc) from exc
            except discord.PrivilegedIntentsRequired as exc:
                raise DiscordRefused("Discord refuses the intents that this bot asks for.") from exc
            except OUTAGES as exc:
                outage = outage_of(exc)
                if self._client.is_closed():
                    raise DiscordRefused(
                        f"The connection to Discord ended: {self._host}: {outage.reason}"
                    ) from exc
                log.debug("the error behind it", exc_info=exc)
            now = self._clock.monotonic()
            if began is None:
                began = told_at = now
                log.warning(
                    "Discord is out of reach: %s: %s; retrying at growing intervals",
                    self._host,
                    outage.reason,
                )
            elif now - told_at >= TOLD_EVERY_S:
                told_at = now
                log.warning(
                    "Discord is still out of reach after %s: %s: %s",
                    _duration(now - began),
                    self._host,
                    outage.reason,
                )
            pause_s = backoff_s(tries, key=self._host, first_s=FIRST_PAUSE_S, max_s=LONGEST_PAUSE_S)
            await self._sleep(max(pause_s, min(outage.retry_after_s, MAX_RETRY_AFTER_S)))
        if began is not None:
            log.info("Discord is back after %s", _duration(self._clock.monotonic() - began))


def outage_of(error: BaseException) -> Outage:
    """Describe why a connection failed. Raises SettingsError if Discord refused the token."""
    match error:
        case discord.LoginFailure(__cause__=discord.HTTPException() as refusal):
            if _is_json(refusal):
                raise SettingsError("DISCORD_TOKEN: Discord does not accept it") from error
            return _of_status(refusal)
        case discord.RateLimited(retry_after=retry_after_s):
            return Outage("it asks the bot to wait (status 429)", retry_after_s)
        case discord.HTTPException():
            return _of_status(error)
        case discord.GatewayNotFound(__cause__=discord.HTTPException() as refusal):
            return _of_status(refusal)
        case aiohttp.ClientConnectorCertificateError() | aiohttp.ClientSSLError():
            return Outage(
                f"its certificate is not trusted ({error}); behind a company's proxy set "
                f"SSL_CERT_FILE to its CA, and check the clock: it is {datetime.now(UTC):%Y-%m-%d}"
            )
        case aiohttp.ClientError() | OSError():
            return Outage(
                f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
            )
        case _:
            return Outage("something answers that is not Discord, such as a login page")


def _of_status(refusal: discord.HTTPException) -> Outage:
    what = "" if _is_json(refusal) else " of something that is not Discord's API"
    return Outage(f"status {refusal.status}{what}", _retry_after_s(refusal))


def _is_json(refusal: discord.HTTPException) -> bool:
    return "json" in refusal.response.headers.get("Content-Type", "").lower()


def _retry_after_s(refusal: discord.HTTPException) -> float:
    """Return the header's delay in seconds; neither Discord nor its CDN sends dates."""
    asked = refusal.response.headers.get("Retry-After", "")
    return float(asked) if asked.isdecimal() else 0.0


def _ended(closed: discord.ConnectionClosed) -> Exception:
    if closed.code == AUTHENTICATION_FAILED:
        return SettingsError("DISCORD_TOKEN: Discord no longer accepts it")
    return DiscordRefused(f"Discord ended the connection permanently, with code {closed.code}.")


def _duration(seconds: float) -> str:
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.0f} h"
