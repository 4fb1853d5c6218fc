"""A network namespace whose packets can vanish without a trace, as behind a broken switch.

It needs root, iproute2 and the right to make namespaces.
"""

import os
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass

_NOBODY = ("02:00:00:00:00:01", "02:00:00:00:00:02")
"""Addresses that no interface has."""


class NoNamespaces(Exception):
    """This machine does not allow network namespaces."""


@dataclass(frozen=True, slots=True)
class BlackHole:
    """A namespace that is connected to this machine only."""

    name: str
    host: str
    """The address of this machine, as the namespace sees it."""
    guest: str
    """The address of the namespace."""

    @property
    def command(self) -> Sequence[str]:
        """The beginning of a command that runs in the namespace."""
        return ("ip", "netns", "exec", self.name)

    @property
    def links(self) -> tuple[str, str]:
        """The names of both ends of the veth pair."""
        return f"{self.name}h", f"{self.name}g"

    def go_silent(self) -> None:
        """Send all packets, in both directions, to addresses that do not exist."""
        ours, theirs = self.links
        for place, address, link, nobody in (
            ((), self.guest, ours, _NOBODY[0]),
            (("-n", self.name), self.host, theirs, _NOBODY[1]),
        ):
            _ip(
                *place,
                "neigh",
                "replace",
                address,
                "lladdr",
                nobody,
                "dev",
                link,
                "nud",
                "permanent",
            )

    def heal(self) -> None:
        """Let the neighbours find each other again."""
        ours, theirs = self.links
        _ip("neigh", "del", self.guest, "dev", ours)
        _ip("-n", self.name, "neigh", "del", self.host, "dev", theirs)


@contextmanager
def black_hole() -> Iterator[BlackHole]:
    """Make a namespace, and remove it afterwards. Raises NoNamespaces."""
    if os.geteuid() != 0 or shutil.which("ip") is None:
        raise NoNamespaces("network namespaces need root and iproute2")
    number = os.getpid() % 62_500
    subnet = f"10.213.{number // 250}.{number % 250 // 4 * 4}"
    start, _, last = subnet.rpartition(".")
    hole = BlackHole(f"sc{number}", f"{start}.{int(last) + 1}", f"{start}.{int(last) + 2}")
    ours, theirs = hole.links
    try:
        _ip("netns", "add", hole.name)
        try:
            _ip("link", "add", ours, "type", "veth", "peer", "name", theirs, "netns", hole.name)
            _ip("addr", "add", f"{hole.host}/30", "dev", ours)
            _ip("link", "set", ours, "up")
            _ip("-n", hole.name, "addr", "add", f"{hole.guest}/30", "dev", theirs)
            _ip("-n", hole.name, "link", "set", theirs, "up")
            _ip("-n", hole.name, "link", "set", "lo", "up")
            yield hole
        finally:
            with suppress(subprocess.CalledProcessError):
                _ip("link", "del", ours)
            _ip("netns", "del", hole.name)
    except subprocess.CalledProcessError as exc:
        raise NoNamespaces(f"`{' '.join(exc.cmd)}` fails here") from exc


def _ip(*words: str) -> None:
    subprocess.run(["ip", *words], check=True, capture_output=True)
