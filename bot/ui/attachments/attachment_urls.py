"""Renews the signed addresses of Discord's files, which expire."""

import asyncio
import logging
import re
from dataclasses import replace
from datetime import datetime

import aiohttp
import discord
from discord.http import Route

from bot.domain.errors import Reason, Rejected
from bot.domain.job import Source
from bot.net.addresses import InvalidAddress, parse_address
from bot.scheduling.sources import RenewalUnavailable, address_of, expires_at
from bot.ui.attachments.song_attachments import attachments_of
from bot.ui.discord_refusals import FailureKind, failure_kind

log = logging.getLogger(__name__)

RENEW_WITHIN_S = 10.0
QUICK_S = 1.0
"""The time limit for a renewal before the job is stored: the interaction must be answered within 3
s."""

_ATTACHMENT = re.compile(r"/(?:ephemeral-)?attachments/(?P<channel>\d+)/(?P<attachment>\d+)/")


class AttachmentUrls:
    """Has Discord renew the addresses of songs."""

    def __init__(self, *, client: discord.Client, quick_s: float = QUICK_S) -> None:
        self._client = client
        self._quick_s = quick_s

    async def with_live_url(self, source: Source, *, now: datetime) -> Source:
        """Return the source with an address that stays valid for a while.

        If Discord does not answer in time, the address is left as it is, and the download renews
        it. Raises Rejected if Discord no longer has the file.
        """
        # An address without an expiry time has lost its signature, as when its job's files expire.
        if expires_at(source.url) is not None and address_of(source, now) is not None:
            return source
        try:
            async with asyncio.timeout(self._quick_s):
                return await self.renewed(source)
        except (RenewalUnavailable, TimeoutError) as exc:
            log.info("an address could not be renewed yet: %s", type(exc).__name__)
            return source

    async def renewed(self, source: Source) -> Source:
        """Return the source with a new address. Raises Rejected and RenewalUnavailable."""
        try:
            async with asyncio.timeout(RENEW_WITHIN_S):
                url = await self._signed(source) or await self._found(source)
        except (discord.DiscordException, aiohttp.ClientError, OSError, TimeoutError) as exc:
            raise RenewalUnavailable(type(exc).__name__) from exc
        if url is None:
            raise Rejected(Reason.SOURCE_GONE)
        return replace(source, url=url)

    async def _signed(self, source: Source) -> str | None:
        # This endpoint is undocumented, and discord.py has no method for it, but Discord's own apps
        # use it.
        route = Route("POST", "/attachments/refresh-urls")
        try:
            answer = await self._client.http.request(route, json={"attachment_urls": [source.url]})
            renewed = answer["refreshed_urls"][0]["refreshed"]
        except discord.HTTPException as exc:
            _raise_unless_final(exc)
            return None
        except (LookupError, TypeError) as exc:
            log.warning("unexpected answer to refresh-urls: %s", type(exc).__name__)
            return None
        return renewed if isinstance(renewed, str) else None

    async def _found(self, source: Source) -> str | None:
        """Return the file's new address: Discord signs a message's attachments on each fetch."""
        try:
            match = _ATTACHMENT.search(parse_address(source.url).path)
        except InvalidAddress:
            return None
        if source.message_id is None or match is None:
            return None
        channel = self._client.get_partial_messageable(int(match["channel"]))
        try:
            message = await channel.fetch_message(source.message_id)
        except discord.HTTPException as exc:
            _raise_unless_final(exc)
            return None
        files = {each.id: each.url for each in attachments_of(message)}
        return files.get(int(match["attachment"]))


def _raise_unless_final(refusal: discord.HTTPException) -> None:
    if failure_kind(refusal) is FailureKind.LATER:
        raise refusal
    log.info("an address was not renewed: status %s, code %s", refusal.status, refusal.code)
