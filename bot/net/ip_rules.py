"""Decides which addresses may be connected to: public ones, and hosts that the operator trusts."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import IPv4Address, ip_address, ip_network
from typing import Final, Self

_ENTRY: Final = re.compile(r"(\[[0-9a-f:.]+\]|[^\[\]:/@\s]+)(?::(\d{1,5}))?", re.ASCII)

_USUAL_PORTS: Final = (80, 443)

# `is_global` is true for most of these, or was in some Python 3.11 release.
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
_OPEN_V6: Final = ip_network("2000::/3")  # all addresses that have been allocated
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
    """Whether an IP address belongs to the public internet.

    A mapped IPv4 address is judged as IPv4. Other IPv6 addresses that contain an IPv4 address, or
    are translated to one, are outside 2000::/3 or in `_CLOSED_V6`.
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
    """Hosts for which plain http and private addresses are allowed, but only at their own ports."""

    entries: frozenset[tuple[str, int]] = frozenset()
    """Pairs of name or address, and port."""

    @classmethod
    def parse(cls, texts: Iterable[str]) -> Self:
        """Parse entries like `localhost`, `127.0.0.1:8080` or `[::1]:8080`.

        An entry without a port allows ports 80 and 443. Raises ValueError with the invalid entry.
        """
        return cls(frozenset(entry for text in texts for entry in _entries(text)))

    def also(self, host: str, port: int) -> Self:
        """Return these hosts and one more."""
        return type(self)(self.entries | {(_plain(host), port)})

    def allow(self, host: str, port: int) -> bool:
        """Whether the operator trusts this host at this port."""
        return (_plain(host), port) in self.entries


def _entries(text: str) -> list[tuple[str, int]]:
    match = _ENTRY.fullmatch(text.strip().lower())
    if match is None:
        raise ValueError(f"not a host or host:port: {text}")
    host, port = match.groups()
    return [(_plain(host), each) for each in ([int(port)] if port else _USUAL_PORTS)]


def _plain(host: str) -> str:
    return host.lower().strip("[]").rstrip(".")
