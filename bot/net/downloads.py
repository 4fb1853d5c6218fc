"""Downloads untrusted files, with limits on size and time; a file is stored whole or not at all."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Final, Self

import httpx

from bot.domain.errors import SplitError
from bot.net.addresses import InvalidAddress, parse_address
from bot.net.connector import AddressRefused
from storage.files.atomic import write_aside

MAX_REDIRECTS: Final = 5
PARALLEL: Final = 8

_TIMEOUT: Final = httpx.Timeout(connect=10.0, read=30.0, write=10.0, pool=10.0)
_HEADERS: Final = {
    "Accept": "*/*",
    # Compression is refused: a small gzip can expand to gigabytes in one chunk.
    "Accept-Encoding": "identity",
    "Connection": "close",
    "User-Agent": "Stemcord",
}
_REDIRECTS: Final = frozenset({301, 302, 303, 307, 308})
_LATER: Final = frozenset({408, 425, 429})
_WRITE_BYTES: Final = 1 << 20


class DownloadError(SplitError):
    """A file could not be downloaded, and no part of it was kept."""


class DownloadRefused(DownloadError):
    """The address does not lead to the file, and retrying will not help; `status` is the server's,
    if any.
    """

    def __init__(self, message: str, *, status: int | None = None) -> None:
        super().__init__(message)
        self.status = status


class DownloadTooBig(DownloadError):
    """The file is larger than allowed."""


class DownloadFailed(DownloadError):
    """The network or the server failed; another try may succeed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LeastRate:
    """The minimum that a server must send per time window; a slower download fails."""

    bytes_per_s: float = 16 * 1024
    window_s: float = 30.0


class Downloads:
    """Downloads files, a limited number at a time."""

    def __init__(
        self,
        *,
        transport: httpx.AsyncBaseTransport,
        parallel: int = PARALLEL,
        least_rate: LeastRate | None = None,
    ) -> None:
        self._transport = transport
        self._parallel = parallel
        self._slots = asyncio.Semaphore(parallel)
        self._least_rate = least_rate or LeastRate()

    def apart(self) -> Self:
        """Return a copy with separate slots, so that neither waits for the other."""
        return type(self)(
            transport=self._transport, parallel=self._parallel, least_rate=self._least_rate
        )

    def over(self, transport: httpx.AsyncBaseTransport) -> Self:
        """Return a copy that shares these slots but uses another transport."""
        other = type(self)(
            transport=transport, parallel=self._parallel, least_rate=self._least_rate
        )
        other._slots = self._slots
        return other

    async def fetch(
        self,
        url: str,
        into: Path,
        *,
        max_bytes: int,
        deadline_s: float,
        headers: Mapping[str, str] | None = None,
    ) -> int:
        """Download `url` to `into`, which appears only once complete; return its size.

        `headers` are sent to the first server only, not to redirects. The deadline counts from the
        first connection. Raises DownloadError, and OSError if the disk refuses the write.
        """
        async with self._slots:
            try:
                async with asyncio.timeout(deadline_s), self._open(url, headers or {}) as response:
                    return await _save(response, into, max_bytes, _Meter(self._least_rate))
            except TimeoutError:
                raise DownloadFailed(f"not done within {deadline_s:g} s") from None
            except (AddressRefused, InvalidAddress) as exc:
                raise DownloadRefused(str(exc)) from exc
            except httpx.TransportError as exc:
                raise DownloadFailed(f"{type(exc).__name__}: {exc}") from exc

    async def aclose(self) -> None:
        """Release the transport."""
        await self._transport.aclose()

    @contextlib.asynccontextmanager
    async def _open(self, url: str, headers: Mapping[str, str]) -> AsyncIterator[httpx.Response]:
        where = parse_address(url)
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


class _Meter:
    """Measures the bytes that arrive in each time window."""

    def __init__(self, least: LeastRate) -> None:
        self._least = least
        self._now = asyncio.get_running_loop().time
        self._began = self._now()
        self._received = 0

    def note(self, size: int) -> None:
        """Count arrived bytes. Raises DownloadFailed if a window had too few."""
        self._received += size
        took_s = self._now() - self._began
        if took_s < self._least.window_s:
            return
        if self._received < self._least.bytes_per_s * took_s:
            raise DownloadFailed(f"only {self._received} bytes within {took_s:.0f} s")
        self._began, self._received = self._now(), 0


async def _save(response: httpx.Response, into: Path, max_bytes: int, meter: _Meter) -> int:
    declared = _accepted_length(response)
    if declared is not None and declared > max_bytes:
        raise DownloadTooBig(f"{declared} bytes declared, {max_bytes} allowed")
    received = 0
    pending = bytearray()
    with _whole_or_nothing(into) as out:
        async for chunk in response.aiter_bytes():
            received += len(chunk)
            if received > max_bytes:
                raise DownloadTooBig(f"more than {max_bytes} bytes")
            meter.note(len(chunk))
            pending += chunk
            if len(pending) >= _WRITE_BYTES:
                await asyncio.to_thread(out.write, bytes(pending))
                pending.clear()
        if declared is not None and received != declared:
            raise DownloadFailed(f"{received} of {declared} bytes arrived")
        await asyncio.to_thread(out.write, bytes(pending))
    return received


def _accepted_length(response: httpx.Response) -> int | None:
    """Return the declared size, if any; raises DownloadError if the response is not a plain
    file.
    """
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
    """Open a file that is moved to `into` if the block succeeds, and deleted otherwise."""
    # Not synced: after a power loss the file is downloaded again.
    with write_aside(into, durable=False) as part, part.open("wb") as out:
        yield out


def _target(url: httpx.URL, response: httpx.Response) -> httpx.URL:
    location = response.headers.get("location")
    if not location:
        raise DownloadRefused("a redirect without a valid address", status=response.status_code)
    return parse_address(location, base=url)
