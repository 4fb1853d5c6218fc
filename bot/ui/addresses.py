"""Addresses of files at Discord: they are signed and end, but Discord may sign them anew."""

import asyncio
import logging
from dataclasses import replace
from datetime import datetime

import discord
from discord.http import Route

from bot.domain.errors import Reason, Rejected
from bot.domain.job import Source
from bot.services.sources import address_of, expires_at
from bot.ui.answers import UNREACHABLE

log = logging.getLogger(__name__)

RENEW_WITHIN_S = 1.0
"""The interaction that needs it must be answered within 3 s, and stored before that."""


class Addresses:
    """Gives sources an address that works."""

    def __init__(self, *, client: discord.Client) -> None:
        self._client = client

    async def renewed(self, source: Source, *, now: datetime) -> Source:
        """Return the source with an address that still works for a while.

        Raises Rejected when Discord does not sign its address again.
        """
        # Without its signature an address is one that was cut when the job's files expired.
        if expires_at(source.url) is not None and address_of(source, now) is not None:
            return source
        return replace(source, url=await self._signed(source.url))

    async def _signed(self, url: str) -> str:
        # Not in Discord's documents, and discord.py has no helper for it; its own apps use it.
        route = Route("POST", "/attachments/refresh-urls")
        try:
            async with asyncio.timeout(RENEW_WITHIN_S):
                answer = await self._client.http.request(route, json={"attachment_urls": [url]})
            fresh = answer["refreshed_urls"][0]["refreshed"]
        except (*UNREACHABLE, LookupError, TypeError) as exc:
            log.info("an address could not be renewed: %s", type(exc).__name__)
            raise Rejected(Reason.SOURCE_GONE) from exc
        if not isinstance(fresh, str):
            raise Rejected(Reason.SOURCE_GONE)
        return fresh
