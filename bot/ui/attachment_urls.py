"""Addresses of files at Discord: they are signed and end, but Discord may sign them anew."""

import asyncio
import logging
import re
from dataclasses import replace
from datetime import datetime
from urllib.parse import urlsplit

import aiohttp
import discord
from discord.http import Route

from bot.domain.errors import Reason, Rejected
from bot.domain.job import Source
from bot.scheduling.sources import RenewalUnavailable, address_of, expires_at
from bot.ui.discord_refusals import FailureKind, failure_kind
from bot.ui.song_attachments import attachments_of

log = logging.getLogger(__name__)

ASK_WITHIN_S = 10.0
HASTE_S = 1.0
"""The interaction that needs it must be answered within 3 s, and stored before that."""

_ATTACHMENT = re.compile(r"/(?:ephemeral-)?attachments/(?P<channel>\d+)/(?P<attachment>\d+)/")


class AttachmentUrls:
    """Gives sources an address that works."""

    def __init__(self, *, client: discord.Client, haste_s: float = HASTE_S) -> None:
        self._client = client
        self._haste_s = haste_s

    async def with_live_url(self, source: Source, *, now: datetime) -> Source:
        """Return the source with an address that still works for a while.

        Where Discord does not say in time, it stays as it is, and is for whoever fetches the file
        to renew. Raises Rejected when Discord has the file no longer.
        """
        # Without its signature an address is one that was cut when the job's files expired.
        if expires_at(source.url) is not None and address_of(source, now) is not None:
            return source
        try:
            async with asyncio.timeout(self._haste_s):
                return await self.renewed(source)
        except (RenewalUnavailable, TimeoutError) as exc:
            log.info("an address is not renewed yet: %s", type(exc).__name__)
            return source

    async def renewed(self, source: Source) -> Source:
        """Return the source with another address. Raises Rejected and RenewalUnavailable."""
        try:
            async with asyncio.timeout(ASK_WITHIN_S):
                url = await self._signed(source) or await self._found(source)
        except (discord.DiscordException, aiohttp.ClientError, OSError, TimeoutError) as exc:
            raise RenewalUnavailable(type(exc).__name__) from exc
        if url is None:
            raise Rejected(Reason.SOURCE_GONE)
        return replace(source, url=url)

    async def _signed(self, source: Source) -> str | None:
        # Not in Discord's documents, and discord.py has no helper for it; its own apps use it.
        route = Route("POST", "/attachments/refresh-urls")
        try:
            answer = await self._client.http.request(route, json={"attachment_urls": [source.url]})
            fresh = answer["refreshed_urls"][0]["refreshed"]
        except discord.HTTPException as exc:
            _raise_unless_final(exc)
            return None
        except (LookupError, TypeError) as exc:
            log.warning("Discord answers otherwise than it did: %s", type(exc).__name__)
            return None
        return fresh if isinstance(fresh, str) else None

    async def _found(self, source: Source) -> str | None:
        """Look the file up in the message that carries it; each look brings a fresh address."""
        named = _ATTACHMENT.search(urlsplit(source.url).path)
        if source.message_id is None or named is None:
            return None
        channel = self._client.get_partial_messageable(int(named["channel"]))
        try:
            message = await channel.fetch_message(source.message_id)
        except discord.HTTPException as exc:
            _raise_unless_final(exc)
            return None
        files = {each.id: each.url for each in attachments_of(message)}
        return files.get(int(named["attachment"]))


def _raise_unless_final(refusal: discord.HTTPException) -> None:
    if failure_kind(refusal) is FailureKind.LATER:
        raise refusal
    log.info("an address is not renewed: status %s, code %s", refusal.status, refusal.code)
