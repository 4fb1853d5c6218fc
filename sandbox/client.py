"""A client of the control API that acts as one user, for the demo and tests."""

import asyncio
import io
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import aiohttp

from sandbox.errors import Json

_WAIT_S = 30.0


class SandboxRefused(Exception):
    """The sandbox refused a request, or the bot did not answer."""


class SandboxClient:
    """Acts as one user in one channel, which `as_person` and `in_channel` change."""

    def __init__(self, base_url: str, *, person: str = "Ada", channel: str = "karaoke") -> None:
        self._base_url = f"{base_url}/sandbox"
        self._person = person
        self._channel = channel
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        """Open connections."""
        self._session = aiohttp.ClientSession()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close connections."""
        await self._http.close()

    def as_person(self, name: str) -> None:
        """Act as another user."""
        self._person = name

    def in_channel(self, name: str) -> None:
        """Switch to a channel by id or name, or to the user's DM with the bot by `dm`."""
        self._channel = name

    async def state(self) -> Json:
        """Return the users, channels, commands and other state that the page shows."""
        state: Json = await self._call("GET", "/state")
        return state

    async def upload(self, path: Path) -> str:
        """Upload a file for later use, and return its id."""
        form = aiohttp.FormData(quote_fields=False)
        content = io.BytesIO(await asyncio.to_thread(path.read_bytes))
        form.add_field("file", content, filename=path.name)
        return str((await self._call("POST", "/uploads", data=form))["id"])

    async def command(self, name: str, **options: Any) -> Json:
        """Use a slash command such as `split` or `admin quota set`, uploading `Path` options."""
        values = {key: await self._value(value) for key, value in options.items()}
        return await self._act("/commands", name=name, options=values, in_channel=True)

    async def menu(self, name: str, message_id: str) -> Json:
        """Use a message command."""
        return await self._act(
            "/commands", name=name, type=3, target_message=message_id, in_channel=True
        )

    async def autocomplete(self, name: str, option: str, value: str, **options: Any) -> list[Json]:
        """Return the bot's suggestions for an option."""
        asked = {"name": name, "option": option, "value": value, "options": options}
        answer = await self._act("/autocomplete", in_channel=True, **asked)
        return list(answer["choices"])

    async def press(self, message: Json, label: str, *, values: list[str] | None = None) -> Json:
        """Press a button (by label or custom id), or choose from a menu (by custom id)."""
        custom_id = find_custom_id(message, label)
        asked = {"message_id": message["id"], "custom_id": custom_id, "values": values or []}
        return await self._act("/components", **asked)

    async def form(self, modal_id: str) -> Json:
        """Return a form that the bot has shown: its title and components."""
        query = {"as": await self._user_id()}
        form: Json = await self._call("GET", f"/modals/{modal_id}", params=query)
        return form

    async def send_form(self, modal_id: str, **fields: Any) -> Json:
        """Submit a form by the custom ids of its fields; a `Path`, or a list of them, is uploaded.

        Other fields are submitted with their defaults.
        """
        values = {key: await self._value(value) for key, value in fields.items()}
        return await self._act("/modals", modal_id=modal_id, fields=values)

    async def say(self, content: str = "", *files: Path) -> Json:
        """Send a message with files."""
        uploads = [await self.upload(file) for file in files]
        return await self._act("/messages", content=content, uploads=uploads, in_channel=True)

    async def speak(self, locale: str) -> None:
        """Set the language of the user's Discord client."""
        await self._act("/locale", locale=locale)

    async def permit(self, **permissions: bool) -> None:
        """Grant the user permissions such as `create_guild_expressions=True`, or refuse them."""
        await self._act("/permissions", permissions=permissions)

    async def permit_bot(self, **permissions: bool) -> None:
        """Grant the bot permissions, or refuse them."""
        await self._call("POST", "/permissions", json={"permissions": permissions})

    async def delete(self, message_id: str) -> None:
        """Delete a message."""
        await self._call("DELETE", f"/messages/{message_id}", params={"as": await self._user_id()})

    async def messages(self) -> list[Json]:
        """Return the channel's messages that the user can see, oldest first."""
        state = await self.state()
        query = {"channel": self._channel_in(state), "as": self._user_in(state)}
        answer = await self._call("GET", "/messages", params=query)
        return list(answer)

    async def download(self, attachment: Json, path: Path) -> None:
        """Save a file."""
        async with self._http.get(attachment["url"]) as response:
            response.raise_for_status()
            await asyncio.to_thread(path.write_bytes, await response.read())

    @asynccontextmanager
    async def events(self) -> AsyncIterator[AsyncIterator[Json]]:
        """Stream the events that the user can see, starting when the block is entered."""
        query = {"as": await self._user_id()}
        async with self._http.ws_connect(f"{self._base_url}/events", params=query) as socket:
            yield (message.json() async for message in socket)

    async def wait_for(
        self, accepts: Callable[[Json], bool], *, timeout_s: float = _WAIT_S
    ) -> Json:
        """Return the channel's latest message that `accepts` accepts, waiting for one if needed."""
        async with asyncio.timeout(timeout_s), self.events() as events:
            channel_id = self._channel_in(await self.state())
            for message in reversed(await self.messages()):
                if accepts(message):
                    return message
            async for event in events:
                is_message = event["type"] in ("message_create", "message_update")
                if is_message and event["channel_id"] == channel_id and accepts(event):
                    return event
        raise SandboxRefused("The sandbox has stopped.")

    async def follow(self, message_id: str) -> AsyncIterator[Json]:
        """Yield a message immediately and after each change, until it is deleted."""
        async with self.events() as events:
            for message in await self.messages():
                if message["id"] == message_id:
                    yield message
            async for event in events:
                if event.get("id") != message_id:
                    continue
                if event["type"] == "message_delete":
                    return
                yield event

    async def advance(self, seconds: float) -> None:
        """Move the sandbox's clock ahead."""
        await self._call("POST", "/clock", json={"advance_s": seconds})

    async def fault(self, route: str, **details: Any) -> None:
        """Add a fault for matching requests, such as `PATCH /webhooks/*`."""
        await self._call("POST", "/faults", json={"route": route, **details})

    async def clear_faults(self) -> None:
        """Remove all faults."""
        await self._call("DELETE", "/faults")

    async def disturb_gateway(self, action: str) -> None:
        """Apply `drop`, `reconnect` or `invalidate` to the bot's connection."""
        await self._call("POST", "/gateway", json={"action": action})

    async def log(self) -> list[Json]:
        """Return the requests that the bot made."""
        return list(await self._call("GET", "/log"))

    async def vendors(self) -> Json:
        """Return every vendor's state, by name."""
        books: Json = await self._call("GET", "/vendors")
        return books

    async def set_vendor(self, name: str, **settings: Any) -> Json:
        """Change a vendor's settings, such as `mode="down", times=1`, and return its state."""
        books: Json = await self._call("POST", f"/vendors/{name}", json=settings)
        return books

    @property
    def _http(self) -> aiohttp.ClientSession:
        if self._session is None:
            raise RuntimeError("use SandboxClient as an asynchronous context manager")
        return self._session

    async def _value(self, value: Any) -> Any:
        if isinstance(value, list):
            return [await self._value(each) for each in value]
        return {"upload": await self.upload(value)} if isinstance(value, Path) else value

    async def _act(self, path: str, *, in_channel: bool = False, **asked: Any) -> Json:
        state = await self.state()
        body = {"as": self._user_in(state), **asked}
        if in_channel:
            body["channel"] = self._channel_in(state)
        answer: Json = await self._call("POST", path, json=body)
        return answer

    async def _call(self, method: str, path: str, **arguments: Any) -> Any:
        async with self._http.request(method, self._base_url + path, **arguments) as response:
            answer = await response.json()
        if isinstance(answer, dict) and "error" in answer:
            raise SandboxRefused(answer["error"])
        return answer

    async def _user_id(self) -> str:
        return self._user_in(await self.state())

    def _user_in(self, state: Json) -> str:
        return next(str(user["id"]) for user in state["users"] if user["name"] == self._person)

    def _channel_in(self, state: Json) -> str:
        user_id = self._user_in(state)
        for channel in state["channels"]:
            if channel["id"] == self._channel:
                return self._channel
            is_own_dm = self._channel == "dm" and channel.get("user_id") == user_id
            if is_own_dm or (channel["kind"] != "dm" and channel["name"] == self._channel):
                return str(channel["id"])
        raise SandboxRefused(f"There is no channel {self._channel}.")


def find_custom_id(message: Json, label: str) -> str:
    """Return the custom id of the button with this label or custom id."""
    items = [item for row in message["components"] for item in row.get("components", [])]
    for item in items:
        if label in (item.get("label"), item.get("custom_id")):
            return str(item["custom_id"])
    raise SandboxRefused(f"There is no button {label}.")
