"""Simulates many users who send commands at a chosen rate, and records each answer."""

import asyncio
import time
from collections.abc import Coroutine, Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import count
from pathlib import Path
from typing import Any, Self

import aiohttp

from sandbox.errors import Json
from sandbox.server import Sandbox

CHANNEL = "karaoke"


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """The outcome of one command. Its ids are missing if the bot did not answer."""

    name: str
    took_s: float
    interaction_id: int | None = None
    message_id: int | None = None
    refusal: str = ""


@dataclass(frozen=True, slots=True)
class _Song:
    filename: str
    content: bytes
    is_always_new: bool


@dataclass(slots=True)
class SimulatedUsers:
    """Users of the sandbox. `answers` holds every answer so far."""

    sandbox: Sandbox
    people: list[int] = field(default_factory=list)
    answers: list[Answer] = field(default_factory=list)
    _songs: dict[str, _Song] = field(default_factory=dict)
    _numbers: Iterator[int] = field(default_factory=count)
    _calls: set[asyncio.Task[Answer]] = field(default_factory=set)
    _http: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        self._http = aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0))
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.settle()
        if self._http is not None:
            await self._http.close()

    def invite(self, count: int) -> None:
        """Add users to every server."""
        world = self.sandbox.world
        added: dict[int, tuple[int, ...]] = {}
        for number in range(len(self.people), len(self.people) + count):
            added[world.add_user(f"Guest {number}").id] = ()
        self.people += added
        for guild in list(world.guilds.values()):
            world.add_guild(replace(guild, members={**guild.members, **added}))

    def add_song(self, song: Path, *, is_always_new: bool = True) -> None:
        """Register a song under its file name. `is_always_new` makes each of its uploads unique."""
        self._songs[song.stem] = _Song(song.name, song.read_bytes(), is_always_new)

    async def split(
        self, name: str, person: int, *, channel: str = CHANNEL, **options: Any
    ) -> Answer:
        """Upload the song, use `/split`, and record the answer."""
        song = self._songs[name]
        tail = f" {next(self._numbers)}".encode() if song.is_always_new else b""
        file = {"upload": await self.upload(song.filename, song.content + tail)}
        return await self.command("split", person, channel=channel, file=file, **options)

    async def upload(self, filename: str, content: bytes) -> str:
        """Upload a file for later use, and return its id."""
        form = aiohttp.FormData()
        form.add_field("file", content, filename=filename)
        return str((await self._post("/uploads", data=form))["id"])

    async def command(
        self, name: str, person: int, *, channel: str = CHANNEL, **options: Any
    ) -> Answer:
        """Use a command and record the answer."""
        asked = {"as": person, "channel": self._id(channel), "name": name, "options": options}
        return await self._answer(name, "/commands", asked)

    async def _answer(self, name: str, path: str, asked: Json) -> Answer:
        began = time.monotonic()
        said = await self._post(path, json=asked)
        answer = Answer(
            name=name,
            took_s=time.monotonic() - began,
            interaction_id=_number(said.get("interaction_id")),
            message_id=_number(said.get("message_id")),
            refusal=said.get("error", ""),
        )
        self.answers.append(answer)
        return answer

    async def batch(self, names: Sequence[str], person: int, *, channel: str = CHANNEL) -> Answer:
        """Use `/batch`, upload the songs in its form, and record the answer."""
        asked = {"as": person, "channel": self._id(channel), "name": "batch", "options": {}}
        opened = await self._post("/commands", json=asked)
        files = []
        for name in names:
            song = self._songs[name]
            tail = f" {next(self._numbers)}".encode() if song.is_always_new else b""
            files.append({"upload": await self.upload(song.filename, song.content + tail)})
        submitted = {
            "as": person,
            "modal_id": opened.get("modal_id", ""),
            "fields": {"files": files},
        }
        return await self._answer("batch", "/modals", submitted)

    async def press(self, message_id: int, custom_id: str, person: int) -> Answer:
        """Press a button, and record the answer."""
        pressed = {
            "as": person,
            "message_id": str(message_id),
            "custom_id": custom_id,
            "values": [],
        }
        return await self._answer(custom_id, "/components", pressed)

    async def choose(self, message_id: int, custom_id: str, value: str, person: int) -> Answer:
        """Choose from a menu, and record the answer."""
        chosen = {
            "as": person,
            "message_id": str(message_id),
            "custom_id": custom_id,
            "values": [value],
        }
        return await self._answer(custom_id, "/components", chosen)

    def split_soon(self, song: str, person: int, **options: Any) -> None:
        """Use `/split` without waiting for the answer."""
        self._in_background(self.split(song, person, **options))

    def command_soon(self, name: str, person: int, **options: Any) -> None:
        """Use any command without waiting for the answer."""
        self._in_background(self.command(name, person, **options))

    async def settle(self) -> None:
        """Wait until every command has been answered or has timed out."""
        await asyncio.gather(*self._calls)

    def _in_background(self, call: Coroutine[Any, Any, Answer]) -> None:
        calling = asyncio.create_task(call)
        self._calls.add(calling)
        calling.add_done_callback(self._calls.discard)

    def _id(self, channel: str) -> int:
        channels = self.sandbox.world.channels.values()
        return next(each.id for each in channels if each.name == channel)

    async def _post(self, path: str, **body: Any) -> Json:
        if self._http is None:
            raise RuntimeError("use SimulatedUsers as an asynchronous context manager")
        url = f"{self.sandbox.base_url}/sandbox{path}"
        async with self._http.post(url, **body) as response:
            said: Json = await response.json()
        return said


def _number(text: str | None) -> int | None:
    return None if text is None else int(text)
