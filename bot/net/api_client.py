"""A client for JSON APIs of vendors, with limits on time, size and concurrency.

An adapter has to know whether the vendor may have received a failed call. If no connection was
made, nothing was sent; otherwise the vendor may have received the call.
"""

import asyncio
import contextlib
import re
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Final

import httpx

from bot.domain.clock import Clock
from bot.domain.errors import MAX_RETRY_AFTER_S, ProviderDown, ProviderProtocol, SubmitUncertain

MAX_ANSWER_BYTES: Final = 1 << 20

Json = Mapping[str, str | int | bool]

_HEADERS: Final = {
    "Accept": "application/json",
    "Accept-Encoding": "identity",
    "Connection": "close",
    "User-Agent": "Stemcord",
}
_NOT_SENT: Final = (
    httpx.PoolTimeout,
    httpx.ConnectTimeout,
    httpx.ConnectError,
    httpx.UnsupportedProtocol,
    httpx.LocalProtocolError,
)
_SECONDS: Final = re.compile(r"\d{1,9}(\.\d+)?", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class Timeouts:
    """Time limits for the parts of a call, in seconds."""

    slot_s: float = 30.0
    """The limit on waiting for a free slot."""
    connect_s: float = 10.0
    write_s: float = 30.0
    read_s: float = 30.0
    """The limit on silence; a synchronous service sends nothing while it works."""
    total_s: float = 90.0
    """The limit on a whole submit."""
    ask_s: float = 20.0
    """The limit on a whole repeatable call, including the wait for a slot."""

    def extension(self) -> dict[str, float | None]:
        """Return the timeouts in the form that an httpx request takes."""
        return httpx.Timeout(
            connect=self.connect_s, read=self.read_s, write=self.write_s, pool=self.slot_s
        ).as_dict()


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """A response whose body is not yet validated."""

    status: int
    headers: httpx.Headers
    text: str
    retry_after_s: float | None
    """The wait that the server asks for, in seconds, at most `MAX_RETRY_AFTER_S`."""


class _Unreadable(Exception):
    """The body has a content encoding or is too large."""


class ApiClient:
    """Calls one vendor's API; does not follow redirects, retry or log."""

    def __init__(
        self,
        *,
        base_url: str,
        transport: httpx.AsyncBaseTransport,
        clock: Clock,
        timeouts: Timeouts | None = None,
        parallel: int = 8,
    ) -> None:
        self._base_url = base_url.rstrip("/")
        self._transport = transport
        self._clock = clock
        self._timeouts = timeouts or Timeouts()
        self._slots = asyncio.Semaphore(parallel)

    async def ask(
        self,
        method: str,
        path: str,
        *,
        headers: Mapping[str, str],
        json: Json | None = None,
    ) -> Answer:
        """Make a call that is safe to repeat. Raises ProviderDown and ProviderProtocol."""
        try:
            async with asyncio.timeout(self._timeouts.ask_s):
                return await self._call(method, path, headers, json)
        except (httpx.TransportError, TimeoutError) as exc:
            raise ProviderDown(_cause(exc)) from exc
        except _Unreadable as exc:
            raise ProviderProtocol(str(exc)) from exc

    async def submit(self, path: str, *, headers: Mapping[str, str], json: Json) -> Answer:
        """Post a request that must not arrive twice.

        Raises ProviderDown if nothing was sent, and SubmitUncertain if the request may have
        arrived.
        """
        try:
            return await self._call("POST", path, headers, json)
        except _NOT_SENT as exc:
            raise ProviderDown(_cause(exc)) from exc
        except (httpx.TransportError, TimeoutError, _Unreadable) as exc:
            raise SubmitUncertain(_cause(exc)) from exc

    async def aclose(self) -> None:
        """Release the transport."""
        await self._transport.aclose()

    async def _call(
        self, method: str, path: str, headers: Mapping[str, str], json: Json | None
    ) -> Answer:
        request = httpx.Request(
            method,
            self._base_url + path,
            headers={**_HEADERS, **headers},
            json=json,
            extensions={"timeout": self._timeouts.extension()},
        )
        async with self._slot(), asyncio.timeout(self._timeouts.total_s):
            response = await self._transport.handle_async_request(request)
            try:
                return Answer(
                    status=response.status_code,
                    headers=response.headers,
                    text=await _read(response),
                    retry_after_s=_retry_after_s(response.headers, self._clock.now()),
                )
            finally:
                await response.aclose()

    @contextlib.asynccontextmanager
    async def _slot(self) -> AsyncIterator[None]:
        try:
            async with asyncio.timeout(self._timeouts.slot_s):
                await self._slots.acquire()
        except TimeoutError:
            raise httpx.PoolTimeout("too many calls are open") from None
        try:
            yield
        finally:
            self._slots.release()


async def _read(response: httpx.Response) -> str:
    if response.headers.get("content-encoding", "identity").lower() != "identity":
        raise _Unreadable("an encoded answer")
    body = bytearray()
    async for chunk in response.aiter_bytes():
        body += chunk
        if len(body) > MAX_ANSWER_BYTES:
            raise _Unreadable(f"an answer of more than {MAX_ANSWER_BYTES} bytes")
    return body.decode("utf-8-sig", errors="replace")


def _retry_after_s(headers: httpx.Headers, now: datetime) -> float | None:
    value = headers.get("retry-after", "").strip()
    if _SECONDS.fullmatch(value):
        return min(float(value), MAX_RETRY_AFTER_S)
    try:
        at = parsedate_to_datetime(value)
    except (ValueError, OverflowError):
        return None
    aware = at if at.tzinfo else at.replace(tzinfo=UTC)
    return min(max(0.0, (aware - now).total_seconds()), MAX_RETRY_AFTER_S)


def _cause(exc: Exception) -> str:
    name, text = type(exc).__name__, str(exc)
    return text if text.endswith(name) else f"{name}: {text}".removesuffix(": ")
