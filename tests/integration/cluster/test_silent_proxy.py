"""The network of the chaos scenes: while it is silent, nothing passes and nothing is closed."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pytest

from tests.support.silent_proxy import SilentProxy


@asynccontextmanager
async def echo(path: Path) -> AsyncIterator[None]:
    """Serve on a socket, and answer with what was sent."""
    answering: list[asyncio.Task[None]] = []

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError):
            while data := await reader.read(100):
                writer.write(data)
            writer.close()
            await writer.wait_closed()

    def begin(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        answering.append(asyncio.create_task(answer(reader, writer)))

    async with await asyncio.start_unix_server(begin, path):
        yield
    await asyncio.gather(*answering)


@asynccontextmanager
async def connected(
    proxy: SilentProxy,
) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    reader, writer = await asyncio.open_connection("127.0.0.1", proxy.port)
    try:
        yield reader, writer
    finally:
        writer.close()
        with suppress(ConnectionError):
            await writer.wait_closed()


async def said(reader: asyncio.StreamReader, *, within_s: float = 5) -> bytes:
    return await asyncio.wait_for(reader.read(100), within_s)


async def test_what_was_sent_in_silence_arrives_afterwards(tmp_path: Path):
    async with (
        echo(tmp_path / "s"),
        SilentProxy.to(tmp_path / "s") as proxy,
        connected(proxy) as (reader, writer),
    ):
        writer.write(b"one")
        assert await said(reader) == b"one"
        proxy.go_silent()
        writer.write(b"two")
        with pytest.raises(TimeoutError):
            await said(reader, within_s=0.3)
        proxy.heal()
        assert await said(reader) == b"two"


async def test_a_new_connection_waits_and_an_end_is_not_told_in_silence(tmp_path: Path):
    async with (
        echo(tmp_path / "s"),
        SilentProxy.to(tmp_path / "s") as proxy,
        connected(proxy) as (reader, writer),
    ):
        writer.write(b"one")
        assert await said(reader) == b"one"
        proxy.go_silent()
        async with connected(proxy) as (late, to_late):
            to_late.write(b"late")
            with pytest.raises(TimeoutError):
                await said(late, within_s=0.3)
            writer.write_eof()  # the service also closes its side
            with pytest.raises(TimeoutError):
                await said(reader, within_s=0.3)
            proxy.heal()
            assert await said(reader) == b""
            assert await said(late) == b"late"


async def test_without_a_server_a_connection_ends(tmp_path: Path):
    async with SilentProxy.to(tmp_path / "s") as proxy, connected(proxy) as (reader, _):
        assert await said(reader) == b""
