"""The operations server: /healthz, /metrics and jobs' files, on an address of its own."""

import logging
from collections.abc import Awaitable, Callable, Sequence

from aiohttp import web

log = logging.getLogger(__name__)

Check = Callable[[], Awaitable[dict[str, bool]]]
Scrape = Callable[[], Awaitable[bytes]]

SHUTDOWN_S = 1.0
"""What a stop waits for those who still download; they can ask again."""
ESSENTIAL = "store"
"""Without it the bot can do nothing; Discord being away is for the bot to wait out."""


class OpsServer:
    """Answers monitoring, and serves what `routes` adds; it changes nothing."""

    def __init__(
        self, *, check: Check, scrape: Scrape, routes: Sequence[web.RouteDef] = ()
    ) -> None:
        self._check = check
        self._scrape = scrape
        app = web.Application()
        app.add_routes([web.get("/healthz", self._health), web.get("/metrics", self._metrics)])
        app.add_routes(routes)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=SHUTDOWN_S)

    async def start(self, host: str, port: int) -> None:
        """Listen. Raises OSError when the address cannot be had."""
        await self._runner.setup()
        await web.TCPSite(self._runner, host, port).start()
        log.info("operations server listens on %s:%d", host, port)

    async def stop(self) -> None:
        """Stop listening."""
        await self._runner.cleanup()

    async def _health(self, _: web.Request) -> web.Response:
        found = await self._check()
        return web.json_response(found, status=200 if found[ESSENTIAL] else 503)

    async def _metrics(self, _: web.Request) -> web.Response:
        return web.Response(body=await self._scrape(), content_type="text/plain", charset="utf-8")
