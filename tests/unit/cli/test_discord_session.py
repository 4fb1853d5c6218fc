"""Wrong responses from Discord's address: one log line each, growing pauses, and no exit."""

import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import aiohttp
import discord
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from bot.cli.discord_session import LONGEST_PAUSE_S, DiscordRefused, DiscordSession
from bot.config import SettingsError
from bot.domain.backoff import JITTER
from bot.i18n.languages import Languages
from bot.ui.client import Stemcord, point_at
from bot.ui.commands.registration import Registration
from tests.support.fakes import FakeClock

PAGE = "<html>Log in to the hotel's network</html>"
Answer = Callable[[], web.Response]


class Memory:
    async def get(self, key: str) -> str | None:
        return None

    async def put(self, key: str, value: str) -> None:
        return None


class Impostor:
    """A server with scripted responses, in place of Discord. Pauses only move a clock."""

    def __init__(self) -> None:
        self.answers: list[Answer] = []
        self.asked = 0
        self.pauses: list[float] = []
        self.clock = FakeClock()
        app = web.Application()
        app.router.add_route("*", "/{tail:.*}", self._answer)
        self.server = TestServer(app)
        self.client = Stemcord(
            registration=Registration(memory=Memory(), languages=Languages({})),
            languages=Languages({}),
        )
        self.session = DiscordSession(
            client=self.client, host="discord.example", clock=self.clock, sleep=self._sleep
        )

    async def _answer(self, _: web.Request) -> web.Response:
        self.asked += 1
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        return answer()

    async def _sleep(self, seconds: float) -> None:
        self.pauses.append(seconds)
        self.clock.move(seconds=seconds)

    async def log_in(self, *answers: Answer) -> None:
        """Log in until a final response refuses the token."""
        self.answers = [*answers, refused]
        with pytest.raises(SettingsError, match="DISCORD_TOKEN: Discord does not accept it"):
            await self.session.log_in("a.token")


def refused() -> web.Response:
    return web.json_response({"message": "401: Unauthorized", "code": 0}, status=401)


def html(status: int, **headers: str) -> Answer:
    return lambda: web.Response(status=status, text=PAGE, content_type="text/html", headers=headers)


@pytest.fixture
async def impostor() -> AsyncIterator[Impostor]:
    made = Impostor()
    async with made.server:
        point_at(f"http://{made.server.host}:{made.server.port}/api/v10")
        yield made
        await made.client.close()
    point_at("https://discord.com/api/v10")


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (html(403), "status 403 of something that is not Discord's API"),
        (html(429), "status 429 of something that is not Discord's API"),
        (html(401), "status 401 of something that is not Discord's API"),
        (html(200), "something answers that is not Discord"),
        (lambda: web.json_response({"hotel": True}), "something answers that is not Discord"),
        (lambda: web.json_response({"code": 0}, status=403), "status 403"),
    ],
)
async def test_each_impostor_is_one_line_with_its_status_and_host(
    impostor: Impostor, caplog: pytest.LogCaptureFixture, answer: Answer, reason: str
) -> None:
    await impostor.log_in(answer, answer, answer)
    lines = [each for each in caplog.records if each.name == "bot.cli.discord_session"]
    assert [record.levelno for record in lines] == [logging.WARNING]
    assert f"discord.example: {reason}" in lines[0].getMessage()
    assert lines[0].exc_info is None
    for pause_s, usual_s in zip(impostor.pauses, (5, 10, 20), strict=True):
        assert pause_s == pytest.approx(usual_s, rel=JITTER)


async def test_redirect_to_a_login_page_is_told_as_that(
    impostor: Impostor, caplog: pytest.LogCaptureFixture
) -> None:
    await impostor.log_in(html(302, Location="/login"), html(200))
    assert "something answers that is not Discord" in caplog.text


async def test_ban_is_not_asked_about_before_it_says(impostor: Impostor) -> None:
    await impostor.log_in(html(429, **{"Retry-After": "1800"}), html(429))
    assert impostor.pauses == [1800, pytest.approx(10, rel=JITTER)]


@pytest.mark.parametrize("asked", ["999999999", "9" * 5000])
async def test_whoever_asks_for_years_is_asked_again_after_a_day(
    impostor: Impostor, asked: str
) -> None:
    await impostor.log_in(html(429, **{"Retry-After": asked}))
    assert impostor.pauses == [86_400]


async def test_outage_of_hours_is_a_line_at_its_beginning_one_an_hour_and_one_at_its_end(
    impostor: Impostor, caplog: pytest.LogCaptureFixture
) -> None:
    tries = 0

    async def away_for_a_while(token: str) -> None:
        nonlocal tries
        tries += 1
        if impostor.clock.monotonic() - began < 3 * 3600:
            raise aiohttp.ClientConnectionError("no route to host")

    began = impostor.clock.monotonic()
    client: Any = impostor.client
    client.login = away_for_a_while
    with caplog.at_level(logging.INFO):
        await impostor.session.log_in("a.token")
    lines = [each.getMessage() for each in caplog.records]
    assert "out of reach: discord.example: ClientConnectionError: no route to host" in lines[0]
    assert [line.startswith("Discord is still out of reach") for line in lines[1:-1]] == [True] * 2
    assert lines[-1].startswith("Discord is back after 3 h")
    assert max(impostor.pauses) <= LONGEST_PAUSE_S * (1 + JITTER)
    assert tries < 60


async def test_failed_login_leaves_no_session_open(impostor: Impostor) -> None:
    sessions: list[aiohttp.ClientSession] = []
    made = aiohttp.ClientSession.__init__

    def note(session: aiohttp.ClientSession, *args: Any, **kwargs: Any) -> None:
        sessions.append(session)
        made(session, *args, **kwargs)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(aiohttp.ClientSession, "__init__", note)
        await impostor.log_in(html(403), html(403))
    assert len(sessions) == 3
    assert all(session.closed for session in sessions)


@pytest.mark.parametrize(
    ("code", "error"),
    [(4004, SettingsError), (4013, DiscordRefused)],
)
async def test_connection_that_discord_ends_for_good_is_a_sentence(
    impostor: Impostor, code: int, error: type[Exception]
) -> None:
    class Socket:
        close_code = code

    async def ended() -> None:
        socket: Any = Socket()
        raise discord.ConnectionClosed(socket, shard_id=0)

    client: Any = impostor.client
    client.connect = ended
    with pytest.raises(error):
        await impostor.session.stay_connected()


def gateway(remaining: int, *, reset_after_ms: int = 7_200_000) -> dict[str, Any]:
    return {
        "total": 1000,
        "remaining": remaining,
        "reset_after": reset_after_ms,
        "max_concurrency": 1,
    }


async def session_start(
    impostor: Impostor, monkeypatch: pytest.MonkeyPatch, *limits: dict[str, Any]
) -> list[float]:
    """Start a session under these successive limits, and return the pauses before it."""
    slept: list[float] = []
    answers = list(limits)

    async def ask() -> tuple[int, str, dict[str, Any]]:
        return 1, "wss://gateway.example", answers.pop(0)

    async def note(seconds: float) -> None:
        slept.append(seconds)

    http: Any = impostor.client.http
    http.get_bot_gateway = ask
    monkeypatch.setattr("asyncio.sleep", note)
    begin: Callable[[], Awaitable[None]] = impostor.client.wait_for_session_start
    await begin()
    return slept


async def test_no_session_is_begun_while_none_is_left(
    impostor: Impostor, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    slept = await session_start(impostor, monkeypatch, gateway(0), gateway(1000))
    assert slept == [7200]
    assert "Discord allows no new session for 120 min" in caplog.text


async def test_a_gateway_that_asks_for_years_is_asked_again_after_a_day(
    impostor: Impostor, monkeypatch: pytest.MonkeyPatch
) -> None:
    limits = (gateway(0, reset_after_ms=10**15), gateway(1000))
    assert await session_start(impostor, monkeypatch, *limits) == [86_400]


async def test_few_sessions_that_are_left_are_told(
    impostor: Impostor, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    assert await session_start(impostor, monkeypatch, gateway(50)) == []
    assert caplog.text == ""
    assert await session_start(impostor, monkeypatch, gateway(49)) == []
    assert "only 49 new sessions are left for the next 2 h" in caplog.text


async def test_connection_that_just_ends_is_no_end_of_the_bot_in_silence(
    impostor: Impostor,
) -> None:
    async def ended() -> None:
        return None

    client: Any = impostor.client
    client.connect = ended
    with pytest.raises(DiscordRefused, match="start the bot again"):
        await impostor.session.stay_connected()


@pytest.mark.parametrize(
    "error", [discord.RateLimited(3600), TypeError("not a mapping"), KeyError("shards")]
)
async def test_gateway_that_is_not_discords_ends_no_running_bot(
    impostor: Impostor, error: Exception
) -> None:
    async def ask() -> object:
        raise error

    http: Any = impostor.client.http
    http.get_bot_gateway = ask
    with pytest.raises(ConnectionError):
        await impostor.client.before_identify_hook(0, initial=True)
