"""A loopback server with scripted responses and delays."""

import asyncio
import contextlib
import socket
import struct
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field

Script = Callable[["Connection"], Awaitable[None]]


@dataclass(slots=True)
class Connection:
    """A connection and its request."""

    request: bytes
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    async def send(self, data: bytes) -> None:
        self.writer.write(data)
        await self.writer.drain()

    def reset(self) -> None:
        """Close with a TCP reset instead of a regular close."""
        sock = self.writer.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.writer.transport.abort()

    async def until_closed(self) -> None:
        """Stay silent until the other side closes the connection."""
        while await self.reader.read(65536):
            pass


@dataclass(slots=True)
class Server:
    port: int
    requests: list[bytes] = field(default_factory=list)

    @property
    def host(self) -> str:
        return f"127.0.0.1:{self.port}"

    @property
    def url(self) -> str:
        return f"http://{self.host}"


@contextlib.asynccontextmanager
async def serving(script: Script) -> AsyncIterator[Server]:
    """Run `script` for each connection after reading its request."""
    open_connections: set[asyncio.Task[None]] = set()
    failures: list[Exception] = []

    async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        open_connections.add(task)
        try:
            request = await _request(reader)
            server.requests.append(request)
            # Some tests expect the client to give up.
            with contextlib.suppress(ConnectionError):
                await script(Connection(request, reader, writer))
        except Exception as exc:  # noqa: BLE001 - raised again below, in the test's own task
            failures.append(exc)
        finally:
            open_connections.discard(task)
            writer.close()

    listener = await asyncio.start_server(accept, "127.0.0.1", 0)
    server = Server(listener.sockets[0].getsockname()[1])
    async with listener:
        yield server
    for task in list(open_connections):
        task.cancel()
    await asyncio.gather(*open_connections, return_exceptions=True)
    if failures:
        raise ExceptionGroup("the script failed", failures)


async def _request(reader: asyncio.StreamReader) -> bytes:
    head = await reader.read(1)
    if head == b"\x16":  # the first flight of a TLS handshake
        return head + await reader.read(65536)
    while not head.endswith(b"\r\n\r\n"):
        more = await reader.read(1)
        if not more:
            return head
        head += more
    for line in head.split(b"\r\n"):
        name, _, value = line.partition(b":")
        if name.lower() == b"content-length":
            return head + await reader.readexactly(int(value))
    return head


def answering(data: bytes) -> Script:
    """Send these bytes and close."""

    async def script(connection: Connection) -> None:
        await connection.send(data)

    return script


def ok(body: bytes, *headers: str, status: str = "200 OK") -> bytes:
    """Return a complete response with a content length."""
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", *headers, "", ""]
    return "\r\n".join(lines).encode() + body
