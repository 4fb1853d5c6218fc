"""The network of the chaos scenes: while it is silent, nothing passes and nothing is closed."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from tests.support.silent_proxy import SilentProxy


@asynccontextmanager
async def echo(path: Path) -> AsyncIterator[asyncio.Server]:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(100):
            writer.write(data)
        writer.close()

    async with await asyncio.start_unix_server(answer, path) as server:
        yield server


async def said(reader: asyncio.StreamReader, *, within_s: float = 5) -> bytes:
    return await asyncio.wait_for(reader.read(100), within_s)


async def test_what_was_sent_in_silence_arrives_afterwards(tmp_path: Path):
    async with echo(tmp_path / "s"), SilentProxy.to(tmp_path / "s") as proxy:
        reader, writer = await asyncio.open_connection("127.0.0.1", proxy.port)
        writer.write(b"one")
        assert await said(reader) == b"one"
        proxy.go_silent()
        writer.write(b"two")
        with pytest.raises(TimeoutError):
            await said(reader, within_s=0.3)
        proxy.heal()
        assert await said(reader) == b"two"
        writer.close()


async def test_a_new_connection_waits_and_an_end_is_not_told_in_silence(tmp_path: Path):
    async with SilentProxy.to(tmp_path / "s") as proxy:
        async with echo(tmp_path / "s"):
            reader, writer = await asyncio.open_connection("127.0.0.1", proxy.port)
            writer.write(b"one")
            assert await said(reader) == b"one"
            proxy.go_silent()
            late, to_late = await asyncio.open_connection("127.0.0.1", proxy.port)
            to_late.write(b"late")
            with pytest.raises(TimeoutError):
                await said(late, within_s=0.3)
            writer.write_eof()  # the service closes its end then
            with pytest.raises(TimeoutError):
                await said(reader, within_s=0.3)
            proxy.heal()
            assert await said(reader) == b""
            assert await said(late) == b"late"
            to_late.close()
        # Without a service the connection ends.
        gone, to_gone = await asyncio.open_connection("127.0.0.1", proxy.port)
        assert await said(gone) == b""
        for each in (writer, to_gone):
            each.close()
