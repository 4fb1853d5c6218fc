"""Downloads are complete, within limits and from allowed hosts, or leave no file."""

import asyncio
import contextlib
import gzip
import logging
import tracemalloc

import httpx
import pytest

from bot.net.downloads import (
    MAX_REDIRECTS,
    PARALLEL,
    DownloadError,
    DownloadFailed,
    DownloadRefused,
    Downloads,
    DownloadTooBig,
    LeastRate,
)
from bot.net.ip_rules import TrustedHosts
from bot.net.transport import GuardedTransport
from tests.support.scripted_server import Connection, answering, ok, serving
from tests.support.transport_fakes import LoopbackNetwork, ScriptedResolver, no_tls

AUDIO = bytes(range(256)) * 5000


def downloads(*trusted: str, **parts) -> Downloads:
    guarded = GuardedTransport(trusted=TrustedHosts.parse(trusted), tls=no_tls(), **parts)
    return Downloads(transport=guarded)


async def fetch(loader, url, folder, *, max_bytes=10_000_000, deadline_s=2.0, headers=None):
    return await loader.fetch(
        url, folder / "song.wav", max_bytes=max_bytes, deadline_s=deadline_s, headers=headers
    )


async def fetch_from(script, folder, **limits):
    async with serving(script) as server:
        return await fetch(downloads(server.host), server.url + "/a?sig=SECRET", folder, **limits)


def chunked(*chunks: bytes) -> bytes:
    parts = [b"%x\r\n%s\r\n" % (len(chunk), chunk) for chunk in chunks]
    head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    return head + b"".join(parts) + b"0\r\n\r\n"


async def slow(connection: Connection) -> None:
    await connection.send(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
    for _ in range(1000):
        await connection.send(b"x")
        await asyncio.sleep(0.02)


async def reset(connection: Connection) -> None:
    await connection.send(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nxx")
    connection.reset()


async def endless(connection: Connection) -> None:
    await connection.send(b"HTTP/1.1 200 OK\r\n\r\n")
    while True:
        await connection.send(b"x" * 65536)


async def test_a_file_arrives_whole_under_its_name(tmp_path):
    assert await fetch_from(answering(ok(AUDIO)), tmp_path) == len(AUDIO)
    assert (tmp_path / "song.wav").read_bytes() == AUDIO
    assert [each.name for each in tmp_path.iterdir()] == ["song.wav"]


async def test_a_file_in_chunks_of_unknown_length_arrives_whole(tmp_path):
    assert await fetch_from(answering(chunked(AUDIO, b"end")), tmp_path) == len(AUDIO) + 3


async def test_an_empty_file_arrives_empty(tmp_path):
    assert await fetch_from(answering(ok(b"")), tmp_path) == 0
    assert (tmp_path / "song.wav").read_bytes() == b""


async def declared_only(connection: Connection) -> None:
    await connection.send(b"HTTP/1.1 200 OK\r\nContent-Length: 10737418240\r\n\r\n")
    await connection.until_closed()


FAILURES = {
    "declared too big, before it comes": (declared_only, DownloadTooBig),
    "declared too big": (answering(ok(b"x" * 2000)), DownloadTooBig),
    "too big though declared small": (answering(chunked(b"x" * 600, b"x" * 600)), DownloadTooBig),
    "endless": (endless, DownloadTooBig),
    "cut short": (answering(b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\nxx"), DownloadFailed),
    "cut in a chunk": (
        answering(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nxx"),
        DownloadFailed,
    ),
    "reset": (reset, DownloadFailed),
    "slow": (slow, DownloadFailed),
    "not HTTP": (answering(b"220 ftp ready\r\n\r\n"), DownloadFailed),
    "500": (answering(ok(b"", status="500 Oops")), DownloadFailed),
    "429": (answering(ok(b"", status="429 Later")), DownloadFailed),
    "404": (answering(ok(b"", status="404 Gone")), DownloadRefused),
    "403": (answering(ok(b"", status="403 Expired")), DownloadRefused),
    "206": (answering(ok(b"xx", status="206 Part")), DownloadRefused),
    "gzip": (answering(ok(gzip.compress(b"x" * 900), "Content-Encoding: gzip")), DownloadRefused),
    "redirect to nowhere": (answering(ok(b"", status="302 Found")), DownloadRefused),
    "redirect to no address": (
        answering(ok(b"", "Location: https://x:port/", status="302 Found")),
        DownloadRefused,
    ),
    "redirect to a file": (
        answering(ok(b"", "Location: file:///etc/passwd", status="302 Found")),
        DownloadRefused,
    ),
}


@pytest.mark.parametrize(("script", "expected"), FAILURES.values(), ids=FAILURES)
async def test_a_failure_has_its_type_and_leaves_no_file(script, expected, tmp_path):
    with pytest.raises(expected):
        await fetch_from(script, tmp_path, max_bytes=1000, deadline_s=0.3)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("script", "expected"), FAILURES.values(), ids=FAILURES)
async def test_no_failure_tells_the_signed_address(script, expected, tmp_path, caplog):
    caplog.set_level(logging.DEBUG)
    with pytest.raises(DownloadError) as caught:
        await fetch_from(script, tmp_path, max_bytes=1000, deadline_s=0.3)
    error: BaseException | None = caught.value
    while error is not None:
        assert "SECRET" not in str(error)
        error = error.__cause__
    assert "SECRET" not in caplog.text


async def test_no_success_logs_the_signed_address(tmp_path, caplog):
    caplog.set_level(logging.DEBUG)
    await fetch_from(answering(ok(AUDIO)), tmp_path)
    assert "SECRET" not in caplog.text


async def test_refusal_carries_the_status(tmp_path):
    with pytest.raises(DownloadRefused) as caught:
        await fetch_from(answering(ok(b"", status="410 Gone")), tmp_path)
    assert caught.value.status == 410


async def test_a_failed_download_leaves_the_file_of_an_earlier_one(tmp_path):
    (tmp_path / "song.wav").write_bytes(b"before")
    with pytest.raises(DownloadFailed):
        await fetch_from(reset, tmp_path)
    assert (tmp_path / "song.wav").read_bytes() == b"before"


async def test_a_cancelled_download_leaves_no_file(tmp_path):
    task = asyncio.create_task(fetch_from(slow, tmp_path))
    async with asyncio.timeout(30):
        while not list(tmp_path.iterdir()):
            await asyncio.sleep(0.005)
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task
    assert list(tmp_path.iterdir()) == []


async def test_a_large_file_passes_through_a_small_buffer(tmp_path):
    async def large(connection: Connection) -> None:
        await connection.send(b"HTTP/1.1 200 OK\r\n\r\n")
        for _ in range(512):
            await connection.send(bytes(65536))

    tracemalloc.start()
    try:
        assert await fetch_from(large, tmp_path, max_bytes=1 << 30, deadline_s=10.0) == 1 << 25
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 8 << 20


async def test_redirects_are_followed_to_allowed_addresses(tmp_path):
    async with serving(answering(ok(AUDIO))) as second:
        moved = ok(b"", f"Location: {second.url}/there", status="302 Found")
        async with serving(answering(moved)) as first:
            loader = downloads(first.host, second.host)
            assert await fetch(loader, first.url, tmp_path) == len(AUDIO)
    assert second.requests[0].startswith(b"GET /there ")


async def test_relative_redirects_stay_on_the_server(tmp_path):
    async def script(connection: Connection) -> None:
        moved = ok(b"", "Location: ../there?x=1", status="308 Moved")
        await connection.send(ok(b"hello") if b"/there" in connection.request else moved)

    async with serving(script) as server:
        assert await fetch(downloads(server.host), f"{server.url}/a/b", tmp_path) == 5
    assert server.requests[1].startswith(b"GET /there?x=1 ")


async def test_a_redirect_to_a_private_address_is_not_followed(tmp_path):
    async with serving(answering(ok(b"secret"))) as inner:
        moved = ok(b"", f"Location: {inner.url}/", status="302 Found")
        async with serving(answering(moved)) as outer:
            with pytest.raises(DownloadRefused, match="not https"):
                await fetch(downloads(outer.host), outer.url, tmp_path)
    assert inner.requests == []


async def test_a_redirect_to_a_name_that_leads_inside_is_not_followed(tmp_path):
    moved = ok(b"", "Location: https://results.example/", status="302 Found")
    async with serving(answering(moved)) as server:
        names = ScriptedResolver(["127.0.0.1"])
        network = LoopbackNetwork(server.port)
        with pytest.raises(DownloadRefused, match="not a public address"):
            await fetch(
                downloads(server.host, resolve=names, network=network), server.url, tmp_path
            )
    assert len(server.requests) == 1


async def test_redirects_end_after_a_few(tmp_path):
    async with serving(answering(ok(b"", "Location: /again", status="302 Found"))) as server:
        with pytest.raises(DownloadRefused, match="too many"):
            await fetch(downloads(server.host), server.url, tmp_path)
    assert len(server.requests) == 1 + MAX_REDIRECTS


async def test_headers_are_for_the_first_server_alone(tmp_path):
    async with serving(answering(ok(b"x"))) as second:
        moved = ok(b"", f"Location: {second.url}/", status="302 Found")
        async with serving(answering(moved)) as first:
            loader = downloads(first.host, second.host)
            await fetch(loader, first.url, tmp_path, headers={"api-key": "SECRET"})
    assert b"SECRET" in first.requests[0]
    assert b"SECRET" not in second.requests[0]


async def test_only_plain_bodies_are_asked_for(tmp_path):
    async with serving(answering(ok(b"x"))) as server:
        headers = {"Accept-Encoding": "gzip"}
        await fetch(downloads(server.host), server.url, tmp_path, headers=headers)
    assert b"accept-encoding: identity\r\n" in server.requests[0].lower()
    assert b"gzip" not in server.requests[0]


async def test_a_server_that_is_not_there_may_be_there_later(tmp_path):
    async with serving(answering(b"")) as server:
        pass
    with pytest.raises(DownloadFailed):
        await fetch(downloads(server.host), server.url, tmp_path)


@pytest.mark.parametrize("url", ["", "song.wav", "https://", "https://x:port/", "data:,x", "//x/y"])
async def test_what_is_no_address_is_refused(url, tmp_path):
    with pytest.raises(DownloadRefused):
        await fetch(downloads(), url, tmp_path)


async def test_what_the_disk_refuses_is_not_blamed_on_the_server(tmp_path):
    async with serving(answering(ok(b"x"))) as server:
        with pytest.raises(FileNotFoundError):
            await fetch(downloads(server.host), server.url, tmp_path / "missing")


async def test_only_a_few_downloads_are_open_at_a_time(tmp_path):
    open_now = most = 0

    async def count(request: httpx.Request) -> httpx.Response:
        nonlocal open_now, most
        open_now += 1
        most = max(most, open_now)
        await asyncio.sleep(0.002)
        open_now -= 1
        return httpx.Response(200, content=b"x")

    loader = Downloads(transport=httpx.MockTransport(count), parallel=2)
    await asyncio.gather(
        *(
            loader.fetch("https://x.example/", tmp_path / str(n), max_bytes=9, deadline_s=1.0)
            for n in range(8)
        )
    )
    assert most == 2


async def test_slow_results_leave_the_places_for_songs_free(tmp_path):
    async with serving(slow) as vendor, serving(answering(ok(AUDIO))) as discord:
        songs = downloads(vendor.host, discord.host)
        results = songs.apart()
        folders = [tmp_path / str(number) for number in range(PARALLEL + 1)]
        for folder in folders:
            folder.mkdir()
        waiting = [
            asyncio.create_task(fetch(results, vendor.url, folder, deadline_s=30.0))
            for folder in folders
        ]
        await asyncio.sleep(0.1)
        async with asyncio.timeout(2):
            assert await fetch(songs, discord.url, tmp_path) == len(AUDIO)
        for each in waiting:
            each.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)


async def test_a_server_below_the_least_rate_loses_its_place(tmp_path):
    async with serving(slow) as server:
        guarded = GuardedTransport(trusted=TrustedHosts.parse([server.host]), tls=no_tls())
        least = LeastRate(bytes_per_s=1000.0, window_s=0.2)
        loader = Downloads(transport=guarded, least_rate=least)
        with pytest.raises(DownloadFailed, match=r"only \d+ bytes within"):
            await fetch(loader, server.url, tmp_path, deadline_s=30.0)
    assert list(tmp_path.iterdir()) == []


async def test_a_server_at_the_least_rate_keeps_its_place(tmp_path):
    async def steady(connection: Connection) -> None:
        await connection.send(b"HTTP/1.1 200 OK\r\nContent-Length: 10000\r\n\r\n")
        for _ in range(10):
            await connection.send(b"x" * 1000)
            await asyncio.sleep(0.03)

    async with serving(steady) as server:
        guarded = GuardedTransport(trusted=TrustedHosts.parse([server.host]), tls=no_tls())
        loader = Downloads(
            transport=guarded, least_rate=LeastRate(bytes_per_s=1000.0, window_s=0.1)
        )
        assert await fetch(loader, server.url, tmp_path, deadline_s=30.0) == 10_000


async def test_downloads_over_another_transport_share_the_places(tmp_path):
    open_now = most = 0

    async def count(request: httpx.Request) -> httpx.Response:
        nonlocal open_now, most
        open_now += 1
        most = max(most, open_now)
        await asyncio.sleep(0.002)
        open_now -= 1
        return httpx.Response(200, content=b"x")

    first = Downloads(transport=httpx.MockTransport(count), parallel=2)
    second = first.over(httpx.MockTransport(count))
    await asyncio.gather(
        *(
            loader.fetch("https://x.example/", tmp_path / f"{n}", max_bytes=9, deadline_s=1.0)
            for n, loader in enumerate((first, second) * 4)
        )
    )
    assert most == 2


@pytest.mark.parametrize(
    "location", ["https://[x", "//[x", "https://xn--a.example/", "https://a..b/", "https://x:0x1/"]
)
async def test_a_redirect_to_what_is_no_address_is_refused(location, tmp_path):
    script = answering(ok(b"", f"Location: {location}", status="302 Found"))
    with pytest.raises(DownloadRefused):
        await fetch_from(script, tmp_path)


async def test_a_failure_names_host_and_reason(tmp_path):
    async with serving(answering(b"")) as server:
        pass
    with pytest.raises(DownloadFailed, match=r"ConnectError: 127\.0\.0\.1: "):
        await fetch(downloads(server.host), server.url, tmp_path)
