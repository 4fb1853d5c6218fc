"""Messages with open files attached, from the bot to a child, over a pair of sockets.

A child that receives open files needs no access to any others.
"""

import asyncio
import os
import socket
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Iterator, Sequence
from typing import Self

_CHUNK_BYTES = 64 * 1024
_MOST_FILES = 16
"""The limit on files in one message, which no message reaches."""


class Sender:
    """The bot's end. The child gets `child_end` as its standard input; close it here afterwards."""

    def __init__(self) -> None:
        self._socket, self.child_end = socket.socketpair()
        self._socket.setblocking(False)
        self._turn = asyncio.Lock()

    async def send(self, message: bytes, files: Sequence[int] = ()) -> None:
        """Send a message and its files, which stay open here.

        Raises BrokenPipeError or ConnectionResetError if the child is gone. A call that is
        cancelled may leave half a message behind.
        """
        async with self._turn:
            while (sent := self._begin(message, files)) is None:
                await self._until_writable()
            if rest := message[sent:]:
                await asyncio.get_running_loop().sock_sendall(self._socket, rest)

    def close(self) -> None:
        """Signal the end of input to the child."""
        self.child_end.close()
        self._socket.close()

    def _begin(self, message: bytes, files: Sequence[int]) -> int | None:
        try:
            return socket.send_fds(self._socket, [message], files)
        except BlockingIOError:
            return None

    async def _until_writable(self) -> None:
        loop, is_writable = asyncio.get_running_loop(), asyncio.Event()
        loop.add_writer(self._socket, is_writable.set)
        try:
            await is_writable.wait()
        finally:
            loop.remove_writer(self._socket)


class Receiver:
    """The child's end; iterating over it yields lines without their line breaks."""

    def __init__(self, descriptor: int = 0) -> None:
        self._socket = socket.socket(fileno=descriptor)
        self._heard = b""
        self._files: deque[int] = deque()

    def __iter__(self) -> Iterator[bytes]:
        while self.hear():
            yield from self.lines()

    def fileno(self) -> int:
        """Return the descriptor to poll."""
        return self._socket.fileno()

    def hear(self) -> bool:
        """Wait for more bytes; return False at the end of input."""
        heard, files, _, _ = socket.recv_fds(self._socket, _CHUNK_BYTES, _MOST_FILES)
        self._heard += heard
        self._files += files
        return bool(heard)

    def lines(self) -> Iterator[bytes]:
        """Yield the complete lines received so far."""
        *lines, self._heard = self._heard.split(b"\n")
        yield from lines

    def take_files(self, count: int) -> "Files":
        """Return the files that came with the message just read."""
        return Files([self._files.popleft() for _ in range(count)])


class Closing(ABC):
    """Closes itself at the end of a `with` block."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @abstractmethod
    def close(self) -> None:
        """Release what is open."""


class Files(Closing):
    """Open files by descriptor; use as a context manager, which closes them."""

    def __init__(self, descriptors: Sequence[int]) -> None:
        self.descriptors = descriptors

    def close(self) -> None:
        for descriptor in self.descriptors:
            os.close(descriptor)
