"""The contract suite's description of a vendor, and a song to send."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
from pydantic import SecretStr

from bot.domain.job import JobId
from bot.net.api_client import ApiClient, Timeouts
from bot.net.downloads import Downloads
from bot.providers.audiocleaner import AudioCleaner
from bot.providers.finevoice import FineVoice
from bot.providers.interface import Call, Model, Source
from bot.providers.soundverse import Soundverse

Adapter = AudioCleaner | FineVoice | Soundverse

KEY = "k-0123456789-KEY"
SONG = "https://cdn.example/attachments/1/2/song.mp3?ex=66&is=65&hm=SIGNATURE"
NOW = datetime(2026, 10, 21, 7, 28, tzinfo=UTC)
MAX_RESULT_BYTES = 1_000_000


class StoppedClock:
    def now(self) -> datetime:
        return NOW

    def monotonic(self) -> float:
        return 0.0


@dataclass(frozen=True, kw_only=True)
class Case:
    """A response of the vendor, and the adapter's expected result: a value or an error type."""

    expected: Any
    body: Any = None
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    model: str | None = None

    def response(self) -> httpx.Response:
        if isinstance(self.body, str | bytes):
            return httpx.Response(self.status, content=self.body, headers=self.headers)
        return httpx.Response(self.status, json=self.body, headers=self.headers)


@dataclass(frozen=True, kw_only=True)
class Vendor:
    """An adapter and the vendor's documented responses."""

    adapter: type[Adapter]
    base_url: str
    submits: Mapping[str, Case]
    polls: Mapping[str, Case]
    ref: str = "none"
    is_polled: bool = True
    echo: Callable[[str], Any]
    """Builds a refusal with the given text as its message."""

    @property
    def name(self) -> str:
        return self.adapter.declared.name

    def model(self, name: str | None = None) -> Model:
        models = {each.name: each for each in self.adapter.declared.models}
        return models[name] if name else next(iter(models.values()))

    def over(
        self,
        transport: httpx.AsyncBaseTransport,
        *,
        base_url: str | None = None,
        timeouts: Timeouts | None = None,
        results: httpx.AsyncBaseTransport | None = None,
    ) -> Adapter:
        """Build the real adapter over this transport."""
        return self.adapter(
            http=ApiClient(
                base_url=base_url or self.base_url,
                transport=transport,
                clock=StoppedClock(),
                timeouts=timeouts,
            ),
            api_key=SecretStr(KEY),
            downloads=Downloads(transport=results or transport),
            max_result_bytes=MAX_RESULT_BYTES,
        )


class Post:
    """A transport that always gives the same response and records requests."""

    def __init__(self, response: Callable[[], httpx.Response]) -> None:
        self._response = response
        self.requests: list[httpx.Request] = []
        self.transport = httpx.MockTransport(self._answer)

    def _answer(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        return self._response()

    @property
    def json(self) -> Any:
        return json.loads(self.requests[-1].content)


def call(model: Model) -> Call:
    return Call(job_id=JobId("k7f2q"), attempt=1, model=model, workdir=Path("unused"))


def song(url: str | None = SONG) -> Source:
    return Source(mixture=Path("unused"), frames=44100, url=url)
