"""The operator's proxy: `HTTPS_PROXY` (or `ALL_PROXY`), with exceptions in `NO_PROXY`."""

import re
from base64 import b64encode
from collections.abc import Mapping
from dataclasses import dataclass, field
from ipaddress import ip_address, ip_network
from typing import Final, Self
from urllib.parse import unquote, urlsplit

_SETTINGS: Final = ("HTTPS_PROXY", "ALL_PROXY")
_NO_PROXY: Final = "NO_PROXY"
_ENTRY: Final = re.compile(r"\*?\.?\[?(?P<host>[^\[\]]+?)\]?(:(?P<port>\d{1,5}))?")


class ProxyUnusable(ValueError):
    """A setting names a proxy that is not an HTTP one; the text is a sentence for the operator."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Proxy:
    """An HTTP proxy that opens tunnels with CONNECT."""

    host: str
    port: int
    authorization: str | None = field(default=None, repr=False)
    """The value of the `Proxy-Authorization` header."""
    url: str = field(repr=False)
    """The full URL, including the password."""

    @classmethod
    def parse(cls, url: str) -> Self:
        """Parse `http://[user:password@]host[:port]` or `host:port`. Raises ValueError."""
        url = url if "://" in url else f"http://{url}"
        parts = urlsplit(url)
        if parts.scheme != "http" or not parts.hostname:
            raise ValueError("expected http://host:port")
        return cls(
            host=parts.hostname,
            port=parts.port or 80,
            authorization=_basic(parts.username, parts.password),
            url=url,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class ProxyRules:
    """Decides which hosts are reached through a proxy; only https connections are."""

    proxy: Proxy | None = None
    direct: frozenset[str] = frozenset()
    """The entries of `NO_PROXY`: hosts with their subdomains, addresses, networks, or `*`."""

    @classmethod
    def read(cls, settings: Mapping[str, str]) -> Self:
        """Read the proxies from environment variables in upper or lower case.

        Raises ProxyUnusable.
        """
        direct = re.split(r"[,\s]+", _value(settings, _NO_PROXY).lower())
        for name in _SETTINGS:
            if not (url := _value(settings, name)):
                continue
            try:
                return cls(proxy=Proxy.parse(url), direct=frozenset(filter(None, direct)))
            except ValueError:
                raise ProxyUnusable(f"{name}: expected http://host:port") from None
        return cls()

    def of(self, host: str, port: int) -> Proxy | None:
        """Return the proxy for a host, or None for a direct connection."""
        if self.proxy is None or any(_covers(entry, host, port) for entry in self.direct):
            return None
        return self.proxy


def _value(settings: Mapping[str, str], name: str) -> str:
    return (settings.get(name.lower()) or settings.get(name) or "").strip()


def _basic(user: str | None, password: str | None) -> str | None:
    if user is None:
        return None
    pair = f"{unquote(user)}:{unquote(password or '')}"
    return f"Basic {b64encode(pair.encode()).decode()}"


def _covers(entry: str, host: str, port: int) -> bool:
    """Whether an entry of `NO_PROXY` matches a host at a port."""
    name = host.lower().rstrip(".")
    if entry == "*" or _in_network(name, entry):
        return True
    match = _ENTRY.fullmatch(entry)
    if match is None or (match["port"] and int(match["port"]) != port):
        return False
    return name == match["host"] or name.endswith(f".{match['host']}")


def _in_network(name: str, entry: str) -> bool:
    try:
        return ip_address(name) in ip_network(entry, strict=False)
    except ValueError:
        return False
