"""Responses that send a job's file, from this disk or from the object store."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from aiohttp import web
from aiohttp.abc import AbstractStreamWriter

from bot.domain.errors import ObjectMissing, StoreUnavailable
from storage.files.job_files import StoredFile


class OpenTransfers:
    """Counts the transfers of each link, and ends those that take too long."""

    def __init__(self, *, within_s: float) -> None:
        self._within_s = within_s
        self._by_link: Counter[str] = Counter()

    def of(self, link: str) -> int:
        """Return how many transfers of a link are open."""
        return self._by_link[link]

    def total(self) -> int:
        """Return how many transfers are open."""
        return self._by_link.total()

    @asynccontextmanager
    async def counted(self, request: web.BaseRequest, link: str) -> AsyncIterator[None]:
        """Count a transfer while the context is open.

        The connection is cut, and ConnectionAbortedError raised, if it takes too long or if the
        store fails halfway.
        """
        self._by_link[link] += 1
        try:
            async with asyncio.timeout(self._within_s):
                yield
        except (TimeoutError, StoreUnavailable, ObjectMissing) as exc:
            if request.transport is not None:
                request.transport.abort()
            raise ConnectionAbortedError("a transfer took too long, or its file is gone") from exc
        finally:
            self._by_link[link] -= 1
            if not self._by_link[link]:
                del self._by_link[link]


class FileTransfer(web.FileResponse):
    """Sends a file from this disk."""

    def __init__(self, path: Path, *, link: str, open_transfers: OpenTransfers) -> None:
        super().__init__(path)
        self._link = link
        self._open_transfers = open_transfers

    async def prepare(self, request: web.BaseRequest) -> AbstractStreamWriter | None:
        """Send the file."""
        async with self._open_transfers.counted(request, self._link):
            return await super().prepare(request)


class StoredTransfer(web.StreamResponse):
    """Sends a file from the object store: all of it, or one range."""

    def __init__(self, stored: StoredFile, *, link: str, open_transfers: OpenTransfers) -> None:
        super().__init__()
        self._stored = stored
        self._link = link
        self._open_transfers = open_transfers

    async def prepare(self, request: web.BaseRequest) -> AbstractStreamWriter | None:
        """Send the file."""
        size_bytes = self._stored.size_bytes
        self.headers["Accept-Ranges"] = "bytes"
        span = _span(request, size_bytes)
        if span is None:
            self.set_status(web.HTTPRequestRangeNotSatisfiable.status_code)
            self.headers["Content-Range"] = f"bytes */{size_bytes}"
            self.content_length = 0
            return await super().prepare(request)
        start, end = span
        if (start, end) != (0, size_bytes) or _asks_for_range(request):
            self.set_status(web.HTTPPartialContent.status_code)
            self.headers["Content-Range"] = f"bytes {start}-{end - 1}/{size_bytes}"
        self.content_length = end - start
        async with self._open_transfers.counted(request, self._link):
            writer = await super().prepare(request)
            if request.method != "HEAD":
                async for part in self._stored.read(start, end):
                    await self.write(part)
        return writer


def _asks_for_range(request: web.BaseRequest) -> bool:
    # A file in the store has no validator that If-Range could name.
    return "Range" in request.headers and "If-Range" not in request.headers


def _span(request: web.BaseRequest, size_bytes: int) -> tuple[int, int] | None:
    """Return the bytes that a request asks for, or None if the file has none of them."""
    if not _asks_for_range(request):
        return 0, size_bytes
    try:
        start, end, _ = request.http_range.indices(size_bytes)
    except ValueError:
        return None
    return (start, end) if start < end else None
