"""Receives signals of other bots, on a separate connection that must not go through a pooler."""

import asyncio
import logging
from collections.abc import Callable
from typing import NoReturn

import psycopg

from bot.domain.backoff import Reminders
from bot.domain.errors import StoreUnavailable
from storage.database import postgres_sessions as sessions
from storage.groups.signals import CHANNEL, Signal

log = logging.getLogger(__name__)

ALIVE_EVERY_S = 5.0
"""The time between two checks of a silent connection."""
_PAUSE_S = 1.0
_WAIT_S = 5.0


class Listener:
    """Listens until cancelled, connecting again after outages."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._reminders = Reminders()

    async def run(
        self, hear: Callable[[Signal], None], *, connected: Callable[[], None]
    ) -> NoReturn:
        """Call `hear` with each signal, and `connected` whenever signals may have been missed."""
        while True:
            try:
                await self._listen(hear, connected)
            except StoreUnavailable as exc:
                if self._reminders.is_due(str(exc), asyncio.get_running_loop().time()):
                    log.warning("signals of other bots cannot be received: %s", exc)
            await asyncio.sleep(_PAUSE_S)

    async def _listen(self, hear: Callable[[Signal], None], connected: Callable[[], None]) -> None:
        with sessions.translated_errors():
            async with await sessions.connect(self._url, sessions.settings_for(_WAIT_S)) as conn:
                await conn.execute(f"LISTEN {CHANNEL}")
                connected()
                while True:
                    async for note in conn.notifies(timeout=ALIVE_EVERY_S):
                        signal = Signal.parse(note.payload)
                        if signal is not None:
                            hear(signal)
                    await _check(conn)


async def _check(conn: psycopg.AsyncConnection[sessions.PostgresRow]) -> None:
    """Raise StoreUnavailable if the server does not answer."""
    try:
        async with asyncio.timeout(_WAIT_S):
            await conn.execute("SELECT 1")
    except TimeoutError:
        raise StoreUnavailable("the server does not answer") from None
