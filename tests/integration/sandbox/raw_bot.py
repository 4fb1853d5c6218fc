"""A bot without a library, which sends exactly what a test asks for, valid or not."""

import asyncio
import json
import zlib
from typing import Any, Self

import aiohttp

from sandbox.errors import Json
from sandbox.server import DEFAULT_TOKEN, Sandbox

GUILDS_AND_DMS = 1 | 1 << 12


class RawBot:
    def __init__(self, sandbox: Sandbox) -> None:
        self.sandbox = sandbox
        self.application = sandbox.world.application_id
        self.events: asyncio.Queue[Json] = asyncio.Queue()
        self._session: aiohttp.ClientSession | None = None
        self._reader: asyncio.Task[None] | None = None
        self._sockets: list[aiohttp.ClientWebSocketResponse] = []

    async def __aenter__(self) -> Self:
        self._session = aiohttp.ClientSession()
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._reader is not None:
            self._reader.cancel()
            await asyncio.gather(self._reader, return_exceptions=True)
        for socket in self._sockets:
            await socket.close()
        await self.http.close()

    @property
    def http(self) -> aiohttp.ClientSession:
        assert self._session is not None
        return self._session

    async def ask(
        self, method: str, path: str, json_body: Any = None, **arguments: Any
    ) -> tuple[int, Any]:
        """Send a request, and return the status and the parsed response."""
        headers = {"Authorization": f"Bot {DEFAULT_TOKEN}", **arguments.pop("headers", {})}
        if json_body is not None:
            arguments["data"] = json.dumps(json_body)
            headers.setdefault("Content-Type", "application/json")
        url = self.sandbox.api_base + path
        async with self.http.request(method, url, headers=headers, **arguments) as response:
            text = await response.text()
            return response.status, json.loads(text) if text else None

    async def refused(self, method: str, path: str, json_body: Any = None, **more: Any) -> int:
        """Send a request that must fail, and return the error code."""
        status, answer = await self.ask(method, path, json_body, **more)
        assert status >= 400
        return int(answer["code"])

    async def wrong_paths(self, method: str, path: str, json_body: Any) -> set[str]:
        """Return the paths in an `Invalid Form Body`."""
        status, answer = await self.ask(method, path, json_body)
        assert (status, answer["code"]) == (400, 50035)
        return set(_leaves(answer["errors"]))

    async def connect(self, query: str = "") -> aiohttp.ClientWebSocketResponse:
        """Connect to the gateway."""
        socket = await self.http.ws_connect(self.sandbox.gateway.address + query)
        self._sockets.append(socket)
        return socket

    async def identify(self, **changes: Any) -> aiohttp.ClientWebSocketResponse:
        """Connect and identify. The caller reads the response."""
        socket = await self.connect()
        assert (await socket.receive_json())["op"] == 10
        data = {"token": DEFAULT_TOKEN, "intents": GUILDS_AND_DMS, "properties": {}, **changes}
        await socket.send_json({"op": 2, "d": data})
        return socket

    async def listen(self) -> None:
        """Identify and collect events after the initial ones."""
        socket = await self.identify()
        for expected in ("READY", "GUILD_CREATE"):
            assert (await socket.receive_json())["t"] == expected
        self._reader = asyncio.create_task(self._read(socket))

    async def event(self, name: str) -> Json:
        """Return the next event with this name."""
        async with asyncio.timeout(30):
            while (event := await self.events.get())["t"] != name:
                continue
        data: Json = event["d"]
        return data

    async def answer(self, interaction: Json, kind: int, data: Json | None = None) -> int:
        """Answer an interaction, and return 0 or the error code."""
        path = f"/interactions/{interaction['id']}/{interaction['token']}/callback"
        body = {"type": kind} | ({} if data is None else {"data": data})
        status, answer = await self.ask("POST", path, body)
        return 0 if status == 204 else int(answer["code"])

    def webhook(self, interaction: Json) -> str:
        return f"/webhooks/{self.application}/{interaction['token']}"

    async def _read(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        async for frame in socket:
            self.events.put_nowait(frame.json())


def form(payload: Json, *files: tuple[str, bytes]) -> aiohttp.FormData:
    data = aiohttp.FormData(quote_fields=False, default_to_multipart=True)
    data.add_field("payload_json", json.dumps(payload))
    for number, (name, content) in enumerate(files):
        data.add_field(f"files[{number}]", content, filename=name)
    return data


def inflate(frames: list[bytes]) -> list[Json]:
    stream = zlib.decompressobj()
    return [json.loads(stream.decompress(frame)) for frame in frames]


def _leaves(tree: Json, prefix: str = "") -> list[str]:
    found = []
    for key, node in tree.items():
        if key == "_errors":
            found.append(prefix.removesuffix("."))
        else:
            found += _leaves(node, f"{prefix}{key}.")
    return found
