"""The one way out over HTTP: checks an address, then connects to the very address it checked.

Each request has a connection of its own. httpcore's pool loses a place for good when a request is
cancelled at the wrong moment, and a kept connection that the server has just closed would leave a
submit uncertain for nothing.
"""

import asyncio
import contextlib
import socket
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator, Sequence
from typing import Final, Self

import httpcore
import httpx

from bot.net.ip_rules import TrustedHosts, is_public

Resolve = Callable[[str, int], Awaitable[Sequence[str]]]
"""From host and port to IP addresses, best first. Raises OSError or UnicodeError."""

_PORTS: Final = {"http": 80, "https": 443}

# A submit may be silent for minutes, longer than a router remembers a silent connection.
_KEEP_ALIVE: Final = [(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)]
if hasattr(socket, "TCP_KEEPIDLE"):
    _KEEP_ALIVE.append((socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, 30))

_SAME_IN_HTTPX: Final[dict[type[Exception], type[httpx.TransportError]]] = {
    httpcore.ConnectTimeout: httpx.ConnectTimeout,
    httpcore.ConnectError: httpx.ConnectError,
    httpcore.WriteTimeout: httpx.WriteTimeout,
    httpcore.WriteError: httpx.WriteError,
    httpcore.ReadTimeout: httpx.ReadTimeout,
    httpcore.ReadError: httpx.ReadError,
    httpcore.LocalProtocolError: httpx.LocalProtocolError,
    httpcore.RemoteProtocolError: httpx.RemoteProtocolError,
}


class AddressRefused(httpx.ConnectError):
    """No connection was made: the address is not public, or its scheme not https."""


async def resolve(host: str, port: int) -> Sequence[str]:
    """Ask the system's resolver, which also reads addresses in all their spellings."""
    loop = asyncio.get_running_loop()
    found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(sockaddr[0]) for *_, sockaddr in found))


class GuardedTransport(httpx.AsyncBaseTransport):
    """Sends requests over https to public addresses, and anyhow to trusted hosts.

    Neither follows redirects nor decodes bodies. No error text holds an address's path or query.
    """

    def __init__(
        self,
        *,
        trusted: TrustedHosts,
        resolve: Resolve = resolve,
        network: httpcore.AsyncNetworkBackend | None = None,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self._trusted = trusted
        self._resolve = resolve
        self._network = network or httpcore.AnyIOBackend()
        self._tls = tls or httpx.create_ssl_context()

    def trusting(self, base_url: str) -> Self:
        """Return a sibling that also trusts the host of an address which the owner set."""
        url = httpx.URL(base_url)
        return type(self)(
            trusted=self._trusted.also(_host(url), _port(url)),
            resolve=self._resolve,
            network=self._network,
            tls=self._tls,
        )

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send one request over its own connection."""
        host = _host(request.url)
        is_trusted = self._trusted.allow(host, _port(request.url))
        if not host:
            raise AddressRefused("an address without a host")
        if request.url.scheme != "https" and not (is_trusted and request.url.scheme == "http"):
            raise AddressRefused(f"{host}: not https")
        way = _CheckedConnector(
            network=self._network, resolve=self._resolve, any_address=is_trusted
        )
        core = _core_request(request)
        connection = httpcore.AsyncHTTPConnection(
            origin=core.url.origin,
            ssl_context=self._tls,
            network_backend=way,
            socket_options=_KEEP_ALIVE,
        )
        try:
            with _as_httpx():
                response = await connection.handle_async_request(core)
        except BaseException:
            await way.aclose()
            raise
        return httpx.Response(
            response.status,
            headers=response.headers,
            stream=_Body(response, way),
            extensions=response.extensions,
        )


class _CheckedConnector(httpcore.AsyncNetworkBackend):
    """Connects once: by name, to an address that was resolved once and checked."""

    def __init__(
        self, *, network: httpcore.AsyncNetworkBackend, resolve: Resolve, any_address: bool
    ) -> None:
        self._network = network
        self._resolve = resolve
        self._any_address = any_address
        self._stream: httpcore.AsyncNetworkStream | None = None

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        try:
            async with asyncio.timeout(timeout):
                self._stream = await self._first(
                    await self._addresses(host, port), port, timeout, socket_options
                )
        except TimeoutError:
            raise httpcore.ConnectTimeout(f"{host} did not answer") from None
        return self._stream

    async def aclose(self) -> None:
        """Close what was opened, also when the connection above it never came to be."""
        if self._stream is not None:
            await self._stream.aclose()

    async def _addresses(self, host: str, port: int) -> Sequence[str]:
        try:
            found = await self._resolve(host, port)
        except (OSError, UnicodeError):
            raise httpcore.ConnectError(f"{host} is not known") from None
        allowed = [each for each in found if self._any_address or is_public(each)]
        if not allowed:
            raise AddressRefused(f"{host}: not a public address")
        return allowed

    async def _first(
        self,
        addresses: Sequence[str],
        port: int,
        timeout: float | None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None,
    ) -> httpcore.AsyncNetworkStream:
        # A dead address must leave time for the next one.
        share = None if timeout is None else timeout / len(addresses)
        for address in addresses[:-1]:
            with contextlib.suppress(httpcore.ConnectError, httpcore.ConnectTimeout):
                return await self._network.connect_tcp(
                    address, port, timeout=share, socket_options=socket_options
                )
        return await self._network.connect_tcp(
            addresses[-1], port, timeout=share, socket_options=socket_options
        )


class _Body(httpx.AsyncByteStream):
    """A response's body; closing it closes its connection."""

    def __init__(self, response: httpcore.Response, way: _CheckedConnector) -> None:
        self._response = response
        self._way = way

    async def __aiter__(self) -> AsyncIterator[bytes]:
        with _as_httpx():
            async for chunk in self._response.aiter_stream():
                yield chunk

    async def aclose(self) -> None:
        await self._way.aclose()


@contextlib.contextmanager
def _as_httpx() -> Iterator[None]:
    try:
        yield
    except tuple(_SAME_IN_HTTPX) as exc:
        # h11 quotes the offending line, which may be a `Location` with a signed address.
        text = str(exc).partition(": bytearray")[0]
        raise _SAME_IN_HTTPX[type(exc)](text or type(exc).__name__) from None
    except OSError as exc:
        # What TLS raises on a damaged record passes through httpcore as it is.
        raise httpx.ReadError(type(exc).__name__) from None


def _core_request(request: httpx.Request) -> httpcore.Request:
    return httpcore.Request(
        method=request.method,
        url=httpcore.URL(
            scheme=request.url.raw_scheme,
            host=request.url.raw_host,
            port=request.url.port,
            target=request.url.raw_path,
        ),
        headers=request.headers.raw,
        content=request.stream,
        extensions=request.extensions,
    )


def _host(url: httpx.URL) -> str:
    """Return the host as it will be dialled, not as it would be shown."""
    return url.raw_host.decode("ascii")


def _port(url: httpx.URL) -> int:
    return url.port or _PORTS.get(url.scheme, 0)
