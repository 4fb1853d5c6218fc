"""Fetches a request's song by its address, as a vendor does."""

from pathlib import Path
from typing import Final

import aiohttp
from yarl import URL

from sandbox.middleware import is_loopback

MAX_SONG_BYTES: Final = 600 << 20
_PATIENCE: Final = aiohttp.ClientTimeout(total=120, sock_connect=5, sock_read=20)


class SongOutOfReach(Exception):
    """The address leads to no accessible song."""


async def fetch_song(address: str, into: Path) -> None:
    """Download a file from this machine. Simulated vendors contact no other host."""
    if not is_web_address(address):
        raise SongOutOfReach("this is no web address")
    if not is_loopback(URL(address).authority):
        raise SongOutOfReach("a stand-in fetches from this machine only")
    try:
        async with (
            aiohttp.ClientSession(timeout=_PATIENCE) as http,
            http.get(address, allow_redirects=False) as response,
        ):
            if response.status != 200:
                raise SongOutOfReach(f"its address answers {response.status}")
            await _save(response, into)
    except (aiohttp.ClientError, TimeoutError) as exc:
        raise SongOutOfReach(f"its address does not answer: {type(exc).__name__}") from exc


def is_web_address(text: str) -> bool:
    """Return whether this is a fetchable web address."""
    try:
        url = URL(text)
    except ValueError:
        return False
    return url.scheme in ("http", "https") and bool(url.host)


async def _save(response: aiohttp.ClientResponse, into: Path) -> None:
    size_bytes = 0
    with into.open("wb") as file:
        async for piece in response.content.iter_chunked(1 << 18):
            size_bytes += len(piece)
            if size_bytes > MAX_SONG_BYTES:
                raise SongOutOfReach("the file is too large")
            file.write(piece)
