"""The web servers: what each address serves to whom, and limits on stalled connections."""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from http import HTTPStatus
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from bot.domain.errors import StoreUnavailable
from bot.ops.server import (
    AddressUnavailable,
    HttpServer,
    ops_application,
    public_application,
)

HERE = "127.0.0.1"


async def public_page(_: web.Request) -> web.Response:
    return web.Response(text="a stem")


async def broken_page(_: web.Request) -> web.Response:
    raise ValueError("choir")


PUBLIC = [web.get("/r/x", public_page), web.get("/r/broken", broken_page)]


class Monitored:
    """The state reported by the operations server, set by tests."""

    def __init__(self) -> None:
        self.found = {"store": True, "files": True, "discord": True}

    async def check(self) -> dict[str, bool]:
        return self.found

    async def scrape(self) -> bytes:
        return b"stemcord_running 0\n"


@asynccontextmanager
async def serving(app: web.Application, **limits: float) -> AsyncIterator[int]:
    server = HttpServer(app, **limits)  # type: ignore[arg-type] # as the test names them
    port = await server.start(HERE, 0, setting="STEMCORD_OPS_ADDRESS")
    try:
        yield port
    finally:
        await server.stop()


async def status(port: int, path: str, **headers: str) -> int:
    async with (
        aiohttp.ClientSession() as session,
        session.get(f"http://{HERE}:{port}{path}", headers=headers) as answer,
    ):
        return answer.status


async def test_health_fails_without_the_store_only() -> None:
    monitored = Monitored()
    async with serving(ops_application(check=monitored.check, scrape=monitored.scrape)) as port:
        assert await status(port, "/healthz") == HTTPStatus.OK
        monitored.found["discord"] = monitored.found["files"] = False
        assert await status(port, "/healthz") == HTTPStatus.OK
        monitored.found["store"] = False
        assert await status(port, "/healthz") == HTTPStatus.SERVICE_UNAVAILABLE


@pytest.mark.parametrize(
    "header", ["Forwarded", "X-Forwarded-For", "x-forwarded-proto", "X-Forwarded-Host"]
)
async def test_forwarded_request_sees_the_public_paths_alone(header: str) -> None:
    monitored = Monitored()
    app = ops_application(check=monitored.check, scrape=monitored.scrape, public=PUBLIC)
    async with serving(app) as port:
        for path in ("/healthz", "/metrics"):
            assert await status(port, path) == HTTPStatus.OK
            assert await status(port, path, **{header: "203.0.113.9"}) == HTTPStatus.NOT_FOUND
        assert await status(port, "/r/x", **{header: "203.0.113.9"}) == HTTPStatus.OK


async def test_public_address_serves_nothing_but_links() -> None:
    async with serving(public_application(PUBLIC)) as port:
        assert await status(port, "/r/x") == HTTPStatus.OK
        for path in ("/healthz", "/metrics", "/"):
            assert await status(port, path) == HTTPStatus.NOT_FOUND


async def test_unexpected_failure_is_logged_without_the_address(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with serving(public_application(PUBLIC)) as port:
        assert await status(port, "/r/broken") == HTTPStatus.INTERNAL_SERVER_ERROR
    [record] = [each for each in caplog.records if each.name == "bot.ops.server" and each.exc_info]
    assert "/r/broken" not in record.getMessage()


async def test_a_store_that_is_away_is_no_unexpected_failure(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def scrape() -> bytes:
        raise StoreUnavailable("locked")

    async with serving(ops_application(check=Monitored().check, scrape=scrape)) as port:
        assert await status(port, "/metrics") == HTTPStatus.SERVICE_UNAVAILABLE
    assert not [each for each in caplog.records if each.exc_info]


async def until_closed(reader: asyncio.StreamReader) -> bytes:
    async with asyncio.timeout(10):
        return await reader.read()


Sends = Callable[[asyncio.StreamWriter], Coroutine[Any, Any, None]]


async def nothing(_: asyncio.StreamWriter) -> None:
    """Connect without sending anything."""


async def drop_by_drop(writer: asyncio.StreamWriter) -> None:
    writer.write(b"GET /r/x HTTP/1.1\r\nHost: a\r\n")
    for _ in range(50):
        await asyncio.sleep(0.05)
        writer.write(b"X-More: 1\r\n")


async def second_head_never_ends(writer: asyncio.StreamWriter) -> None:
    writer.write(b"GET /r/x HTTP/1.1\r\nHost: a\r\n\r\nGET /r/x HTTP/1.1\r\n")


@pytest.mark.parametrize("send", [nothing, drop_by_drop, second_head_never_ends])
async def test_connection_without_a_whole_head_is_closed_in_time(send: Sends) -> None:
    async with serving(public_application(PUBLIC), head_within_s=0.2) as port:
        reader, writer = await asyncio.open_connection(HERE, port)
        sending = asyncio.create_task(send(writer))
        began = asyncio.get_running_loop().time()
        await until_closed(reader)
        assert asyncio.get_running_loop().time() - began < 2
        sending.cancel()
        writer.close()


async def test_one_connection_too_many_is_refused_and_the_rest_served() -> None:
    async with serving(public_application(PUBLIC), max_connections=5) as port:
        idle = [await asyncio.open_connection(HERE, port) for _ in range(5)]
        with pytest.raises(aiohttp.ClientError):
            await status(port, "/r/x")
        idle[0][1].close()
        await idle[0][1].wait_closed()
        async with asyncio.timeout(5):
            while True:
                try:
                    assert await status(port, "/r/x") == HTTPStatus.OK
                    break
                except aiohttp.ClientError:
                    await asyncio.sleep(0.01)
        for _, writer in idle:
            writer.close()


async def test_address_in_use_is_one_line_with_its_setting() -> None:
    async with serving(public_application(PUBLIC)) as port:
        second = HttpServer(public_application(PUBLIC))
        with pytest.raises(AddressUnavailable) as refused:
            await second.start(HERE, port, setting="STEMCORD_PUBLIC_ADDRESS")
    line = str(refused.value)
    assert line.startswith(f"STEMCORD_PUBLIC_ADDRESS: {HERE}:{port} cannot be listened on")
    assert "\n" not in line
