"""Name lookups on separate threads, so that a hanging name server blocks nothing else."""

import asyncio
import socket
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final

from bot.net.addresses import is_literal

Resolve = Callable[[str, int], Awaitable[Sequence[str]]]
"""Maps a host and a port to IP addresses, best first. Raises OSError or UnicodeError."""

Lookup = Callable[..., Sequence[tuple[Any, Any, Any, Any, Any]]]
"""`socket.getaddrinfo`, or a replacement for it."""

THREADS: Final = 16


class Resolver:
    """Looks names up with the system's resolver, which also accepts unusual forms of IP
    addresses.
    """

    def __init__(self, *, lookup: Lookup = socket.getaddrinfo, threads: int = THREADS) -> None:
        """Start threads on demand; a hanging lookup occupies one."""
        self._lookup = lookup
        self._executor = ThreadPoolExecutor(threads, thread_name_prefix="lookup")

    async def __call__(self, host: str, port: int) -> Sequence[str]:
        """Return the addresses of a host. Raises OSError or UnicodeError."""
        if is_literal(host):
            return [host]
        loop = asyncio.get_running_loop()
        found = await loop.run_in_executor(self._executor, self._look_up, host, port)
        return list(dict.fromkeys(found))

    def _look_up(self, host: str, port: int) -> list[str]:
        found = self._lookup(host, port, type=socket.SOCK_STREAM)
        return [str(sockaddr[0]) for *_, sockaddr in found]
