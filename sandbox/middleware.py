"""Middleware for access control, logging, faults, rate limits and JSON errors."""

import asyncio
import ipaddress
from collections.abc import Mapping
from urllib.parse import urlsplit

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

from sandbox.answers import json_answer
from sandbox.errors import DiscordError
from sandbox.faults import Fault, Faults
from sandbox.limits import RateLimited, RateLimits
from sandbox.request_log import RequestLog

API_PREFIXES = ("/api/v10", "/api")
_NOT_DISCORD = ("/sandbox/", "/page/", "/vendors/")
_CODE = web.ResponseKey("discord_code", int)


def api_path(path: str) -> str | None:
    """Return the path within the API, or None outside it."""
    for prefix in API_PREFIXES:
        if path.startswith(f"{prefix}/"):
            return path.removeprefix(prefix)
    return None


def is_loopback(host: str) -> bool:
    """Return whether a Host header names this machine. Any other name may be a rebound DNS name."""
    name = urlsplit(f"//{host}").hostname or ""
    try:
        return name == "localhost" or ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False


@web.middleware
async def only_from_this_machine(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Refuse requests from other sites' pages, by DNS rebinding or across origins."""
    origin = request.headers.get("Origin")
    if not is_loopback(request.host):
        raise web.HTTPForbidden(text="The sandbox serves loopback only.")
    if origin is not None and urlsplit(origin).netloc != request.host:
        raise web.HTTPForbidden(text="The sandbox serves its own page only.")
    return await handler(request)


class ApiMiddleware:
    """Makes the API behave like Discord's, including injected faults."""

    def __init__(self, *, log: RequestLog, faults: Faults, limits: RateLimits) -> None:
        self._log = log
        self._faults = faults
        self._limits = limits

    def middlewares(self) -> list[Middleware]:
        """Return the middlewares, outermost first."""
        return [only_from_this_machine, self.serve]

    @web.middleware
    async def serve(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Log API requests and apply faults to them. Other requests pass through unchanged."""
        if request.path.startswith(_NOT_DISCORD) or request.path == "/":
            return await handler(request)
        path = api_path(request.path) or request.path
        has_files = request.content_type == "multipart/form-data"
        fault = self._faults.next_for(request.method, path, has_files=has_files)
        if fault is None:
            response = await self._answer(request, handler)
        else:
            response = await self._falsify(request, handler, fault)
        is_broken = fault is not None and fault.reset
        self._log.add(
            method=request.method,
            path=path,
            status=None if is_broken else response.status,
            code=response.get(_CODE),
        )
        return response

    async def _falsify(
        self, request: web.Request, handler: Handler, fault: Fault
    ) -> web.StreamResponse:
        await asyncio.sleep(fault.delay_s)
        error = fault.error()
        is_served = fault.after or (error is None and not fault.reset)
        response = await self._answer(request, handler) if is_served else web.Response(status=500)
        if fault.reset:
            if request.transport is not None:
                request.transport.abort()
            return response
        return response if error is None else _refusal(error)

    async def _answer(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        path = api_path(request.path)
        if path is None:
            return await handler(request)
        headers: Mapping[str, str] = {}
        try:
            headers = self._limits.count(request.method, path)
            response = await handler(request)
        except DiscordError as error:
            response = _refusal(error)
        except web.HTTPNotFound:
            response = _refusal(DiscordError(0))
        except web.HTTPMethodNotAllowed:
            response = _refusal(DiscordError(0, status=405, message="405: Method Not Allowed"))
        response.headers.update(headers)
        return response


def _refusal(error: DiscordError) -> web.StreamResponse:
    headers = error.headers if isinstance(error, RateLimited) else None
    response = json_answer(error.body(), status=error.status, headers=headers)
    response[_CODE] = error.code
    return response
