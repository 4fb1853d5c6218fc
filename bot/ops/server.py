"""The HTTP servers: /healthz, /metrics and public links, on one address or on two.

Clients are limited in how long they may take for a request's head, and in the number of their
connections.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from enum import StrEnum

from aiohttp import web

from bot.domain.errors import StoreUnavailable

log = logging.getLogger(__name__)

Check = Callable[[], Awaitable[dict[str, bool]]]
Scrape = Callable[[], Awaitable[bytes]]
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

SHUTDOWN_S = 1.0
"""How long a stop waits for downloads under way, which clients can request again."""
HEAD_WITHIN_S = 10.0
"""The time from a connection, or from the previous response, to the end of the next request's
head."""
MAX_CONNECTIONS = 100
ESSENTIAL = "store"
"""The check that must pass for a healthy status; without Discord or a disk, the bot waits."""


class ProcessState(StrEnum):
    """What a process is doing."""

    SERVING = "serving"
    STANDBY = "standby"
    DRAINING = "draining"


State = Callable[[], ProcessState]
_FORWARDED = ("forwarded", "x-forwarded-")


class AddressUnavailable(Exception):
    """The server cannot listen on an address; the text is a sentence for the operator."""


class HttpServer:
    """Serves one application on one address."""

    def __init__(
        self,
        app: web.Application,
        *,
        head_within_s: float = HEAD_WITHIN_S,
        max_connections: int = MAX_CONNECTIONS,
    ) -> None:
        self._max_connections = max_connections
        self._runner = web.AppRunner(
            app,
            access_log=None,
            keepalive_timeout=head_within_s,
            shutdown_timeout=SHUTDOWN_S,
        )
        self._listener: asyncio.Server | None = None

    async def start(self, host: str, port: int, *, setting: str) -> int:
        """Start listening; return the port.

        Raises AddressUnavailable, which names the setting.
        """
        await self._runner.setup()
        loop = asyncio.get_running_loop()
        try:
            self._listener = await loop.create_server(self._protocol, host, port)
        except OSError as exc:
            await self._runner.cleanup()
            raise AddressUnavailable(
                f"{setting}: {host}:{port} cannot be listened on ({exc.strerror or exc}); stop "
                "what uses it, or choose another"
            ) from exc
        bound = int(self._listener.sockets[0].getsockname()[1])
        log.info("%s: listening on %s:%d", setting, host, bound)
        return bound

    async def stop(self) -> None:
        """Stop listening."""
        if self._listener is not None:
            self._listener.close()
        await self._runner.cleanup()

    def _protocol(self) -> asyncio.Protocol:
        server = self._runner.server
        if server is None or len(server.connections) >= self._max_connections:
            return _Refusal()
        return server()


class _Refusal(asyncio.Protocol):
    """Closes a connection that exceeds the limit."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        if isinstance(transport, asyncio.Transport):
            transport.abort()


def ops_application(
    *,
    check: Check,
    scrape: Scrape,
    public: Sequence[web.RouteDef] = (),
    role: str = "bot",
    state: State = lambda: ProcessState.SERVING,
) -> web.Application:
    """Return the monitoring routes, and the `public` ones if they have no separate address.

    A request that a proxy forwarded may come from anyone, so it sees the public routes only.
    """

    async def health(_: web.Request) -> web.Response:
        found = await check()
        answer = {**found, "role": role, "state": state()}
        return web.json_response(answer, status=200 if found[ESSENTIAL] else 503)

    async def metrics(_: web.Request) -> web.Response:
        return web.Response(body=await scrape(), content_type="text/plain", charset="utf-8")

    app = web.Application(middlewares=[_log_failures])
    app.add_routes([web.get("/healthz", _private(health)), web.get("/metrics", _private(metrics))])
    app.add_routes(public)
    return app


def public_application(routes: Sequence[web.RouteDef]) -> web.Application:
    """Return only the public routes."""
    app = web.Application(middlewares=[_log_failures])
    app.add_routes(routes)
    return app


def _private(handler: Handler) -> Handler:
    async def only_direct(request: web.Request) -> web.StreamResponse:
        if any(name.lower().startswith(_FORWARDED) for name in request.headers):
            raise web.HTTPNotFound
        return await handler(request)

    return only_direct


@web.middleware
async def _log_failures(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Log unexpected errors here, since aiohttp's own log line would contain what clients send."""
    try:
        return await handler(request)
    except (web.HTTPException, ConnectionError):
        raise
    except StoreUnavailable as exc:  # logged by whatever waits for the store
        raise web.HTTPServiceUnavailable(headers={"Retry-After": "5"}) from exc
    except Exception as exc:
        log.exception("a request could not be answered")
        raise web.HTTPInternalServerError from exc
