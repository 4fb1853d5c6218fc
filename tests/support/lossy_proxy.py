"""A proxy in front of PostgreSQL that loses the connection around a chosen COMMIT."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Self

import psycopg

LONG_ENOUGH_S = 0.5
"""The time in which the server commits. Its answer is not read."""


class LossyProxy:
    """Forwards bytes until it must lose a COMMIT."""

    def __init__(self, socket: str) -> None:
        self._socket = socket
        self._loses: str | None = None
        self._clients: set[asyncio.StreamWriter] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self.url = ""

    @classmethod
    @asynccontextmanager
    async def to(cls, url: str) -> AsyncIterator[Self]:
        """Listen on loopback for connections to the server at a unix socket."""
        known = psycopg.conninfo.conninfo_to_dict(url)
        proxy = cls(f"{known['host']}/.s.PGSQL.{known.get('port', 5432)}")
        server = await asyncio.start_server(proxy._pass_on, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        proxy.url = f"postgresql://{known['user']}@127.0.0.1:{port}/{known['dbname']}?sslmode=disable&gssencmode=disable"
        try:
            yield proxy
        finally:
            server.close()
            for client in proxy._clients:
                client.transport.abort()
            await asyncio.gather(*proxy._tasks, return_exceptions=True)

    def lose_next_commit(self, *, before: bool) -> None:
        """Cut the connection of the next COMMIT, before the server gets it or after it commits."""
        self._loses = "before" if before else "after"

    async def _pass_on(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        self._clients.add(writer)
        theirs, to_them = await asyncio.open_unix_connection(self._socket)
        back = asyncio.create_task(_pump(theirs, writer))
        try:
            with suppress(ConnectionError):
                await self._forward(reader, to_them, back)
        finally:
            back.cancel()
            await asyncio.gather(back, return_exceptions=True)
            for each in (to_them, writer):
                each.transport.abort()
                with suppress(ConnectionError):
                    await each.wait_closed()

    async def _forward(
        self,
        reader: asyncio.StreamReader,
        to_them: asyncio.StreamWriter,
        back: "asyncio.Task[None]",
    ) -> None:
        while data := await reader.read(65536):
            if b"COMMIT" in data and self._loses == "before":
                self._loses = None
                return
            if b"COMMIT" in data and self._loses == "after":
                self._loses = None
                back.cancel()
                to_them.write(data)
                await to_them.drain()
                await asyncio.sleep(LONG_ENOUGH_S)
                return
            to_them.write(data)
            await to_them.drain()


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(ConnectionError):
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
        writer.close()
