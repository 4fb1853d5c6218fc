"""Bringing a stranger's file here: guarded, capped in size and time, whole or not at all."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterator, Mapping
from pathlib import Path
from typing import BinaryIO, Final

import httpx

from bot.domain.errors import SplitError
from bot.net.transport import AddressRefused
from storage.files.atomic import write_aside

MAX_REDIRECTS: Final = 5

_TIMEOUT: Final = httpx.Timeout(connect=10.0, read=30.0, write=10.0, pool=10.0)
_HEADERS: Final = {
    "Accept": "*/*",
    # A small gzip can unfold to gigabytes in one chunk.
    "Accept-Encoding": "identity",
    "Connection": "close",
    "User-Agent": "Stemcord",
}
_REDIRECTS: Final = frozenset({301, 302, 303, 307, 308})
_LATER: Final = frozenset({408, 425, 429})
_WRITE_BYTES: Final = 1 << 20


class DownloadError(SplitError):
    """A file could not be brought here; nothing of it was kept."""


class DownloadRefused(DownloadError):
    """Not this file from this address, now or later; `status` where the server said so."""

    def __init__(self, message: str, *, status: int | None = None) -> None:
        super().__init__(message)
        self.status = status


class DownloadTooBig(DownloadError):
    """The file is larger than allowed."""


class DownloadFailed(DownloadError):
    """The network or the server failed; another try may succeed."""


class Downloads:
    """Fetches files, a few at a time."""

    def __init__(self, *, transport: httpx.AsyncBaseTransport, parallel: int = 8) -> None:
        self._transport = transport
        self._slots = asyncio.Semaphore(parallel)

    async def fetch(
        self,
        url: str,
        into: Path,
        *,
        max_bytes: int,
        deadline_s: float,
        headers: Mapping[str, str] | None = None,
    ) -> int:
        """Bring the file at `url` to `into`, which appears only when whole; return its size.

        `headers` go to the first server only, not where it redirects to. The deadline counts from
        the first connection. Raises DownloadError, and OSError when the disk does not take it.
        """
        async with self._slots:
            try:
                async with asyncio.timeout(deadline_s), self._open(url, headers or {}) as response:
                    return await _save(response, into, max_bytes)
            except TimeoutError:
                raise DownloadFailed(f"not done within {deadline_s:g} s") from None
            except AddressRefused as exc:
                raise DownloadRefused(str(exc)) from exc
            except httpx.TransportError as exc:
                raise DownloadFailed(type(exc).__name__) from exc

    async def aclose(self) -> None:
        """Release the transport."""
        await self._transport.aclose()

    @contextlib.asynccontextmanager
    async def _open(self, url: str, headers: Mapping[str, str]) -> AsyncIterator[httpx.Response]:
        where = _url(url)
        for _ in range(1 + MAX_REDIRECTS):
            response = await self._get(where, headers)
            try:
                if response.status_code not in _REDIRECTS:
                    yield response
                    return
                where, headers = _target(where, response), {}
            finally:
                await response.aclose()
        raise DownloadRefused("too many redirects")

    async def _get(self, url: httpx.URL, headers: Mapping[str, str]) -> httpx.Response:
        request = httpx.Request(
            "GET",
            url,
            headers={**headers, **_HEADERS},
            extensions={"timeout": _TIMEOUT.as_dict()},
        )
        return await self._transport.handle_async_request(request)


async def _save(response: httpx.Response, into: Path, max_bytes: int) -> int:
    declared = _accepted_length(response)
    if declared is not None and declared > max_bytes:
        raise DownloadTooBig(f"{declared} bytes declared, {max_bytes} allowed")
    received = 0
    waiting = bytearray()
    with _whole_or_nothing(into) as out:
        async for chunk in response.aiter_bytes():
            received += len(chunk)
            if received > max_bytes:
                raise DownloadTooBig(f"more than {max_bytes} bytes")
            waiting += chunk
            if len(waiting) >= _WRITE_BYTES:
                await asyncio.to_thread(out.write, bytes(waiting))
                waiting.clear()
        if declared is not None and received != declared:
            raise DownloadFailed(f"{received} of {declared} bytes came")
        await asyncio.to_thread(out.write, bytes(waiting))
    return received


def _accepted_length(response: httpx.Response) -> int | None:
    """Return the declared size, if any; raise when the answer is not a plain file."""
    status = response.status_code
    if status >= 500 or status in _LATER:
        raise DownloadFailed(f"status {status}")
    if status != 200:
        raise DownloadRefused(f"status {status}", status=status)
    if response.headers.get("content-encoding", "identity").lower() != "identity":
        raise DownloadRefused("an encoded body")
    length = response.headers.get("content-length", "")
    return int(length) if length.isdecimal() else None


@contextlib.contextmanager
def _whole_or_nothing(into: Path) -> Iterator[BinaryIO]:
    """Open a file that takes the name `into` when the block ends well, else disappears."""
    # Not synced: what a power loss takes is downloaded again.
    with write_aside(into, durable=False) as part, part.open("wb") as out:
        yield out


def _target(url: httpx.URL, response: httpx.Response) -> httpx.URL:
    location = response.headers.get("location")
    if not location:
        raise DownloadRefused("a redirect to nowhere", status=response.status_code)
    return url.join(_url(location))


def _url(text: str) -> httpx.URL:
    try:
        return httpx.URL(text)
    except httpx.InvalidURL:
        raise DownloadRefused("not an address") from None
