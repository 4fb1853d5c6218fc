"""DNS lookups do not block other work."""

import asyncio
import socket
import threading
from collections.abc import Iterator

import pytest

from bot.net.dns import Resolver


@pytest.fixture
def dead() -> Iterator[threading.Event]:
    """Simulate a name server that answers only after the test."""
    over = threading.Event()
    yield over
    over.set()


async def test_lookups_that_hang_take_no_thread_of_the_loop(dead: threading.Event):
    def hang(*_: object, **__: object) -> list[tuple[object, ...]]:
        dead.wait(30)
        raise OSError("no name server")

    resolve = Resolver(lookup=hang, threads=64)  # type: ignore[arg-type] # never returns
    lookups = [asyncio.create_task(resolve(f"{n}.example", 443)) for n in range(64)]
    await asyncio.sleep(0.01)
    async with asyncio.timeout(5):
        assert await asyncio.to_thread(lambda: "done") == "done"
    for each in lookups:
        each.cancel()
    await asyncio.gather(*lookups, return_exceptions=True)


async def test_an_address_is_not_looked_up():
    def never(*_: object, **__: object) -> list[tuple[object, ...]]:
        raise AssertionError("looked up")

    resolve = Resolver(lookup=never)  # type: ignore[arg-type] # never returns
    assert await resolve("192.0.2.1", 443) == ["192.0.2.1"]
    assert await resolve("2001:db8::1", 443) == ["2001:db8::1"]


async def test_each_address_of_a_name_comes_once():
    def lookup(host: str, port: int, **_: object) -> list[tuple[object, ...]]:
        found = ["192.0.2.1", "192.0.2.1", "192.0.2.2"]
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (each, port)) for each in found]

    resolve = Resolver(lookup=lookup)  # type: ignore[arg-type] # matches by shape
    assert await resolve("cdn.example", 443) == ["192.0.2.1", "192.0.2.2"]
