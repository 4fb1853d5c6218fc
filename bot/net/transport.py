"""The only transport for outgoing HTTP: checks an address, then connects to exactly that one.

Each request has its own connection. With httpcore's pool, a request that is cancelled at the wrong
moment loses a slot for good, and reusing a connection that the server has just closed would leave a
submit uncertain.
"""

import contextlib
import socket
import ssl
from collections.abc import AsyncIterator, Iterator
from typing import Final, Self

import httpcore
import httpx

from bot.net.addresses import is_host
from bot.net.connector import AddressRefused, CheckedConnector
from bot.net.dns import Resolve, Resolver
from bot.net.ip_rules import TrustedHosts
from bot.net.proxies import ProxyRules
from bot.net.tls import explain, tls_context

_PORTS: Final = {"http": 80, "https": 443}

# Keep-alive probes: a submit may be silent for minutes, longer than routers keep idle connections.
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


class GuardedTransport(httpx.AsyncBaseTransport):
    """Sends requests, over https to public addresses only, except to trusted hosts.

    It neither follows redirects nor decodes bodies. Error texts contain the host and the reason,
    never the path or query.
    """

    def __init__(
        self,
        *,
        trusted: TrustedHosts,
        resolve: Resolve | None = None,
        network: httpcore.AsyncNetworkBackend | None = None,
        tls: ssl.SSLContext | None = None,
        proxies: ProxyRules | None = None,
    ) -> None:
        self._trusted = trusted
        self._resolve = resolve or Resolver()
        self._network = network or httpcore.AnyIOBackend()
        self._tls = tls or tls_context({})
        self._proxies = proxies or ProxyRules()

    def trusting(self, base_url: str) -> Self:
        """Return a copy that also trusts the host of an address from the operator's settings."""
        url = httpx.URL(base_url)
        return self._with(self._trusted.also(_host(url), _port(url)))

    def for_addresses_of(self, base_url: str | None) -> Self:
        """Return a copy for addresses that a service at `base_url` names.

        If `base_url` is at a trusted host, such as a stand-in, all trusted hosts remain trusted;
        otherwise only its own host and port are. If `base_url` is None, no host is trusted.
        """
        if base_url is None:
            return self._with(TrustedHosts())
        url = httpx.URL(base_url)
        if self._trusted.allow(_host(url), _port(url)):
            return self._with(self._trusted)
        return self._with(TrustedHosts().also(_host(url), _port(url)))

    def _with(self, trusted: TrustedHosts) -> Self:
        return type(self)(
            trusted=trusted,
            resolve=self._resolve,
            network=self._network,
            tls=self._tls,
            proxies=self._proxies,
        )

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send one request over a new connection."""
        host, port = _host(request.url), _port(request.url)
        is_trusted = self._trusted.allow(host, port)
        if not is_host(host):
            raise AddressRefused("an address without a valid host")
        if request.url.scheme != "https" and not (is_trusted and request.url.scheme == "http"):
            raise AddressRefused(f"{host}: not https")
        connector = CheckedConnector(
            network=self._network,
            resolve=self._resolve,
            any_address=is_trusted,
            proxy=self._proxies.of(host, port) if request.url.scheme == "https" else None,
        )
        core = _core_request(request)
        connection = httpcore.AsyncHTTPConnection(
            origin=core.url.origin,
            ssl_context=self._tls,
            network_backend=connector,
            socket_options=_KEEP_ALIVE,
        )
        try:
            with _as_httpx(host):
                response = await connection.handle_async_request(core)
        except BaseException:
            await connector.aclose()
            raise
        return httpx.Response(
            response.status,
            headers=response.headers,
            stream=_Body(host, response, connector),
            extensions=response.extensions,
        )


class _Body(httpx.AsyncByteStream):
    """A response's body; closing it closes the connection."""

    def __init__(self, host: str, response: httpcore.Response, connector: CheckedConnector) -> None:
        self._host = host
        self._response = response
        self._connector = connector

    async def __aiter__(self) -> AsyncIterator[bytes]:
        with _as_httpx(self._host):
            async for chunk in self._response.aiter_stream():
                yield chunk

    async def aclose(self) -> None:
        await self._connector.aclose()


@contextlib.contextmanager
def _as_httpx(host: str) -> Iterator[None]:
    try:
        yield
    except tuple(_SAME_IN_HTTPX) as exc:
        raise _SAME_IN_HTTPX[type(exc)](f"{host}: {_reason(exc)}") from None
    except OSError as exc:
        # TLS raises this for a damaged record, and httpcore does not wrap it.
        raise httpx.ReadError(f"{host}: {type(exc).__name__}") from None


def _reason(error: Exception) -> str:
    cause = error.__cause__ or error.__context__
    if isinstance(cause, ssl.SSLCertVerificationError):
        return explain(cause)
    # h11 quotes the invalid line, which may be a `Location` with a signed address.
    return str(error).partition(": bytearray")[0] or type(error).__name__


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
    """Return the host in its ASCII form, which is used to connect."""
    return url.raw_host.decode("ascii")


def _port(url: httpx.URL) -> int:
    return url.port or _PORTS.get(url.scheme, 0)
