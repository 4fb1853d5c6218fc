"""Which addresses may be connected to: the public ones, and the hosts that the owner trusts."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import IPv4Address, ip_address, ip_network
from typing import Final, Self

_ENTRY: Final = re.compile(r"(\[[0-9a-f:.]+\]|[^\[\]:/@\s]+)(?::(\d{1,5}))?", re.ASCII)

# `is_global` is true for most of these, or was in some Python 3.11.
_CLOSED_V4: Final = tuple(
    map(
        ip_network,
        (
            "0.0.0.0/8",  # this network
            "100.64.0.0/10",  # carrier-grade NAT
            "192.0.0.0/24",  # protocol assignments
            "192.88.99.0/24",  # 6to4 relays
            "198.18.0.0/15",  # benchmarks
            "224.0.0.0/4",  # multicast
            "240.0.0.0/4",  # reserved, and broadcast
        ),
    )
)
_OPEN_V6: Final = ip_network("2000::/3")  # all that was ever given out
_CLOSED_V6: Final = tuple(
    map(
        ip_network,
        (
            "2001::/23",  # protocol assignments; Teredo, which carries an IPv4 address
            "2001:db8::/32",  # documentation
            "2002::/16",  # 6to4, which carries an IPv4 address
            "3fff::/20",  # documentation
        ),
    )
)


def is_public(address: str) -> bool:
    """Tell whether an IP address belongs to a machine on the open internet.

    A mapped IPv4 address is judged as what it is; other IPv6 forms that carry or are translated
    to an IPv4 address lie outside 2000::/3, or are closed by name.
    """
    ip = ip_address(address)
    if isinstance(ip, IPv4Address):
        return _is_public_v4(ip)
    if ip.ipv4_mapped is not None:
        return _is_public_v4(ip.ipv4_mapped)
    return ip.is_global and ip in _OPEN_V6 and not any(ip in net for net in _CLOSED_V6)


def _is_public_v4(ip: IPv4Address) -> bool:
    return ip.is_global and not any(ip in net for net in _CLOSED_V4)


@dataclass(frozen=True, slots=True)
class TrustedHosts:
    """Hosts for which plain http and private addresses are allowed."""

    entries: frozenset[tuple[str, int | None]] = frozenset()
    """Name or address, and port; None for every port."""

    @classmethod
    def parse(cls, texts: Iterable[str]) -> Self:
        """Read entries like `localhost`, `127.0.0.1:8080` or `[::1]:8080`.

        Raises ValueError, which names the entry.
        """
        return cls(frozenset(map(_entry, texts)))

    def also(self, host: str, port: int) -> Self:
        """Return these and one more."""
        return type(self)(self.entries | {(_plain(host), port)})

    def allow(self, host: str, port: int) -> bool:
        """Tell whether the owner vouches for this host at this port."""
        name = _plain(host)
        return not self.entries.isdisjoint({(name, port), (name, None)})


def _entry(text: str) -> tuple[str, int | None]:
    match = _ENTRY.fullmatch(text.strip().lower())
    if match is None:
        raise ValueError(f"not a host or host:port: {text}")
    host, port = match.groups()
    return _plain(host), int(port) if port else None


def _plain(host: str) -> str:
    return host.lower().strip("[]").rstrip(".")
