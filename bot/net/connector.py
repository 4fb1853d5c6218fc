"""Opens a connection to a checked address, or through a proxy."""

import asyncio
import contextlib
import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Final

import httpcore
import httpx

from bot.net.dns import Resolve
from bot.net.ip_rules import is_public
from bot.net.proxies import Proxy

LOOKUP_BESIDE_PROXY_S: Final = 2.0
"""A limit on lookups, because a machine behind a proxy may have no working name server."""

_MAX_HEAD_BYTES: Final = 4096
_INSIDE: Final = frozenset({"localhost", "local", "localdomain", "internal", "intranet", "lan"})
_NUMBER: Final = re.compile(r"\d+|0x[0-9a-f]*", re.ASCII)
"""Matches the last part of an IPv4 address in an unusual form."""


class AddressRefused(httpx.ConnectError):
    """No connection was made: the address is not public, or its scheme is not https."""


class CheckedConnector(httpcore.AsyncNetworkBackend):
    """Looks a host up once, checks all its addresses, and connects to one of them.

    A proxy gets the host name instead; the certificate is still checked against that name.
    """

    def __init__(
        self,
        *,
        network: httpcore.AsyncNetworkBackend,
        resolve: Resolve,
        any_address: bool,
        proxy: Proxy | None = None,
    ) -> None:
        self._network = network
        self._resolve = resolve
        self._any_address = any_address
        self._proxy = proxy
        self._stream: httpcore.AsyncNetworkStream | None = None

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        """Return a stream to the host. Raises AddressRefused, ConnectError and ConnectTimeout."""
        try:
            async with asyncio.timeout(timeout):
                if self._proxy is None:
                    addresses = await self._addresses(host, port)
                    self._stream = await self._first(addresses, port, timeout, socket_options)
                else:
                    await self._check_beside_proxy(host, port)
                    self._stream = await self._tunnel(self._proxy, host, port, socket_options)
        except TimeoutError:
            raise httpcore.ConnectTimeout("did not answer") from None
        return self._stream

    async def aclose(self) -> None:
        """Close the stream, even if no connection was completed."""
        if self._stream is not None:
            await self._stream.aclose()

    async def _addresses(self, host: str, port: int) -> Sequence[str]:
        try:
            found = await self._resolve(host, port)
        except (OSError, UnicodeError):
            raise httpcore.ConnectError("the name is not known") from None
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
        # Limit each try, so that an unreachable address leaves time for the next one.
        share = None if timeout is None else timeout / len(addresses)
        for address in addresses[:-1]:
            with contextlib.suppress(httpcore.ConnectError, httpcore.ConnectTimeout):
                return await self._network.connect_tcp(
                    address, port, timeout=share, socket_options=socket_options
                )
        return await self._network.connect_tcp(
            addresses[-1], port, timeout=share, socket_options=socket_options
        )

    async def _check_beside_proxy(self, host: str, port: int) -> None:
        """Refuse a host that is internal by its addresses or, if none are found, by its name."""
        if self._any_address:
            return
        try:
            async with asyncio.timeout(LOOKUP_BESIDE_PROXY_S):
                found = await self._resolve(host, port)
        except (OSError, UnicodeError, TimeoutError):
            found = []
        if not all(map(is_public, found)) or not (found or _is_name_outside(host)):
            raise AddressRefused(f"{host}: not a public address")

    async def _tunnel(
        self,
        proxy: Proxy,
        host: str,
        port: int,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None,
    ) -> httpcore.AsyncNetworkStream:
        stream = await self._network.connect_tcp(
            proxy.host, proxy.port, socket_options=socket_options
        )
        self._stream = stream  # closed with the connector if the proxy refuses
        target = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        lines = [f"CONNECT {target} HTTP/1.1", f"Host: {target}"]
        if proxy.authorization is not None:
            lines.append(f"Proxy-Authorization: {proxy.authorization}")
        with _as_connect_error(proxy):
            await stream.write("\r\n".join((*lines, "", "")).encode("ascii"))
            status = await _status(stream)
        if not 200 <= status < 300:
            raise httpcore.ConnectError(f"the proxy {proxy.host} answered with status {status}")
        return stream


@contextlib.contextmanager
def _as_connect_error(proxy: Proxy) -> Iterator[None]:
    try:
        yield
    except (httpcore.ReadError, httpcore.WriteError) as exc:
        raise httpcore.ConnectError(f"the proxy {proxy.host} closed the connection") from exc


def _is_name_outside(host: str) -> bool:
    """Whether a name that could not be looked up may belong to the public internet."""
    labels = host.lower().rstrip(".").split(".")
    is_number = _NUMBER.fullmatch(labels[-1]) is not None
    is_inside = labels[-1] in _INSIDE or labels[-2:] == ["home", "arpa"]
    return len(labels) > 1 and not is_number and not is_inside


async def _status(stream: httpcore.AsyncNetworkStream) -> int:
    """Read the head of a proxy's response and nothing more; return its status."""
    head = bytearray()
    while not head.endswith(b"\r\n\r\n"):
        byte = await stream.read(1)
        head += byte
        if not byte or len(head) > _MAX_HEAD_BYTES:
            raise httpcore.ConnectError("the proxy gave an invalid answer")
    words = head.split(b" ", 2)
    if len(words) < 2 or not words[0].startswith(b"HTTP/1.") or not words[1][:3].isdigit():
        raise httpcore.ConnectError("the proxy gave an invalid answer")
    return int(words[1][:3])
