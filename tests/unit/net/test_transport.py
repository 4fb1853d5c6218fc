"""Connections reach only allowed addresses, and all are closed."""

import asyncio
import contextlib
from pathlib import Path

import httpx
import pytest

from bot.net.connector import AddressRefused
from bot.net.dns import Resolver
from bot.net.ip_rules import TrustedHosts
from bot.net.transport import GuardedTransport
from tests.support.scripted_server import Connection, answering, ok, serving
from tests.support.transport_fakes import LoopbackNetwork, ScriptedResolver, no_tls

PUBLIC = "93.184.216.34"


def transport(*, trusted=(), **parts) -> GuardedTransport:
    return GuardedTransport(trusted=TrustedHosts.parse(trusted), tls=no_tls(), **parts)


async def get(guarded: httpx.AsyncBaseTransport, url: str, **timeouts: float) -> httpx.Response:
    limits = {"connect": 2.0, "read": 2.0, "write": 2.0, "pool": 2.0} | timeouts
    request = httpx.Request("GET", url, extensions={"timeout": limits})
    response = await guarded.handle_async_request(request)
    try:
        await response.aread()
    finally:
        await response.aclose()
    return response


def open_sockets() -> int:
    links = Path("/proc/self/fd").iterdir()
    return sum(_target(link).startswith("socket:") for link in links)


def _target(link: Path) -> str:
    try:
        return str(link.readlink())
    except FileNotFoundError:
        return ""


async def test_trusted_host_is_reached_over_plain_http():
    async with serving(answering(ok(b"hello"))) as server:
        response = await get(transport(trusted=[server.host]), server.url)
    assert response.content == b"hello"


@pytest.mark.parametrize(
    "host",
    ["127.0.0.1", "localhost", "2130706433", "0x7f.1", "127.1", "[::1]", "[::ffff:127.0.0.1]"],
)
async def test_loopback_is_refused_in_every_spelling(host):
    async with serving(answering(ok(b"secret"))) as server:
        with pytest.raises(AddressRefused):
            await get(transport(), f"https://{host}:{server.port}/")
    assert server.requests == []


async def test_plain_http_is_refused_to_a_public_address_without_resolving_it():
    names = ScriptedResolver([PUBLIC])
    with pytest.raises(AddressRefused, match="not https"):
        await get(transport(resolve=names), "http://results.example/a.wav")
    assert names.asked == []


@pytest.mark.parametrize("url", ["ftp://127.0.0.1/", "https:///x", "/relative"])
async def test_other_schemes_and_missing_hosts_are_refused(url):
    with pytest.raises(AddressRefused):
        await get(transport(trusted=["127.0.0.1"]), url)


async def test_a_name_is_resolved_once_so_rebinding_changes_nothing():
    names = ScriptedResolver([PUBLIC], ["127.0.0.1"])
    async with serving(answering(b"")) as server:
        network = LoopbackNetwork(server.port)
        with pytest.raises(httpx.ConnectError):
            await get(transport(resolve=names, network=network), "https://results.example/a.wav")
    assert names.asked == ["results.example"]
    assert network.dialled == [PUBLIC]


async def test_private_addresses_among_public_ones_are_left_out():
    names = ScriptedResolver(["10.0.0.1", PUBLIC, "::1"])
    async with serving(answering(b"")) as server:
        network = LoopbackNetwork(server.port)
        with pytest.raises(httpx.ConnectError):
            await get(transport(resolve=names, network=network), "https://results.example/")
    assert network.dialled == [PUBLIC]


async def test_the_next_address_is_tried_when_the_first_is_dead():
    async with serving(answering(ok(b"alive"))) as server:
        network = LoopbackNetwork(server.port, dead=["10.0.0.1"])
        guarded = transport(
            trusted=["stems.example"],
            resolve=ScriptedResolver(["10.0.0.1", "10.0.0.2"]),
            network=network,
        )
        response = await get(guarded, "http://stems.example/")
    assert response.content == b"alive"
    assert network.dialled == ["10.0.0.1", "10.0.0.2"]


async def test_tls_asks_for_the_name_though_the_address_is_dialled():
    async with serving(answering(b"")) as server:
        network = LoopbackNetwork(server.port)
        with pytest.raises(httpx.ConnectError):
            await get(
                transport(resolve=ScriptedResolver([PUBLIC]), network=network),
                "https://results.example/a.wav",
            )
    assert network.dialled == [PUBLIC]
    assert b"results.example" in server.requests[0]


async def test_host_header_keeps_the_name():
    async with serving(answering(ok(b""))) as server:
        guarded = transport(
            trusted=["stems.example"],
            resolve=ScriptedResolver(["10.0.0.1"]),
            network=LoopbackNetwork(server.port),
        )
        await get(guarded, "http://stems.example/a")
    assert b"host: stems.example\r\n" in server.requests[0].lower()


async def test_an_unknown_name_is_a_failed_connection():
    async def nowhere(host: str, port: int):
        raise OSError("no such name")

    with pytest.raises(httpx.ConnectError):
        await get(transport(resolve=nowhere), "https://nowhere.example/")


async def test_a_name_that_cannot_be_one_is_a_failed_connection():
    with pytest.raises(httpx.ConnectError):
        await get(transport(resolve=Resolver()), f"https://{'a' * 70}.example/")


async def test_a_resolver_that_hangs_runs_into_the_connect_timeout():
    async def hang(host: str, port: int):
        await asyncio.Event().wait()

    with pytest.raises(httpx.ConnectTimeout):
        await get(transport(resolve=hang), "https://slow.example/", connect=0.05)


async def test_broken_header_is_reported_without_what_it_held():
    answer = b"HTTP/1.1 302 Found\r\nLocation : https://x.example/a?sig=SECRET\r\n\r\n"
    async with serving(answering(answer)) as server:
        with pytest.raises(httpx.RemoteProtocolError) as caught:
            await get(transport(trusted=[server.host]), server.url)
    assert "SECRET" not in str(caught.value)


async def test_trusting_adds_the_owners_own_address_and_nothing_else():
    async with serving(answering(ok(b"hello"))) as server, serving(answering(ok(b""))) as other:
        guarded = transport().trusting(server.url)
        assert (await get(guarded, server.url)).content == b"hello"
        with pytest.raises(AddressRefused):
            await get(guarded, other.url)


async def test_cancelled_requests_leave_no_connection_behind():
    async def hang(connection: Connection) -> None:
        await connection.until_closed()

    async with serving(hang) as server:
        guarded = transport(trusted=[server.host])
        before = open_sockets()
        for turns in range(40):
            task = asyncio.create_task(get(guarded, server.url))
            for _ in range(turns % 12):
                await asyncio.sleep(0)
            if turns % 3 == 0:
                await asyncio.sleep(0.002)
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task
        await asyncio.sleep(0.05)
        assert open_sockets() == before


async def test_cancelled_tls_handshakes_leave_no_connection_behind():
    async def hang(connection: Connection) -> None:
        await connection.until_closed()

    async with serving(hang) as server:
        guarded = transport(trusted=[server.host])
        before = open_sockets()
        for _ in range(5):
            task = asyncio.create_task(get(guarded, f"https://{server.host}/"))
            await asyncio.sleep(0.01)
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task
        await asyncio.sleep(0.05)
        assert open_sockets() == before


async def reached(guarded: GuardedTransport, url: str) -> bool:
    try:
        return (await get(guarded, url)).status_code == 200
    except AddressRefused:
        return False


@pytest.mark.parametrize(
    ("trusted", "is_vendor_trusted", "is_other_trusted"),
    [((), True, False), (("other",), True, False), (("vendor", "other"), True, True)],
    ids=["nothing is trusted", "another host is trusted", "a stand-in is trusted"],
)
async def test_a_vendor_may_name_trusted_hosts_only_where_it_is_trusted_itself(
    trusted, is_vendor_trusted, is_other_trusted
):
    async with serving(answering(ok(b"a"))) as vendor, serving(answering(ok(b"b"))) as other:
        hosts = {"vendor": vendor.host, "other": other.host}
        guarded = transport(trusted=[hosts[each] for each in trusted]).for_addresses_of(vendor.url)
        assert await reached(guarded, f"{vendor.url}/stem") is is_vendor_trusted
        assert await reached(guarded, f"{other.url}/metrics") is is_other_trusted


async def test_a_vendor_at_its_public_address_may_name_no_trusted_host():
    async with serving(answering(ok(b"secret"))) as server:
        guarded = transport(trusted=[server.host]).for_addresses_of(None)
        assert not await reached(guarded, server.url)
    assert server.requests == []


async def test_a_failed_connection_names_its_host():
    async with serving(answering(b"")) as server:
        pass
    with pytest.raises(httpx.ConnectError, match=r"^127\.0\.0\.1: "):
        await get(transport(trusted=[server.host]), server.url)
