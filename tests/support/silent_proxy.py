"""A proxy in front of PostgreSQL whose network can go silent: nothing passes, nothing is closed."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Self


class SilentProxy:
    """Forwards bytes while it is not silent. While it is silent, its peers receive nothing, not
    even resets. What was sent during the silence arrives afterwards, as with TCP retransmissions.
    """

    def __init__(self, socket: Path) -> None:
        self._socket = socket
        self._passes = asyncio.Event()
        self._passes.set()
        self._clients: set[asyncio.StreamWriter] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self.port = 0

    @classmethod
    @asynccontextmanager
    async def to(cls, socket: Path) -> AsyncIterator[Self]:
        """Listen on loopback for connections to the server at a unix socket."""
        proxy = cls(socket)
        server = await asyncio.start_server(proxy._serve, "127.0.0.1", 0)
        proxy.port = int(server.sockets[0].getsockname()[1])
        try:
            yield proxy
        finally:
            server.close()
            proxy.heal()
            for client in proxy._clients:
                client.transport.abort()
            await asyncio.gather(*proxy._tasks, return_exceptions=True)

    def url(self, *, user: str, database: str) -> str:
        """Return the address of a database behind the proxy."""
        return (
            f"postgresql://{user}@127.0.0.1:{self.port}/{database}"
            "?sslmode=disable&gssencmode=disable"
        )

    def go_silent(self) -> None:
        """Let nothing pass."""
        self._passes.clear()

    def heal(self) -> None:
        """Let everything pass again."""
        self._passes.set()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        self._clients.add(writer)
        await self._passes.wait()
        try:
            theirs, to_them = await asyncio.open_unix_connection(self._socket)
        except OSError:  # the server is stopped
            writer.close()
            await writer.wait_closed()
            return
        pumps = [
            asyncio.create_task(self._pump(reader, to_them)),
            asyncio.create_task(self._pump(theirs, writer)),
        ]
        try:
            await asyncio.wait(pumps, return_when=asyncio.FIRST_COMPLETED)
            await self._passes.wait()  # the end of a connection does not pass either
        finally:
            for pump in pumps:
                pump.cancel()
            await asyncio.gather(*pumps, return_exceptions=True)
            self._clients.discard(writer)
            for each in (to_them, writer):
                each.close()
                with suppress(ConnectionError):
                    await each.wait_closed()

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError):
            while data := await reader.read(65536):
                await self._passes.wait()
                writer.write(data)
                await writer.drain()
