"""Uploads that the server aborts, in a task that has already handled another failure."""

import asyncio
import io

import aiohttp
import pytest

from bot.concurrency import gather_or_raise

MUCH = 30_000_000


async def answer_early(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Answer a request and close the connection before its body has arrived."""
    await reader.readuntil(b"\r\n\r\n")
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}")
    await writer.drain()
    writer.close()


async def test_an_upload_that_breaks_off_does_not_end_its_task() -> None:
    async def fail() -> None:
        raise ValueError("does not fit")

    async def upload(port: int) -> None:
        with pytest.raises(ValueError, match="does not fit"):
            await gather_or_raise([fail()])
        async with aiohttp.ClientSession() as session:
            try:
                async with session.post(
                    f"http://127.0.0.1:{port}/", data=io.BytesIO(bytes(MUCH))
                ) as answer:
                    await answer.text()
            except aiohttp.ClientError:
                return

    server = await asyncio.start_server(answer_early, "127.0.0.1", 0)
    async with server:
        uploading = asyncio.create_task(upload(server.sockets[0].getsockname()[1]))
        await asyncio.wait({uploading}, timeout=30)
    uploading.result()
