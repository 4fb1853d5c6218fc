"""API calls return the response, or tell whether the request may have reached the vendor."""

import asyncio
import contextlib
import gzip
import json
from datetime import UTC, datetime

import httpx
import pytest

from bot.domain.errors import ProviderDown, ProviderProtocol, SubmitUncertain
from bot.net.api_client import MAX_ANSWER_BYTES, ApiClient, Timeouts
from bot.net.ip_rules import TrustedHosts
from bot.net.transport import GuardedTransport
from tests.support.scripted_server import Connection, answering, ok, serving
from tests.support.transport_fakes import no_tls

NOW = datetime(2026, 10, 21, 7, 28, tzinfo=UTC)
QUICK = Timeouts(slot_s=0.1, connect_s=1.0, write_s=0.3, read_s=0.1, total_s=0.4, ask_s=0.4)


class StoppedClock:
    def now(self) -> datetime:
        return NOW

    def monotonic(self) -> float:
        return 0.0


def client(base_url: str, **parts) -> ApiClient:
    guarded = GuardedTransport(trusted=TrustedHosts(), tls=no_tls()).trusting(base_url)
    return ApiClient(
        **{
            "base_url": base_url,
            "transport": guarded,
            "clock": StoppedClock(),
            "timeouts": QUICK,
            **parts,
        }
    )


def mocked(handler, **parts) -> ApiClient:
    return client("https://api.example", transport=httpx.MockTransport(handler), **parts)


async def submit(api: ApiClient):
    return await api.submit("/v1/split", headers={"api-key": "k"}, json={"url": "u"})


async def ask(api: ApiClient):
    return await api.ask("GET", "/v1/task", headers={"api-key": "k"})


async def closed_port() -> int:
    async with serving(answering(b"")) as server:
        return server.port


async def hang(connection: Connection) -> None:
    await connection.until_closed()


async def reset(connection: Connection) -> None:
    connection.reset()


async def drip(connection: Connection) -> None:
    await connection.send(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n")
    for _ in range(100):
        await connection.send(b" ")
        await asyncio.sleep(0.03)


LOST_ANSWERS = {
    "silence": hang,
    "reset": reset,
    "closed without a word": answering(b""),
    "cut in the headers": answering(b"HTTP/1.1 200 OK\r\nContent-"),
    "cut in the body": answering(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n{}"),
    "cut in a chunk": answering(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n{}"),
    "not HTTP": answering(b"SSH-2.0-OpenSSH_9.2\r\n\r\n"),
    "a body that never ends": drip,
}
UNREADABLE = {
    "a gzip bomb": answering(ok(gzip.compress(b"0" * 20_000_000, 1), "Content-Encoding: gzip")),
    "too big a body": answering(ok(b"0" * (MAX_ANSWER_BYTES + 1))),
}


async def test_a_submit_carries_method_path_headers_and_json():
    async with serving(answering(ok(b'{"a": 1}'))) as server:
        answer = await submit(client(server.url + "/base/", timeouts=Timeouts()))
    head, _, body = server.requests[0].partition(b"\r\n\r\n")
    lines = head.lower().split(b"\r\n")
    assert lines[0] == b"post /base/v1/split http/1.1"
    assert b"api-key: k" in lines
    assert b"accept-encoding: identity" in lines
    assert b"content-type: application/json" in lines
    assert json.loads(body) == {"url": "u"}
    assert (answer.status, answer.text) == (200, '{"a": 1}')


@pytest.mark.parametrize("script", LOST_ANSWERS.values(), ids=LOST_ANSWERS)
async def test_a_submit_that_was_sent_but_not_answered_is_uncertain(script):
    async with serving(script) as server:
        with pytest.raises(SubmitUncertain):
            await submit(client(server.url))
    assert len(server.requests) == 1


@pytest.mark.parametrize("script", UNREADABLE.values(), ids=UNREADABLE)
async def test_a_submit_with_an_unreadable_answer_is_uncertain(script):
    async with serving(script) as server:
        with pytest.raises(SubmitUncertain):
            await submit(client(server.url))


@pytest.mark.parametrize("script", LOST_ANSWERS.values(), ids=LOST_ANSWERS)
async def test_a_question_that_was_not_answered_finds_the_provider_down(script):
    async with serving(script) as server:
        with pytest.raises(ProviderDown):
            await ask(client(server.url))


@pytest.mark.parametrize("script", UNREADABLE.values(), ids=UNREADABLE)
async def test_a_question_with_an_unreadable_answer_breaks_the_protocol(script):
    async with serving(script) as server:
        with pytest.raises(ProviderProtocol):
            await ask(client(server.url))


async def test_a_submit_to_a_closed_port_was_provably_not_sent():
    with pytest.raises(ProviderDown):
        await submit(client(f"http://127.0.0.1:{await closed_port()}"))


async def test_a_submit_whose_tls_handshake_fails_was_provably_not_sent():
    async with serving(answering(b"")) as server:
        with pytest.raises(ProviderDown):
            await submit(client(f"https://{server.host}"))


async def test_a_submit_that_finds_no_free_place_was_provably_not_sent():
    async with serving(hang) as server:
        api = client(server.url, parallel=1, timeouts=Timeouts(slot_s=0.02, read_s=5.0))
        first = asyncio.create_task(submit(api))
        await asyncio.sleep(0.05)
        with pytest.raises(ProviderDown, match="too many"):
            await submit(api)
        first.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await first
    assert len(server.requests) == 1


@pytest.mark.parametrize(
    ("failure", "expected"),
    [
        (httpx.ConnectError, ProviderDown),
        (httpx.ConnectTimeout, ProviderDown),
        (httpx.PoolTimeout, ProviderDown),
        (httpx.UnsupportedProtocol, ProviderDown),
        (httpx.LocalProtocolError, ProviderDown),
        (httpx.WriteError, SubmitUncertain),
        (httpx.WriteTimeout, SubmitUncertain),
        (httpx.ReadError, SubmitUncertain),
        (httpx.ReadTimeout, SubmitUncertain),
        (httpx.RemoteProtocolError, SubmitUncertain),
        (httpx.CloseError, SubmitUncertain),
    ],
)
async def test_only_failures_before_sending_prove_that_nothing_was_sent(failure, expected):
    def fail(request: httpx.Request) -> httpx.Response:
        raise failure("failed")

    with pytest.raises(expected):
        await submit(mocked(fail))


async def test_each_submit_has_a_fresh_connection():
    async with serving(answering(ok(b"{}"))) as server:
        api = client(server.url, timeouts=Timeouts())
        for _ in range(3):
            await submit(api)
    assert len(server.requests) == 3


async def test_no_more_calls_are_open_than_allowed():
    open_now = most = 0

    async def count(request: httpx.Request) -> httpx.Response:
        nonlocal open_now, most
        open_now += 1
        most = max(most, open_now)
        await asyncio.sleep(0.001)
        open_now -= 1
        return httpx.Response(200)

    api = mocked(count, parallel=3, timeouts=Timeouts())
    await asyncio.gather(*(ask(api) for _ in range(20)))
    assert most == 3


async def test_cancelled_calls_give_their_place_back():
    async with serving(hang) as server:
        api = client(server.url, parallel=2, timeouts=Timeouts())
        for turns in range(20):
            task = asyncio.create_task(ask(api))
            for _ in range(turns):
                await asyncio.sleep(0)
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task
    async with serving(answering(ok(b"{}"))) as server:
        with pytest.raises(ProviderDown, match="Connect"):
            await asyncio.wait_for(ask(api), 30)


async def test_redirects_are_not_followed():
    async with serving(answering(ok(b""))) as other:
        moved = ok(b"", f"Location: {other.url}/", status="307 Temporary Redirect")
        async with serving(answering(moved)) as server:
            answer = await submit(client(server.url))
    assert answer.status == 307
    assert other.requests == []


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("120", 120.0),
        ("0", 0.0),
        ("1.5", 1.5),
        ("901", 900.0),
        ("999999999", 900.0),
        ("Wed, 21 Oct 2099 07:30:00 GMT", 900.0),
        ("Wed, 21 Oct 2026 07:30:00 GMT", 120.0),
        ("Wed, 21 Oct 2026 07:00:00 GMT", 0.0),
        ("Wed, 21 Oct 2026 07:30:00", 120.0),
        ("-5", None),
        ("soon", None),
        ("nan", None),
        ("1e9", None),
        ("٣", None),
        ("Wed, 21 Oct 99999999999999999999 07:28:00 GMT", None),
    ],
)
async def test_retry_after_is_read_as_seconds_or_date(value, seconds):
    headers = [(b"retry-after", value.encode())]
    answer = await ask(mocked(lambda _: httpx.Response(429, headers=headers)))
    assert answer.retry_after_s == seconds


async def test_no_retry_after_is_none():
    answer = await ask(mocked(lambda _: httpx.Response(503)))
    assert answer.retry_after_s is None


async def test_body_that_is_no_utf8_is_still_an_answer():
    answer = await ask(mocked(lambda _: httpx.Response(500, content=b"\xff\xfe broken")))
    assert answer.text.endswith("broken")


async def test_a_question_has_twenty_seconds_in_all_while_a_submit_may_take_longer():
    assert Timeouts().ask_s == 20.0
    patient = Timeouts(read_s=5.0, total_s=1.0, ask_s=0.2)
    async with serving(drip) as server:
        api = client(server.url, timeouts=patient)
        began = asyncio.get_running_loop().time()
        with pytest.raises(ProviderDown):
            await ask(api)
        asked_s = asyncio.get_running_loop().time() - began
        with pytest.raises(SubmitUncertain):
            await submit(api)
        submitted_s = asyncio.get_running_loop().time() - began - asked_s
    assert asked_s < 0.8 <= submitted_s


async def test_a_question_that_waits_for_its_slot_has_no_more_time():
    async with serving(hang) as server:
        api = client(server.url, parallel=1, timeouts=Timeouts(read_s=5.0, ask_s=0.2))
        first = asyncio.create_task(submit(api))
        await asyncio.sleep(0.05)
        async with asyncio.timeout(2):
            with pytest.raises(ProviderDown):
                await ask(api)
        first.cancel()
        await asyncio.gather(first, return_exceptions=True)
