"""Rate limits, faults, the request log and access control."""

import time

import aiohttp
import pytest

from sandbox.client import SandboxClient
from sandbox.server import DEFAULT_TOKEN, Sandbox
from tests.integration.sandbox.raw_bot import RawBot, form

BEARER = {"Authorization": f"Bot {DEFAULT_TOKEN}"}


async def test_sixth_message_in_five_seconds_is_told_to_wait(
    raw_bot: RawBot, karaoke: str, sandbox: Sandbox
) -> None:
    sandbox.limits.is_enabled = True
    url = f"{sandbox.api_base}{karaoke}/messages"
    remaining = []
    for _ in range(5):
        async with raw_bot.http.post(url, json={"content": "x"}, headers=BEARER) as response:
            assert response.status == 200
            remaining.append(response.headers["X-RateLimit-Remaining"])
    assert remaining == ["4", "3", "2", "1", "0"]
    async with raw_bot.http.post(url, json={"content": "x"}, headers=BEARER) as response:
        answer = await response.json()
        assert response.status == 429
        assert response.headers["Via"]
        assert response.headers["X-RateLimit-Scope"] == "user"
    assert 0 < answer["retry_after"] <= 5
    assert answer["global"] is False


async def test_buckets_are_counted_by_channel(
    raw_bot: RawBot, karaoke: str, sandbox: Sandbox
) -> None:
    sandbox.limits.is_enabled = True
    lounge = next(c for c in sandbox.world.channels.values() if c.name == "lounge")
    for _ in range(5):
        await raw_bot.ask("POST", f"{karaoke}/messages", {"content": "x"})
    status, _ = await raw_bot.ask("POST", f"/channels/{lounge.id}/messages", {"content": "x"})
    assert status == 200


async def test_requests_beyond_the_global_limit_are_told_so(
    raw_bot: RawBot, sandbox: Sandbox
) -> None:
    sandbox.limits.is_enabled = True
    sandbox.limits.requests_a_second = 3
    answers = [await raw_bot.ask("GET", "/users/@me") for _ in range(4)]
    assert [status for status, _ in answers] == [200] * 3 + [429]
    assert answers[-1][1]["global"] is True


async def test_fault_hits_the_requests_it_names_as_often_as_ordered(
    raw_bot: RawBot, karaoke: str, ada: SandboxClient
) -> None:
    await ada.fault("GET /channels/*", status=503, times=2)
    assert [(await raw_bot.ask("GET", karaoke))[0] for _ in range(3)] == [503, 503, 200]


async def test_fault_with_a_code_answers_with_the_status_of_that_code(
    raw_bot: RawBot, karaoke: str, ada: SandboxClient
) -> None:
    await ada.fault("PATCH *", code=200000)
    status, answer = await raw_bot.ask("PATCH", f"{karaoke}/messages/1", {"content": "x"})
    assert (status, answer["code"]) == (400, 200000)
    await ada.clear_faults()
    assert await raw_bot.refused("PATCH", f"{karaoke}/messages/1", {"content": "x"}) == 10008


async def test_fault_for_files_leaves_other_requests_alone(
    raw_bot: RawBot, karaoke: str, ada: SandboxClient
) -> None:
    await ada.fault(f"POST {karaoke}/messages", code=40005, with_files=True)
    status, _ = await raw_bot.ask("POST", f"{karaoke}/messages", {"content": "words only"})
    assert status == 200
    stems = form({"content": "stems"}, ("a.mp3", b"x"))
    assert await raw_bot.refused("POST", f"{karaoke}/messages", data=stems) == 40005


async def test_reset_breaks_the_connection_before_anything_happens(
    raw_bot: RawBot, karaoke: str, ada: SandboxClient
) -> None:
    await ada.fault(f"POST {karaoke}/messages", reset=True, times=1)
    with pytest.raises(aiohttp.ClientError):
        await raw_bot.ask("POST", f"{karaoke}/messages", {"content": "lost"})
    assert await ada.messages() == []
    assert (await ada.log())[-1]["status"] is None


async def test_reset_after_the_fact_loses_the_answer_only(
    raw_bot: RawBot, karaoke: str, ada: SandboxClient
) -> None:
    await ada.fault(f"POST {karaoke}/messages", reset=True, after=True, times=1)
    with pytest.raises(aiohttp.ClientError):
        await raw_bot.ask("POST", f"{karaoke}/messages", {"content": "there"})
    assert [message["content"] for message in await ada.messages()] == ["there"]


async def test_delay_slows_a_request_down(raw_bot: RawBot, ada: SandboxClient) -> None:
    await ada.fault("/users/@me", delay_s=0.2)
    started = time.monotonic()
    status, _ = await raw_bot.ask("GET", "/users/@me")
    assert status == 200
    assert time.monotonic() - started >= 0.2


async def test_log_tells_requests_with_their_codes_but_not_their_tokens(
    raw_bot: RawBot, ada: SandboxClient
) -> None:
    await raw_bot.ask("GET", "/webhooks/1/very-secret/messages/@original")
    [entry] = await ada.log()
    assert entry["path"] == "/webhooks/1/:token/messages/@original"
    assert (entry["method"], entry["status"], entry["code"]) == ("GET", 404, 10015)


@pytest.mark.parametrize("path", ["/sandbox/state", "/api/v10/gateway/bot", "/"])
@pytest.mark.parametrize(
    "headers",
    [
        {"Host": "evil.example"},
        {"Host": "127.0.0.1.evil.example"},
        {"Origin": "http://evil.example"},
    ],
)
async def test_other_sites_are_turned_away(
    raw_bot: RawBot, sandbox: Sandbox, path: str, headers: dict[str, str]
) -> None:
    async with raw_bot.http.get(sandbox.base_url + path, headers=headers) as response:
        assert response.status == 403


async def test_page_on_localhost_is_let_in(raw_bot: RawBot, sandbox: Sandbox) -> None:
    host = sandbox.base_url.removeprefix("http://").replace("127.0.0.1", "localhost")
    headers = {"Host": host, "Origin": f"http://{host}"}
    async with raw_bot.http.get(f"{sandbox.base_url}/sandbox/state", headers=headers) as response:
        assert response.status == 200
